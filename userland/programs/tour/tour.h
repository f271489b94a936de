/*
 * tour: where memory is backed, shown step by step on this machine. Each step does something with memory and measures
 * what it meant for frames, charges and paging files. A statement is a sentence that the numbers can contradict; tour
 * counts how many held. main.c the order; say.c the narration; look.c the backing of ranges; one file for each step.
 */
#ifndef TOUR_H
#define TOUR_H

#include "backing.h"
#include "pattern.h"
#include "tool.h"

#define OWNER_CREATOR 1
#define OWNER_CHILD 2
#define OWNER_SECTION 3
#define OWNER_BLOCK 4

#define MIB_PAGES 256ull

struct tour {
	unsigned int statements, held;
	bool paging_file;  /* there is one */
	enum bs_commit_policy policy;
	bool overcommit;   /* the commit limit refuses nothing */
	bool patient;        /* memory is filled however long that takes */
	double page_seconds; /* what writing a new page takes here, measured in step 3; 0: not yet */
};
extern struct tour tour;

/* say.c: text as by printf, wrapped at the edge of the terminal. */
void say_title(const char *format, ...) __attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2)));
void say(const char *format, ...) __attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2)));
/* Counts a statement and says it, with whether it held. Returns that. */
bool statement(bool so, const char *format, ...) __attribute__((format(__MINGW_PRINTF_FORMAT, 2, 3)));
/* Says that a statement is left out, and why. It does not count. */
void statement_skipped(const char *format, ...) __attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2)));
/* Something that tour needs could not be had: says so and ends the program. */
void give_up(const char *what, DWORD error) __attribute__((noreturn));
/* For work that may take long: shows how far it is, at most every two seconds. */
void progress(const char *what, uint64_t done, uint64_t all);
double seconds_now(void);

/* look.c */
struct look {
	uint64_t pages[BACKINGS];         /* by enum bs_backing */
	uint64_t resident;                /* in memory */
	uint64_t paged_out;               /* in a paging file and not in memory */
	uint64_t all;
	uint64_t locked;
	uint64_t first_address;           /* of the first page that is in a paging file, if any: */
	struct bs_page first_page;
};
struct look look_at(const void *base, uint64_t pages);
/* "1,000 in memory alone, 24 in a paging file" */
const char *look_text(const struct look *l);
struct bs_page look_page(const void *address);
/*
 * Waits, a second at most, until counter (a field of struct bs_memory) is back at value: ended processes take a moment.
 */
bool settles(size_t counter_offset, uint64_t value);

/* The steps. */
int share_child(int argc, char **argv); /* step 1's second process */
void step_share(void);
void step_private(void);
void step_pressure(void);               /* steps 3 and 4 */
void step_limit(void);
void step_no_paging_file(void);
void step_clone(void);
void step_window(void);

/* image.c: step 4, which step 3 calls before the pressure and at its height. */
void image_prepare(void);
void image_look(const struct bs_memory *before);

/* Fills count pages with the pattern of owner, and measures how long a page takes. */
void fill_pages(char *base, uint64_t count, uint64_t owner, const char *what);
uint64_t check_pages(const char *base, uint64_t count, uint64_t owner, const char *what);

#endif
