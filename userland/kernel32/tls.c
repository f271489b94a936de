/*
 * Thread-local and fiber-local slots. There are no fibers: fiber-local means thread-local, with a callback at the
 * end.
 */
#include "kernel32.h"

#define TLS_SLOTS 64u            /* in the TEB */
#define TLS_EXPANSION_SLOTS 1024u /* behind a pointer in it, made at the first use */
#define FLS_SLOTS 128u

static RTL_SRWLOCK slots_lock START_DATA;
static BYTE tls_used[TLS_SLOTS + TLS_EXPANSION_SLOTS] START_DATA;
static BYTE fls_used[FLS_SLOTS];
static PFLS_CALLBACK_FUNCTION fls_callbacks[FLS_SLOTS];

static DWORD slot_take(BYTE *used, DWORD count)
{
	DWORD slot = 0;

	RtlAcquireSRWLockExclusive(&slots_lock);
	while (slot < count && used[slot])
		slot++;
	if (slot < count)
		used[slot] = 1;
	RtlReleaseSRWLockExclusive(&slots_lock);
	if (slot < count)
		return slot;
	SetLastError(ERROR_NO_MORE_ITEMS);
	return TLS_OUT_OF_INDEXES;
}

static BOOL slot_give(BYTE *used, DWORD count, DWORD slot)
{
	BOOL was = FALSE;

	RtlAcquireSRWLockExclusive(&slots_lock);
	if (slot < count) {
		was = used[slot];
		used[slot] = 0;
	}
	RtlReleaseSRWLockExclusive(&slots_lock);
	if (!was)
		SetLastError(ERROR_INVALID_PARAMETER);
	return was;
}

DWORD WINAPI TlsAlloc(VOID)
{
	return slot_take(tls_used, TLS_SLOTS + TLS_EXPANSION_SLOTS);
}

/* Clears the slot in all threads before it is given to somebody else. */
WINBOOL WINAPI TlsFree(DWORD slot)
{
	if (slot < TLS_SLOTS + TLS_EXPANSION_SLOTS && tls_used[slot])
		RtlZeroTlsSlot(slot);
	return slot_give(tls_used, TLS_SLOTS + TLS_EXPANSION_SLOTS, slot);
}

/* NULL with the last error 0 for a slot that was never set. */
LPVOID WINAPI TlsGetValue(DWORD slot)
{
	struct teb *teb = teb_current();

	if (slot < TLS_SLOTS) {
		teb->last_error = ERROR_SUCCESS;
		return teb->tls_slots[slot];
	}
	if (slot - TLS_SLOTS >= TLS_EXPANSION_SLOTS) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	teb->last_error = ERROR_SUCCESS;
	return teb->tls_expansion_slots ? teb->tls_expansion_slots[slot - TLS_SLOTS] : NULL;
}

WINBOOL WINAPI TlsSetValue(DWORD slot, LPVOID value)
{
	struct teb *teb = teb_current();

	if (slot < TLS_SLOTS) {
		teb->tls_slots[slot] = value;
		return TRUE;
	}
	if (slot - TLS_SLOTS >= TLS_EXPANSION_SLOTS) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!teb->tls_expansion_slots) {
		teb->tls_expansion_slots = RtlAllocateHeap(peb_current()->process_heap, HEAP_ZERO_MEMORY,
							   TLS_EXPANSION_SLOTS * sizeof(void *));
		if (!teb->tls_expansion_slots) {
			SetLastError(ERROR_NOT_ENOUGH_MEMORY);
			return FALSE;
		}
	}
	teb->tls_expansion_slots[slot - TLS_SLOTS] = value;
	return TRUE;
}

/*
 * callback (may be NULL) is called with a value that is not NULL when its thread ends, and for the caller's in
 * FlsFree.
 */
DWORD WINAPI FlsAlloc(PFLS_CALLBACK_FUNCTION callback)
{
	DWORD slot = slot_take(fls_used, FLS_SLOTS);

	if (slot != FLS_OUT_OF_INDEXES)
		fls_callbacks[slot] = callback;
	return slot;
}

PVOID WINAPI FlsGetValue(DWORD slot)
{
	struct teb *teb = teb_current();

	teb->last_error = slot < FLS_SLOTS ? ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
	return slot < FLS_SLOTS && teb->fiber_local_slots ? teb->fiber_local_slots[slot] : NULL;
}

WINBOOL WINAPI FlsSetValue(DWORD slot, PVOID value)
{
	struct teb *teb = teb_current();

	if (slot >= FLS_SLOTS) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!teb->fiber_local_slots) {
		teb->fiber_local_slots = RtlAllocateHeap(peb_current()->process_heap, HEAP_ZERO_MEMORY,
							 FLS_SLOTS * sizeof(void *));
		if (!teb->fiber_local_slots) {
			SetLastError(ERROR_NOT_ENOUGH_MEMORY);
			return FALSE;
		}
	}
	teb->fiber_local_slots[slot] = value;
	return TRUE;
}

WINBOOL WINAPI FlsFree(DWORD slot)
{
	void *value = FlsGetValue(slot);

	if (slot < FLS_SLOTS && fls_used[slot]) {
		if (value && fls_callbacks[slot])
			fls_callbacks[slot](value);
		RtlZeroTlsSlot(RTL_FIBER_SLOTS + slot);
	}
	return slot_give(fls_used, FLS_SLOTS, slot);
}

/* The callbacks for the values of the thread that ends. */
void fls_thread_end(void)
{
	struct teb *teb = teb_current();

	for (DWORD slot = 0; teb->fiber_local_slots && slot < FLS_SLOTS; slot++) {
		void *value = teb->fiber_local_slots[slot];

		teb->fiber_local_slots[slot] = NULL;
		if (value && fls_used[slot] && fls_callbacks[slot])
			fls_callbacks[slot](value);
	}
	RtlFreeHeap(peb_current()->process_heap, 0, teb->fiber_local_slots);
	teb->fiber_local_slots = NULL;
}
