/*
 * The loader: in which order DLLs are initialised and told of threads and ends, when they go, names, exports, imports,
 * forwarders, thread-local storage. The DLLs are made here (image_maker.h), in C:\made, and their functions go on in this
 * program. Source: Windows documentation of DllMain, LoadLibraryEx, FreeLibrary, GetModuleHandleEx,
 * DisableThreadLibraryCalls; PE Format specification, "The .edata Section", "The .idata Section", "The .tls Section".
 */
#include "image_maker.h"
#include <errno.h>
#include <winternl.h>

#define PLACE "C:\\made"
#define OTHER PLACE "\\other"

/* A pointer in the thread's environment block. */
static void *teb_field(size_t offset)
{
	void *value;
	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

/* PEB_LDR_DATA: the loader's lists. */
static char *loader_data(void)
{
	return ((char **)teb_field(0x60))[3];
}

/* ---- DLLs, each of one letter, and what they say ---- */

static char said[512];

/* What a DLL does in its DllMain. */
static struct {
	bool refuses;
	const char *loads; /* at the beginning; freed at the end */
	HMODULE loaded;
	HANDLE in, go; /* says that it has begun, and waits */
	const char *loads_last; /* at the end */
	DWORD last_error;       /* of that; 0: it was loaded */
} acts[128];

static bool silent; /* many threads have much to say */

static void say(ULONG id, const char *what)
{
	if (silent)
		return;
	sprintf(said + strlen(said), "%s%c%s", said[0] ? " " : "", (char)id, what);
}

static HMODULE load(const char *name)
{
	SetLastError(0);
	return LoadLibraryA(name);
}

/* "a+": DllMain(DLL_PROCESS_ATTACH) of a.dll begins, "a-": DETACH, "at": a thread begins, "ax": ends; "!": reserved, not NULL. */
static BOOL WINAPI dll_main(HINSTANCE module, DWORD reason, void *reserved, ULONG id)
{
	static const char *const names[] = { "-", "+", "t", "x" };
	char text[4];
	(void)module;
	sprintf(text, "%s%s", names[reason], reserved ? "!" : "");
	say(id, text);
	if (reason == DLL_PROCESS_ATTACH && acts[id].in) {
		SetEvent(acts[id].in);
		WaitForSingleObject(acts[id].go, INFINITE);
	}
	if (reason == DLL_PROCESS_ATTACH && acts[id].loads)
		acts[id].loaded = LoadLibraryA(acts[id].loads);
	if (reason == DLL_PROCESS_DETACH && acts[id].loaded)
		FreeLibrary(acts[id].loaded);
	if (reason == DLL_PROCESS_DETACH)
		acts[id].loaded = NULL;
	if (reason == DLL_PROCESS_DETACH && acts[id].loads_last)
		acts[id].last_error = load(acts[id].loads_last) ? 0 : GetLastError();
	return !acts[id].refuses;
}

/* A TLS callback: the same with "~" in front of what happens. */
static void NTAPI tls_callback(void *module, DWORD reason, void *reserved, ULONG id)
{
	static const char *const names[] = { "~-", "~+", "~t", "~x" };
	(void)module;
	say(id, names[reason]);
	if (reserved)
		say(id, "~!");
}

static bool said_was(const char *expected, const char *name)
{
	bool so = !strcmp(said, expected);
	if (!so)
		note("\"%s\", expected \"%s\"", said, expected);
	said[0] = 0;
	return ok(so, "%s: %s", name, expected[0] ? expected : "nothing is called");
}

static bool loaded(char id)
{
	const char name[] = { id, '.', 'd', 'l', 'l', 0 };
	return GetModuleHandleA(name) != NULL;
}

/* How many of these are loaded. */
static uint64_t loaded_count(const char *ids)
{
	uint64_t n = 0;
	for (; *ids; ids++)
		n += loaded(*ids);
	return n;
}

static void *function_of(HMODULE dll, const char *name)
{
	SetLastError(0);
	return (void *)GetProcAddress(dll, name);
}

/* The number that a function without arguments returns. */
static uint64_t value_of(void *function)
{
	return function ? (uint64_t)((int (*)(void))function)() : ~0ull;
}

static const char *path_of(const char *directory, char id)
{
	static char path[MAX_PATH];
	sprintf(path, "%s\\%c.dll", directory, id);
	return path;
}

/* id.dll: "value" is a function that returns id; it imports that of each of the others. */
static void node_begin(struct made_dll *d, char id, const char *imports)
{
	char name[] = "?.dll";
	dll_begin(d);
	d->file.nt->OptionalHeader.AddressOfEntryPoint = dll_function(d, (const void *)dll_main, (ULONG)id);
	dll_export(d, "value", 1, dll_constant(d, (DWORD)id));
	for (; *imports; imports++) {
		name[0] = *imports;
		dll_import(d, name, "value");
	}
}

static struct made_dll made;

static void node_make(char id, const char *imports)
{
	node_begin(&made, id, imports);
	if (!dll_finish(&made, path_of(PLACE, id)))
		ok(false, "%c.dll is made", id);
}

static void nodes_make(void)
{
	static const char *const nodes[] = { "a", "ba", "cb", "de", "ed", "fab", "ra", "sr", "l", "ma", "p", "yp", "xlp" };
	CreateDirectoryA(PLACE, NULL);
	CreateDirectoryA(OTHER, NULL);
	SetCurrentDirectoryA(PLACE);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		node_make(nodes[i][0], nodes[i] + 1);
	said[0] = 0;
	memset(acts, 0, sizeof(acts));
}

static void files_remove(const char *directory)
{
	char path[MAX_PATH + 16];
	WIN32_FIND_DATAA found;
	sprintf(path, "%s\\*", directory);
	HANDLE search = FindFirstFileA(path, &found);
	do {
		sprintf(path, "%s\\%s", directory, found.cFileName);
		if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) && !DeleteFileA(path))
			ok(false, "%s can be deleted: it is no longer in use", path);
	} while (FindNextFileA(search, &found));
	FindClose(search);
	RemoveDirectoryA(directory);
}

/* ---- order and references ---- */

static void test_order(void)
{
	HMODULE c = load("c");
	ok(c != NULL, "a DLL is loaded that imports one that imports one");
	said_was("a+ b+ c+", "each is initialised after what it imports");
	ok(FreeLibrary(c), "FreeLibrary");
	said_was("c- b- a-", "and hears of its end before");
	is(loaded_count("abc"), 0, "all are gone");
	HMODULE f = load("f");
	said_was("a+ b+ f+", "one that two import is initialised once");
	FreeLibrary(f);
	said_was("f- b- a-", "the end");
	HMODULE d = load("d");
	said_was("e+ d+", "two that import each other");
	is(value_of(function_of(d, "value")), 'd', "work");
	FreeLibrary(d);
	said_was("d- e-", "and end together");
	is(loaded_count("de"), 0, "both are gone");
}

