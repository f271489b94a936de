/*
 * The loader: in which order DLLs are initialised and told of ends, when they go, what becomes of those that refuse. Source:
 * Windows documentation of DllMain, LoadLibraryEx, FreeLibrary.
 */
#include "loader_nodes.h"

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

/* ---- the end of a process, and DLLs that come with it ---- */

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

static void tests(void)
{
	test_order();
	test_references();
	test_refusal();
	test_load_in_dll_main();
	if (!tap.quiet) /* it takes its time */
		test_process();
}

static void all(void)
{
	nodes_run(tests);
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
