/*
 * Exceptions in user space. The kernel, or RtlRaiseException, hands over a record and the registers; they are shown
 * to the vectored handlers, then to the frames of the stack (seh.c), then to the filter of
 * SetUnhandledExceptionFilter. When all decline, the kernel is told so, and ends the process with the exception's
 * code.
 */
#include "ntdll.h"

struct vectored_handler {
	LIST_ENTRY links;
	ULONG references; /* 1 for the list, 1 for each call that is going on */
	BOOLEAN removed;
	PVECTORED_EXCEPTION_HANDLER handler;
};

static LIST_ENTRY vectored_handlers = { &vectored_handlers, &vectored_handlers };
static RTL_SRWLOCK vectored_lock;
static PTOP_LEVEL_EXCEPTION_FILTER unhandled_filter START_DATA;

/* Returns a cookie for RtlRemoveVectoredExceptionHandler; NULL without memory. first: before those that exist. */
void *NTAPI RtlAddVectoredExceptionHandler(ULONG first, PVECTORED_EXCEPTION_HANDLER handler)
{
	struct vectored_handler *vectored = RtlAllocateHeap(peb_current()->process_heap, 0, sizeof(*vectored));

	if (!vectored)
		return NULL;
	vectored->references = 1;
	vectored->removed = FALSE;
	vectored->handler = handler;
	RtlAcquireSRWLockExclusive(&vectored_lock);
	list_append(first ? vectored_handlers.Flink : &vectored_handlers, &vectored->links);
	RtlReleaseSRWLockExclusive(&vectored_lock);
	return vectored;
}

/* Under the lock. A handler that is running keeps its place in the list until it returns. */
static void vectored_release(struct vectored_handler *vectored)
{
	if (--vectored->references)
		return;
	list_remove(&vectored->links);
	RtlFreeHeap(peb_current()->process_heap, 0, vectored);
}

ULONG NTAPI RtlRemoveVectoredExceptionHandler(void *cookie)
{
	ULONG found = 0;

	RtlAcquireSRWLockExclusive(&vectored_lock);
	for (LIST_ENTRY *at = vectored_handlers.Flink; at != &vectored_handlers; at = at->Flink) {
		struct vectored_handler *vectored = CONTAINER(at, struct vectored_handler, links);

		if (vectored != cookie || vectored->removed)
			continue;
		vectored->removed = TRUE;
		vectored_release(vectored);
		found = 1;
		break;
	}
	RtlReleaseSRWLockExclusive(&vectored_lock);
	return found;
}

static BOOLEAN vectored_dispatch(EXCEPTION_POINTERS *pointers)
{
	LONG answer = EXCEPTION_CONTINUE_SEARCH;
	LIST_ENTRY *at;

	if (vectored_handlers.Flink == &vectored_handlers)
		return FALSE;
	RtlAcquireSRWLockExclusive(&vectored_lock);
	at = vectored_handlers.Flink;
	while (at != &vectored_handlers && answer != EXCEPTION_CONTINUE_EXECUTION) {
		struct vectored_handler *vectored = CONTAINER(at, struct vectored_handler, links);

		if (vectored->removed) {
			at = at->Flink;
			continue;
		}
		vectored->references++;
		RtlReleaseSRWLockExclusive(&vectored_lock);
		answer = vectored->handler(pointers);
		RtlAcquireSRWLockExclusive(&vectored_lock);
		at = at->Flink;
		vectored_release(vectored);
	}
	RtlReleaseSRWLockExclusive(&vectored_lock);
	return answer == EXCEPTION_CONTINUE_EXECUTION;
}

/* What is asked when no handler wants an exception: kernel32 keeps the program's filter here. */
void NTAPI RtlSetUnhandledExceptionFilter(PTOP_LEVEL_EXCEPTION_FILTER filter)
{
	unhandled_filter = filter;
}

void exception_dispatch(EXCEPTION_RECORD *record, CONTEXT *context)
{
	EXCEPTION_POINTERS pointers = { record, context };
	LONG answer = EXCEPTION_CONTINUE_SEARCH;
	struct teb *teb = teb_current();

	/*
	 * The search for handlers found that what says where they are can't be read: it would find that again and again.
	 * So nobody handles the exception that it was made for.
	 */
	if (record->ExceptionCode == (DWORD)STATUS_IN_PAGE_ERROR && teb->walk_record)
		NtRaiseException(teb->walk_record, teb->walk_context, FALSE);
	if (vectored_dispatch(&pointers) || frames_dispatch(record, context))
		NtContinue(context, FALSE);
	if (unhandled_filter)
		answer = unhandled_filter(&pointers);
	if (answer == EXCEPTION_CONTINUE_EXECUTION && !(record->ExceptionFlags & EXCEPTION_NONCONTINUABLE))
		NtContinue(context, FALSE);
	if (answer == EXCEPTION_EXECUTE_HANDLER) /* the filter has said what there was to say */
		NtTerminateProcess(BACKSTORE_CURRENT_PROCESS, (NTSTATUS)record->ExceptionCode);
	NtRaiseException(record, context, FALSE);
	NtTerminateProcess(BACKSTORE_CURRENT_PROCESS, (NTSTATUS)record->ExceptionCode);
	__builtin_unreachable();
}

/* Raises an exception in the caller's name; returns when a handler has it continue. */
void NTAPI RtlRaiseException(EXCEPTION_RECORD *record)
{
	CONTEXT context;
	DWORD64 base, frame;
	RUNTIME_FUNCTION *function;
	void *data;

	RtlCaptureContext(&context);
	function = RtlLookupFunctionEntry(context.Rip, &base, NULL);
	if (function)
		RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context.Rip, function, &context, &data, &frame, NULL);
	record->ExceptionAddress = (void *)context.Rip;
	exception_dispatch(record, &context);
}

void NTAPI RtlRaiseStatus(NTSTATUS status)
{
	EXCEPTION_RECORD record = { .ExceptionCode = (DWORD)status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE };

	RtlRaiseException(&record);
}

/*
 * Continues with the given registers. A record asks for special treatment on Windows; only NULL and unwinding come
 * here.
 */
void __cdecl RtlRestoreContext(CONTEXT *context, EXCEPTION_RECORD *record)
{
	(void)record;
	NtContinue(context, FALSE);
}