static void test_references(void)
{
	HMODULE c = load("c"), b = load("b"), a = load("a");
	said[0] = 0;
	FreeLibrary(c);
	said_was("c-", "what a program has a reference to stays");
	FreeLibrary(a);
	said_was("", "what a module imports stays");
	ok(FreeLibrary(a), "freed too often");
	is(loaded_count("ab"), 2, "it stays nevertheless: somebody else needs it");
	FreeLibrary(b);
	said_was("b- a-", "until the last one goes");
	SetLastError(0);
	refused(FreeLibrary(b), ERROR_INVALID_HANDLE, "FreeLibrary of one that is gone");

	static const char *const spellings[] = {
		"a", "A.DLL", "a.dll", "C:\\made\\a.dll", "c:/MADE/A.dll", "\\made\\a.dll", ".\\a.dll", ".\\a", "..\\made\\a.dll",
		"C:\\made\\other\\..\\a.dll", "C:\\made\\\\a.dll", "C:a.dll", "\\\\?\\C:\\made\\a.dll", "C:\\made\\.\\a",
	};
	const uint64_t count = sizeof(spellings) / sizeof(spellings[0]);
	uint64_t same = 0, freed = 0;
	a = load(PLACE "\\a.dll");
	for (uint64_t i = 0; i < count; i++) {
		HMODULE again = load(spellings[i]);
		if (again != a)
			note("\"%s\" is %p, not %p; error %lu", spellings[i], (void *)again, (void *)a, GetLastError());
		same += again == a;
	}
	is(same, count, "a DLL is one module however its path is spelled");
	said_was("a+", "initialised once");
	for (uint64_t i = 0; i < count; i++)
		freed += FreeLibrary(a) && loaded('a');
	is(freed, count, "it stays until it is freed as often as it was loaded");
	FreeLibrary(a);
	said_was("a-", "then it goes");

	/* By another name of the same file, and from another directory. */
	a = load("a");
	CopyFileA(PLACE "\\a.dll", OTHER "\\a.dll", FALSE);
	HMODULE other = load(OTHER "\\a.dll");
	ok(other && other != a, "another file of the same name, asked for by its path, is another module");
	ok(GetModuleHandleA("a.dll") == a, "the first one of that name is found by it");
	ok(GetModuleHandleA(OTHER "\\a.dll") == other && GetModuleHandleA(PLACE "\\a.dll") == a, "each by its path");
	FreeLibrary(other);
	FreeLibrary(a);

	/* Two names of one file, also where it is not at its base. */
	char short_path[MAX_PATH];
	CopyFileA(PLACE "\\a.dll", PLACE "\\a long name.dll", FALSE);
	GetShortPathNameA(PLACE "\\a long name.dll", short_path, sizeof(short_path));
	for (int taken = 0; taken < 2; taken++) {
		a = load("a long name.dll");
		if (taken) { /* what its file has as base is not free */
			FreeLibrary(a);
			void *place = VirtualAlloc(a, 65536, MEM_RESERVE, PAGE_READWRITE);
			a = load("a long name");
			ok((void *)a != place, "it is loaded elsewhere");
			VirtualFree(place, 0, MEM_RELEASE);
		}
		other = load(short_path);
		ok(other && other == a, "by its short name (%s) it is the same module", short_path);
		FreeLibrary(a);
		ok(value_of(function_of(other, "value")) == 'a', "which stays until it is freed twice");
		FreeLibrary(other);
		ok(!GetModuleHandleA("a long name"), "then it goes");
	}
	ok(FreeLibrary(GetModuleHandleA(NULL)) && FreeLibrary(GetModuleHandleA("ntdll")) && GetModuleHandleA("ntdll"),
	   "what came with the program may be freed, and stays");
	said[0] = 0;
}

static void test_refusal(void)
{
	HMODULE a;
	acts['r'].refuses = true;
	refused(load("r") != NULL, ERROR_DLL_INIT_FAILED, "DllMain returns FALSE");
	said_was("a+ r+ r- a-", "it is told of its end at once, and what came with it goes");
	is(loaded_count("ra"), 0, "both are gone");
	refused(load("s") != NULL, ERROR_DLL_INIT_FAILED, "DllMain of one that it imports does");
	said_was("a+ r+ r- a-", "its own is not called");
	a = load("a");
	said[0] = 0;
	load("s");
	said_was("r+ r-", "what was there before stays");
	FreeLibrary(a);
	acts['r'].refuses = false;
	said[0] = 0;
	a = load("r");
	ok(a != NULL, "when it no longer refuses, it is loaded");
	FreeLibrary(a);
	said[0] = 0;

	static const struct {
		char id;
		const char *dll, *name;
		DWORD error;
		const char *what;
	} missing[] = {
		{ 'n', "gone.dll", "value", ERROR_MOD_NOT_FOUND, "a DLL that is not there" },
		{ 'n', "a.dll", "nothing", ERROR_PROC_NOT_FOUND, "a function that is not there" },
		{ 'n', "a.dll", (const char *)77, ERROR_INVALID_ORDINAL, "an ordinal number that is not there" },
	};
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		node_begin(&made, missing[i].id, "b");
		dll_import(&made, missing[i].dll, missing[i].name);
		dll_finish(&made, path_of(PLACE, missing[i].id));
		refused(load("n") != NULL, missing[i].error, "it imports %s", missing[i].what);
		said_was("", "what came with it was not initialised");
		is(loaded_count("nab"), 0, "and is gone");
	}
}

static void test_load_in_dll_main(void)
{
	HMODULE x;
	acts['l'].loads = "m";
	x = load("x");
	said_was("l+ a+ m+ p+ x+", "DllMain loads a DLL: that is initialised at once, the others when it is their turn");
	FreeLibrary(x);
	said_was("x- p- l- m- a-", "DllMain frees it");
	is(loaded_count("xlpma"), 0, "all are gone");
	acts['l'].loads = "y"; /* it imports p, as x does, whose turn would be later */
	x = load("x");
	said_was("l+ p+ y+ x+", "what that imports is initialised before it");
	FreeLibrary(x);
	said_was("x- l- y- p-", "the end");
	acts['l'].loads = "l";
	x = load("l");
	said_was("l+", "DllMain loads its own DLL: one more reference");
	FreeLibrary(x);
	ok(loaded('l'), "which it has still");
	FreeLibrary(x);
	said_was("l-", "until that is dropped, too");
	acts['l'].loads = NULL;
	acts['l'].loads_last = "m";
	x = load("l");
	FreeLibrary(x);
	said_was("l+ l- a+ m+", "DllMain loads another DLL at its end");
	FreeLibrary(GetModuleHandleA("m"));
	said_was("m- a-", "which stays until it is freed");
	acts['l'].loads_last = "l";
	x = load("l");
	FreeLibrary(x);
	said_was("l+ l-", "DllMain loads its own DLL at its end");
	is(acts['l'].last_error, ERROR_MOD_NOT_FOUND, "that is too late");
	ok(!loaded('l'), "it is gone");
	acts['l'].loads_last = NULL;
}

