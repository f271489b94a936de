/* The operations as Backstore (and Windows) has them. */
#include "backstore.h"
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what)
{
	printf("bench: %s failed: error %lu\n", what, GetLastError());
	fflush(stdout);
	exit(1);
}

void os_start(void)
{
	HANDLE token;
	TOKEN_PRIVILEGES lock_memory = { .PrivilegeCount = 1 };

	lock_memory.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
	if (OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token) &&
	    LookupPrivilegeValueA(NULL, "SeLockMemoryPrivilege", &lock_memory.Privileges[0].Luid))
		AdjustTokenPrivileges(token, FALSE, &lock_memory, 0, NULL, NULL);
}

void os_null_call(void)
{
	BsNull();
}

void *os_alloc(size_t bytes)
{
	void *p = VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	if (!p)
		fail("VirtualAlloc");
	return p;
}

void *os_alloc_large(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE);
}

void os_free(void *at, size_t bytes)
{
	(void)bytes;
	if (!VirtualFree(at, 0, MEM_RELEASE))
		fail("VirtualFree");
}

static void protect(void *at, size_t bytes, DWORD protection)
{
	DWORD old;

	if (!VirtualProtect(at, bytes, protection, &old))
		fail("VirtualProtect");
}

void os_protect_none(void *at, size_t bytes) { protect(at, bytes, PAGE_NOACCESS); }
void os_protect_read(void *at, size_t bytes) { protect(at, bytes, PAGE_READONLY); }
void os_protect_write(void *at, size_t bytes) { protect(at, bytes, PAGE_READWRITE); }

intptr_t os_section(size_t bytes)
{
	HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)(bytes >> 32), (DWORD)bytes, NULL);

	if (!h)
		fail("CreateFileMapping");
	return (intptr_t)h;
}

void *os_map(intptr_t section, size_t bytes)
{
	void *p = MapViewOfFile((HANDLE)section, FILE_MAP_WRITE, 0, 0, bytes);

	if (!p)
		fail("MapViewOfFile");
	return p;
}

void os_unmap(void *view, size_t bytes)
{
	(void)bytes;
	if (!UnmapViewOfFile(view))
		fail("UnmapViewOfFile");
}

void os_section_close(intptr_t section)
{
	CloseHandle((HANDLE)section);
}

intptr_t os_file(size_t bytes)
{
	static char block[65536];
	HANDLE h = CreateFileA("C:\\temp\\bench.bin", GENERIC_READ | GENERIC_WRITE | DELETE, 0, NULL, CREATE_ALWAYS,
			       FILE_FLAG_DELETE_ON_CLOSE, NULL);
	DWORD count;

	for (size_t done = 0; h != INVALID_HANDLE_VALUE && done < bytes; done += sizeof(block))
		if (!WriteFile(h, block, sizeof(block), &count, NULL) || count != sizeof(block))
			fail("WriteFile");
	if (h == INVALID_HANDLE_VALUE || !FlushFileBuffers(h))
		fail("a new file");
	return (intptr_t)h;
}

void *os_file_map(intptr_t file, size_t bytes)
{
	HANDLE section = CreateFileMappingA((HANDLE)file, NULL, PAGE_READONLY, 0, 0, NULL);
	void *p = section ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, bytes) : NULL;

	if (!p)
		fail("mapping a file");
	CloseHandle(section);
	return p;
}

void os_file_read(intptr_t file, size_t offset, void *to, size_t bytes)
{
	OVERLAPPED at = { .Offset = (DWORD)offset };
	DWORD count;

	if (!ReadFile((HANDLE)file, to, (DWORD)bytes, &count, &at) || count != bytes)
		fail("ReadFile");
}

void os_file_close(intptr_t file)
{
	CloseHandle((HANDLE)file);
}

intptr_t os_disk_file(void)
{
	HANDLE h = CreateFileA("D:\\bench.bin", GENERIC_READ | GENERIC_WRITE | DELETE, 0, NULL, CREATE_ALWAYS,
			       FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_SEQUENTIAL_SCAN, NULL);

	if (h == INVALID_HANDLE_VALUE)
		fail("a new file on D:, which DISK2= gives,");
	return (intptr_t)h;
}

void os_file_write(intptr_t file, const void *from, size_t bytes)
{
	DWORD count;

	if (!WriteFile((HANDLE)file, from, (DWORD)bytes, &count, NULL) || count != bytes)
		fail("WriteFile");
}

void os_file_flush(intptr_t file)
{
	if (!FlushFileBuffers((HANDLE)file))
		fail("FlushFileBuffers");
}

void os_disk_file_close(intptr_t file)
{
	CloseHandle((HANDLE)file);
}

