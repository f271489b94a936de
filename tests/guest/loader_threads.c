/*
 * The loader and threads: what DLLs are told of them, thread-local storage, and many threads that load and free at once. Source:
 * Windows documentation of DllMain, DisableThreadLibraryCalls; PE Format specification, "The .tls Section".
 */
#include "loader_nodes.h"
#include <errno.h>

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

static void tests(void)
{
	test_waiting_dll_main();
	test_threads();
	test_program_callback();
	test_thread_local();
	test_many_threads();
	if (!tap.quiet) /* it takes its time */
		test_many_thread_local();
}

static void all(void)
{
	nodes_run(tests);
}

int main(void)
{
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
