/* What can be asked for, and how it is given back. */
#include "pattern.h"
#include "testlimit.h"

#define MIB (1ull << 20)

static void *memory_commit(const struct plan *plan)
{
	return VirtualAlloc(NULL, plan->size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static void *memory_touch(const struct plan *plan)
{
	char *p = memory_commit(plan);
	for (uint64_t page = 0; p && page < plan->size / PAGE_BYTES; page++)
		pattern_fill(p, page, (uintptr_t)p >> 16 & 0xffff);
	return p;
}

static void *memory_reserve(const struct plan *plan)
{
	return VirtualAlloc(NULL, plan->size, MEM_RESERVE, PAGE_READWRITE);
}

static void *memory_lock(const struct plan *plan)
{
	void *p = memory_commit(plan);
	if (p && !VirtualLock(p, plan->size)) {
		DWORD error = GetLastError();
		VirtualFree(p, 0, MEM_RELEASE);
		SetLastError(error);
		return NULL;
	}
	return p;
}

static void *memory_large(const struct plan *plan)
{
	uint64_t unit = GetLargePageMinimum();
	if (!unit) {
		SetLastError(ERROR_NOT_SUPPORTED);
		return NULL;
	}
	return VirtualAlloc(NULL, (plan->size + unit - 1) / unit * unit, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES,
			    PAGE_READWRITE);
}

static void memory_release(void *held, const struct plan *plan)
{
	(void)plan;
	VirtualFree(held, 0, MEM_RELEASE);
}

static void *section_make(const struct plan *plan)
{
	return CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)(plan->size >> 32),
				  (DWORD)plan->size, NULL);
}

static void handle_close(void *held, const struct plan *plan)
{
	(void)plan;
	CloseHandle(held);
}

/* Physical pages by their frame numbers, with their count before them. */
static void *physical_get(const struct plan *plan)
{
	ULONG_PTR want = plan->size / PAGE_BYTES, count = want;
	ULONG_PTR *list = VirtualAlloc(NULL, (want + 1) * sizeof(list[0]), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!list)
		return NULL;
	DWORD error = ERROR_SUCCESS;
	if (!AllocateUserPhysicalPages(GetCurrentProcess(), &count, list + 1))
		error = GetLastError();
	else if (count < want) /* granted in part: that is a refusal too */
		error = ERROR_NO_SYSTEM_RESOURCES;
	if (!error) {
		list[0] = count;
		return list;
	}
	if (error == ERROR_NO_SYSTEM_RESOURCES && count < want && count > 0)
		FreeUserPhysicalPages(GetCurrentProcess(), &count, list + 1);
	VirtualFree(list, 0, MEM_RELEASE);
	SetLastError(error);
	return NULL;
}

static void physical_free(void *held, const struct plan *plan)
{
	ULONG_PTR *list = held;
	(void)plan;
	FreeUserPhysicalPages(GetCurrentProcess(), &list[0], list + 1);
	VirtualFree(list, 0, MEM_RELEASE);
}

static const char *own_path(void)
{
	static char path[MAX_PATH];
	if (!path[0])
		GetModuleFileNameA(NULL, path, sizeof(path));
	return path;
}

static void *handle_make(const struct plan *plan)
{
	if (!plan->files)
		return CreateEventA(NULL, FALSE, FALSE, NULL);
	HANDLE file = CreateFileA(own_path(), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	return file == INVALID_HANDLE_VALUE ? NULL : file;
}

/* Its thread never starts: so that a process is as small as it can be, and takes no time. */
static void *process_make(const struct plan *plan)
{
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	if (!CreateProcessA(own_path(), NULL, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start, &p))
		return NULL;
	CloseHandle(p.hThread);
	if (plan->small)
		SetProcessWorkingSetSize(p.hProcess, (SIZE_T)-1, (SIZE_T)-1);
	return p.hProcess;
}

static void process_end(void *held, const struct plan *plan)
{
	(void)plan;
	TerminateProcess(held, 0);
	WaitForSingleObject(held, INFINITE);
	CloseHandle(held);
}

static HANDLE threads_end; /* the event that they wait for */

static DWORD WINAPI thread_wait(void *parameter)
{
	(void)parameter;
	WaitForSingleObject(threads_end, INFINITE);
	return 0;
}

static void *thread_make(const struct plan *plan)
{
	if (!threads_end)
		threads_end = CreateEventA(NULL, TRUE, FALSE, NULL);
	if (!threads_end)
		return NULL;
	return CreateThread(NULL, plan->stack, thread_wait, NULL, plan->stack ? STACK_SIZE_PARAM_IS_A_RESERVATION : 0,
			    NULL);
}

static void thread_end(void *held, const struct plan *plan)
{
	(void)plan;
	SetEvent(threads_end);
	WaitForSingleObject(held, INFINITE);
	CloseHandle(held);
}

static const struct kind kinds[] = {
	{ 'a', "AWE (physical) memory", MIB, physical_get, physical_free },
	{ 'd', "committed and touched private memory", MIB, memory_touch, memory_release },
	{ 'H', "handles", 0, handle_make, handle_close },
	{ 'l', "large pages", 2 * MIB, memory_large, memory_release },
	{ 'm', "committed private memory", MIB, memory_commit, memory_release },
	{ 'p', "processes", 0, process_make, process_end },
	{ 'r', "reserved addresses", 65536 * MIB, memory_reserve, memory_release },
	{ 's', "anonymous sections", MIB, section_make, handle_close },
	{ 't', "threads", 0, thread_make, thread_end },
	{ 'v', "locked memory (VirtualLock)", MIB, memory_lock, memory_release },
};

const struct kind *kind_find(char letter)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].letter == letter)
			return &kinds[i];
	return NULL;
}