/* ---- threads ---- */

struct waiter {
	HANDLE thread, go[2], done; /* what to do next, and that it was done */
	void *block;
	const ULONG *index; /* of a DLL's thread-local storage */
};

static void *tls_block(ULONG index)
{
	return ((void **)teb_field(0x58))[index]; /* ThreadLocalStoragePointer */
}

static DWORD WINAPI wait_and_look(void *argument)
{
	struct waiter *w = argument;
	SetEvent(w->done);
	WaitForSingleObject(w->go[0], INFINITE);
	if (w->index)
		w->block = tls_block(*w->index);
	SetEvent(w->done);
	WaitForSingleObject(w->go[1], INFINITE);
	return 0;
}

static void waiter_start(struct waiter *w)
{
	w->go[0] = CreateEventA(NULL, FALSE, FALSE, NULL);
	w->go[1] = CreateEventA(NULL, FALSE, FALSE, NULL);
	w->done = CreateEventA(NULL, FALSE, FALSE, NULL);
	w->thread = CreateThread(NULL, 0, wait_and_look, w, 0, NULL);
	WaitForSingleObject(w->done, INFINITE);
}

static void waiter_look(struct waiter *w, const ULONG *index)
{
	w->index = index;
	SetEvent(w->go[0]);
	WaitForSingleObject(w->done, INFINITE);
}

static void waiter_end(struct waiter *w)
{
	SetEvent(w->go[1]);
	WaitForSingleObject(w->thread, INFINITE);
	CloseHandle(w->thread);
	CloseHandle(w->done);
	CloseHandle(w->go[0]);
	CloseHandle(w->go[1]);
}

static void thread_run(void)
{
	struct waiter w = { 0 };
	waiter_start(&w);
	waiter_look(&w, NULL);
	waiter_end(&w);
}

static DWORD WINAPI load_and_leave(void *name)
{
	FreeLibraryAndExitThread(LoadLibraryA(name), 5);
}

/* While a DllMain waits for this thread, it may ask for what is no matter of the loader's lock. */
static void test_waiting_dll_main(void)
{
	HMODULE own = NULL;
	HANDLE thread;
	DWORD code = 0;
	acts['a'].in = CreateEventA(NULL, FALSE, FALSE, NULL);
	acts['a'].go = CreateEventA(NULL, FALSE, FALSE, NULL);
	thread = CreateThread(NULL, 0, load_and_leave, "a", 0, NULL);
	WaitForSingleObject(acts['a'].in, INFINITE);
	ok(GetModuleHandleA(NULL) && GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
							GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
							(const char *)test_waiting_dll_main, &own) &&
		   own == GetModuleHandleA(NULL), "the program's handle can be had while a DllMain is at work");
	SetEvent(acts['a'].go);
	WaitForSingleObject(thread, INFINITE);
	GetExitCodeThread(thread, &code);
	is(code, 5, "FreeLibraryAndExitThread: the exit code");
	ok(!loaded('a'), "the DLL is gone");
	said_was("a+ a-", "and was told");
	CloseHandle(thread);
	CloseHandle(acts['a'].in);
	CloseHandle(acts['a'].go);
	acts['a'].in = NULL;
}

static int *errors[2]; /* where errno is of threads that end, as the program's own TLS callback sees it */
static int error_count;

static void NTAPI program_callback(void *module, DWORD reason, void *reserved)
{
	(void)module;
	(void)reserved;
	if (reason == DLL_THREAD_DETACH && error_count < 2) {
		errno = 7;
		FlsSetValue(0, NULL);
		errors[error_count++] = &errno;
	}
}

__attribute__((section(".CRT$XLF"), used)) static PIMAGE_TLS_CALLBACK program_callbacks = program_callback;

static void test_program_callback(void)
{
	error_count = 0;
	thread_run();
	thread_run();
	ok(error_count == 2 && errors[0] == errors[1], "what the C library has for a thread that ends, for which it has ended, is not lost");
}

static void test_threads(void)
{
	struct waiter early = { 0 };
	HMODULE c;
	waiter_start(&early);
	c = load("c");
	said_was("a+ b+ c+", "a thread that was there before hears of nothing");
	thread_run();
	said_was("at bt ct cx bx ax", "each thread is told when it begins, and in the other order when it ends");
	ok(DisableThreadLibraryCalls(GetModuleHandleA("b")), "DisableThreadLibraryCalls");
	thread_run();
	said_was("at ct cx ax", "the others still are");
	waiter_look(&early, NULL);
	waiter_end(&early);
	said_was("cx ax", "the end of the thread that was there before is told, too");
	FreeLibrary(c);
	SetLastError(0);
	refused(DisableThreadLibraryCalls(c), ERROR_MOD_NOT_FOUND, "DisableThreadLibraryCalls for none");
	said[0] = 0;
}

static const ULONG *tls_make_and_load(char id, DWORD flags, HMODULE *dll)
{
	static const ULONG template[2] = { 0x11223344, 0x55667788 };
	node_begin(&made, id, "");
	DWORD callback = dll_function(&made, (const void *)tls_callback, (ULONG)id);
	dll_export(&made, "index", 2, dll_tls(&made, template, sizeof(template), 56, flags, callback));
	dll_finish(&made, path_of(PLACE, id));
	*dll = load(path_of(PLACE, id));
	return function_of(*dll, "index");
}

static bool block_is_fresh(const ULONG *block)
{
	bool zero = true;
	for (int i = 2; i < 16; i++)
		zero = zero && !block[i];
	return block[0] == 0x11223344 && block[1] == 0x55667788 && zero;
}

