/* What each thread has of its own, and threads that begin and end with the library's knowledge. */
#include "msvcrt.h"
#include <process.h>

static DWORD slot = TLS_OUT_OF_INDEXES;

bool threads_init(void)
{
	slot = TlsAlloc();
	return slot != TLS_OUT_OF_INDEXES;
}

static struct thread_data *data_new(void)
{
	struct thread_data *data = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*data));

	if (data)
		data->random = 1;
	return data;
}

struct thread_data *thread_data(void)
{
	DWORD error = GetLastError();
	struct thread_data *data = TlsGetValue(slot); /* a success: clears the last error */

	if (!data) {
		data = data_new();
		if (!data || !TlsSetValue(slot, data))
			_amsg_exit(16);
	}
	SetLastError(error);
	return data;
}

/*
 * The loader tells of a thread's end. What is called behind that, as the program's own TLS callbacks, shares one set of data with
 * all such threads: the loader's lock lets them come one by one.
 */
void thread_end(void)
{
	static struct thread_data ended;
	struct thread_data *data = TlsGetValue(slot);

	ended = (struct thread_data){ .random = 1 };
	TlsSetValue(slot, &ended);
	if (data != &ended)
		HeapFree(GetProcessHeap(), 0, data);
}

int *__cdecl _errno(void)
{
	return &thread_data()->error;
}

unsigned long *__cdecl __doserrno(void)
{
	return &thread_data()->dos_error;
}

void **__cdecl __pxcptinfoptrs(void)
{
	return (void **)&thread_data()->fault;
}

void __cdecl _endthreadex(unsigned int code)
{
	ExitThread(code);
}

void __cdecl _endthread(void)
{
	ExitThread(0);
}

static DWORD WINAPI thread_run_ex(void *parameter)
{
	struct thread_data *data = parameter;

	TlsSetValue(slot, data);
	_endthreadex(((unsigned int (__stdcall *)(void *))data->start)(data->argument));
	return 0;
}

static DWORD WINAPI thread_run(void *parameter)
{
	struct thread_data *data = parameter;

	TlsSetValue(slot, data);
	((void (__cdecl *)(void *))data->start)(data->argument);
	_endthread();
	return 0;
}

static HANDLE thread_create(void *security, unsigned int stack, LPTHREAD_START_ROUTINE run, void *start,
			    void *argument, unsigned int flags, unsigned int *id)
{
	struct thread_data *data;
	HANDLE thread;
	DWORD thread_id;

	if (!start) {
		errno = EINVAL;
		return NULL;
	}
	data = data_new();
	if (!data) {
		errno = ENOMEM;
		return NULL;
	}
	data->start = start;
	data->argument = argument;
	thread = CreateThread(security, stack, run, data, flags, &thread_id);
	if (!thread) {
		error_set_windows();
		HeapFree(GetProcessHeap(), 0, data);
		return NULL;
	}
	if (id)
		*id = thread_id;
	return thread;
}

/* Returns the thread's handle, which the caller closes; 0: errno is set. */
uintptr_t __cdecl _beginthreadex(void *security, unsigned int stack, unsigned int (__stdcall *start)(void *),
				 void *argument, unsigned int flags, unsigned int *id)
{
	return (uintptr_t)thread_create(security, stack, thread_run_ex, start, argument, flags, id);
}

/* As above without a handle that stays: -1 is the error, and what is returned is only a number. */
uintptr_t __cdecl _beginthread(void (__cdecl *start)(void *), unsigned int stack, void *argument)
{
	HANDLE thread = thread_create(NULL, stack, thread_run, start, argument, CREATE_SUSPENDED, NULL);

	if (!thread)
		return (uintptr_t)-1;
	ResumeThread(thread);
	CloseHandle(thread);
	return (uintptr_t)thread;
}

int __cdecl _getpid(void)
{
	return (int)GetCurrentProcessId();
}
