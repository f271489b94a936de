/*
 * rammap: what each page frame of memory is used for. frames.c asks the PFN database; owners.c finds the processes and
 * files that the frames belong to; main.c shows it.
 */
#ifndef RAMMAP_H
#define RAMMAP_H

#include "backing.h"
#include "process.h"

#define USES (BS_USE_KERNEL + 1)
#define STATES (BS_FRAME_KERNEL + 1)

/* ---- frames.c ---- */

/* One call for each frame from first on, count of them. False: BsQueryFrames failed, and GetLastError says why. */
typedef void frame_visit(void *argument, uint64_t number, const struct bs_frame *f);
bool frames_walk(uint64_t first, uint64_t count, frame_visit *visit, void *argument);

#define PAGE_PRIORITIES 8

struct frame_table {
	uint64_t frames[USES][STATES];
	uint64_t priorities[PAGE_PRIORITIES][STATES];
};
void frame_table_add(struct frame_table *t, const struct bs_frame *f);
bool frame_table_read(struct frame_table *t);
uint64_t frame_table_row(const struct frame_table *t, int use);
uint64_t frame_table_column(const struct frame_table *t, int state);
void frame_table_print(const struct frame_table *t);
void frame_table_print_priorities(const struct frame_table *t);

const char *frame_use_text(unsigned int use);
const char *frame_state_text(unsigned int state);
bool frame_map_print(void);

/* ---- owners.c ---- */

enum owner_kind { OWNER_NONE, OWNER_PROCESS, OWNER_FILE, OWNER_SECTION };

/* Somebody whom frames belong to: a process (its private pages), a file, an anonymous section. */
struct owner {
	enum owner_kind kind;
	char name[64];
	uint32_t process;          /* the number of a process; of a section: one that has a view of it */
	uint64_t base;             /* of a section: where that process has it */
	uint64_t frames[STATES];   /* by state */
	uint64_t shared;           /* of a process: section pages in its page table */
	uint64_t tables;           /* of a process: page tables */
};

struct owners {
	struct owner *list;        /* begins with NOBODY_FILE: nobody was found */
	size_t count;
	bool full;                 /* there were more; the others' frames are nobody's */
	uint16_t *of_frame;        /* index in list, for each frame */
	uint64_t frames;           /* entries of of_frame */
	struct frame_table table;  /* all frames, at the same time */
};
#define NOBODY_PROCESS 0 /* of private pages, AWE and large pages that were found in no process */
#define NOBODY_FILE 1    /* of section pages */
#define NOBODIES 2

/* Looks into all processes, and counts their frames. False: GetLastError says why. */
bool owners_read(struct owners *o);
void owners_free(struct owners *o);

/* Prints who has this frame, and why it is where it is. Returns how many pages were found. */
unsigned int owners_print_frame(uint64_t number);

#endif
