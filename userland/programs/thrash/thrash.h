/*
 * thrash: main.c the options; run.c starts the processes, watches them and says what became of them; worker.c is what each
 * of them does. They share a section, the board: the plan stands there, and what each has done so far.
 */
#ifndef THRASH_H
#define THRASH_H

#include "counters.h"
#include "tool.h"

#define WORKERS_MAX 16
#define TENTH 10 /* ACCESS_LOOP: parts of the set, and rounds through each */

enum access_pattern { ACCESS_SEQUENTIAL, ACCESS_RANDOM, ACCESS_ZIPF, ACCESS_LOOP, ACCESS_PATTERNS };

struct plan {
	uint64_t pages;        /* of all processes together */
	uint64_t processes;
	uint64_t milliseconds; /* or, if 0: */
	uint64_t accesses;     /* of each process */
	uint64_t seed;
	uint32_t write_percent;
	enum access_pattern pattern;
	bool section;          /* anonymous sections, not private memory */
	bool raw;
};

enum worker_state { WORKER_STARTING, WORKER_COMMITTED, WORKER_FILLED, WORKER_DONE };

/* What a process tells; only it writes here. */
struct worker {
	volatile uint32_t state;      /* enum worker_state */
	volatile uint64_t pages;      /* that were committed */
	volatile uint64_t filled;     /* pages written to before the time begins */
	volatile uint64_t touched, written; /* accesses since */
	volatile uint64_t wrong;      /* pages that did not hold what was written last */
	volatile uint64_t wrong_page; /* the first of them */
	volatile uint64_t elapsed_ms;
};

struct board {
	struct plan plan;
	uint32_t parent;          /* process */
	volatile uint64_t share;  /* pages that each process may commit */
	volatile uint32_t commit, fill, go; /* phases, begun by the one who started all */
	struct worker workers[WORKERS_MAX];
};

/* What a process does; its exit code. */
int worker_run(struct board *board, uint64_t number);
/* The whole; the exit code. */
int thrash_run(const struct plan *plan);
struct board *board_open(const char *name, bool create);

#endif
