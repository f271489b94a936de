/*
 * Step 3: more memory is written than is free, so that pages have to leave memory. Step 4 looks at image pages
 * meanwhile.
 */
#include "tour.h"

#define SECTION_PAGES_MAX 2048ull
#define SECONDS_MAX 60.0 /* for filling memory; a machine with more of it is not forced */
#define SAMPLE_PAGES 512ull
#define LOCKED_PAGES 16ull
#define WRITER_CLUSTER 64ull /* pages that the writer may be busy with: others' pages may still come in */

struct pressure {
	HANDLE handle;
	char *section, *block;
	char *locked;             /* by VirtualLock */
	uint64_t section_pages, block_pages;
	uint64_t available;       /* frames, just before the block is filled */
	struct bs_memory before, height;
};

static void section_make(struct pressure *p)
{
	p->section_pages = memory_available(&p->before) / 16;
	uint64_t room = p->before.commit_limit - p->before.commit_charge;
	if (p->section_pages > room / 4)
		p->section_pages = room / 4;
	if (p->section_pages > SECTION_PAGES_MAX)
		p->section_pages = SECTION_PAGES_MAX;
	if (p->section_pages == 0)
		give_up("a section of a quarter of what the commit limit leaves", ERROR_COMMITMENT_LIMIT);
	p->handle = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
				       (DWORD)(p->section_pages * PAGE_BYTES), NULL);
	p->section = p->handle ? MapViewOfFile(p->handle, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!p->section)
		give_up("CreateFileMapping", GetLastError());
	fill_pages(p->section, p->section_pages, OWNER_SECTION, "filling the section");
	say("A section of %s pages is filled. The charge is %s, the limit %s; %s of memory are free or can be reused "
	    "at once.",
	    tool_number(p->section_pages), tool_pages(memory_now().commit_charge), tool_pages(p->before.commit_limit),
	    tool_pages(memory_available(&p->before)));
}

static void locked_make(struct pressure *p)
{
	p->locked = VirtualAlloc(NULL, LOCKED_PAGES * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!p->locked || !VirtualLock(p->locked, LOCKED_PAGES * PAGE_BYTES))
		give_up("VirtualLock", GetLastError());
	for (uint64_t page = 0; page < LOCKED_PAGES; page++)
		pattern_fill(p->locked, page, OWNER_BLOCK);
	say("%s pages of private memory are locked (VirtualLock).", tool_number(LOCKED_PAGES));
}

static void locked_judge(struct pressure *p)
{
	struct look l = look_at(p->locked, LOCKED_PAGES);
	statement(l.locked == LOCKED_PAGES && l.pages[BS_MEMORY] == LOCKED_PAGES,
		  "The locked pages have stayed where they were: %s.", look_text(&l));
	VirtualFree(p->locked, 0, MEM_RELEASE);
}

/* tour's pages leave its working set, as if it had slept for a long time: they are then the first to be taken. */
static void trim(struct pressure *p)
{
	struct bs_memory before = memory_now(), after;
	SetProcessWorkingSetSize(GetCurrentProcess(), (SIZE_T)-1, (SIZE_T)-1);
	after = memory_now();
	struct look l = look_at(p->section, p->section_pages);
	say("tour gives up its working set (SetProcessWorkingSetSize), as if it had slept for long: %s pages were "
	    "trimmed.",
	    tool_number(after.pages_trimmed - before.pages_trimmed));
	if (memory_available(&before) < 2 * p->section_pages)
		statement_skipped("Memory is short already, so pages may be written at once.");
	else
		statement(l.resident == p->section_pages && after.pages_swapped_out == before.pages_swapped_out,
			  "That alone writes nothing: %s of the section's %s pages are still in memory, %s pages were "
			  "written.",
			  tool_number(l.resident), tool_number(p->section_pages),
			  tool_number(after.pages_swapped_out - before.pages_swapped_out));
}