void *os_reserve(size_t bytes)
{
	void *p = VirtualAlloc(NULL, bytes, MEM_RESERVE, PAGE_READWRITE);

	if (!p)
		fail("VirtualAlloc");
	return p;
}

intptr_t os_section_sparse(size_t bytes)
{
	HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, (DWORD)(bytes >> 32),
				      (DWORD)bytes, NULL);

	if (!h)
		fail("CreateFileMapping");
	return (intptr_t)h;
}

void *os_map_sparse(intptr_t section, size_t bytes)
{
	return os_map(section, bytes);
}

void os_commit(void *at, size_t bytes)
{
	if (!VirtualAlloc(at, bytes, MEM_COMMIT, PAGE_READWRITE))
		fail("VirtualAlloc");
}

intptr_t os_clone(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	NTSTATUS status = RtlCloneUserProcess(RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES, NULL, NULL, NULL, &copy);

	if (status == STATUS_PROCESS_CLONED)
		return 0;
	if (status) {
		SetLastError(RtlNtStatusToDosError(status));
		fail("RtlCloneUserProcess");
	}
	CloseHandle(copy.ThreadHandle);
	return (intptr_t)copy.ProcessHandle;
}

void os_wait(intptr_t process)
{
	WaitForSingleObject((HANDLE)process, INFINITE);
	CloseHandle((HANDLE)process);
}

void os_forget(intptr_t process)
{
	CloseHandle((HANDLE)process);
}

void os_exit(void)
{
	NtTerminateProcess(GetCurrentProcess(), 0);
}

intptr_t os_run_itself(void)
{
	static char path[MAX_PATH];
	char line[] = "bench -e";
	STARTUPINFOA startup = { .cb = sizeof(startup) };
	PROCESS_INFORMATION process;

	if (!*path && !GetModuleFileNameA(NULL, path, sizeof(path)))
		fail("GetModuleFileName");
	if (!CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
		fail("CreateProcess");
	CloseHandle(process.hThread);
	return (intptr_t)process.hProcess;
}

static void (*fault_fix)(void *address);

static LONG WINAPI on_exception(EXCEPTION_POINTERS *e)
{
	if (!fault_fix || e->ExceptionRecord->ExceptionCode != (DWORD)STATUS_ACCESS_VIOLATION)
		return EXCEPTION_CONTINUE_SEARCH;
	fault_fix((void *)e->ExceptionRecord->ExceptionInformation[1]);
	return EXCEPTION_CONTINUE_EXECUTION;
}

void os_on_fault(void (*fix)(void *address))
{
	static void *handler;

	fault_fix = fix;
	if (!handler)
		handler = AddVectoredExceptionHandler(1, on_exception);
}

static HANDLE events[TOKENS];

void os_token_start(void)
{
	SECURITY_ATTRIBUTES inherit = { sizeof(inherit), NULL, TRUE };

	for (int i = 0; i < TOKENS; i++)
		if (!events[i] && !(events[i] = CreateEventA(&inherit, FALSE, FALSE, NULL)))
			fail("CreateEvent");
}

void os_pass(int to)
{
	SetEvent(events[to]);
}

void os_take(int who)
{
	WaitForSingleObject(events[who], INFINITE);
}

struct thread_start {
	void (*run)(void *argument);
	void *argument;
};

static DWORD WINAPI thread_run(void *start)
{
	struct thread_start s = *(struct thread_start *)start;

	free(start);
	s.run(s.argument);
	return 0;
}

intptr_t os_thread(void (*run)(void *argument), void *argument)
{
	struct thread_start *s = malloc(sizeof(*s));
	HANDLE h = NULL;

	if (s) {
		*s = (struct thread_start){ run, argument };
		h = CreateThread(NULL, 0, thread_run, s, 0, NULL);
	}
	if (!h)
		fail("CreateThread");
	return (intptr_t)h;
}

void os_join(intptr_t thread)
{
	WaitForSingleObject((HANDLE)thread, INFINITE);
	CloseHandle((HANDLE)thread);
}

unsigned int os_cpus(void)
{
	SYSTEM_INFO s;

	GetSystemInfo(&s);
	return s.dwNumberOfProcessors;
}

static struct bs_memory memory(void)
{
	struct bs_memory m;

	BsQueryMemory(&m);
	return m;
}

uint64_t os_memory(void) { return memory().frames_total * PAGE_BYTES; }
uint64_t os_paging_file(void) { return memory().paging_file_pages * PAGE_BYTES; }
uint64_t os_pages_read(void) { return memory().faults_swap_in; }

double os_seconds(void)
{
	LARGE_INTEGER count, frequency;

	QueryPerformanceCounter(&count);
	QueryPerformanceFrequency(&frequency);
	return (double)count.QuadPart / (double)frequency.QuadPart;
}