static void test_thread_local(void)
{
	struct waiter early = { 0 }, late = { 0 };
	HMODULE dll, second;
	const ULONG *index;
	waiter_start(&early);
	index = tls_make_and_load('z', IMAGE_SCN_ALIGN_64BYTES, &dll);
	if (!ok(dll && index, "a DLL with thread-local storage is loaded while threads run"))
		return;
	said_was("z~+ z+", "its TLS callback comes before its DllMain");
	ULONG *own = tls_block(*index);
	ok(own && block_is_fresh(own), "this thread has its block: the template, then zeros");
	own[0] = 1;
	waiter_look(&early, index);
	ok(early.block && early.block != own && block_is_fresh(early.block), "so has the thread that was there before: its own");
	waiter_start(&late);
	said_was("z~t zt", "a thread begins");
	waiter_look(&late, index);
	ok(late.block && late.block != own && late.block != early.block && block_is_fresh(late.block), "so has a later one");
	is(((uintptr_t)own | (uintptr_t)early.block | (uintptr_t)late.block) & 63, 0, "all are aligned as the directory says");
	SetLastError(0);
	refused(DisableThreadLibraryCalls(dll), ERROR_MOD_NOT_FOUND, "DisableThreadLibraryCalls is refused");
	waiter_end(&late);
	said_was("z~x zx", "it ends");
	const ULONG *index_2 = tls_make_and_load('w', IMAGE_SCN_ALIGN_1BYTES, &second);
	ok(index_2 && *index_2 != *index && tls_block(*index_2) != own && own[0] == 1, "another DLL has another block");
	FreeLibrary(second);
	said[0] = 0;
	FreeLibrary(dll);
	said_was("z~- z-", "the end");
	waiter_end(&early);
	said_was("", "a thread's end is not told to a DLL that is gone");
}

/* More than the arrays had room for at first, with a thread that was there before. */
static void test_many_thread_local(void)
{
	enum { COUNT = 36 };
	HMODULE dlls[COUNT];
	struct waiter early = { 0 };
	uint64_t right = 0;
	const ULONG *index = tls_make_and_load('z', 0, &dlls[0]);
	waiter_start(&early);
	*(ULONG *)tls_block(*index) = 123;
	for (int i = 1; i < COUNT; i++) {
		char path[MAX_PATH];
		sprintf(path, PLACE "\\many%d.dll", i);
		CopyFileA(PLACE "\\z.dll", path, FALSE);
		dlls[i] = LoadLibraryA(path);
		said[0] = 0;
	}
	for (int i = 1; i < COUNT; i++) {
		const ULONG *other = function_of(dlls[i], "index");
		right += other && *other != *index && block_is_fresh(tls_block(*other));
	}
	is(right, COUNT - 1, "each of many DLLs has a block of its own");
	is(*(ULONG *)tls_block(*index), 123, "the first one's is as it was");
	waiter_look(&early, function_of(dlls[COUNT - 1], "index"));
	ok(early.block && block_is_fresh(early.block), "a thread that was there before has the last one's");
	for (int i = 0; i < COUNT; i++) {
		FreeLibrary(dlls[i]);
		said[0] = 0;
	}
	waiter_end(&early);
	said[0] = 0;
}

/* Loads and frees, while others do and threads come and go. */
static DWORD WINAPI load_often(void *argument)
{
	uint64_t *wrong = argument;
	for (int i = 0; i < 8; i++) {
		HMODULE c = LoadLibraryA(i & 1 ? "c" : "f"), d = LoadLibraryA("d"), got = NULL;
		void *b_value = (void *)GetProcAddress(GetModuleHandleA("b"), "value");
		*wrong += !c || !d || value_of((void *)GetProcAddress(c, "value")) != (i & 1 ? 'c' : 'f') || value_of(b_value) != 'b';
		*wrong += !GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, b_value, &got) || got != GetModuleHandleA("b");
		FreeLibrary(c);
		*wrong += value_of(b_value) != 'b'; /* it has a reference yet */
		FreeLibrary(got);
		FreeLibrary(d);
	}
	return 0;
}

static void test_many_threads(void)
{
	enum { COUNT = 8 };
	HANDLE threads[COUNT];
	uint64_t wrong[COUNT] = { 0 }, all = 0;
	silent = true;
	for (int i = 0; i < COUNT; i++)
		threads[i] = CreateThread(NULL, 0, load_often, &wrong[i], 0, NULL);
	WaitForMultipleObjects(COUNT, threads, TRUE, INFINITE);
	for (int i = 0; i < COUNT; i++) {
		CloseHandle(threads[i]);
		all += wrong[i];
	}
	silent = false;
	is(all, 0, "many threads load and free the same DLLs");
	is(loaded_count("abcdef"), 0, "none is left");
}

/* ---- exports and imports ---- */

static void test_exports(void)
{
	HMODULE g, h;
	void *slot;
	/* g forwards to h (which forwards to a), to what is not there, and in a circle. */
	node_begin(&made, 'h', "");
	dll_forward(&made, "to_a", 2, "a.value");
	dll_forward(&made, "circle", 3, "g.circle");
	dll_export(&made, NULL, 5, dll_constant(&made, 5));
	dll_finish(&made, path_of(PLACE, 'h'));
	node_begin(&made, 'g', "");
	dll_forward(&made, "by_name", 2, "h.value");
	dll_forward(&made, "by_ordinal", 3, "h.#5");
	dll_forward(&made, "chain", 4, "h.to_a");
	dll_forward(&made, "circle", 5, "h.circle");
	dll_forward(&made, "no_dll", 6, "gone.value");
	dll_forward(&made, "no_function", 7, "h.nothing");
	dll_forward(&made, NULL, 9, "a.#1");
	dll_finish(&made, path_of(PLACE, 'g'));
	g = load("g");
	said_was("g+", "a DLL that forwards is loaded without those that it forwards to");
	is(value_of(function_of(g, "by_name")), 'h', "a forwarder to a name");
	said_was("h+", "loads the DLL and initialises it");
	is(value_of(function_of(g, "by_ordinal")), 5, "to an ordinal number");
	is(value_of(function_of(g, "chain")), 'a', "to another forwarder");
	said_was("a+", "which loads one more");
	is(value_of(function_of(g, (const char *)9)), 'a', "by ordinal number, to an ordinal number");
	ok(!function_of(g, "circle") && GetLastError(), "forwarders in a circle lead nowhere (error %lu)", GetLastError());
	refused(function_of(g, "no_dll") != NULL, ERROR_MOD_NOT_FOUND, "to a DLL that is not there");
	refused(function_of(g, "no_function") != NULL, ERROR_PROC_NOT_FOUND, "to a function that is not there");
	refused(function_of(g, (const char *)8) != NULL, ERROR_INVALID_ORDINAL,
		"an ordinal number between others that stands for nothing");
	said[0] = 0;
	FreeLibrary(g);
	said_was("a- h- g-", "with the DLL those go that it forwarded to");
	is(loaded_count("gha"), 0, "all are gone");

	acts['h'].refuses = true;
	g = load("g");
	said[0] = 0;
	refused(function_of(g, "by_name") != NULL, ERROR_DLL_INIT_FAILED, "a forwarder to a DLL that refuses");
	said_was("h+ h-", "tells it of its end");
	ok(!loaded('h'), "and it is gone");
	ok(function_of(g, "value") != NULL, "the other functions are found as before");
	FreeLibrary(g);
	acts['h'].refuses = false;

	/* Imported: by name, by ordinal number, a variable, a forwarder; from a DLL that does not bind to what an image says. */
	node_begin(&made, 'v', "");
	DWORD variable = dll_bytes(&made, &(ULONG){ 4711 }, 4, 4);
	dll_export(&made, "variable", 2, variable);
	dll_export(&made, NULL, 3, dll_constant(&made, 33));
	dll_forward(&made, "forwarded", 4, "h.to_a");
	dll_finish(&made, path_of(PLACE, 'v'));
	node_begin(&made, 'u', "");
	dll_export(&made, "slot_variable", 2, dll_import(&made, "v.dll", "variable"));
	dll_export(&made, "slot_ordinal", 3, dll_import(&made, "v", (const char *)3));
	dll_export(&made, "slot_forwarded", 4, dll_import(&made, "V.DLL", "forwarded"));
	DWORD rva = dll_import(&made, "v.dll", "value");
	dll_export(&made, "slot_function", 5, rva);
	/* Bound, as it says, to addresses that were right once. */
	made.import_stamp = ~0u;
	for (DWORD i = 0; i < made.import_count; i++)
		*(ULONG64 *)dll_at(&made, made.imports[i].addresses) = 0x1234567000;
	struct {
		IMAGE_BOUND_IMPORT_DESCRIPTOR descriptors[2];
		char name[8];
	} bound = { { { 0x12345678, sizeof(bound.descriptors), 0 }, { 0, 0, 0 } }, "v.dll" };
	memcpy(made.file.bytes + 0x380, &bound, sizeof(bound)); /* behind the section table, where linkers put it */
	made.file.nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT] =
		(IMAGE_DATA_DIRECTORY){ 0x380, sizeof(bound) };
	dll_finish(&made, path_of(PLACE, 'u'));
	said[0] = 0;
	h = load("u");
	if (!ok(h != NULL, "a DLL that imports in every way is loaded, although it is bound to other addresses"))
		return;
	said_was("a+ h+ v+ u+", "what a forwarder needs that it imports is initialised before");
	slot = function_of(h, "slot_variable");
	is(**(ULONG **)slot, 4711, "a variable is imported");
	**(ULONG **)slot = 12;
	is(*(ULONG *)function_of(GetModuleHandleA("v"), "variable"), 12, "it is the other DLL's own");
	is(value_of(*(void **)function_of(h, "slot_ordinal")), 33, "a function by ordinal number");
	is(value_of(*(void **)function_of(h, "slot_forwarded")), 'a', "a forwarder to a forwarder");
	is(value_of(*(void **)function_of(h, "slot_function")), 'v', "a function by name; what the image was bound to is ignored");
	FreeLibrary(h);
	is(loaded_count("uvha"), 0, "all are gone");
	said[0] = 0;
}

