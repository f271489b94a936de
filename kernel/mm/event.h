/*
 * Events: what the pager does, one entry at a time, for programs that want to watch it (docs/events.md). While nobody
 * does, an event costs the test of one word, and there are no rings.
 */
#ifndef MM_EVENT_H
#define MM_EVENT_H

#include "abi/backstore.h"
#include "lib/types.h"

extern u64 event_mask; /* 1 << enum bs_event_kind: the kinds that some trace wants */

/*
 * event(kind, .process = id, .address = ...): the fields of struct bs_event but time, CPU and thread; those not named are
 * 0. They are evaluated only if somebody wants the kind. Any context, any locks: never waits.
 */
#define event(kind_, ...)                                                                                              \
	do {                                                                                                           \
		if (unlikely(event_mask & 1ull << (kind_)))                                                            \
			event_write(&(struct bs_event){ .kind = (kind_), __VA_ARGS__ });                               \
	} while (0)

/* In a fault, f: a struct fault. */
#define FAULT_FIELDS(f) .process = (f)->v->process_id, .address = (f)->va, .access = (f)->access & (FAULT_WRITE | FAULT_EXECUTE | FAULT_USER)

void event_write(struct bs_event *e);
u32 event_process(void); /* for .process: the process whose thread runs; 0: a thread of the kernel */

/* ---- traces: who reads ---- */

struct trace;

/*
 * mask: as event_mask. process: only its events, or, if except is set, all but them; 0: everybody's. entries: room for
 * each CPU, rounded up to whole pages. One reference to the trace's object. STATUS_INSUFFICIENT_RESOURCES: no memory, the
 * commit limit, or too many traces.
 */
u32 trace_create(u64 mask, u32 process, bool except, u64 entries, struct trace **out);
struct object *trace_object(struct trace *t);
struct trace *trace_of_object(struct object *o);
/*
 * The oldest events, in the order of time, at most max; how many. *lost is increased by those that were overwritten
 * before anybody read them. Takes a mutex; waits for nothing.
 */
u32 trace_take(struct trace *t, struct bs_event *out, u32 max, u64 *lost);

#endif
