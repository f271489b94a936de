/*
 * What the loader finds: exports, imports, forwarders; modules by their names; what GetModuleHandleEx, GetModuleFileName and the
 * lists of the PEB say; the flags of LoadLibraryEx. Source: Windows documentation of these; PE Format specification, "The .edata
 * Section", "The .idata Section".
 */
#include "loader_nodes.h"

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

/* PEB_LDR_DATA: the loader's lists. */
static char *loader_data(void)
{
	return ((char **)teb_field(0x60))[3];
}

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

static void tests(void)
{
	test_exports();
	test_handle_ex();
	test_names();
	test_lists();
	test_flags();
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