/* ---- handles and names ---- */

static BOOL handle_of(DWORD flags, const char *name, HMODULE *out)
{
	*out = (HMODULE)1;
	SetLastError(0);
	return GetModuleHandleExA(flags, name, out);
}

static void test_handle_ex(void)
{
	enum { PIN = GET_MODULE_HANDLE_EX_FLAG_PIN, UNCHANGED = GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
	       FROM_ADDRESS = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS };
	static const DWORD bad[] = { PIN | UNCHANGED, PIN | UNCHANGED | FROM_ADDRESS, 8, 0x80000000, UNCHANGED | 0x10 };
	HMODULE a = load("a"), got, own = GetModuleHandleA(NULL);
	void *inside = function_of(a, "value");
	ok(handle_of(UNCHANGED, "a.dll", &got) && got == a, "GetModuleHandleEx, UNCHANGED_REFCOUNT: the module");
	ok(handle_of(UNCHANGED | FROM_ADDRESS, inside, &got) && got == a, "by an address in it");
	ok(handle_of(UNCHANGED | FROM_ADDRESS, (char *)a, &got) && got == a, "by its first one");
	ok(handle_of(UNCHANGED, NULL, &got) && got == own, "no name: the program's");
	ok(handle_of(0, NULL, &got) && got == own, "with a reference, which it does not count");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused(handle_of(bad[i], "a", &got), ERROR_INVALID_PARAMETER, "flags 0x%lx", bad[i]);
		ok(!got, "and there is no handle");
	}
	refused(handle_of(FROM_ADDRESS | UNCHANGED, NULL, &got), ERROR_INVALID_PARAMETER, "no address");
	ok(!got, "and no handle");
	SetLastError(0);
	refused(GetModuleHandleExA(UNCHANGED, "a", NULL), ERROR_INVALID_PARAMETER, "nowhere to put it, A");
	SetLastError(0);
	refused(GetModuleHandleExW(UNCHANGED, L"a", NULL), ERROR_INVALID_PARAMETER, "nowhere to put it, W");
	refused(handle_of(UNCHANGED, "gone.dll", &got), ERROR_MOD_NOT_FOUND, "a module that is not there");
	ok(!got, "and no handle");
	refused(handle_of(UNCHANGED | FROM_ADDRESS, (char *)&got, &got), ERROR_MOD_NOT_FOUND, "an address in no module");
	ok(!got, "and no handle");

	FreeLibrary(a);
	ok(!loaded('a'), "none of these has counted");
	a = load("a");
	handle_of(0, "a", &got);
	handle_of(FROM_ADDRESS, function_of(a, "value"), &got);
	SetLastError(0);
	GetModuleHandleExW(0, L"A.DLL", &got);
	FreeLibrary(a);
	FreeLibrary(a);
	FreeLibrary(a);
	ok(got == a && loaded('a'), "each of three others has counted one reference, W too");
	FreeLibrary(a);
	ok(!loaded('a'), "and no more");
	said[0] = 0;
}

/* For good: in a process of its own, whose exit code tells. */
static int pinned(void)
{
	HMODULE c = load("c"), got;
	if (!GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN, "b", &got) || got != GetModuleHandleA("b"))
		return 1;
	for (int i = 0; i < 100; i++)
		FreeLibrary(got);
	FreeLibrary(c);
	if (strcmp(said, "a+ b+ c+ c-") || loaded_count("ab") != 2 || loaded('c'))
		return 2;
	if (!GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (char *)got, &got))
		return 3;
	return 0;
}

