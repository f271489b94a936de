/*
 * Locks. All of them sleep in one place, RtlWaitOnAddress: a thread that waits until a word changes is put on the
 * queue of the word's bucket and sleeps on its own event, which the waker sets. So a lock is a few bytes, owns
 * nothing that has to be freed, and can't fail for want of an event: without one the waiter sleeps for a moment and
 * looks again.
 */
#include "ntdll.h"

#define BUCKETS 64
#define SPINS_BEFORE_YIELD 64
#define REFUSED_PAUSE 10 /* of these in a second */

struct waiter {
	struct waiter *next, *previous;
	const volatile void *address;
	HANDLE event;
	BOOLEAN woken; /* taken off the queue, and the event is or will be set */
};

static struct bucket {
	volatile LONG lock;
	struct waiter *first, *last;
} buckets[BUCKETS];

HANDLE exiting_thread START_DATA;

/*
 * Whether the caller is the last thread: then nobody is left who would give a lock back or wait for one, and it takes
 * what the dead hold. The others may need a moment to notice their end on another processor.
 */
static BOOLEAN thread_is_last(void)
{
	LARGE_INTEGER moment = { .QuadPart = -100000 };
	static BOOLEAN waited;

	if (exiting_thread != teb_current()->thread_id)
		return FALSE;
	if (!waited)
		NtDelayExecution(FALSE, &moment);
	waited = TRUE;
	return TRUE;
}

static struct bucket *bucket_lock(const volatile void *address)
{
	ULONG_PTR hash = (ULONG_PTR)address >> 3;
	struct bucket *bucket = &buckets[(hash ^ hash >> 7) % BUCKETS];

	for (ULONG spins = 1; _InterlockedExchange(&bucket->lock, 1); spins++) {
		if (spins % SPINS_BEFORE_YIELD == 0)
			NtYieldExecution();
		else
			YieldProcessor();
	}
	return bucket;
}

static void bucket_unlock(struct bucket *bucket)
{
	_InterlockedExchange(&bucket->lock, 0);
}

static void bucket_remove(struct bucket *bucket, struct waiter *waiter)
{
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		bucket->first = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	else
		bucket->last = waiter->previous;
}

/*
 * The calling thread's own event, made at its first wait; NULL when the kernel has no memory for one. Then nobody asks
 * again for a while: there may be thousands of threads in this case, who must not keep the kernel busy refusing.
 */
static HANDLE thread_wait_event(void)
{
	static volatile LONGLONG again; /* performance counter */
	LARGE_INTEGER now, second;
	struct teb *teb = teb_current();

	if (teb->wait_event)
		return teb->wait_event;
	NtQueryPerformanceCounter(&now, &second);
	if (now.QuadPart < again)
		return NULL;
	if (!NT_SUCCESS(NtCreateEvent(&teb->wait_event, EVENT_ALL_ACCESS, NULL, 1, FALSE))) {
		teb->wait_event = NULL;
		again = now.QuadPart + second.QuadPart / REFUSED_PAUSE;
	}
	return teb->wait_event;
}

void thread_wait_event_close(void)
{
	struct teb *teb = teb_current();

	if (teb->wait_event)
		NtClose(teb->wait_event);
	teb->wait_event = NULL;
}

/*
 * In a copy of the process: who slept in the original does not sleep here, and no handle to an event came along. What is so
 * already is not written to, as each page that is has to be copied.
 */
void sync_forget_others(void)
{
	for (ULONG i = 0; i < BUCKETS; i++)
		if (buckets[i].first || buckets[i].lock)
			buckets[i] = (struct bucket){ 0 };
	if (teb_current()->wait_event)
		teb_current()->wait_event = NULL;
}

static BOOLEAN value_equals(const volatile void *address, const void *compare, SIZE_T size)
{
	switch (size) {
	case 1:
		return *(const volatile BYTE *)address == *(const BYTE *)compare;
	case 2:
		return *(const volatile USHORT *)address == *(const USHORT *)compare;
	case 4:
		return *(const volatile ULONG *)address == *(const ULONG *)compare;
	default:
		return *(const volatile ULONG64 *)address == *(const ULONG64 *)compare;
	}
}

/*
 * Sleeps while *address equals *compare (size 1, 2, 4 or 8 bytes) until a wake-up for the address; may return without
 * one. timeout as in NtWaitForSingleObject: STATUS_TIMEOUT.
 */
