/*
 * What processes of the same images have in common: every page that nobody wrote to is one page frame for all, relocated
 * or not; a section that the linker marked as shared is one memory for all. Argument: the number of processes (50).
 */
#include "guest.h"
#include <psapi.h>

#define BOARD_NAME "ImageShared"
#define PAGES_MAX 1024
#define MODULES_MAX 16

static uint64_t processes = 50;

/* What the first process found, for the others to compare, and what these found. */
static struct board {
	volatile LONG arrived, leave;
	volatile LONG different, compared;
	uint64_t count;
	struct {
		uintptr_t address;
		uint64_t frame;
	} pages[PAGES_MAX];
} *board;

static struct board *board_map(HANDLE section)
{
	return section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

/* Calls f for each page of the process's modules that is as the image file has it, which is in memory now. */
static void each_clean_page(void (*f)(uintptr_t address, uint64_t frame))
{
	HMODULE modules[MODULES_MAX];
	DWORD bytes = 0;
	K32EnumProcessModules(GetCurrentProcess(), modules, sizeof(modules), &bytes);
	for (DWORD i = 0; i < bytes / sizeof(modules[0]) && i < MODULES_MAX; i++) {
		const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)modules[i];
		const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)((char *)dos + dos->e_lfanew);
		for (uintptr_t at = (uintptr_t)dos; at < (uintptr_t)dos + nt->OptionalHeader.SizeOfImage; at += PAGE_BYTES) {
			struct bs_page page = page_at((void *)at);
			if (page.backing != BS_IMAGE || !can_read((void *)at))
				continue;
			f(at, page_at((void *)at).frame);
		}
	}
}

static void note_page(uintptr_t address, uint64_t frame)
{
	if (board->count == PAGES_MAX)
		return;
	board->pages[board->count].address = address;
	board->pages[board->count++].frame = frame;
}

static void compare_page(uintptr_t address, uint64_t frame)
{
	for (uint64_t i = 0; i < board->count; i++) {
		if (board->pages[i].address != address)
			continue;
		InterlockedIncrement(&board->compared);
		if (board->pages[i].frame != frame)
			InterlockedIncrement(&board->different);
	}
}

static int child(void)
{
	board = board_map(OpenFileMappingA(FILE_MAP_WRITE, FALSE, BOARD_NAME));
	if (!board)
		return 1;
	each_clean_page(compare_page);
	InterlockedIncrement(&board->arrived);
	while (!board->leave)
		Sleep(10);
	return 0;
}

static void test_clean_pages(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(*board), BOARD_NAME);
	PROCESS_INFORMATION *p = calloc(processes, sizeof(*p));
	const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)GetModuleHandleA(NULL);
	uint64_t started, in_all = 0, own = 0;
	const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)((const char *)dos + dos->e_lfanew);
	board = board_map(section);
	if (!ok(board && p, "memory for what the processes find"))
		return;
	each_clean_page(note_page);
	note("%llu pages of this program and its DLLs are as in their files", (unsigned long long)board->count);
	ok(board->count > 60, "many pages of this program and its DLLs are as in their files");
	if (!option_is("aslr", "off"))
		ok((uintptr_t)dos != 0x140000000ull, "the program is not where it was linked: its pages are relocated");
	started = children_start(p, processes - 1, &board->arrived);
	ok((uint64_t)board->compared > started * 60, "each compared its pages with the first one's (%ld)", board->compared);
	is((uint64_t)board->different, 0, "each page that is clean in both is in the same page frame");
	for (uint64_t i = 0; i < board->count; i++) {
		struct bs_page page = page_at((void *)board->pages[i].address);
		in_all += page.shares >= processes;
		own += board->pages[i].address - (uintptr_t)dos < nt->OptionalHeader.SizeOfImage && page.shares == processes;
	}
	note("%llu of them are in the page tables of all processes", (unsigned long long)in_all);
	ok(own > 0, "the pager counts one share for each process in pages of the program (%llu of them)",
	   (unsigned long long)own);
	ok(in_all > board->count / 2, "most of the pages are in the page tables of all");
	board->leave = 1;
	children_end(p, started);
	UnmapViewOfFile(board);
	CloseHandle(section);
	free(p);
}

/* ---- a section of a DLL that is marked as shared ---- */

static volatile LONG *value_of(HMODULE dll, const char *name)
{
	return (volatile LONG *)(void *)GetProcAddress(dll, name);
}

static int writer(void)
{
	HMODULE dll = LoadLibraryA("C:\\tests\\shared.dll");
	volatile char *pages = dll ? (volatile char *)value_of(dll, "shared_pages") : NULL;
	if (!pages)
		return 1;
	int seen = (int)*value_of(dll, "shared_value"), own = (int)*value_of(dll, "own_value");
	*value_of(dll, "shared_value") = 7;
	*value_of(dll, "own_value") = 7;
	for (int i = 0; i < 3; i++)
		pages[i * 4096 + 100] = (char)(10 + i);
	return seen == 6 && own == 5 ? 0 : 100 + seen;
}

static void test_shared_section(void)
{
	HMODULE dll = LoadLibraryA("C:\\tests\\shared.dll");
	if (!ok(dll != NULL, "a DLL with a shared section is loaded"))
		return;
	volatile LONG *shared = value_of(dll, "shared_value"), *own = value_of(dll, "own_value");
	volatile char *pages = (volatile char *)value_of(dll, "shared_pages");
	is((uint64_t)*shared, 5, "its variable holds what the file says, each time that nobody has it loaded before");
	is(query(shared).Protect, PAGE_READWRITE, "its pages are PAGE_READWRITE, not write-copy");
	is(query((const void *)value_of(dll, "own_pages")).Protect, PAGE_WRITECOPY, "those of other data are PAGE_WRITECOPY");
	*shared = 6;
	*own = 6;
	is(process_run("writer", false), 0, "another process sees what this one wrote there, and not what elsewhere");
	is((uint64_t)*shared, 7, "this one sees what the other one wrote there");
	is((uint64_t)*own, 6, "and not what elsewhere");
	is((uint64_t)(pages[100] + pages[4196] + pages[8292]), 33, "on each page");
	is(page_at(shared).backing, BS_MEMORY, "a page that was written to is no longer backed by the file");
	working_set_empty();
	is((uint64_t)*shared, 7, "after trimming it is found again");
	DWORD old;
	ok(VirtualProtect((void *)shared, 4, PAGE_READONLY, &old) && old == PAGE_READWRITE &&
		   VirtualProtect((void *)shared, 4, old, &old), "it can be made read-only and writable again");
	*shared = 8;
	ok(FreeLibrary(dll), "FreeLibrary");
}

static void all(void)
{
	test_clean_pages();
	test_shared_section();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "child"))
		return (probes_init(), child());
	if (argc == 2 && !strcmp(argv[1], "writer"))
		return writer();
	if (argc == 2)
		processes = strtoull(argv[1], NULL, 10);
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
