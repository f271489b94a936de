/* A process that faults ends, with the exception's code as its exit code; the machine and its parent go on. */
#include "guest.h"

static volatile int zero_value;

static __attribute__((noinline)) uint64_t recurse(uint64_t n)
{
	volatile char frame[4096];
	frame[0] = (char)n;
	return zero_value ? n : recurse(n + 1) + (uint64_t)frame[0];
}

static __attribute__((noinline)) void jump_to(uintptr_t address)
{
	((void (*)(void))address)();
}

static LONG WINAPI exit_filter(EXCEPTION_POINTERS *e)
{
	ExitProcess(e->ExceptionRecord->ExceptionCode == 0xe0001234 ? 41 : 42);
}

static const struct way {
	const char *name;
	DWORD code;
} ways[] = {
	{ "read", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "write", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "kernel", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "noncanonical", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "code", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "data", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "jump", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "jumpkernel", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "stackpointer", (DWORD)STATUS_ACCESS_VIOLATION },
	{ "guard", (DWORD)STATUS_GUARD_PAGE_VIOLATION },
	{ "divide", (DWORD)STATUS_INTEGER_DIVIDE_BY_ZERO },
	{ "undefined", (DWORD)STATUS_ILLEGAL_INSTRUCTION },
	{ "breakpoint", (DWORD)STATUS_BREAKPOINT },
	{ "privileged", (DWORD)STATUS_PRIVILEGED_INSTRUCTION },
	{ "port", (DWORD)STATUS_PRIVILEGED_INSTRUCTION },
	{ "stack", (DWORD)STATUS_STACK_OVERFLOW },
	{ "raise", 0xe0001234 },
	{ "filter", 41 },
	{ "abort", 3 },
	{ "thread", (DWORD)STATUS_ACCESS_VIOLATION },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static DWORD WINAPI fault_thread(void *argument)
{
	(void)argument;
	*(volatile int *)(uintptr_t)(64 + zero_value) = 1;
	return 0;
}

static int child(const char *how)
{
	if (!strcmp(how, "read"))
		return *(volatile int *)(uintptr_t)(64 + zero_value);
	if (!strcmp(how, "write"))
		*(volatile int *)(uintptr_t)(64 + zero_value) = 1;
	if (!strcmp(how, "kernel"))
		return *(volatile int *)(0xffffffff80000000ull + (uintptr_t)zero_value);
	if (!strcmp(how, "noncanonical"))
		return *(volatile int *)(0x8000000000000000ull + (uintptr_t)zero_value);
	if (!strcmp(how, "code"))
		*(volatile char *)(uintptr_t)recurse = 1;
	if (!strcmp(how, "data")) {
		static char bytes[16] = { (char)0xc3 };
		jump_to((uintptr_t)bytes);
	}
	if (!strcmp(how, "jump"))
		jump_to(0x10);
	if (!strcmp(how, "jumpkernel"))
		jump_to(0xffffffff80000000ull);
	if (!strcmp(how, "stackpointer"))
		__asm__ volatile("movq $0x1000, %%rsp; pushq %%rax" ::: "memory");
	if (!strcmp(how, "guard"))
		return *(volatile char *)VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT,
						      PAGE_READWRITE | PAGE_GUARD);
	if (!strcmp(how, "divide"))
		return 12345 / zero_value;
	if (!strcmp(how, "undefined"))
		__asm__ volatile("ud2");
	if (!strcmp(how, "breakpoint"))
		__asm__ volatile("int3");
	if (!strcmp(how, "privileged"))
		__asm__ volatile("hlt");
	if (!strcmp(how, "port"))
		__asm__ volatile("outb %%al, $0x80" : : "a"(0));
	if (!strcmp(how, "stack"))
		return (int)recurse(1);
	if (!strcmp(how, "raise"))
		RaiseException(0xe0001234, 0, 0, NULL);
	if (!strcmp(how, "filter")) {
		SetUnhandledExceptionFilter(exit_filter);
		RaiseException(0xe0001234, EXCEPTION_NONCONTINUABLE, 0, NULL);
	}
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "thread")) {
		CreateThread(NULL, 0, fault_thread, NULL, 0, NULL);
		Sleep(INFINITE);
	}
	return 0;
}

static void all(void)
{
	char arguments[64];
	for (size_t i = 0; i < WAYS; i++) {
		sprintf(arguments, "child %s", ways[i].name);
		is(process_run(arguments, false), ways[i].code, "a process that ends by: %s", ways[i].name);
		tap_alive();
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "child"))
		return child(argv[2]);
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