NTSTATUS NTAPI RtlWaitOnAddress(const volatile void *address, const void *compare, SIZE_T size,
				const LARGE_INTEGER *timeout)
{
	LARGE_INTEGER moment = { .QuadPart = -100000 };
	struct waiter waiter = { .address = address };
	struct bucket *bucket;
	NTSTATUS status;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return STATUS_INVALID_PARAMETER;
	if (!value_equals(address, compare, size))
		return STATUS_SUCCESS;
	waiter.event = thread_wait_event();
	if (!waiter.event) {
		NtDelayExecution(FALSE, &moment);
		return STATUS_SUCCESS;
	}
	bucket = bucket_lock(address);
	if (!value_equals(address, compare, size)) {
		bucket_unlock(bucket);
		return STATUS_SUCCESS;
	}
	waiter.previous = bucket->last;
	if (bucket->last)
		bucket->last->next = &waiter;
	else
		bucket->first = &waiter;
	bucket->last = &waiter;
	bucket_unlock(bucket);

	status = NtWaitForSingleObject(waiter.event, FALSE, (LARGE_INTEGER *)timeout);
	if (status == STATUS_SUCCESS)
		return status;
	bucket = bucket_lock(address);
	if (!waiter.woken) {
		bucket_remove(bucket, &waiter);
		bucket_unlock(bucket);
		return status;
	}
	/*
	 * The waker came between the timeout and the lock: its signal has to be taken, or the next wait ends at once.
	 */
	bucket_unlock(bucket);
	NtWaitForSingleObject(waiter.event, FALSE, NULL);
	return STATUS_SUCCESS;
}

static BOOLEAN wake_one(const void *address)
{
	struct bucket *bucket;
	struct waiter *waiter;
	HANDLE event;

	if (exiting_thread)
		return FALSE; /* the sleepers' stacks may be gone */
	bucket = bucket_lock(address);
	for (waiter = bucket->first; waiter && waiter->address != address; waiter = waiter->next)
		;
	if (!waiter) {
		bucket_unlock(bucket);
		return FALSE;
	}
	bucket_remove(bucket, waiter);
	event = waiter->event;
	waiter->woken = TRUE;
	bucket_unlock(bucket);
	NtSetEvent(event, NULL);
	return TRUE;
}

void NTAPI RtlWakeAddressSingle(const void *address)
{
	wake_one(address);
}

void NTAPI RtlWakeAddressAll(const void *address)
{
	while (wake_one(address))
		;
}

/* Critical sections. LockCount: -1 free, 0 taken, 1 taken and somebody may sleep. */

NTSTATUS NTAPI RtlInitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins)
{
	memset(section, 0, sizeof(*section));
	section->DebugInfo = (void *)(LONG_PTR)-1;
	section->LockCount = -1;
	section->SpinCount = peb_current()->processors > 1 ? spins & 0xFFFFFF : 0;
	return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlInitializeCriticalSection(RTL_CRITICAL_SECTION *section)
{
	return RtlInitializeCriticalSectionAndSpinCount(section, 200);
}

ULONG NTAPI RtlSetCriticalSectionSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins)
{
	ULONG old = (ULONG)section->SpinCount;

	section->SpinCount = peb_current()->processors > 1 ? spins & 0xFFFFFF : 0;
	return old;
}

NTSTATUS NTAPI RtlDeleteCriticalSection(RTL_CRITICAL_SECTION *section)
{
	memset(section, 0, sizeof(*section));
	return STATUS_SUCCESS;
}

