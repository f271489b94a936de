/* Images: protections of their sections, pages shared and private, relocation, loading and unloading of DLLs. */
#include "guest.h"

#define TABLE_SIZE 2048 /* of dll/moved.c */
#define DATA_PAGES 4
#define SHARED_NAME "ImageTest"

static char data[DATA_PAGES * 4096] __attribute__((aligned(4096))) = { [0 ... DATA_PAGES * 4096 - 1] = 'd' };
static const char constant[DATA_PAGES * 4096] __attribute__((aligned(4096))) = { [0 ... DATA_PAGES * 4096 - 1] = 'c' };
static char zero[DATA_PAGES * 4096] __attribute__((aligned(4096)));

/* What the child leaves in a section for its parent. */
struct report {
	uint64_t constant_frame, constant_address, dll_base;
	char first; /* what data held before the child wrote it */
};

static char volatile_read(const char *p)
{
	return *(const volatile char *)p;
}

static int child(void)
{
	HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, SHARED_NAME);
	struct report *r = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!r)
		return 1;
	r->first = volatile_read(data);
	*(volatile char *)data = 'k';
	volatile_read(constant);
	r->constant_frame = page_at(constant).frame;
	r->constant_address = (uintptr_t)constant;
	r->dll_base = (uintptr_t)LoadLibraryA("C:\\tests\\moved.dll");
	return volatile_read(data) == 'k' ? 0 : 2;
}

static void test_sections(void)
{
	char *base = (char *)GetModuleHandleA(NULL);
	const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)base;
	const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)(base + dos->e_lfanew);
	is(dos->e_magic, IMAGE_DOS_SIGNATURE, "GetModuleHandle gives where the headers are");
	is((uintptr_t)base % 65536, 0, "at a multiple of 65,536");
	is(nt->OptionalHeader.ImageBase, (uintptr_t)base, "the mapped header tells the base that is in use");
	is(query(base).Type, MEM_IMAGE, "its memory is an image's");
	is(query(base).Protect, PAGE_READONLY, "headers are read-only");
	ok(query(data).AllocationBase == base, "data belongs to the same allocation");
	is(query(base).AllocationProtect, PAGE_EXECUTE_WRITECOPY,
	   "whose allocation protection is PAGE_EXECUTE_WRITECOPY");
	is(query((const void *)test_sections).Protect, PAGE_EXECUTE_READ, "code is PAGE_EXECUTE_READ");
	is(query(constant).Protect, PAGE_READONLY, "constants are PAGE_READONLY");
	violation(can_write((char *)test_sections), KIND_WRITE, (char *)test_sections, "code can't be written");
	violation(can_write((char *)constant), KIND_WRITE, constant, "constants can't be written");
	violation(can_write(base), KIND_WRITE, base, "headers can't be written");
	violation(can_execute(data + 8192), KIND_EXECUTE, data + 8192, "data can't be executed");
	if (option_is("aslr", "off"))
		skip("the image is not at its linked base", "aslr=off");
	else
		ok((uintptr_t)base != 0x140000000ull, "the image is not at its linked base (%p)", (void *)base);
}

static void test_pages(void)
{
	static bool first = true; /* data is written once in a process's life */
	char got = volatile_read(constant + 4096);
	is((unsigned char)got, 'c', "a constant's page holds what the file says");
	is(page_at(constant + 4096).backing, BS_IMAGE, "it is backed by the image file");
	is(page_at(constant + 4096).offset % 512, 0, "at an offset that is a multiple of 512");
	is((unsigned char)volatile_read(data + 4096), 'd', "so does a variable's");
	if (first) {
		is(page_at(data + 4096).backing, BS_IMAGE, "unwritten, it is backed by the image file");
		is(query(data + 4096).Protect, PAGE_WRITECOPY, "and is PAGE_WRITECOPY");
	}
	*(volatile char *)(data + 8192) = 'w';
	is(page_at(data + 8192).backing, BS_MEMORY, "a written one is in memory alone");
	is(query(data + 8192).Protect, PAGE_READWRITE, "and is PAGE_READWRITE");
	is((unsigned char)volatile_read(data + 8193), 'd', "the rest of it is what the file says");
	is((unsigned char)volatile_read(zero + 4096), first ? 0 : 'z', "uninitialised variables are zero");
	*(volatile char *)(zero + 4096) = 'z';
	is(page_at(zero + 4096).backing, BS_MEMORY, "written, they are in memory alone");
	first = false;

	DWORD old;
	ok(VirtualProtect(data + 8192, 4096, PAGE_READONLY, &old) &&
		   VirtualProtect(data + 8192, 4096, PAGE_READWRITE, &old),
	   "a written page is made read-only and back");
	is((unsigned char)volatile_read(data + 8192), 'w', "and keeps what was written");
	is(page_at(data + 8192).backing, BS_MEMORY, "and its backing");
	ok(VirtualProtect((void *)(constant + 4096), 4096, PAGE_READWRITE, &old) ||
		   VirtualProtect((void *)(constant + 4096), 4096, PAGE_WRITECOPY, &old),
	   "a page of constants is made writable");
	is(page_at(constant + 4096).backing, BS_IMAGE, "that alone does not change its backing");
	VirtualProtect((void *)(constant + 4096), 4096, old, &old);

	working_set_empty();
	struct bs_memory before = memory_now();
	is((unsigned char)volatile_read(data + 8192), 'w', "after trimming, the written page is found again");
	is((unsigned char)volatile_read(constant + 4096), 'c', "and the clean one");
	struct bs_memory after = memory_now();
	ok(after.faults_transition > before.faults_transition, "in memory");
	is(after.pages_swapped_out, before.pages_swapped_out, "nothing was written to a paging file");
}

