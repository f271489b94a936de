/* trace: main.c the options and the reading; kinds.c the names of events; show.c lines, and the summary at the end. */
#ifndef TRACE_H
#define TRACE_H

#include "counters.h"
#include "tool.h"

/* ---- kinds ---- */

/* The name of a kind, as -e takes it. */
const char *kind_name(unsigned int kind);
/* "zero,copy" as a mask. NULL, or the word that is no kind. */
const char *kinds_parse(char *text, uint64_t *mask);
void kinds_list(void);
bool kind_is_fault(unsigned int kind);

/* ---- showing ---- */

struct show {
	FILE *out;
	bool csv, quiet;
	uint64_t start_ns;
};

void show_begin(const struct show *s);
/* One line, unless it is to be quiet; and it is counted. */
void show_event(const struct show *s, const struct bs_event *e);
void show_lost(const struct show *s, uint64_t count);
void show_summary(const struct show *s, uint64_t lost);
/* A process that is known to the caller, whose name will be wanted when it has ended. */
void show_name(uint32_t id);

#endif
