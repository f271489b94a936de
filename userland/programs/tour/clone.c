/* Step 7: a clone of the process (fork). Its memory is copied page by page, when one of the two writes. */
#include "tour.h"

#define PAGES 32ull

/* What the clone leaves behind for the original, in a section that both have. */
struct note {
	uint64_t same_frames;   /* pages that had the original's frames before the clone wrote */
	uint64_t as_clones;     /* of those, marked as shared with a clone */
	uint64_t wrong_before, wrong_after;
	uint64_t other_frames;  /* pages that have frames of their own since it wrote them */
};

static uint64_t frames[PAGES]; /* the original's, which the clone finds in its copy of this array */

static bool is_written(uint64_t page)
{
	return page % 2 == 0;
}

static uint64_t count_wrong(const char *block, uint64_t owner_written)
{
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(block, page, is_written(page) ? owner_written : OWNER_CREATOR);
	return wrong;
}

/* What the clone does. It does not return: the rest of the tour is the original's. */
static void be_clone(char *block, volatile struct note *note)
{
	note->wrong_before = count_wrong(block, OWNER_CREATOR);
	for (uint64_t page = 0; page < PAGES; page++) {
		struct bs_page p = look_page(block + page * PAGE_BYTES);
		note->same_frames += p.frame == frames[page];
		note->as_clones += p.frame == frames[page] && p.flags & BS_CLONE;
	}
	for (uint64_t page = 0; page < PAGES; page++)
		if (is_written(page))
			pattern_fill(block, page, OWNER_CHILD);
	note->wrong_after = count_wrong(block, OWNER_CHILD);
	for (uint64_t page = 0; page < PAGES; page++)
		note->other_frames += is_written(page) && look_page(block + page * PAGE_BYTES).frame != frames[page];
	NtTerminateProcess(GetCurrentProcess(), 0);
}

/* Clones, waits for the clone's end, and gives what the commit charge was meanwhile. */
static void run_clone(char *block, struct note *note, struct bs_memory *during)
{
	HANDLE process, thread;
	uint32_t ids[2];
	fflush(stdout);
	NTSTATUS status = BsCloneProcess(BS_CLONE_SUSPENDED, &process, &thread, ids);
	if (status == STATUS_PROCESS_CLONED)
		be_clone(block, note);
	if (status != STATUS_SUCCESS)
		give_up("a clone of this process", RtlNtStatusToDosError(status));
	*during = memory_now();
	say("The clone is process %u. It has all that tour has, at the same addresses; now it runs.", ids[0]);
	ResumeThread(thread);
	WaitForSingleObject(process, INFINITE);
	CloseHandle(process);
	CloseHandle(thread);
}

/* Under lazy-writecopy what was shared with a clone is charged apart, until it is written to. */
static uint64_t private_charge(const struct bs_memory *m)
{
	return m->commit_private + m->commit_clones;
}

void step_clone(void)
{
	struct bs_memory before, during, after;
	say_title("Step 7. A clone of the process (fork): copied when written");
	char *block = VirtualAlloc(NULL, PAGES * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(struct note), NULL);
	struct note *note = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!block || !note)
		give_up("memory for a step", GetLastError());
	for (uint64_t page = 0; page < PAGES; page++) {
		pattern_fill(block, page, OWNER_CREATOR);
		frames[page] = look_page(block + page * PAGE_BYTES).frame;
	}
	memset(note, 0, sizeof(*note));
	before = memory_now();
	run_clone(block, note, &during);

	uint64_t charged = during.commit_charge - before.commit_charge;
	if (tour.policy == BS_COMMIT_STRICT)
		statement(charged >= PAGES,
			  "Each page that it might have to copy was charged when it was made, with its page tables: %s "
			  "pages.",
			  tool_number(charged));
	else
		say("Making it charged %s pages (commit=%s).", tool_number(charged), commit_policy_name(tour.policy));
	statement(note->wrong_before == 0, "The clone read what tour had written: %s of %s pages were right.",
		  tool_number(PAGES - note->wrong_before), tool_number(PAGES));
	statement(note->same_frames == PAGES && note->as_clones == PAGES,
		  "Nothing was copied for that: %s of %s pages had the same frames here and there.",
		  tool_number(note->same_frames), tool_number(PAGES));
	statement(note->other_frames == PAGES / 2 && note->wrong_after == 0,
		  "The clone wrote every second page: %s pages have frames of their own there since.",
		  tool_number(note->other_frames));
	uint64_t wrong = count_wrong(block, OWNER_CREATOR);
	statement(wrong == 0, "Here all is as it was: %s of %s pages.", tool_number(PAGES - wrong),
		  tool_number(PAGES));
	/* The kernel may keep a page of its pool that others use by now: so the processes' charge is compared. */
	for (int i = 0; i < 100; i++) {
		after = memory_now();
		if (private_charge(&after) <= private_charge(&before))
			break;
		Sleep(20);
	}
	statement(private_charge(&after) <= private_charge(&before),
		  "The clone has ended, and the charge of its private memory is given back: %s -> %s -> %s pages.",
		  tool_number(private_charge(&before)), tool_number(private_charge(&during)),
		  tool_number(private_charge(&after)));
	UnmapViewOfFile(note);
	CloseHandle(section);
	VirtualFree(block, 0, MEM_RELEASE);
}
