/*
 * Handlers that belong to the frames of the stack: the search for one that takes an exception, and unwinding to it.
 * Source: Microsoft, "x64 exception handling", "Language-specific handler" and "Unwind helpers". Not done: exceptions
 * that a handler raises while it unwinds (collided unwinds) are searched for from the handler's own frame like any
 * other.
 */
#include "ntdll.h"

/* Frames lie between the stack's limits, each above the one before, aligned to 8. */
static BOOLEAN frame_valid(DWORD64 frame, DWORD64 above)
{
	struct teb *teb = teb_current();

	return frame >= above && frame >= (DWORD64)teb->stack_limit && frame < (DWORD64)teb->stack_base && !(frame & 7);
}

/*
 * One step up the stack. Returns FALSE at its end. Afterwards dispatcher describes the function that was left, with its
 * handler of the wanted kind or NULL, and context its caller.
 */
static BOOLEAN frame_step(CONTEXT *context, DISPATCHER_CONTEXT *dispatcher, ULONG type)
{
	DWORD64 rsp = context->Rsp;

	if (!context->Rip || !frame_valid(rsp, 0))
		return FALSE;
	dispatcher->ControlPc = context->Rip;
	dispatcher->LanguageHandler = NULL;
	dispatcher->EstablisherFrame = rsp;
	dispatcher->FunctionEntry = RtlLookupFunctionEntry(context->Rip, &dispatcher->ImageBase, NULL);
	if (!dispatcher->FunctionEntry) {
		context->Rip = *(DWORD64 *)rsp; /* a leaf: nothing but its return address is on the stack */
		context->Rsp += 8;
		return TRUE;
	}
	dispatcher->LanguageHandler =
		RtlVirtualUnwind(type, dispatcher->ImageBase, context->Rip, dispatcher->FunctionEntry, context,
				 &dispatcher->HandlerData, &dispatcher->EstablisherFrame, NULL);
	return frame_valid(dispatcher->EstablisherFrame, 0) && context->Rsp > rsp;
}

static void raise_noncontinuable(EXCEPTION_RECORD *cause)
{
	EXCEPTION_RECORD record = { .ExceptionCode = (DWORD)STATUS_NONCONTINUABLE_EXCEPTION,
				    .ExceptionFlags = EXCEPTION_NONCONTINUABLE, .ExceptionRecord = cause };

	RtlRaiseException(&record);
}

/* frame_step, and if the images' unwinding data can't be read, exception_dispatch is told so. */
static BOOLEAN frame_walk(EXCEPTION_RECORD *record, CONTEXT *context, CONTEXT *at, DISPATCHER_CONTEXT *dispatcher)
{
	struct teb *teb = teb_current();
	BOOLEAN found;

	teb->walk_context = context;
	teb->walk_record = record;
	__asm__ volatile("" ::: "memory"); /* an exception in between sees them */
	found = frame_step(at, dispatcher, UNW_FLAG_EHANDLER);
	__asm__ volatile("" ::: "memory");
	teb->walk_record = NULL;
	return found;
}

/* Asks the frames from context on. TRUE: one of them wants execution to continue with what is in context now. */
BOOLEAN frames_dispatch(EXCEPTION_RECORD *record, CONTEXT *context)
{
	CONTEXT at = *context;
	DISPATCHER_CONTEXT dispatcher = { .ContextRecord = &at };

	while (frame_walk(record, context, &at, &dispatcher)) {
		if (!dispatcher.LanguageHandler)
			continue;
		dispatcher.ScopeIndex = 0;
		if (dispatcher.LanguageHandler(record, (void *)dispatcher.EstablisherFrame, context, &dispatcher) !=
		    ExceptionContinueExecution)
			continue;
		if (record->ExceptionFlags & EXCEPTION_NONCONTINUABLE)
			raise_noncontinuable(record);
		return TRUE;
	}
	return FALSE;
}

/*
 * Leaves all frames below target_frame, telling their handlers, and continues in it at target_ip with value in rax.
 * A target_frame of NULL: all frames, for the end of a thread.
 */
