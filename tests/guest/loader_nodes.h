/*
 * What the tests of the loader have in common: DLLs of one letter, made in C:\made (image_maker.h), whose functions go on in the
 * program, and a record of what they were told.
 */
#ifndef LOADER_NODES_H
#define LOADER_NODES_H

#include "image_maker.h"
#include <winternl.h>

#define PLACE "C:\\made"
#define OTHER PLACE "\\other"

/* A pointer in the thread's environment block. */
static inline void *teb_field(size_t offset)
{
	void *value;
	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
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

static inline void say(ULONG id, const char *what)
{
	if (silent)
		return;
	sprintf(said + strlen(said), "%s%c%s", said[0] ? " " : "", (char)id, what);
}

static inline HMODULE load(const char *name)
{
	SetLastError(0);
	return LoadLibraryA(name);
}

/* "a+": DllMain(DLL_PROCESS_ATTACH) of a.dll begins, "a-": DETACH, "at": a thread begins, "ax": ends; "!": reserved, not NULL. */
static inline BOOL WINAPI dll_main(HINSTANCE module, DWORD reason, void *reserved, ULONG id)
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
static inline void NTAPI tls_callback(void *module, DWORD reason, void *reserved, ULONG id)
{
	static const char *const names[] = { "~-", "~+", "~t", "~x" };
	(void)module;
	say(id, names[reason]);
	if (reserved)
		say(id, "~!");
}

static inline bool said_was(const char *expected, const char *name)
{
	bool so = !strcmp(said, expected);
	if (!so)
		note("\"%s\", expected \"%s\"", said, expected);
	said[0] = 0;
	return ok(so, "%s: %s", name, expected[0] ? expected : "nothing is called");
}

static inline bool loaded(char id)
{
	const char name[] = { id, '.', 'd', 'l', 'l', 0 };
	return GetModuleHandleA(name) != NULL;
}

/* How many of these are loaded. */
static inline uint64_t loaded_count(const char *ids)
{
	uint64_t n = 0;
	for (; *ids; ids++)
		n += loaded(*ids);
	return n;
}

static inline void *function_of(HMODULE dll, const char *name)
{
	SetLastError(0);
	return (void *)GetProcAddress(dll, name);
}

/* The number that a function without arguments returns. */
static inline uint64_t value_of(void *function)
{
	return function ? (uint64_t)((int (*)(void))function)() : ~0ull;
}

static inline const char *path_of(const char *directory, char id)
{
	static char path[MAX_PATH];
	sprintf(path, "%s\\%c.dll", directory, id);
	return path;
}

/* id.dll: "value" is a function that returns id; it imports that of each of the others. */
static inline void node_begin(struct made_dll *d, char id, const char *imports)
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

static inline void node_make(char id, const char *imports)
{
	node_begin(&made, id, imports);
	if (!dll_finish(&made, path_of(PLACE, id)))
		ok(false, "%c.dll is made", id);
}

static inline void nodes_make(void)
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

static inline void files_remove(const char *directory)
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

static DWORD WINAPI thread_of_nothing(void *argument)
{
	(void)argument;
	return 0;
}

/* A thread begins and ends. */
static inline void thread_run(void)
{
	HANDLE thread = CreateThread(NULL, 0, thread_of_nothing, NULL, 0, NULL);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
}

/* Runs tests in C:\made, which is the current directory meanwhile. */
static inline void nodes_run(void (*tests)(void))
{
	char before[MAX_PATH];
	GetCurrentDirectoryA(sizeof(before), before);
	nodes_make();
	tests();
	SetCurrentDirectoryA(before);
	files_remove(OTHER);
	files_remove(PLACE);
}

#endif