static void test_names(void)
{
	char path[MAX_PATH], cut[8];
	WCHAR wide[MAX_PATH];
	HMODULE a, n;
	CopyFileA(PLACE "\\a.dll", PLACE "\\noext", FALSE);
	CopyFileA(PLACE "\\a.dll", PLACE "\\a.b.dll", FALSE);
	a = load("a");
	ok(GetModuleHandleA("a") == a && GetModuleHandleA("A.DLL") == a && GetModuleHandleA("C:\\made\\a.dll") == a &&
		   GetModuleHandleW(L"c:\\MADE\\A") == a, "GetModuleHandle: with and without suffix and path, in any case");
	SetLastError(0);
	refused(GetModuleHandleA("a.") != NULL, ERROR_MOD_NOT_FOUND, "a dot at the end: no suffix");
	ok(!GetModuleHandleA("C:\\other\\a.dll") && !GetModuleHandleA("a.exe") && !GetModuleHandleA("a.dll.dll"),
	   "other names are others");
	n = load("noext");
	ok(!n, "a suffix is added to a name without one");
	n = load("noext.");
	ok(n && n != a, "but to one that ends with a dot");
	ok(GetModuleHandleA("noext.") == n && !GetModuleHandleA("noext"), "GetModuleHandle has it so, too");
	ok(load(PLACE "\\noext.") == n && FreeLibrary(n), "and with a path");
	FreeLibrary(n);
	n = load("a.b");
	ok(!n, "a name with a dot in it has a suffix");

	is(GetModuleFileNameA(a, path, sizeof(path)), 13, "GetModuleFileName: its length");
	ok(!strcmp(path, "C:\\made\\a.dll"), "the full path (%s)", path);
	SetLastError(0);
	is(GetModuleFileNameA(a, cut, sizeof(cut)), sizeof(cut), "too small, A: the size of the buffer");
	is(GetLastError(), ERROR_INSUFFICIENT_BUFFER, "and ERROR_INSUFFICIENT_BUFFER");
	ok(!memcmp(cut, "C:\\made", 8), "it is cut, and ends with a 0");
	memset(wide, 0xff, sizeof(wide));
	SetLastError(0);
	is(GetModuleFileNameW(a, wide, 13), 13, "too small by one, W: the size");
	is(GetLastError(), ERROR_INSUFFICIENT_BUFFER, "and ERROR_INSUFFICIENT_BUFFER");
	ok(!wcscmp(wide, L"C:\\made\\a.dl") && wide[13] == 0xffff, "it is cut, and nothing behind is written");
	is(GetModuleFileNameW(a, wide, 14), 13, "just large enough, W");
	is(GetLastError(), ERROR_SUCCESS, "is no error");
	ok(!wcscmp(wide, L"C:\\made\\a.dll"), "the whole path");
	is(GetModuleFileNameA(a, path, 14), 13, "just large enough, A");
	SetLastError(0);
	is(GetModuleFileNameW(a, wide, 0), 0, "no room at all");
	is(GetLastError(), ERROR_INSUFFICIENT_BUFFER, "is an error");
	FreeLibrary(a);
	SetLastError(0);
	refused(GetModuleFileNameA(a, path, sizeof(path)) != 0, ERROR_MOD_NOT_FOUND, "of a module that is gone");
	a = load("..\\made\\.\\a.dll");
	GetModuleFileNameA(a, path, sizeof(path));
	ok(!strcmp(path, "C:\\made\\a.dll"), "loaded by another spelling, it has the same path (%s)", path);
	FreeLibrary(a);
	a = load(".\\a");
	GetModuleFileNameA(a, path, sizeof(path));
	ok(!strcmp(path, "C:\\made\\a.dll"), "without a suffix, too (%s)", path);
	FreeLibrary(a);
	said[0] = 0;
}

/* ---- the lists of the PEB, as debuggers and many programs read them ---- */

/* LDR_DATA_TABLE_ENTRY and LDR_DDAG_NODE as Windows 10 has them. */
struct entry {
	LIST_ENTRY load, memory, initialization;
	char *base, *entry_point;
	ULONG image_size;
	UNICODE_STRING full_name, base_name;
	ULONG flags;
	USHORT obsolete_load_count, tls_index;
	LIST_ENTRY hash;
	ULONG time_stamp;
	void *context, *lock;
	const struct {
		LIST_ENTRY modules;
		void *tags;
		ULONG load_count;
	} *node;
};

static LIST_ENTRY *list_head(int order)
{
	return (LIST_ENTRY *)(loader_data() + 0x10) + order;
}

static struct entry *entry_of(LIST_ENTRY *link, int order)
{
	return (struct entry *)((LIST_ENTRY *)link - order);
}

/* The place of a module in one of the lists, from 1 on; 0: it is not there. Each link's neighbours have to agree with it. */
static uint64_t place_in(int order, HMODULE module, struct entry **out)
{
	uint64_t place = 0, found = 0;
	for (LIST_ENTRY *at = list_head(order)->Flink; at != list_head(order); at = at->Flink) {
		if (at->Flink->Blink != at || at->Blink->Flink != at)
			return 0;
		place++;
		if (entry_of(at, order)->base == (char *)module) {
			found = place;
			if (out)
				*out = entry_of(at, order);
		}
	}
	return found;
}

static void test_lists(void)
{
	HMODULE exe = GetModuleHandleA(NULL), ntdll = GetModuleHandleA("ntdll"), c = load("c"), a = GetModuleHandleA("a"),
		b = GetModuleHandleA("b");
	struct entry *e = NULL;
	for (int order = 0; order < 2; order++) {
		is(place_in(order, exe, NULL), 1, "%s order: the program is the first", order ? "memory" : "load");
		is(place_in(order, ntdll, NULL), 2, "then ntdll");
		ok(place_in(order, c, NULL) > 2 && place_in(order, b, NULL) == place_in(order, c, NULL) + 1 &&
			   place_in(order, a, NULL) == place_in(order, c, NULL) + 2, "a DLL before those that it imports");
	}
	is(place_in(2, exe, NULL), 0, "initialisation order: the program is not there");
	is(place_in(2, ntdll, NULL), 1, "ntdll is the first");
	ok(place_in(2, a, NULL) && place_in(2, b, NULL) == place_in(2, a, NULL) + 1 && place_in(2, c, NULL) == place_in(2, a, NULL) + 2,
	   "a DLL behind those that it imports");
	is(*(ULONG *)loader_data(), 0x58, "PEB_LDR_DATA.Length");
	ok(place_in(0, b, &e) != 0, "the entry of a DLL");
	const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)(e->base + ((IMAGE_DOS_HEADER *)e->base)->e_lfanew);
	ok(e->entry_point == e->base + nt->OptionalHeader.AddressOfEntryPoint, "EntryPoint");
	is(e->image_size, nt->OptionalHeader.SizeOfImage, "SizeOfImage");
	is(e->time_stamp, nt->FileHeader.TimeDateStamp, "TimeDateStamp");
	ok(!wcscmp(e->full_name.Buffer, L"C:\\made\\b.dll") && e->full_name.Length == 26, "FullDllName");
	ok(!wcscmp(e->base_name.Buffer, L"b.dll") && e->base_name.Length == 10, "BaseDllName");
	is(e->flags & 0xc4024, 0x84004, "Flags: a DLL, whose imports are there, which was initialised, and not with the program");
	is(e->node->load_count, 1, "DdagNode->LoadCount: one other imports it");
	load("b");
	is(e->node->load_count, 2, "and this program has loaded it");
	FreeLibrary(b);
	is(e->node->load_count, 1, "until it freed it");
	DisableThreadLibraryCalls(b);
	ok(e->flags & 0x40000, "Flags: no calls for threads");
	ok(place_in(0, exe, &e) && !(e->flags & 4) && e->node->load_count == ~0u && e->obsolete_load_count == 0xffff,
	   "the program is no DLL, and stays");
	place_in(0, ntdll, &e);
	is(e->flags & 0x24, 0x24, "ntdll is one that came with the program");
	FreeLibrary(c);
	is(place_in(0, c, NULL) + place_in(1, b, NULL) + place_in(2, a, NULL), 0, "unloaded, they are on no list");
	said[0] = 0;
}