void NTAPI RtlUnwindEx(void *target_frame, void *target_ip, EXCEPTION_RECORD *record, void *value, CONTEXT *context,
		       UNWIND_HISTORY_TABLE *history)
{
	EXCEPTION_RECORD own = { .ExceptionCode = (DWORD)STATUS_UNWIND };
	DISPATCHER_CONTEXT dispatcher = { .ContextRecord = context, .HistoryTable = history,
					  .TargetIp = (DWORD64)target_ip };
	CONTEXT caller;

	RtlCaptureContext(context);
	if (!record) {
		record = &own;
		record->ExceptionAddress = (void *)context->Rip;
	}
	record->ExceptionFlags |= EXCEPTION_UNWINDING | (target_frame ? 0 : EXCEPTION_EXIT_UNWIND);
	caller = *context;
	while (frame_step(&caller, &dispatcher, UNW_FLAG_UHANDLER)) {
		BOOLEAN at_target = dispatcher.FunctionEntry && (void *)dispatcher.EstablisherFrame == target_frame;

		if (at_target)
			record->ExceptionFlags |= EXCEPTION_TARGET_UNWIND;
		if (dispatcher.LanguageHandler) {
			context->Rax = (DWORD64)value;
			dispatcher.ScopeIndex = 0;
			dispatcher.LanguageHandler(record, (void *)dispatcher.EstablisherFrame, context, &dispatcher);
		}
		if (at_target) {
			context->Rax = (DWORD64)value;
			context->Rip = (DWORD64)target_ip;
			RtlRestoreContext(context, record);
		}
		*context = caller;
	}
	/* The target is not on this stack: what is left can only be wrong. */
	record->ExceptionCode = (DWORD)STATUS_BAD_STACK;
	NtRaiseException(record, context, FALSE);
}

void NTAPI RtlUnwind(void *target_frame, void *target_ip, EXCEPTION_RECORD *record, void *value)
{
	CONTEXT context;

	RtlUnwindEx(target_frame, target_ip, record, value, &context, NULL);
}

/*
 * The handler of functions with __try: its data is a table of address ranges, each with a filter or termination
 * function (a JumpTarget of 0 marks the latter), and where the __except block is.
 */
EXCEPTION_DISPOSITION __cdecl __C_specific_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
						   DISPATCHER_CONTEXT *dispatcher)
{
	typedef LONG (*filter_function)(EXCEPTION_POINTERS *pointers, void *frame);
	typedef void (*termination_function)(BOOLEAN abnormal, void *frame);
	SCOPE_TABLE_AMD64 *table = dispatcher->HandlerData;
	DWORD64 base = dispatcher->ImageBase, at = dispatcher->ControlPc - base, target = dispatcher->TargetIp - base;
	EXCEPTION_POINTERS pointers = { record, context };

	for (; dispatcher->ScopeIndex < table->Count; dispatcher->ScopeIndex++) {
		ULONG scope = dispatcher->ScopeIndex;
		DWORD64 begin = table->ScopeRecord[scope].BeginAddress, end = table->ScopeRecord[scope].EndAddress;
		ULONG handler = table->ScopeRecord[scope].HandlerAddress, jump = table->ScopeRecord[scope].JumpTarget;
		LONG answer;

		if (at < begin || at >= end)
			continue;
		if (record->ExceptionFlags & (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND)) {
			if ((record->ExceptionFlags & EXCEPTION_TARGET_UNWIND) && target >= begin && target < end)
				break; /* the target lies inside this __try: nothing outside it ends */
			if (jump && (record->ExceptionFlags & EXCEPTION_TARGET_UNWIND) && jump == target)
				break; /* this scope's own __except block */
			if (jump)
				continue;
			dispatcher->ScopeIndex++; /* not again, should it raise one itself */
			((termination_function)(base + handler))(TRUE, frame);
			dispatcher->ScopeIndex--;
			continue;
		}
		if (!jump)
			continue;
		answer = handler == EXCEPTION_EXECUTE_HANDLER ? EXCEPTION_EXECUTE_HANDLER :
							       ((filter_function)(base + handler))(&pointers, frame);
		if (answer < 0)
			return ExceptionContinueExecution;
		if (answer > 0)
			RtlUnwindEx(frame, (void *)(base + jump), record, (void *)(ULONG_PTR)record->ExceptionCode,
				    dispatcher->ContextRecord, dispatcher->HistoryTable);
	}
	return ExceptionContinueSearch;
}
