/*
 * testlimit: asks for something until it is refused, and says what refused it. kinds.c what can be asked for; run.c asks;
 * refusal.c explains; many.c does it in several processes; main.c the options.
 */
#ifndef TESTLIMIT_H
#define TESTLIMIT_H

#include "counters.h"
#include "tool.h"

/* What the options say. */
struct plan {
	const struct kind *kind;
	uint64_t size;      /* bytes of a request; 0: requests have no size */
	uint64_t count;     /* requests at most */
	uint64_t pause;     /* seconds between requests */
	uint64_t keep;      /* seconds before all is given back */
	uint64_t stack;     /* -t: bytes to reserve for each thread's stack; 0: as the image says */
	bool files;         /* -H: of files */
	bool small;         /* -p: their working sets are emptied */
	bool working_set;   /* the minimum working set is raised first */
};

struct kind {
	char letter;
	const char *what;       /* "committed private memory" */
	uint64_t size;          /* the usual size of a request; 0: it has none */
	/* One request. NULL: refused, GetLastError says why. */
	void *(*request)(const struct plan *plan);
	void (*give_back)(void *held, const struct plan *plan);
};

/* NULL: this letter is no kind. */
const struct kind *kind_find(char letter);

#define HELD_MAX (1u << 20) /* requests */

struct outcome {
	uint64_t got;           /* requests that were granted */
	DWORD error;            /* of the next; 0: none was refused */
};

/* Asks. What was granted is in *held, an array in reserved memory. progress: tells of each doubling. */
struct outcome plan_ask(const struct plan *plan, void ***held, bool progress);
void plan_give_back(const struct plan *plan, void **held, uint64_t count);
/* Raises the minimum working set as far as the system allows. Returns it in bytes; 0: it can't be raised. */
uint64_t working_set_raise(void);

/* The state of memory in a row of a table; print_state_title first. */
void print_state_title(void);
void print_state(const char *when, const struct bs_memory *m);

/* Says, with numbers, what refused a request. Returns the exit code: TOOL_OK for a limit that is reached. */
int refusal_explain(const struct plan *plan, const struct outcome *o, const struct bs_memory *held);

/* In count processes at once: line is the command line of one. Exit code. */
int many_run(const struct plan *plan, uint64_t count, char **words, int word_count);
/* One of them; name: of the section that they share, number: which of them. Exit code. */
int many_part(const struct plan *plan, const char *name, uint64_t number);

#endif
