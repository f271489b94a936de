/* longjmp: with a frame in the buffer the stack is unwound to it, so that the handlers of the frames that end run. */
#include "msvcrt.h"
#include <setjmp.h>

#ifndef STATUS_LONGJUMP
#define STATUS_LONGJUMP ((DWORD)0x80000026)
#endif

/* setjmp.S */
void jump_restore(_JUMP_BUFFER *buffer, long long value) __attribute__((noreturn));
void jump_after_unwind(void);

void __cdecl longjmp(jmp_buf jump, int value)
{
	_JUMP_BUFFER *buffer = (_JUMP_BUFFER *)jump;
	struct thread_data *data;
	EXCEPTION_RECORD record = { .ExceptionCode = STATUS_LONGJUMP };
	CONTEXT context;

	if (!value)
		value = 1;
	if (!buffer->Frame)
		jump_restore(buffer, value);
	data = thread_data();
	data->jump.buffer = buffer;
	data->jump.value = value;
	record.NumberParameters = 1;
	record.ExceptionInformation[0] = (ULONG_PTR)buffer;
	RtlUnwindEx((void *)buffer->Frame, (void *)jump_after_unwind, &record, &data->jump, &context, NULL);
	abort();
}