static void test_processes(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, SHARED_NAME);
	struct report *r = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	HMODULE dll = LoadLibraryA("C:\\tests\\moved.dll");
	*(volatile char *)data = 'p';
	volatile_read(constant);
	is(process_run("child", false), 0, "another process of the same image");
	is((unsigned char)r->first, 'd', "found the data as the file has it, although this one has changed it");
	is((unsigned char)volatile_read(data), 'p', "and its own change is not seen here");
	is(r->constant_frame, page_at(constant).frame, "the constants are in the same page frame in both");
	is(r->constant_address, (uintptr_t)constant, "at the same address");
	is(r->dll_base, (uintptr_t)dll, "a DLL is at the same base in both");
	FreeLibrary(dll);
	UnmapViewOfFile(r);
	CloseHandle(section);
}

static void check_dll(HMODULE dll, const char *when)
{
	int (*check)(void) = (int (*)(void))(void (*)(void))GetProcAddress(dll, "moved_check");
	DWORD (*process)(void) = (DWORD(*)(void))(void (*)(void))GetProcAddress(dll, "moved_process");
	int (*attached)(void) = (int (*)(void))(void (*)(void))GetProcAddress(dll, "moved_attached");
	int *value = (int *)(void *)GetProcAddress(dll, "moved_value");
	int **pointer = (int **)(void *)GetProcAddress(dll, "moved_pointer");
	if (!ok(check && process && attached && value && pointer, "%s: its functions and data are found", when))
		return;
	is((uint64_t)check(), TABLE_SIZE, "%s: all %d absolute addresses in its constants are right", when, TABLE_SIZE);
	ok(*pointer == value && *value == 41, "%s: and the one in its data", when);
	is(process(), GetCurrentProcessId(), "%s: its import works", when);
	is((uint64_t)attached(), 1, "%s: DllMain was called once", when);
}

static void test_dll(void)
{
	HMODULE dll = LoadLibraryA("moved.dll");
	if (!ok(dll != NULL, "LoadLibrary finds a DLL beside the program"))
		return;
	check_dll(dll, "at its base");
	ok(LoadLibraryA("moved.dll") == dll && FreeLibrary(dll), "loading it twice gives the same module");
	ok(GetModuleHandleA("moved") == dll, "GetModuleHandle finds it");
	SetLastError(0);
	refused(GetProcAddress(dll, "moved_nothing") != NULL, ERROR_PROC_NOT_FOUND, "a function that is not there");
	*(int *)(void *)GetProcAddress(dll, "moved_value") = 99;
	ok(FreeLibrary(dll), "FreeLibrary");
	violation(can_read(dll), KIND_READ, dll, "unloads it");

	/* Now its place is taken. */
	char *taken = VirtualAlloc(dll, 65536, MEM_RESERVE, PAGE_READWRITE);
	ok(taken == (char *)dll, "its base is taken");
	HMODULE other = LoadLibraryA("moved.dll");
	if (ok(other && other != dll, "it is loaded elsewhere (%p in place of %p)", (void *)other, (void *)dll)) {
		check_dll(other, "elsewhere");
		FreeLibrary(other);
	}
	VirtualFree(taken, 0, MEM_RELEASE);
	SetLastError(0);
	refused(LoadLibraryA("no_such.dll") != NULL, ERROR_MOD_NOT_FOUND, "a DLL that is not there");
}

static void all(void)
{
	test_sections();
	test_pages();
	test_processes();
	test_dll();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "child"))
		return child();
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