/* How many pages to write: as many as are available and the section's twice over, but no more than may be promised. */
static void block_size(struct pressure *p)
{
	struct bs_memory now = memory_now();
	uint64_t room = now.commit_limit - now.commit_charge;
	p->available = memory_available(&now);
	uint64_t want = p->available + 2 * p->section_pages + MIB_PAGES;
	/* Page tables are charged too; and a few pages are left to others. */
	uint64_t allowed = room - room / 256 > 64 ? room - room / 256 - 64 : 0;
	if (tour.overcommit) {
		uint64_t fits = p->available + now.paging_file_pages - now.paging_file_used;
		allowed = fits - fits / 8;
	}
	p->block_pages = want < allowed ? want : allowed;
}

/* Asks for the block; what is refused at the last moment is asked for again, smaller. */
static void block_make(struct pressure *p)
{
	block_size(p);
	while (p->block_pages > 0) {
		p->block = VirtualAlloc(NULL, p->block_pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		if (p->block || GetLastError() != ERROR_COMMITMENT_LIMIT)
			break;
		p->block_pages -= p->block_pages / 16 + 1;
	}
	if (!p->block)
		give_up("VirtualAlloc", GetLastError());
}

/* Writes the block, and says whether that forced pages out. False: it would take too long. */
static bool block_fill(struct pressure *p)
{
	uint64_t sample = p->block_pages < SAMPLE_PAGES ? p->block_pages : SAMPLE_PAGES;
	fill_pages(p->block, sample, OWNER_BLOCK, "");
	if (!tour.patient && tour.page_seconds * (double)p->block_pages > SECONDS_MAX) {
		statement_skipped(
			"Writing %s would take %.0f s here. With less memory (make run RAM=128M), or with tour -a, "
			"steps 3 and 4 can be seen.",
			tool_pages(p->block_pages), tour.page_seconds * (double)p->block_pages);
		return false;
	}
	say("Private memory: %s are committed and written now. %s", tool_pages(p->block_pages),
	    p->block_pages > p->available ? "That is more than is available."
					  : "More the commit limit does not allow, and that much memory has.");
	double start = seconds_now();
	fill_pages(p->block, p->block_pages, OWNER_BLOCK, "writing");
	p->height = memory_now();
	say("It took %.2f s. Every write succeeded: what was promised is there.", seconds_now() - start);
	return true;
}

static void judge_paged_out(struct pressure *p)
{
	struct look section = look_at(p->section, p->section_pages), block = look_at(p->block, p->block_pages);
	uint64_t written = p->height.pages_swapped_out - p->before.pages_swapped_out;
	uint64_t requests = p->height.swap_write_requests - p->before.swap_write_requests;
	uint64_t discarded = p->height.pages_discarded - p->before.pages_discarded;
	say("The section's pages: %s.", look_text(&section));
	say("The private pages: %s.", look_text(&block));
	if (p->block_pages > p->available)
		statement(written + discarded >= p->block_pages - p->available,
			  "%s pages more were written than were available, so as many had to leave memory: %s went to "
			  "the paging "
			  "file, %s clean ones were discarded.",
			  tool_number(p->block_pages - p->available), tool_number(written), tool_number(discarded));
	if (p->block_pages > p->available + p->section_pages)
		statement(section.pages[BS_PAGING_FILE] > 0,
			  "Only now pages of the section are in the paging file: %s of %s.",
			  tool_number(section.pages[BS_PAGING_FILE]), tool_number(p->section_pages));
	else
		statement_skipped("The commit limit allows only %s pages more than memory has: too few to say whose "
				  "pages must go.",
				  tool_number(p->block_pages > p->available ? p->block_pages - p->available : 0));
	if (section.first_address) {
		struct backing_text t;
		backing_explain(&section.first_page, &t);
		say("For example, the page at 0x%llx is %s: %s.", (unsigned long long)section.first_address, t.place,
		    t.why);
	}
	if (requests)
		say("The %s pages were written in %s requests, %.1f pages each.", tool_number(written),
		    tool_number(requests), (double)written / (double)requests);
}

static void judge_stayed(struct pressure *p)
{
	struct look section = look_at(p->section, p->section_pages), block = look_at(p->block, p->block_pages);
	uint64_t written = p->height.pages_swapped_out - p->before.pages_swapped_out;
	say("There is no paging file. The section's pages: %s. The private pages: %s.", look_text(&section),
	    look_text(&block));
	statement(written == 0 && section.resident == p->section_pages && block.resident == p->block_pages,
		  "Nothing dirty left memory: %s pages were written to a disk; %s of %s are in memory.",
		  tool_number(written), tool_number(section.resident + block.resident),
		  tool_number(p->section_pages + p->block_pages));
	say("What could leave was what a file backs: clean pages were discarded %s times.",
	    tool_number(p->height.pages_discarded - p->before.pages_discarded));
}

static void read_back_section(struct pressure *p)
{
	struct look l = look_at(p->section, p->section_pages);
	struct bs_memory start = memory_now(), end;
	uint64_t wrong = check_pages(p->section, p->section_pages, OWNER_SECTION, "reading the section");
	end = memory_now();
	uint64_t pages = end.pages_swapped_in - start.pages_swapped_in;
	uint64_t requests = end.swap_read_requests - start.swap_read_requests;
	statement(wrong == 0, "The section is read back: %s of %s pages are as they were written.",
		  tool_number(p->section_pages - wrong), tool_number(p->section_pages));
	if (l.paged_out)
		statement(pages >= 1 && requests >= 1,
			  "%s of them had to come from the paging file: %s pages in %s requests.",
			  tool_number(l.paged_out), tool_number(pages), tool_number(requests));
}

static void give_back(struct pressure *p)
{
	uint64_t wrong = check_pages(p->block, p->block_pages, OWNER_BLOCK, "reading the private pages");
	say_title("Steps 3 and 4, the end: all is read once more, and given back");
	statement(wrong == 0, "%s of %s private pages are as they were written.", tool_number(p->block_pages - wrong),
		  tool_number(p->block_pages));
	uint64_t slots = look_at(p->section, p->section_pages).pages[BS_PAGING_FILE] +
			 look_at(p->block, p->block_pages).pages[BS_PAGING_FILE];
	struct bs_memory full = memory_now(), now;
	VirtualFree(p->block, 0, MEM_RELEASE);
	UnmapViewOfFile(p->section);
	CloseHandle(p->handle);
	bool back = settles(offsetof(struct bs_memory, commit_sections), p->before.commit_sections);
	now = memory_now();
	statement(back && full.commit_charge - now.commit_charge >= p->block_pages + p->section_pages,
		  "Freed: the charge fell from %s to %s.", tool_pages(full.commit_charge),
		  tool_pages(now.commit_charge));
	if (slots)
		statement(full.paging_file_used + WRITER_CLUSTER >= now.paging_file_used + slots,
			  "Their %s slots in the paging file are free again, without any reading or writing: used %s "
			  "-> %s.",
			  tool_number(slots), tool_pages(full.paging_file_used), tool_pages(now.paging_file_used));
}

void step_pressure(void)
{
	struct pressure p = { .before = memory_now() };
	say_title("Step 3. Memory runs short");
	section_make(&p);
	image_prepare();
	locked_make(&p);
	trim(&p);
	block_make(&p);
	if (block_fill(&p)) {
		if (tour.paging_file)
			judge_paged_out(&p);
		else
			judge_stayed(&p);
		locked_judge(&p);
		read_back_section(&p);
		image_look(&p.before);
		give_back(&p);
	} else {
		VirtualFree(p.locked, 0, MEM_RELEASE);
		VirtualFree(p.block, 0, MEM_RELEASE);
		UnmapViewOfFile(p.section);
		CloseHandle(p.handle);
	}
}