/* ---- LoadLibraryEx ---- */

static HMODULE load_ex(const char *name, DWORD flags)
{
	SetLastError(0);
	return LoadLibraryExA(name, NULL, flags);
}

static void test_flags(void)
{
	HMODULE m, again;
	char own[MAX_PATH];
	node_begin(&made, 'n', "");
	dll_import(&made, "gone.dll", "value");
	dll_finish(&made, path_of(PLACE, 'n'));
	m = load_ex("n", DONT_RESOLVE_DLL_REFERENCES);
	ok(m != NULL, "DONT_RESOLVE_DLL_REFERENCES: a DLL that could not be loaded otherwise");
	thread_run();
	said_was("", "nothing of it is called, for threads either");
	is(value_of(function_of(m, "value")), 'n', "its exports work");
	FreeLibrary(m);
	ok(!loaded('n'), "it is gone");
	m = load_ex("b", DONT_RESOLVE_DLL_REFERENCES);
	ok(!loaded('a'), "what one imports is not loaded");
	again = load("b");
	ok(again == m, "loaded once more without the flag, it is the same module");
	said_was("", "as it is");
	FreeLibrary(m);
	FreeLibrary(m);
	m = load_ex("b", 0);
	said_was("a+ b+", "after it has gone, it is loaded in full");
	again = load_ex("b", DONT_RESOLVE_DLL_REFERENCES);
	ok(again == m, "with the flag, one that is there gets one more reference");
	FreeLibrary(m);
	ok(loaded('b'), "which counts");
	FreeLibrary(m);
	said[0] = 0;
	m = load_ex("a", LOAD_IGNORE_CODE_AUTHZ_LEVEL);
	said_was("a+", "LOAD_IGNORE_CODE_AUTHZ_LEVEL has nothing to ignore");
	FreeLibrary(m);

	/* A program is mapped, and that is all. */
	dll_begin(&made);
	made.file.nt->FileHeader.Characteristics &= (WORD)~IMAGE_FILE_DLL;
	made.file.nt->OptionalHeader.AddressOfEntryPoint = dll_function(&made, (const void *)dll_main, 'q');
	dll_tls(&made, "text", 4, 0, 0, dll_function(&made, (const void *)tls_callback, 'q'));
	dll_import(&made, "gone.dll", "value");
	dll_finish(&made, PLACE "\\q.exe");
	said[0] = 0;
	m = load("q.exe");
	ok(m != NULL, "a program is loaded as with DONT_RESOLVE_DLL_REFERENCES");
	thread_run();
	said_was("", "nothing of it is called");
	FreeLibrary(m);
	said_was("", "at its end either");
	GetModuleFileNameA(NULL, own, sizeof(own));
	ok(load(own) == GetModuleHandleA(NULL), "this program itself is the module that it is");

	/* As data. */
	m = load_ex("q.exe", LOAD_LIBRARY_AS_DATAFILE);
	is((uintptr_t)m & 3, 1, "LOAD_LIBRARY_AS_DATAFILE: the lowest bit of the handle says so");
	FreeLibrary(m);
	m = load_ex("q.exe", LOAD_LIBRARY_AS_IMAGE_RESOURCE);
	is((uintptr_t)m & 3, 2, "LOAD_LIBRARY_AS_IMAGE_RESOURCE: the next one");
	FreeLibrary(m);
	m = load_ex("n", LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE | LOAD_LIBRARY_SEARCH_APPLICATION_DIR);
	ok(!m && GetLastError() == ERROR_FILE_NOT_FOUND, "with LOAD_LIBRARY_SEARCH_*: where that says");
	m = load_ex("n", LOAD_LIBRARY_AS_DATAFILE | DONT_RESOLVE_DLL_REFERENCES);
	ok(((uintptr_t)m & 3) == 1 && !loaded('n'), "with DONT_RESOLVE_DLL_REFERENCES: no module either");
	FreeLibrary(m);

	/* What it imports lies beside it, in a directory that is not searched otherwise. */
	node_begin(&made, 'i', "");
	dll_finish(&made, path_of(OTHER, 'i'));
	node_begin(&made, 'j', "i");
	dll_finish(&made, path_of(OTHER, 'j'));
	said[0] = 0;
	refused(load(OTHER "\\j.dll") != NULL, ERROR_MOD_NOT_FOUND, "what it imports is beside it: not found there");
	m = load_ex(OTHER "\\j.dll", LOAD_WITH_ALTERED_SEARCH_PATH);
	said_was("i+ j+", "but with LOAD_WITH_ALTERED_SEARCH_PATH");
	FreeLibrary(m);
	said[0] = 0;
	m = load_ex(OTHER "\\j.dll", LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
	said_was("i+ j+", "and with LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR");
	FreeLibrary(m);
	said[0] = 0;
	/* A relative path. */
	m = load("other\\i");
	said_was("i+", "a relative path is looked for in the current directory");
	GetModuleFileNameA(m, own, sizeof(own));
	ok(!strcmp(own, OTHER "\\i.dll"), "its full path (%s)", own);
	FreeLibrary(m);
	GetModuleFileNameA(NULL, own, sizeof(own));
	strcpy(strrchr(own, '\\'), "\\other");
	CreateDirectoryA(own, NULL);
	strcat(own, "\\i.dll");
	CopyFileA(OTHER "\\i.dll", own, FALSE);
	m = load("other\\i.dll");
	ok(m && m == GetModuleHandleA(own), "but beside the program first (%s)", own);
	FreeLibrary(m);
	m = load(".\\other\\i.dll");
	ok(m && m == GetModuleHandleA(OTHER "\\i.dll"), "unless it begins with a dot");
	FreeLibrary(m);
	ok(DeleteFileA(own), "the file beside the program is no longer in use");
	*strrchr(own, '\\') = 0;
	RemoveDirectoryA(own);
	said[0] = 0;
	refused(load_ex(OTHER "\\j.dll", LOAD_LIBRARY_SEARCH_SYSTEM32) != NULL, ERROR_MOD_NOT_FOUND,
		"LOAD_LIBRARY_SEARCH_SYSTEM32 alone: it is found itself, by its path, and what it imports is not");
	refused(load_ex("c", LOAD_LIBRARY_SEARCH_APPLICATION_DIR) != NULL, ERROR_MOD_NOT_FOUND,
		"LOAD_LIBRARY_SEARCH_APPLICATION_DIR alone: not in the current directory");
	refused(load_ex("other\\j.dll", LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR) != NULL, ERROR_INVALID_PARAMETER,
		"LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR wants a full path");
	SetLastError(0);
	refused(LoadLibraryExA("a", (HANDLE)4, 0) != NULL, ERROR_INVALID_PARAMETER, "the reserved argument");
	static const char *const odd[] = { "ab:c", ":", "\\", ".", "..", "C:", "C:\\", "x\\", "\\\\?\\", "\\\\.\\a", "a\\b\\" };
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ok(!load(odd[i]) && GetLastError() && !GetModuleHandleA(odd[i]), "\"%s\" is no DLL (error %lu)", odd[i], GetLastError());
	char *longest = malloc(40000);
	memset(longest, 'x', 39999);
	longest[39999] = 0;
	ok(!load(longest) && GetLastError() && !GetModuleHandleA(longest), "nor is a name of 39,999 letters (error %lu)", GetLastError());
	memcpy(longest, "a.dll", 5);
	longest[32768 + 5] = 0; /* as many as 16 bits forget, and five more */
	ok(!load(longest) && !GetModuleHandleA(longest), "a long name is not taken for its beginning (error %lu)", GetLastError());
	longest[1] = '\\';
	ok(!load(longest) && GetLastError() && !GetModuleHandleA(longest), "a path is too long, too (error %lu)", GetLastError());
	free(longest);
	is(loaded_count("abcijn"), 0, "nothing is left");
}

/* ---- the end of a process, and DLLs that come with it ---- */

/* In a process of its own: when it ends, the DLLs are told, and the last one of them ends it with what was said. */
static BOOL WINAPI last_main(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	if (reason == DLL_PROCESS_DETACH)
		TerminateProcess(GetCurrentProcess(), !reserved ? 2 : !strcmp(said, "a+ b+ c+ b-! a-!") ? 77 : 3);
	return TRUE;
}

static int end(void)
{
	HMODULE last, b;
	node_begin(&made, 'k', "");
	made.file.nt->OptionalHeader.AddressOfEntryPoint = dll_function(&made, (const void *)last_main, 0);
	if (!dll_finish(&made, path_of(PLACE, 'k')))
		return 4;
	last = load("k");
	b = load("b");
	if (!last || !b || !load("c"))
		return 5;
	FreeLibrary(GetModuleHandleA("c"));
	if (strcmp(said, "a+ b+ c+ c-"))
		return 6;
	strcpy(said, "a+ b+ c+");
	ExitProcess(1);
}

/* A program that imports a DLL, both of a few instructions; its exit code. */
static DWORD static_run(const unsigned char *dll_main_code, DWORD bytes, const char *dll, const char *name)
{
	static const unsigned char start[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 }; /* mov eax, 42; ret */
	STARTUPINFOA s = { .cb = sizeof(s), .dwFlags = STARTF_USESTDHANDLES }; /* the loader's complaint goes nowhere */
	PROCESS_INFORMATION p;
	dll_begin(&made);
	made.file.nt->OptionalHeader.AddressOfEntryPoint = dll_bytes(&made, dll_main_code, bytes, 16);
	dll_export(&made, "value", 1, dll_constant(&made, 1));
	dll_finish(&made, path_of(PLACE, 't'));
	dll_begin(&made);
	made.file.nt->FileHeader.Characteristics &= (WORD)~IMAGE_FILE_DLL;
	made.file.nt->OptionalHeader.AddressOfEntryPoint = dll_bytes(&made, start, sizeof(start), 16);
	dll_import(&made, "t.dll", "value");
	if (dll)
		dll_import(&made, dll, name);
	dll_finish(&made, PLACE "\\static.exe");
	return CreateProcessA(PLACE "\\static.exe", NULL, NULL, NULL, FALSE, 0, NULL, NULL, &s, &p) ? process_end(&p) : ~0u;
}

static void test_process(void)
{
	static const unsigned char agrees[] = { 0xb8, 1, 0, 0, 0, 0xc3 }; /* mov eax, 1; ret */
	static const unsigned char refuses[] = { 0x31, 0xc0, 0xc3 };     /* xor eax, eax; ret */
	/* Whether the third argument is not NULL: xor eax, eax; test r8, r8; setne al; ret */
	static const unsigned char reserved[] = { 0x31, 0xc0, 0x4d, 0x85, 0xc0, 0x0f, 0x95, 0xc0, 0xc3 };
	is(process_run("pinned", false), 0, "a module that was pinned stays, with what it imports, however often it is freed");
	is(process_run("end", false), 77, "when a process ends, its DLLs are told in the other order, with a reserved argument");
	is(static_run(agrees, sizeof(agrees), NULL, NULL), 42, "a program with a DLL runs");
	is(static_run(reserved, sizeof(reserved), NULL, NULL), 42, "the DLL gets a reserved argument that is not NULL");
	is(static_run(refuses, sizeof(refuses), NULL, NULL), (DWORD)STATUS_DLL_INIT_FAILED,
	   "it refuses: the process ends with STATUS_DLL_INIT_FAILED");
	is(static_run(agrees, sizeof(agrees), "gone.dll", "value"), (DWORD)STATUS_DLL_NOT_FOUND,
	   "a DLL is missing: STATUS_DLL_NOT_FOUND");
	is(static_run(agrees, sizeof(agrees), "t.dll", "nothing"), (DWORD)STATUS_ENTRYPOINT_NOT_FOUND,
	   "a function is missing: STATUS_ENTRYPOINT_NOT_FOUND");
	is(static_run(agrees, sizeof(agrees), "t.dll", (const char *)9), (DWORD)STATUS_ORDINAL_NOT_FOUND,
	   "an ordinal number is missing: STATUS_ORDINAL_NOT_FOUND");
}

static void all(void)
{
	char before[MAX_PATH];
	GetCurrentDirectoryA(sizeof(before), before);
	nodes_make();
	test_order();
	test_references();
	test_refusal();
	test_load_in_dll_main();
	test_waiting_dll_main();
	test_threads();
	test_program_callback();
	test_thread_local();
	test_many_threads();
	if (!tap.quiet) { /* these take their time */
		test_many_thread_local();
		test_process();
	}
	test_exports();
	test_handle_ex();
	test_names();
	test_lists();
	test_flags();
	SetCurrentDirectoryA(before);
	files_remove(OTHER);
	files_remove(PLACE);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "pinned"))
		return pinned();
	if (argc == 2 && !strcmp(argv[1], "end"))
		return end();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
