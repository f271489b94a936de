/* System calls for events: see abi/backstore.h. */
#include "mm/event.h"
#include "mm/sys_mm.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define ENTRIES_DEFAULT 4096
#define BATCH 32          /* events that are copied to user memory at a time */
#define POLL_NS 10000000  /* a writer of events can't wake anybody: he may hold any lock. So the reader looks again */

/* BsTraceOpen(uint64_t mask, uint32_t process, uint64_t entries, HANDLE *trace) */
u32 sys_BsTraceOpen(const u64 *a)
{
	u64 mask = a[0] & ~BS_TRACE_EXCEPT, entries = a[2] ? a[2] : ENTRIES_DEFAULT;
	bool except = a[0] & BS_TRACE_EXCEPT;
	struct process *p = NULL;
	struct trace *t;
	u32 status;

	if (!mask || mask & ~BS_EVENT_ALL)
		return STATUS_INVALID_PARAMETER_1;
	if (a[1] > ~0u || (except && !a[1]))
		return STATUS_INVALID_PARAMETER_2;
	if (entries > BS_TRACE_ENTRIES_MAX)
		return STATUS_INVALID_PARAMETER_3;
	if (!user_probe(a[3], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	if (a[1] && !(p = process_by_id((u32)a[1])))
		return STATUS_INVALID_CID;
	status = trace_create(mask, (u32)a[1], except, entries, &t);
	if (p)
		object_unref(&p->object);
	if (status)
		return status;
	status = handle_create_for_user(trace_object(t), BS_TRACE_ACCESS_READ | SYNCHRONIZE_ACCESS, 0, a[3]);
	object_unref(trace_object(t));
	return status;
}

/* Room for n events, which fit in a page. */
static bool room(u64 at, u64 n)
{
	return user_probe(at, 1) && user_probe(at + n * sizeof(struct bs_event) - 1, 1);
}

/* What there is now, to user memory. What could not be stored after all counts as lost. */
static u32 deliver(struct trace *t, u64 to, u64 max, u64 *count, u64 *lost)
{
	struct bs_event batch[BATCH];
	u32 n;

	do {
		u32 want = (u32)MIN(max - *count, (u64)BATCH);
		u64 at = to + *count * sizeof(batch[0]);

		if (!room(at, want))
			return *count ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
		n = trace_take(t, batch, want, lost);
		if (!copy_to_user(at, batch, n * sizeof(batch[0]))) {
			*lost += n;
			return *count ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
		}
		*count += n;
	} while (n == BATCH && *count < max);
	return STATUS_SUCCESS;
}

/*
 * BsTraceRead(HANDLE trace, struct bs_event *out, uint64_t max, uint64_t *count, uint64_t *lost,
 * const LARGE_INTEGER *timeout)
 */
u32 sys_BsTraceRead(const u64 *a)
{
	u64 deadline, now, count = 0, lost = 0;
	struct object *o;
	u32 status;

	if (!a[2])
		return STATUS_INVALID_PARAMETER_3;
	if (!timeout_from_user(a[5], &deadline) || !user_probe(a[3], sizeof(u64)) || !user_probe(a[4], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = handle_lookup(process_current(), a[0], &trace_type, BS_TRACE_ACCESS_READ, &o);
	if (status)
		return status;
	for (;;) {
		status = deliver(trace_of_object(o), a[1], a[2], &count, &lost);
		now = clock_ns();
		if (status || count)
			break;
		if (now >= deadline)
			status = STATUS_TIMEOUT;
		else if (thread_ending())
			status = STATUS_THREAD_IS_TERMINATING;
		if (status)
			break;
		sleep_until(MIN(deadline, now + POLL_NS));
	}
	object_unref(o);
	if (NT_SUCCESS(status) && (!put_user_u64(a[3], count) || !put_user_u64(a[4], lost)))
		status = STATUS_ACCESS_VIOLATION;
	return status;
}
