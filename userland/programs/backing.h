/*
 * Where a page is backed, why, and what else there is to say of it, in words: the one place that has them. And a walk
 * over the pages of a range.
 */
#ifndef BACKING_H
#define BACKING_H

#include "counters.h"
#include "tool.h"

#define BACKINGS (BS_DATA_FILE + 1)
#define BACKING_CHUNK 128 /* pages asked for at a time */

/* "The page is ...". backing: enum bs_backing. */
static inline const char *backing_name(unsigned int backing)
{
	static const char *const names[BACKINGS] = {
		[BS_NOTHING] = "not committed",	  [BS_ZERO] = "zero on demand",
		[BS_MEMORY] = "in memory alone",  [BS_PAGING_FILE] = "in a paging file",
		[BS_IMAGE] = "in the image file", [BS_DATA_FILE] = "in a data file",
	};
	return backing < BACKINGS ? names[backing] : "backed in a way that this program does not know";
}

/* The reason, as a sentence without its end. why: enum bs_why. */
static inline const char *backing_why(unsigned int why)
{
	static const char *const reasons[] = {
		[BS_WHY_FREE] = "nothing is allocated here",
		[BS_WHY_RESERVED] = "only the address is taken, no memory was promised",
		[BS_WHY_UNTOUCHED] = "it was promised and never touched; the first access makes it, filled with zeros",
		[BS_WHY_UNWRITTEN] = "it was only read: it holds zeros, and its frame can be taken at any time",
		[BS_WHY_MODIFIED] =
			"it was written to, and memory has not been so short since that it had to be paged out",
		[BS_WHY_PAGED_OUT] = "it was written to, and then memory was short",
		[BS_WHY_PAGED_IN] =
			"it was paged out, came back, and was not written to since: the paging file's copy is "
			"still good",
		[BS_WHY_WRITING] = "it is on its way to a paging file; until it is there, memory alone has it",
		[BS_WHY_FILE] = "it was never modified, so the file has it and it need not be written anywhere",
		[BS_WHY_COPIED] =
			"a write to a write-copy page made this private copy, and it has not been paged out",
		[BS_WHY_RESET] = "the program does not need its contents any more (MEM_RESET or OfferVirtualMemory), "
				 "and they were not discarded yet",
		[BS_WHY_DISCARDED] = "the program did not need its contents any more (MEM_RESET or "
				     "OfferVirtualMemory), and they were discarded",
		[BS_WHY_PHYSICAL] =
			"it is a physical page, mapped by MapUserPhysicalPages; such pages are never paged",
		[BS_WHY_LARGE] = "it is part of a large page; those are never paged",
		[BS_WHY_FILE_MODIFIED] = "it was written to, and has not been written to its file since",
	};
	return why < sizeof(reasons) / sizeof(reasons[0]) ? reasons[why] : "for a reason that this program does not know";
}

/* All of it, as text. */
struct backing_text {
	char place[64];      /* "in paging file 0, slot 12" */
	const char *why;     /* "memory was short" */
	const char *protect; /* "rw-" */
	char notes[192];     /* "private, frame 0x180, dirty, referenced"; "": nothing to say */
};

static inline void backing_note(struct backing_text *t, const char *format, uint64_t number)
{
	size_t length = strlen(t->notes);
	if (length)
		length += (size_t)snprintf(t->notes + length, sizeof(t->notes) - length, ", ");
	snprintf(t->notes + length, sizeof(t->notes) - length, format, (unsigned long long)number);
}

static inline void backing_notes(const struct bs_page *p, struct backing_text *t)
{
	static const struct {
		unsigned int flag;
		const char *text;
	} notes[] = {
		{ BS_LARGE, "large page" },
		{ BS_LOCKED, "locked" },
		{ BS_DIRTY, "dirty" },
		{ BS_ACCESSED, "referenced" },
		{ BS_WRITE_COPY, "copied at the first write" },
		{ BS_CLONE, "shared with a clone until one of them writes" },
		{ BS_OFFERED, "on offer" },
	};
	t->notes[0] = 0;
	if (p->protect)
		backing_note(t, p->flags & BS_SHARED ? "shared (section)" : "private", 0);
	if (p->flags & BS_RESIDENT) {
		backing_note(t, "frame 0x%llx", p->frame);
		if (!(p->flags & BS_VALID))
			backing_note(t, "not in this page table", 0);
		if (p->shares > 1)
			backing_note(t, "in %llu page tables", p->shares);
	} else if (p->protect && p->backing != BS_ZERO) {
		backing_note(t, "not in memory", 0);
	}
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (p->flags & notes[i].flag)
			backing_note(t, notes[i].text, 0);
}

static inline void backing_explain(const struct bs_page *p, struct backing_text *t)
{
	if (p->backing == BS_PAGING_FILE)
		sprintf(t->place, "in paging file %u, slot %llu", p->file, (unsigned long long)p->offset);
	else if (p->backing == BS_IMAGE || p->backing == BS_DATA_FILE)
		sprintf(t->place, "%s, byte 0x%llx", backing_name(p->backing), (unsigned long long)p->offset);
	else
		strcpy(t->place, p->why == BS_WHY_FREE && p->backing == BS_NOTHING ? "free" : backing_name(p->backing));
	t->why = backing_why(p->why);
	t->protect = p->protect ? tool_protection(p->protect) : "";
	backing_notes(p, t);
}

/* One call for each page of the walk: its address and what is known of it. */
typedef void backing_visit(void *argument, uint64_t address, const struct bs_page *p);

/* Visits the pages of [base, base + pages) of a process. False: the range or the process is not there any more. */
static inline bool backing_walk(HANDLE process, uint64_t base, uint64_t pages, backing_visit *visit, void *argument)
{
	static struct bs_page found[BACKING_CHUNK];
	for (uint64_t done = 0; done < pages; done += BACKING_CHUNK) {
		uint64_t count = pages - done < BACKING_CHUNK ? pages - done : BACKING_CHUNK;
		if (BsQueryBacking(process, (void *)(base + done * PAGE_BYTES), count, found) != 0)
			return false;
		for (uint64_t i = 0; i < count; i++)
			visit(argument, base + (done + i) * PAGE_BYTES, &found[i]);
	}
	return true;
}

#endif
