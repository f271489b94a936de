/* LoadLibraryEx: what each flag does, and resources. Source: Windows documentation of LoadLibraryEx and FindResource. */
#include "guest.h"

void *NTAPI RtlImageDirectoryEntryToData(void *base, BOOLEAN as_image, USHORT directory, ULONG *size);

#define DLL "C:\\tests\\resource.dll"
#define NARROW "C:\\narrow.dll"
#define GERMAN MAKELANGID(LANG_GERMAN, SUBLANG_GERMAN)

static HMODULE load(const char *name, DWORD flags)
{
	SetLastError(0);
	return LoadLibraryExA(name, NULL, flags);
}

static void test_resources(HMODULE dll, const char *how)
{
	HRSRC r = FindResourceA(dll, "GREETING", MAKEINTRESOURCEA(300));
	if (!ok(r != NULL, "%s: a resource is found by name and type", how))
		return;
	is(SizeofResource(dll, r), 7, "%s: its size", how);
	const char *data = LockResource(LoadResource(dll, r));
	ok(data && !memcmp(data, "neutral", 7), "%s: its data, of the neutral language", how);
	ok(FindResourceA(dll, "greeting", "#300") == r, "%s: case does not matter, and \"#300\" is the number", how);
	ok(FindResourceW(dll, L"Greeting", (LPCWSTR)MAKEINTRESOURCEA(300)) == r, "%s: by a name in UTF-16", how);
	r = FindResourceExA(dll, MAKEINTRESOURCEA(300), "GREETING", GERMAN);
	ok(r && !memcmp(LockResource(LoadResource(dll, r)), "deutsch", 7), "%s: by language", how);
	r = FindResourceA(dll, MAKEINTRESOURCEA(7), (LPCSTR)RT_RCDATA);
	ok(r && SizeofResource(dll, r) == 7 && !memcmp(LockResource(LoadResource(dll, r)), "seven\x34\x12", 7),
	   "%s: by numbers; the only language there is serves", how);
	SetLastError(0);
	refused(FindResourceA(dll, "GREETING", MAKEINTRESOURCEA(301)) != NULL, ERROR_RESOURCE_TYPE_NOT_FOUND,
		"a type that is not there");
	SetLastError(0);
	refused(FindResourceA(dll, "GREETINGS", MAKEINTRESOURCEA(300)) != NULL, ERROR_RESOURCE_NAME_NOT_FOUND,
		"a name that is not there");
	SetLastError(0);
	refused(FindResourceExA(dll, MAKEINTRESOURCEA(300), "GREETING", 0x40c) != NULL, ERROR_RESOURCE_LANG_NOT_FOUND,
		"a language that is not there");
}

static void test_unresolved(void)
{
	HMODULE dll = load(DLL, DONT_RESOLVE_DLL_REFERENCES);
	if (!ok(dll != NULL, "DONT_RESOLVE_DLL_REFERENCES: loaded"))
		return;
	int *attached = (int *)(void *)GetProcAddress(dll, "resource_attached");
	int *constant = (int *)(void *)GetProcAddress(dll, "resource_constant");
	ok(attached && constant && *constant == 12, "its exports are found");
	is((uint64_t)*attached, 0, "DllMain was not called");
	ok(GetModuleHandleA("resource.dll") == dll, "it is a module of the process");
	ok(FreeLibrary(dll), "FreeLibrary");
	violation(can_read(dll), KIND_READ, dll, "unloads it");
	dll = load(DLL, 0);
	attached = dll ? (int *)(void *)GetProcAddress(dll, "resource_attached") : NULL;
	ok(attached && *attached == 1, "without the flag, DllMain is called");
	test_resources(dll, "a module");
	FreeLibrary(dll);
}

