/* Step 1: an anonymous section, shared by two processes. */
#include "tour.h"

#define SECTION_NAME "TourSection"
#define PAGES_MAX 1024ull
#define NOTE_WORD 1 /* of page 0: the child leaves its frame number there; no word of the pattern */

enum child_code { CHILD_OK, CHILD_NO_SECTION, CHILD_WRONG_CONTENTS };

/* tour --child PAGES: opens the section by its name, checks what the creator wrote, and changes every second page. */
int share_child(int argc, char **argv)
{
	uint64_t pages = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	HANDLE section = OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, SECTION_NAME);
	uint64_t *view = section ? MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!view || pages == 0) {
		tool_fail("tour --child", SECTION_NAME, GetLastError());
		return CHILD_NO_SECTION;
	}
	uint64_t wrong = pattern_wrong(view, 0, pages, OWNER_CREATOR);
	say("Second process (%lu): opened \"%s\", its view is at %p; %s of %s pages hold what the creator wrote.",
	    GetCurrentProcessId(), SECTION_NAME, (void *)view, tool_number(pages - wrong), tool_number(pages));
	view[NOTE_WORD] = look_page(view).frame;
	for (uint64_t page = 1; page < pages; page += 2)
		pattern_fill(view, page, OWNER_CHILD);
	say("Second process: wrote every second page, and ends.");
	return wrong ? CHILD_WRONG_CONTENTS : CHILD_OK;
}

static DWORD run_child(uint64_t pages)
{
	char path[MAX_PATH], line[MAX_PATH + 64];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	DWORD code = ~0u;
	GetModuleFileNameA(NULL, path, sizeof(path));
	sprintf(line, "\"%s\" --child %llu", path, (unsigned long long)pages);
	if (!CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p))
		give_up(line, GetLastError());
	WaitForSingleObject(p.hProcess, INFINITE);
	GetExitCodeProcess(p.hProcess, &code);
	CloseHandle(p.hProcess);
	CloseHandle(p.hThread);
	return code;
}

void step_share(void)
{
	struct bs_memory before = memory_now(), now;
	uint64_t pages = memory_available(&before) / 16;
	if (pages > PAGES_MAX)
		pages = PAGES_MAX;
	if (pages < 16)
		pages = 16;

	say_title("Step 1. An anonymous section, shared by two processes");
	say("CreateFileMapping(INVALID_HANDLE_VALUE) makes a section of %s (%s pages) that is backed by \"the system "
	    "paging "
	    "file\". %s of memory are free.",
	    tool_pages(pages), tool_number(pages), tool_pages(memory_available(&before)));
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)(pages * PAGE_BYTES),
					    SECTION_NAME);
	if (!section)
		give_up("CreateFileMapping", GetLastError());
	now = memory_now();
	uint64_t charged = now.commit_sections - before.commit_sections;
	statement(charged >= pages && charged - pages <= pages / MIB_PAGES + 4,
		  "Making it charged its %s pages against the commit limit, and %s for the tables that say where they "
		  "are: sections' "
		  "charge %s -> %s pages.",
		  tool_number(pages), tool_number(charged - pages), tool_number(before.commit_sections),
		  tool_number(now.commit_sections));
	char *view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
	if (!view)
		give_up("MapViewOfFile", GetLastError());
	struct look l = look_at(view, pages);
	statement(l.pages[BS_ZERO] == pages, "No page of it exists yet: %s.", look_text(&l));

	pattern_fill(view, 0, OWNER_CREATOR);
	for (uint64_t page = 1; page < pages; page++)
		pattern_fill(view, page, OWNER_CREATOR);
	l = look_at(view, pages);
	statement(l.pages[BS_MEMORY] == pages, "The creator (process %lu, view at %p) fills it. Now its pages are: %s.",
		  GetCurrentProcessId(), (void *)view, look_text(&l));

	say("A second process is started. It only knows the section's name.");
	uint64_t frame = look_page(view).frame;
	DWORD code = run_child(pages);
	statement(code == CHILD_OK, "The second process found all pages as they were written (%s).",
		  tool_exit_text(code));
	uint64_t child_frame = ((uint64_t *)view)[NOTE_WORD];
	statement(frame != 0 && child_frame == frame,
		  "Both saw the same memory, not copies: page 0 is page frame 0x%llx here, 0x%llx there.",
		  (unsigned long long)frame, (unsigned long long)child_frame);
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < pages; page++)
		wrong += !pattern_holds(view, page, page % 2 ? OWNER_CHILD : OWNER_CREATOR);
	statement(wrong == 0, "The creator reads what the child wrote: %s of %s pages are right.",
		  tool_number(pages - wrong), tool_number(pages));

	UnmapViewOfFile(view);
	CloseHandle(section);
	bool back = settles(offsetof(struct bs_memory, commit_sections), before.commit_sections);
	now = memory_now();
	statement(back, "View and handle closed: the charge is given back (%s pages, as before).",
		  tool_number(now.commit_sections));
	uint64_t written = now.pages_swapped_out - before.pages_swapped_out;
	statement(written == 0,
		  "Backed by the paging file, but never written to it: %s pages were written during this step. That "
		  "would only "
		  "have happened if memory had run short.",
		  tool_number(written));
}