static __attribute__((noinline)) NTSTATUS section_enter_slowly(RTL_CRITICAL_SECTION *section, HANDLE self)
{
	LONG contended = 1;

	if (section->OwningThread == self) {
		section->RecursionCount++;
		return STATUS_SUCCESS;
	}
	for (ULONG_PTR spins = section->SpinCount;; spins--) {
		if (section->LockCount == -1 && _InterlockedCompareExchange(&section->LockCount, 0, -1) == -1)
			break;
		if (!spins) {
			while (_InterlockedExchange(&section->LockCount, 1) != -1 && !thread_is_last())
				RtlWaitOnAddress(&section->LockCount, &contended, sizeof(LONG), NULL);
			break;
		}
		YieldProcessor();
	}
	section->OwningThread = self;
	section->RecursionCount = 1;
	return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlEnterCriticalSection(RTL_CRITICAL_SECTION *section)
{
	HANDLE self = teb_current()->thread_id;

	if (_InterlockedCompareExchange(&section->LockCount, 0, -1) != -1)
		return section_enter_slowly(section, self);
	section->OwningThread = self;
	section->RecursionCount = 1;
	return STATUS_SUCCESS;
}

BOOLEAN NTAPI RtlTryEnterCriticalSection(RTL_CRITICAL_SECTION *section)
{
	HANDLE self = teb_current()->thread_id;

	if (section->OwningThread == self) {
		section->RecursionCount++;
		return TRUE;
	}
	if (_InterlockedCompareExchange(&section->LockCount, 0, -1) != -1)
		return FALSE;
	section->OwningThread = self;
	section->RecursionCount = 1;
	return TRUE;
}

NTSTATUS NTAPI RtlLeaveCriticalSection(RTL_CRITICAL_SECTION *section)
{
	if (--section->RecursionCount)
		return STATUS_SUCCESS;
	section->OwningThread = NULL;
	if (_InterlockedExchange(&section->LockCount, -1) == 1)
		RtlWakeAddressSingle((void *)&section->LockCount);
	return STATUS_SUCCESS;
}

/* Slim reader-writer locks: 0 free, SRW_EXCLUSIVE, else the number of readers; the upper half counts sleepers. */

#define SRW_EXCLUSIVE 0xFFFFFFFFu

struct srw {
	volatile LONG state, sleepers;
};

static void srw_sleep(struct srw *srw, ULONG seen)
{
	_InterlockedIncrement(&srw->sleepers);
	RtlWaitOnAddress(&srw->state, &seen, sizeof(seen), NULL);
	_InterlockedDecrement(&srw->sleepers);
}

void NTAPI RtlInitializeSRWLock(RTL_SRWLOCK *lock)
{
	lock->Ptr = NULL;
}

BOOLEAN NTAPI RtlTryAcquireSRWLockExclusive(RTL_SRWLOCK *lock)
{
	struct srw *srw = (struct srw *)lock;

	return _InterlockedCompareExchange(&srw->state, (LONG)SRW_EXCLUSIVE, 0) == 0;
}

void NTAPI RtlAcquireSRWLockExclusive(RTL_SRWLOCK *lock)
{
	struct srw *srw = (struct srw *)lock;

	while (!RtlTryAcquireSRWLockExclusive(lock) && !thread_is_last()) {
		ULONG seen = (ULONG)srw->state;

		if (seen)
			srw_sleep(srw, seen);
	}
}

BOOLEAN NTAPI RtlTryAcquireSRWLockShared(RTL_SRWLOCK *lock)
{
	struct srw *srw = (struct srw *)lock;
	ULONG seen;

	while ((seen = (ULONG)srw->state) != SRW_EXCLUSIVE)
		if ((ULONG)_InterlockedCompareExchange(&srw->state, (LONG)(seen + 1), (LONG)seen) == seen)
			return TRUE;
	return FALSE;
}

void NTAPI RtlAcquireSRWLockShared(RTL_SRWLOCK *lock)
{
	while (!RtlTryAcquireSRWLockShared(lock) && !thread_is_last())
		srw_sleep((struct srw *)lock, SRW_EXCLUSIVE);
}

void NTAPI RtlReleaseSRWLockExclusive(RTL_SRWLOCK *lock)
{
	struct srw *srw = (struct srw *)lock;

	_InterlockedExchange(&srw->state, 0);
	if (srw->sleepers)
		RtlWakeAddressAll((void *)&srw->state);
}

void NTAPI RtlReleaseSRWLockShared(RTL_SRWLOCK *lock)
{
	struct srw *srw = (struct srw *)lock;

	if (_InterlockedDecrement(&srw->state) == 0 && srw->sleepers)
		RtlWakeAddressAll((void *)&srw->state);
}

/* Condition variables: a count of wake-ups; a sleeper waits until it changes. */

void NTAPI RtlInitializeConditionVariable(RTL_CONDITION_VARIABLE *variable)
{
	variable->Ptr = NULL;
}

NTSTATUS NTAPI RtlSleepConditionVariableCS(RTL_CONDITION_VARIABLE *variable, RTL_CRITICAL_SECTION *section,
					   LARGE_INTEGER *timeout)
{
	ULONG seen = *(volatile ULONG *)variable;
	NTSTATUS status;

	RtlLeaveCriticalSection(section);
	status = RtlWaitOnAddress(variable, &seen, sizeof(seen), timeout);
	RtlEnterCriticalSection(section);
	return status;
}

NTSTATUS NTAPI RtlSleepConditionVariableSRW(RTL_CONDITION_VARIABLE *variable, RTL_SRWLOCK *lock,
					    LARGE_INTEGER *timeout, ULONG flags)
{
	ULONG seen = *(volatile ULONG *)variable;
	NTSTATUS status;

	if (flags & RTL_CONDITION_VARIABLE_LOCKMODE_SHARED)
		RtlReleaseSRWLockShared(lock);
	else
		RtlReleaseSRWLockExclusive(lock);
	status = RtlWaitOnAddress(variable, &seen, sizeof(seen), timeout);
	if (flags & RTL_CONDITION_VARIABLE_LOCKMODE_SHARED)
		RtlAcquireSRWLockShared(lock);
	else
		RtlAcquireSRWLockExclusive(lock);
	return status;
}

void NTAPI RtlWakeConditionVariable(RTL_CONDITION_VARIABLE *variable)
{
	_InterlockedIncrement((volatile LONG *)variable);
	RtlWakeAddressSingle(variable);
}

void NTAPI RtlWakeAllConditionVariable(RTL_CONDITION_VARIABLE *variable)
{
	_InterlockedIncrement((volatile LONG *)variable);
	RtlWakeAddressAll(variable);
}

/* One-time initialisation. The two low bits of the word are the state, the rest the context. */

enum { ONCE_NEVER, ONCE_RUNNING, ONCE_DONE, ONCE_ASYNC, ONCE_STATE = 3 };

void NTAPI RtlRunOnceInitialize(RTL_RUN_ONCE *once)
{
	once->Ptr = NULL;
}

static BOOLEAN once_change(RTL_RUN_ONCE *once, ULONG_PTR from, ULONG_PTR to)
{
	return _InterlockedCompareExchangePointer(&once->Ptr, (void *)to, (void *)from) == (void *)from;
}

/* STATUS_SUCCESS: done, *context is valid. STATUS_PENDING: the caller initialises, then calls RtlRunOnceComplete. */
NTSTATUS NTAPI RtlRunOnceBeginInitialize(RTL_RUN_ONCE *once, ULONG flags, void **context)
{
	ULONG_PTR start = (flags & RTL_RUN_ONCE_ASYNC) ? ONCE_ASYNC : ONCE_RUNNING;

	if (flags & ~(RTL_RUN_ONCE_CHECK_ONLY | RTL_RUN_ONCE_ASYNC))
		return STATUS_INVALID_PARAMETER_2;
	for (;;) {
		ULONG_PTR seen = (ULONG_PTR)*(void *volatile *)&once->Ptr;

		switch (seen & ONCE_STATE) {
		case ONCE_DONE:
			if (context)
				*context = (void *)(seen & ~(ULONG_PTR)ONCE_STATE);
			return STATUS_SUCCESS;
		case ONCE_NEVER:
			if (flags & RTL_RUN_ONCE_CHECK_ONLY)
				return STATUS_UNSUCCESSFUL;
			if (once_change(once, seen, start))
				return STATUS_PENDING;
			break;
		case ONCE_ASYNC:
			if (flags & RTL_RUN_ONCE_CHECK_ONLY)
				return STATUS_UNSUCCESSFUL;
			return start == ONCE_ASYNC ? STATUS_PENDING : STATUS_INVALID_PARAMETER_2;
		default:
			if (flags & RTL_RUN_ONCE_CHECK_ONLY)
				return STATUS_UNSUCCESSFUL;
			if (start == ONCE_ASYNC)
				return STATUS_INVALID_PARAMETER_2;
			RtlWaitOnAddress(&once->Ptr, &seen, sizeof(seen), NULL);
		}
	}
}

NTSTATUS NTAPI RtlRunOnceComplete(RTL_RUN_ONCE *once, ULONG flags, void *context)
{
	ULONG_PTR seen = (ULONG_PTR)*(void *volatile *)&once->Ptr, done = (ULONG_PTR)context | ONCE_DONE;

	if ((ULONG_PTR)context & ONCE_STATE)
		return STATUS_INVALID_PARAMETER_3;
	if ((flags & RTL_RUN_ONCE_INIT_FAILED) && (context || (flags & RTL_RUN_ONCE_ASYNC)))
		return STATUS_INVALID_PARAMETER_2;
	if (flags & RTL_RUN_ONCE_INIT_FAILED)
		done = ONCE_NEVER;
	if ((seen & ONCE_STATE) != ((flags & RTL_RUN_ONCE_ASYNC) ? ONCE_ASYNC : ONCE_RUNNING))
		return STATUS_UNSUCCESSFUL;
	if (!once_change(once, seen, done))
		return STATUS_OBJECT_NAME_COLLISION; /* asynchronous: another thread was first */
	RtlWakeAddressAll(&once->Ptr);
	return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlRunOnceExecuteOnce(RTL_RUN_ONCE *once, PRTL_RUN_ONCE_INIT_FN init, void *parameter, void **context)
{
	void *made = NULL;
	NTSTATUS status = RtlRunOnceBeginInitialize(once, 0, context);

	if (status != STATUS_PENDING)
		return status;
	if (!init(once, parameter, &made)) {
		RtlRunOnceComplete(once, RTL_RUN_ONCE_INIT_FAILED, NULL);
		return STATUS_UNSUCCESSFUL;
	}
	if (context)
		*context = made;
	return RtlRunOnceComplete(once, 0, made);
}