static void test_as_resource(void)
{
	HMODULE dll = load(DLL, LOAD_LIBRARY_AS_IMAGE_RESOURCE | LOAD_LIBRARY_AS_DATAFILE);
	if (!ok(dll != NULL, "LOAD_LIBRARY_AS_IMAGE_RESOURCE: loaded"))
		return;
	char *base = (char *)((ULONG_PTR)dll & ~3ull);
	char name[MAX_PATH];
	ok((ULONG_PTR)dll & 2, "LDR_IS_IMAGEMAPPING holds for its handle");
	ok(GetModuleHandleA("resource.dll") == NULL, "it is no module of the process");
	is(query(base).Type, MEM_IMAGE, "it is mapped as an image");
	ok(!GetProcAddress(dll, "resource_constant"), "GetProcAddress finds nothing in it");
	ok(!GetModuleFileNameA(dll, name, sizeof(name)), "GetModuleFileName does not know it");
	test_resources(dll, "an image resource");
	ok(FreeLibrary(dll), "FreeLibrary");
	violation(can_read(base), KIND_READ, base, "unmaps it");
	SetLastError(0);
	refused(FreeLibrary(dll), ERROR_INVALID_ADDRESS, "a second time is refused");
	refused(load("no_such.dll", LOAD_LIBRARY_AS_IMAGE_RESOURCE) != NULL, ERROR_FILE_NOT_FOUND, "a file that is not there");
	refused(load("C:\\backstore.cfg", LOAD_LIBRARY_AS_IMAGE_RESOURCE) != NULL, ERROR_BAD_EXE_FORMAT,
		"a file that is no image");
}

