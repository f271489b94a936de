/*
 * Import tables that the pager fills in (kernel/image/bind.h): what is in them is what the loader would have put there, nobody
 * writes to their pages, and so all processes share them; discarded, they are filled in again. Argument: the number of
 * processes (8).
 */
#include "squeeze.h"

#define BOARD_NAME "Imports"
#define PAGES_MAX 16

static uint64_t processes = 8;

static struct board {
	volatile LONG arrived, leave, wrong;
	volatile LONG64 frames[PAGES_MAX]; /* of the pages of this program's import tables */
} *board;

static const char *own_base(void)
{
	return (const char *)GetModuleHandleA(NULL);
}

static const IMAGE_IMPORT_DESCRIPTOR *imports(const char *base)
{
	const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);

	return (const IMAGE_IMPORT_DESCRIPTOR *)(base + nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
}

/* Whether the pager filled in the table, for the DLL that is loaded. */
static bool is_bound(const char *base, const IMAGE_IMPORT_DESCRIPTOR *d)
{
	uint64_t mark;
	memcpy(&mark, &d->TimeDateStamp, sizeof(mark));
	return mark && mark == (uint64_t)GetModuleHandleA(base + d->Name);
}

/* Functions of the table that are not where the DLL says they are. */
static uint64_t wrong_functions(const char *base, const IMAGE_IMPORT_DESCRIPTOR *d, uint64_t *count)
{
	const IMAGE_THUNK_DATA *name = (const IMAGE_THUNK_DATA *)(base + d->OriginalFirstThunk);
	const IMAGE_THUNK_DATA *slot = (const IMAGE_THUNK_DATA *)(base + d->FirstThunk);
	HMODULE dll = GetModuleHandleA(base + d->Name);
	uint64_t wrong = 0;
	for (; name->u1.AddressOfData; name++, slot++, ++*count) {
		uint64_t entry = name->u1.AddressOfData;
		const char *what = IMAGE_SNAP_BY_ORDINAL64(entry) ? MAKEINTRESOURCEA(IMAGE_ORDINAL64(entry)) : base + entry + 2;
		wrong += (uint64_t)(uintptr_t)GetProcAddress(dll, what) != slot->u1.Function;
	}
	return wrong;
}

static void test_tables(const char *module)
{
	const char *base = (const char *)GetModuleHandleA(module);
	for (const IMAGE_IMPORT_DESCRIPTOR *d = imports(base); d->Name; d++) {
		uint64_t count = 0, wrong = wrong_functions(base, d, &count);
		ok(is_bound(base, d), "%s: what it imports from %s was filled in by the pager", module ? module : "program", base + d->Name);
		ok(count && !wrong, "all %llu functions are those that GetProcAddress finds (%llu are not)", (unsigned long long)count,
		   (unsigned long long)wrong);
		is(page_at(base + d->FirstThunk).backing, BS_IMAGE, "nobody wrote to the table's page");
		ok(query(base + d->FirstThunk).Protect == PAGE_WRITECOPY || query(base + d->FirstThunk).Protect == PAGE_READONLY,
		   "VirtualQuery says that nobody has");
	}
}

/* Calls f for the page of each table of the program. */
static void each_page(void (*f)(uint32_t i, const char *page))
{
	uint32_t i = 0;
	for (const IMAGE_IMPORT_DESCRIPTOR *d = imports(own_base()); d->Name && i < PAGES_MAX; d++, i++)
		f(i, own_base() + d->FirstThunk);
}

static void frame_note(uint32_t i, const char *page)
{
	can_read(page);
	board->frames[i] = (LONG64)page_at(page).frame;
}

static void frame_compare(uint32_t i, const char *page)
{
	can_read(page);
	if (board->frames[i] != (LONG64)page_at(page).frame)
		InterlockedIncrement(&board->wrong);
}

static void shares_check(uint32_t i, const char *page)
{
	(void)i;
	can_read(page);
	ok(page_at(page).shares >= processes, "the page of the program's table at %p has %u shares", (void *)page,
	   (unsigned)page_at(page).shares);
}

static int child(void)
{
	HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, BOARD_NAME);
	board = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!board)
		return 1;
	each_page(frame_compare);
	InterlockedIncrement(&board->arrived);
	while (!board->leave)
		Sleep(10);
	return 0;
}

static void test_shared(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(*board), BOARD_NAME);
	PROCESS_INFORMATION *p = calloc(processes, sizeof(*p));
	uint64_t started;
	board = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (!ok(board && p, "memory for what the processes find"))
		return;
	each_page(frame_note);
	started = children_start(p, processes - 1, &board->arrived);
	is((uint64_t)board->wrong, 0, "all have the same page frames for their import tables");
	each_page(shares_check);
	board->leave = 1;
	children_end(p, started);
	UnmapViewOfFile(board);
	CloseHandle(section);
	free(p);
}

/* All of this program's tables, for another process that was started when pages may have been read again. */
static int compare(void)
{
	for (const IMAGE_IMPORT_DESCRIPTOR *d = imports(own_base()); d->Name; d++) {
		uint64_t count = 0;
		if (!is_bound(own_base(), d) || wrong_functions(own_base(), d, &count) || !count)
			return 1;
	}
	return 0;
}

/* A table that is written to is the process's own from then on, as any page of an image. */
static int writer(void)
{
	const IMAGE_IMPORT_DESCRIPTOR *d = imports(own_base());
	volatile ULONG64 *slot = (volatile ULONG64 *)(own_base() + d->FirstThunk);
	DWORD old, protect = query((const void *)slot).Protect;
	if (!VirtualProtect((void *)slot, 8, PAGE_WRITECOPY, &old) || old != protect)
		return 2;
	*slot += 0;
	if (page_at((const void *)slot).backing == BS_IMAGE)
		return 3;
	return (int)process_run("compare", false);
}

static void all(void)
{
	test_tables(NULL);
	test_tables("kernel32.dll");
	test_tables("msvcrt.dll");
	test_shared();
	memory_squeeze_all();
	test_tables(NULL);
	test_tables("msvcrt.dll");
	is(process_run("compare", false), 0, "after memory was short, a new process finds its tables filled in");
	is(process_run("writer", false), 0, "who writes to a table has a copy of its page; other processes find it as it was");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "child"))
		return (probes_init(), child());
	if (argc == 2 && !strcmp(argv[1], "compare"))
		return compare();
	if (argc == 2 && !strcmp(argv[1], "writer"))
		return writer();
	if (argc == 2)
		processes = strtoull(argv[1], NULL, 10);
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