static void test_as_data(void)
{
	HMODULE dll = load(DLL, LOAD_LIBRARY_AS_DATAFILE);
	if (!ok(dll != NULL, "LOAD_LIBRARY_AS_DATAFILE: loaded"))
		return;
	char *base = (char *)((ULONG_PTR)dll & ~3ull);
	is((ULONG_PTR)dll & 3, 1, "LDR_IS_DATAFILE holds for its handle");
	is(query(base).Type, MEM_MAPPED, "it is mapped as data");
	ok(base[0] == 'M' && base[1] == 'Z', "as it is in the file");
	ok(GetModuleHandleA("resource.dll") == NULL, "it is no module of the process");
	ok(!GetProcAddress(dll, "resource_constant"), "GetProcAddress finds nothing in it");
	test_resources(dll, "a data file");
	HANDLE file = CreateFileA(DLL, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	ok(file != INVALID_HANDLE_VALUE, "it may be opened for writing meanwhile");
	CloseHandle(file);
	ok(FreeLibrary(dll), "FreeLibrary");
	violation(can_read(base), KIND_READ, base, "unmaps it");
	dll = load(DLL, LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE);
	ok(dll != NULL && FindResourceA(dll, "GREETING", MAKEINTRESOURCEA(300)), "LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE");
	SetLastError(0);
	file = CreateFileA(DLL, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	refused(file != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION, "then nobody may write to it");
	FreeLibrary(dll);
	file = CreateFileA(DLL, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	ok(file != INVALID_HANDLE_VALUE, "until it is freed");
	CloseHandle(file);
	refused(load("no_such.dll", LOAD_LIBRARY_AS_DATAFILE) != NULL, ERROR_FILE_NOT_FOUND, "a file that is not there");
	refused(load("C:\\backstore.cfg", LOAD_LIBRARY_AS_DATAFILE) != NULL, ERROR_BAD_EXE_FORMAT, "a file that is no image");
}

/* The same DLL with headers as one for 32-bit Windows has them: its resources can be read. */
static void test_32_bit(void)
{
	static unsigned char bytes[1 << 18];
	DWORD size = 0;
	HANDLE file = CreateFileA(DLL, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	ok(ReadFile(file, bytes, sizeof(bytes), &size, NULL) && size < sizeof(bytes), "the DLL is read");
	CloseHandle(file);
	IMAGE_NT_HEADERS64 *nt = (IMAGE_NT_HEADERS64 *)(bytes + ((IMAGE_DOS_HEADER *)bytes)->e_lfanew);
	IMAGE_OPTIONAL_HEADER32 *narrow = (IMAGE_OPTIONAL_HEADER32 *)&nt->OptionalHeader;
	nt->FileHeader.Machine = IMAGE_FILE_MACHINE_I386;
	narrow->Magic = IMAGE_NT_OPTIONAL_HDR32_MAGIC;
	memmove(narrow->DataDirectory, nt->OptionalHeader.DataDirectory, sizeof(narrow->DataDirectory));
	narrow->NumberOfRvaAndSizes = IMAGE_NUMBEROF_DIRECTORY_ENTRIES;
	file = CreateFileA(NARROW, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
	WriteFile(file, bytes, size, &size, NULL);
	CloseHandle(file);
	refused(load(NARROW, 0) != NULL, ERROR_BAD_EXE_FORMAT, "a DLL for 32-bit Windows can't be loaded");
	HMODULE dll = load(NARROW, LOAD_LIBRARY_AS_DATAFILE);
	ok(dll != NULL, "but as a data file");
	test_resources(dll, "a DLL for 32-bit Windows");
	FreeLibrary(dll);
	ok(DeleteFileA(NARROW), "freed, it can be deleted");
}

static void test_search(void)
{
	HMODULE own = GetModuleHandleA("msvcrt.dll"), dll;
	dll = load("resource", LOAD_LIBRARY_SEARCH_APPLICATION_DIR);
	ok(dll != NULL, "LOAD_LIBRARY_SEARCH_APPLICATION_DIR finds it beside the program");
	FreeLibrary(dll);
	refused(load("resource", LOAD_LIBRARY_SEARCH_SYSTEM32) != NULL, ERROR_MOD_NOT_FOUND,
		"LOAD_LIBRARY_SEARCH_SYSTEM32 does not");
	ok(load("msvcrt.dll", LOAD_LIBRARY_SEARCH_SYSTEM32) == own, "but the C library");
	FreeLibrary(own);
	dll = load("resource.dll", LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
	ok(dll != NULL, "LOAD_LIBRARY_SEARCH_DEFAULT_DIRS: both");
	FreeLibrary(dll);
	dll = load(DLL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
	ok(dll != NULL, "a full path is found where it says");
	FreeLibrary(dll);
	dll = load(DLL, LOAD_WITH_ALTERED_SEARCH_PATH);
	ok(dll != NULL, "LOAD_WITH_ALTERED_SEARCH_PATH");
	FreeLibrary(dll);
	refused(load(DLL, LOAD_WITH_ALTERED_SEARCH_PATH | LOAD_LIBRARY_SEARCH_SYSTEM32) != NULL, ERROR_INVALID_PARAMETER,
		"that and LOAD_LIBRARY_SEARCH_* together");
	refused(load(DLL, 0x80000000) != NULL, ERROR_INVALID_PARAMETER, "a flag that is none");
	refused(load("", 0) != NULL, ERROR_INVALID_PARAMETER, "no name");
}

/* Each name of a DLL's export table is found where the table says; with a character less, more or changed, only if it is another. */
static void test_names(const char *dll)
{
	BYTE *base = (BYTE *)GetModuleHandleA(dll);
	ULONG size, wrong = 0, found = 0;
	IMAGE_EXPORT_DIRECTORY *e = RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);
	ULONG *names = (ULONG *)(base + e->AddressOfNames), *functions = (ULONG *)(base + e->AddressOfFunctions);
	USHORT *indexes = (USHORT *)(base + e->AddressOfNameOrdinals);

	for (ULONG i = 0; i < e->NumberOfNames; i++) {
		const char *name = (char *)base + names[i];
		BYTE *at = base + functions[indexes[i]];
		bool forwarded = at >= (BYTE *)e && at < (BYTE *)e + size;
		BYTE *got = (BYTE *)GetProcAddress((HMODULE)base, name);

		wrong += forwarded ? !got : got != at;
		for (int change = 0; change < 3; change++) {
			char other[128];
			size_t length = strlen(name);
			bool exists = false;

			snprintf(other, sizeof(other), "%s%s", name, change ? "" : "~");
			other[length - (change == 1)] = change == 1 ? 0 : other[length - (change == 1)];
			if (change == 2)
				other[i % length] ^= 1;
			for (ULONG k = 0; k < e->NumberOfNames && !exists; k++)
				exists = !strcmp(other, (char *)base + names[k]);
			wrong += (GetProcAddress((HMODULE)base, other) != NULL) != exists;
		}
		found++;
	}
	ok(found > 100 && !wrong, "%s: all of its %lu exports are found by name, and no others (%lu wrong)", dll, found, wrong);
}

static void all(void)
{
	test_unresolved();
	test_as_resource();
	test_as_data();
	test_32_bit();
	test_search();
	test_names("ntdll.dll");
	test_names("kernel32.dll");
	test_names("msvcrt.dll");
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
