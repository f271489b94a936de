/*
 * Images of every kind, made here (image_maker.h), in C:\kinds: what their sections look like in memory, which protections
 * their pages have and get, and what is refused with which status and error. Source: PE Format specification; Windows documentation of
 * CreateFileMapping (SEC_IMAGE), VirtualProtect, VirtualQuery; [MS-ERREF] 2.3.1.
 */
#include "image_maker.h"
#include "calls.h"

#define PLACE "C:\\kinds"
#define DLL PLACE "\\kind.dll"
#define EXE PLACE "\\kind.exe"

/* Offsets in a made file. */
#define COFF_AT (MADE_PE + 4)
#define OPTIONAL_AT (COFF_AT + 20)
#define DIRECTORY_AT(n) (OPTIONAL_AT + 112 + 8 * (n))
#define SECTION_AT(n) (OPTIONAL_AT + (DWORD)sizeof(IMAGE_OPTIONAL_HEADER64) + 40 * (n))

static struct image_file file;

/* ---- sections ---- */

static const struct kind {
	const char *name;
	DWORD flags, virtual_size, raw_size;
	DWORD protect; /* of its pages */
	DWORD filled;  /* bytes that are not zero, of pages * 4096 */
	DWORD pages;
} kinds[] = {
#define R IMAGE_SCN_MEM_READ
#define W IMAGE_SCN_MEM_WRITE
#define X IMAGE_SCN_MEM_EXECUTE
	{ ".full", R, 0x1000, 0x1000, PAGE_READONLY, 0x1000, 1 },
	{ ".tail", R | W, 0x2800, 0x200, PAGE_WRITECOPY, 0x200, 3 },  /* the file has less: zeros follow */
	{ ".over", R, 0x10, 0x600, PAGE_READONLY, 0x600, 1 },         /* it has more, which is seen to the page's end */
	{ ".long", R, 0x1000, 0x1400, PAGE_READONLY, 0x1000, 1 },     /* but not further */
	{ ".zero", R | W, 0x2000, 0, PAGE_WRITECOPY, 0, 2 },
	{ ".novs", R, 0, 0x1200, PAGE_READONLY, 0x1200, 2 },          /* no virtual size: the raw size counts */
	{ ".disc", R | IMAGE_SCN_MEM_DISCARDABLE, 0x200, 0x200, PAGE_READONLY, 0x200, 1 },
	{ ".exec", X, 0x200, 0x200, PAGE_EXECUTE, 0x200, 1 },
	{ ".code", R | X, 0x200, 0x200, PAGE_EXECUTE_READ, 0x200, 1 },
	{ ".all", R | W | X, 0x200, 0x200, PAGE_EXECUTE_WRITECOPY, 0x200, 1 },
	{ ".write", W, 0x200, 0x200, PAGE_WRITECOPY, 0x200, 1 },
	{ ".none", 0, 0x200, 0x200, PAGE_NOACCESS, 0x200, 1 },
	{ ".shr", R | W | IMAGE_SCN_MEM_SHARED, 0x200, 0x200, PAGE_READWRITE, 0x200, 1 },
	{ ".shrx", R | W | X | IMAGE_SCN_MEM_SHARED, 0x200, 0x200, PAGE_EXECUTE_READWRITE, 0x200, 1 },
	{ ".shrr", R | IMAGE_SCN_MEM_SHARED, 0x200, 0x200, PAGE_READONLY, 0x200, 1 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define RET 0xc3 /* what all sections are filled with can be run */

static bool kinds_make(DWORD section_alignment, DWORD headers_size)
{
	image_begin(&file, section_alignment, 0x200, headers_size);
	for (size_t i = 0; i < KINDS; i++) {
		unsigned char *data = image_section(&file, kinds[i].name, kinds[i].flags, kinds[i].virtual_size, kinds[i].raw_size);
		memset(data, RET, kinds[i].raw_size);
	}
	file.nt->OptionalHeader.SizeOfImage += 0x3000; /* pages that belong to no section */
	return image_write(&file, DLL);
}

static unsigned char *kind_at(HMODULE dll, const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return (unsigned char *)dll + file.sections[i].VirtualAddress;
	return NULL;
}

static HMODULE map(void)
{
	SetLastError(0);
	return LoadLibraryExA(DLL, NULL, DONT_RESOLVE_DLL_REFERENCES);
}

static void sections_check(HMODULE dll)
{
	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *k = &kinds[i];
		const unsigned char *at = kind_at(dll, k->name);
		uint64_t wrong = 0;
		DWORD old;
		for (DWORD page = 0; page < k->pages; page++) {
			MEMORY_BASIC_INFORMATION q = query(at + page * 4096);
			wrong += q.Protect != k->protect || q.State != MEM_COMMIT || q.Type != MEM_IMAGE || q.AllocationBase != (void *)dll ||
				 q.AllocationProtect != PAGE_EXECUTE_WRITECOPY;
		}
		is(wrong, 0, "%s: VirtualQuery of its pages", k->name);
		wrong = 0;
		if (k->protect == PAGE_NOACCESS) {
			violation(can_read(at), KIND_READ, at, "a section without any access can't be read");
			ok(VirtualProtect((void *)at, 4096, PAGE_READONLY, &old) && old == PAGE_NOACCESS, "until it is given some");
		}
		for (DWORD byte = 0; byte < k->pages * 4096; byte++)
			wrong += ((const volatile unsigned char *)at)[byte] != (byte < k->filled ? RET : 0);
		is(wrong, 0, "%s: what the file has of it, then zeros", k->name);
		if (k->flags & X)
			ok(can_execute(at), "%s: it can be executed", k->name);
		else
			violation(can_execute(at), KIND_EXECUTE, at, "it can't be executed");
	}
}

static void headers_check(HMODULE dll)
{
	unsigned char *base = (unsigned char *)dll;
	DWORD size = file.nt->OptionalHeader.SizeOfHeaders, pages = round_up(size, 4096) / 4096;
	uint64_t wrong = 0;
	for (DWORD i = 0; i < pages * 4096; i++) {
		DWORD field = OPTIONAL_AT + (DWORD)offsetof(IMAGE_OPTIONAL_HEADER64, ImageBase);
		if (i < field || i >= field + 8)
			wrong += base[i] != (i < size ? file.bytes[i] : 0);
	}
	is(wrong, 0, "the header's pages are as in the file, then zeros; but for the base");
	is(*(uint64_t *)(base + OPTIONAL_AT + offsetof(IMAGE_OPTIONAL_HEADER64, ImageBase)), (uintptr_t)dll, "which is where it is");
	is(query(base).Protect, PAGE_READONLY, "they are read-only");
	is(query(base).RegionSize, file.sections[0].VirtualAddress > pages * 4096 ? pages * 4096 : (pages + 1) * 4096,
	   "as many pages as the headers need, and the section behind them if it follows at once"); /* .full is read-only, too */
	violation(can_write(base), KIND_WRITE, base, "they can't be written");
}

static void test_sections(void)
{
	HMODULE dll = (kinds_make(4096, 0x400), map());
	unsigned char *end = (unsigned char *)dll + file.nt->OptionalHeader.SizeOfImage;
	DWORD old;
	if (!ok(dll != NULL, "an image with sections of every kind"))
		return;
	headers_check(dll);
	sections_check(dll);
	MEMORY_BASIC_INFORMATION q = query(end - 0x3000);
	ok(q.State == MEM_RESERVE && q.Type == MEM_IMAGE && q.RegionSize == 0x3000 && q.AllocationBase == (void *)dll,
	   "pages behind the last section are reserved");
	violation(can_read(end - 1), KIND_READ, end - 1, "they can't be read");
	SetLastError(0);
	refused(VirtualProtect(end - 1, 1, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS, "VirtualProtect of them");
	FreeLibrary(dll);

	dll = (kinds_make(0x4000, 0x1400), map());
	if (!ok(dll != NULL, "the same with 16 KiB between sections, and headers of more than a page"))
		return;
	headers_check(dll);
	sections_check(dll);
	const unsigned char *gap = kind_at(dll, ".tail") + 0x3000;
	q = query(gap);
	ok(q.State == MEM_RESERVE && q.RegionSize == 0x1000, "between them pages are reserved");
	violation(can_read(gap), KIND_READ, gap, "and can't be read");
	FreeLibrary(dll);
}

/* ---- protections ---- */

static DWORD protect(void *at, SIZE_T size, DWORD protect)
{
	DWORD old = 0;
	SetLastError(0);
	return VirtualProtect(at, size, protect, &old) ? old : 0;
}

static const struct change {
	DWORD asked, before, after; /* of a page that nobody wrote to, and of one that was written to */
} changes[] = {
	{ PAGE_NOACCESS, PAGE_NOACCESS, PAGE_NOACCESS },
	{ PAGE_READONLY, PAGE_READONLY, PAGE_READONLY },
	{ PAGE_READWRITE, PAGE_WRITECOPY, PAGE_READWRITE },
	{ PAGE_WRITECOPY, PAGE_WRITECOPY, PAGE_READWRITE },
	{ PAGE_EXECUTE, PAGE_EXECUTE, PAGE_EXECUTE },
	{ PAGE_EXECUTE_READ, PAGE_EXECUTE_READ, PAGE_EXECUTE_READ },
	{ PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_READWRITE },
	{ PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_READWRITE },
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))
#define WRITABLE (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)

/* Gives a page each protection: what it gets, what the next change says that it was, and what can be done with it then. */
static void each_change(unsigned char *at, const char *name, bool written)
{
	DWORD before = query(at).Protect;
	uint64_t got = 0, old = 0, access = 0;
	for (size_t i = 0; i < CHANGES; i++) {
		const struct change *c = &changes[i];
		DWORD expected = written ? c->after : c->before;
		old += protect(at, 1, c->asked) == before;
		before = query(at).Protect;
		got += before == expected;
		if (before != expected)
			note("0x%lx asked for, 0x%lx got, 0x%lx expected", c->asked, before, expected);
		access += can_execute(at) == ((c->asked & 0xf0) != 0) && can_read(at) == (c->asked != PAGE_NOACCESS);
		access += (!written && c->asked & WRITABLE) || can_write(at + 1) == ((c->asked & WRITABLE) != 0);
	}
	is(got, CHANGES, "%s: each protection that is asked for gives the one that it has to", name);
	is(old, CHANGES, "%s: each change says what it was before", name);
	is(access, 2 * CHANGES, "%s: the processor enforces it", name);
}

static void test_protections(void)
{
	static const char *const names[] = { ".full", ".tail", ".code", ".all", ".zero" };
	HMODULE dll = (kinds_make(4096, 0x400), map());
	unsigned char *at;
	char text[64];
	if (!ok(dll != NULL, "an image"))
		return;
	*kind_at(dll, ".zero") = RET; /* this one was written to; the others not */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		at = kind_at(dll, names[i]);
		if (i < 4) {
			each_change(at, names[i], false);
			ok(page_at(at).backing == BS_IMAGE, "%s: all that leaves its page as the file has it", names[i]);
			protect(at, 1, i & 1 ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE);
			at[2] = 'w';
			is(query(at).Protect, i & 1 ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE,
			   "%s: written, it is writable without a copy", names[i]);
			is(page_at(at).backing, BS_MEMORY, "%s: and no longer what the file has", names[i]);
		}
		sprintf(text, "%s, written", names[i]);
		each_change(at, text, true);
		ok(protect(at, 1, PAGE_READONLY) && query(at).Protect == PAGE_READONLY && page_at(at).backing == BS_MEMORY,
		   "%s: read-only again, it is what was written", names[i]);
	}

	/* One page of three. */
	at = kind_at(dll, ".tail");
	protect(at, 0x3000, PAGE_READWRITE);
	at[4096] = 'w';
	is(query(at + 4096).Protect, PAGE_READWRITE, "the page that was written is PAGE_READWRITE");
	is(query(at + 4096).RegionSize, 4096, "it alone");
	is(query(at + 8192).Protect, PAGE_WRITECOPY, "the one behind it is PAGE_WRITECOPY");
	is(protect(kind_at(dll, ".full"), 0x2000, PAGE_READONLY), PAGE_READONLY, "of two sections at once the first one's is told");
	is(query(at).Protect, PAGE_READONLY, "both have the new one");

	/* Shared by all: written in place. */
	at = kind_at(dll, ".shr");
	is(protect(at, 1, PAGE_READONLY), PAGE_READWRITE, "a shared section was PAGE_READWRITE");
	violation(can_write(at + 3), KIND_WRITE, at + 3, "read-only now");
	is(protect(at, 1, PAGE_READWRITE), PAGE_READONLY, "and back");
	is(query(at).Protect, PAGE_READWRITE, "it is not write-copy");
	is(protect(at, 1, PAGE_EXECUTE_READWRITE), PAGE_READWRITE, "and executable");
	is(query(at).Protect, PAGE_EXECUTE_READWRITE, "not write-copy either");
	protect(at, 1, PAGE_READWRITE);
	ok(can_write(at + 3) && query(at).Protect == PAGE_READWRITE, "written, it is the same");
	at = kind_at(dll, ".shrr");
	is(protect(at, 1, PAGE_READWRITE), PAGE_READONLY, "one that is shared for reading");
	is(query(at).Protect, PAGE_WRITECOPY, "is write-copy when it is made writable");

	/* As a debugger does it. */
	SIZE_T count;
	at = kind_at(dll, ".exec");
	ok(WriteProcessMemory(GetCurrentProcess(), at + 5, "x", 1, &count) && at[5] == 'x', "WriteProcessMemory writes to code");
	ok(query(at).Protect == PAGE_EXECUTE && page_at(at).backing == BS_MEMORY, "which is protected as before, and the process's own");
	SetLastError(0);
	refused(WriteProcessMemory(GetCurrentProcess(), kind_at(dll, ".over"), "x", 1, &count), ERROR_NOACCESS,
		"but not to what is read-only");

	at = kind_at(dll, ".disc");
	is(protect(at, 1, PAGE_READONLY | PAGE_GUARD), PAGE_READONLY, "a guard page");
	is(query(at).Protect, PAGE_READONLY | PAGE_GUARD, "VirtualQuery says so");
	ok(!can_read(at) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION, "the first access is told of");
	ok(can_read(at) && query(at).Protect == PAGE_READONLY, "the next one is not");
	static const DWORD bad[] = { 0, PAGE_READONLY | PAGE_READWRITE, 0x800, PAGE_NOACCESS | PAGE_GUARD };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!protect(at, 1, bad[i]) && GetLastError() == ERROR_INVALID_PARAMETER, "protection 0x%lx is none", bad[i]);
	FreeLibrary(dll);
	dll = map();
	at = kind_at(dll, ".tail");
	ok(at[2] == RET && at[4096] == 0, "loaded again, the image is as the file has it");
	FreeLibrary(dll);
}

/* ---- sections that are aligned to less than a page ---- */

static int call(HMODULE dll, DWORD rva)
{
	return ((int (*)(void))((char *)dll + rva))();
}

static void flat_check(HMODULE dll, const char *where)
{
	unsigned char *base = (unsigned char *)dll, *data = base + file.sections[1].VirtualAddress;
	DWORD old;
	ok(*(unsigned char **)data == data + 8 && data[8] == 'd', "%s: its data, and an address in them, are right", where);
	is((uint64_t)call(dll, file.sections[0].VirtualAddress), 1, "%s: its code works", where);
	ok(base[0x3000] == 0 && base[file.sections[2].VirtualAddress] == 0, "%s: what the file does not have is zero", where);
	data[9] = 'w';
	is(query(data).Protect, PAGE_EXECUTE_READWRITE, "%s: written, a page is the process's own", where);
	ok(VirtualProtect(data, 1, PAGE_EXECUTE_READ, &old) && old == PAGE_EXECUTE_READWRITE, "%s: its protection can be changed",
	   where);
}

static void test_flat(void)
{
	static const DWORD alignments[] = { 0x200, 0x20 };
	static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xc3 }; /* mov eax, 1; ret: TRUE for DllMain */
	for (size_t i = 0; i < 2; i++) {
		DWORD a = alignments[i];
		image_begin(&file, a, a, 0x300 / a * a + 0x200);
		memcpy(image_section(&file, ".text", CODE_FLAGS, a, a), code, sizeof(code));
		unsigned char *data = image_section(&file, ".data", DATA_FLAGS | W, a, a);
		*(ULONG64 *)data = MADE_BASE + file.sections[1].VirtualAddress + 8;
		data[8] = 'd';
		image_section(&file, ".zero", DATA_FLAGS | W, a, a);
		DWORD *block = (DWORD *)image_section(&file, ".reloc", DATA_FLAGS, a, a);
		block[0] = 0;
		block[1] = 12;
		((WORD *)block)[4] = (WORD)(IMAGE_REL_BASED_DIR64 << 12 | file.sections[1].VirtualAddress);
		file.nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_BASERELOC] =
			(IMAGE_DATA_DIRECTORY){ file.sections[3].VirtualAddress, 12 };
		image_section(&file, ".bss", DATA_FLAGS | W, 0x4000, 0);
		file.nt->OptionalHeader.AddressOfEntryPoint = file.sections[0].VirtualAddress;
		image_write(&file, DLL);
		SetLastError(0);
		HMODULE dll = LoadLibraryA(DLL);
		if (!ok(dll != NULL, "an image whose sections are aligned to %lu bytes is loaded", a))
			continue;
		is(query(dll).Protect, PAGE_EXECUTE_WRITECOPY,
		   "its sections can't have protections of their own: pages are PAGE_EXECUTE_WRITECOPY");
		is(query(dll).RegionSize, round_up(file.nt->OptionalHeader.SizeOfImage, 4096), "all of them");
		flat_check(dll, "at its base");
		FreeLibrary(dll);
		void *taken = VirtualAlloc(dll, 65536, MEM_RESERVE, PAGE_READWRITE);
		HMODULE other = LoadLibraryA(DLL);
		if (ok(other && other != dll, "and elsewhere"))
			flat_check(other, "elsewhere");
		FreeLibrary(other);
		VirtualFree(taken, 0, MEM_RELEASE);
	}
}

/* Four sections; the last one has relocations at 0x800 of the file. */
static void small_make(void)
{
	image_begin(&file, 4096, 0x200, 0x400);
	image_section(&file, ".text", CODE_FLAGS, 0x200, 0x200)[0] = RET;
	image_section(&file, ".data", DATA_FLAGS | W, 0x200, 0x200);
	image_section(&file, ".bss", DATA_FLAGS | W, 0x200, 0);
	DWORD *block = (DWORD *)image_section(&file, ".reloc", DATA_FLAGS, 0x200, 0x200);
	block[0] = 0x2000;
	block[1] = 12;
	((WORD *)block)[4] = IMAGE_REL_BASED_DIR64 << 12;
	file.nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_BASERELOC] =
		(IMAGE_DATA_DIRECTORY){ file.sections[3].VirtualAddress, 12 };
	file.nt->OptionalHeader.AddressOfEntryPoint = 0x1000;
}

/* ---- images that can lie in one place only ---- */

static void test_stripped(void)
{
	small_make();
	file.nt->FileHeader.Characteristics |= IMAGE_FILE_RELOCS_STRIPPED;
	file.nt->OptionalHeader.DllCharacteristics = 0;
	image_write(&file, DLL);
	HMODULE dll = map();
	is((uintptr_t)dll, MADE_BASE, "an image without relocations is where it was linked");
	FreeLibrary(dll);
	void *taken = VirtualAlloc((void *)MADE_BASE, 65536, MEM_RESERVE, PAGE_READWRITE);
	ok(taken != NULL, "its place is taken");
	SetLastError(0);
	refused(LoadLibraryA(DLL) != NULL, ERROR_INVALID_ADDRESS, "then it can't be loaded");
	dll = LoadLibraryExA(DLL, NULL, LOAD_LIBRARY_AS_IMAGE_RESOURCE);
	ok(dll != NULL && query((void *)((uintptr_t)dll & ~3ull)).Type == MEM_IMAGE, "but mapped elsewhere for its resources");
	FreeLibrary(dll);
	VirtualFree(taken, 0, MEM_RELEASE);
}

/* ---- what is refused ---- */

static NTSTATUS section_status(const char *path)
{
	HANDLE handle = CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL), section;
	NTSTATUS status = NtCreateSection(&section, SECTION_MAP_READ, NULL, NULL, PAGE_READONLY, SEC_IMAGE, handle);
	if (status == 0)
		NtClose(section);
	CloseHandle(handle);
	return status;
}

static bool start(const char *path)
{
	STARTUPINFOA s = { .cb = sizeof(s) };
	PROCESS_INFORMATION p;
	SetLastError(0);
	if (!CreateProcessA(path, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &s, &p))
		return false;
	process_end(&p);
	return true;
}

/* What the file in both forms, a program and a DLL, is refused with. */
static void bad_file(const char *what, const void *bytes, DWORD size, DWORD status, DWORD start_error)
{
	SetLastError(0);
	file_write(DLL, bytes, size);
	status_is(section_status(DLL), status, "%s: status 0x%08lx", what, status);
	SetLastError(0);
	refused(LoadLibraryA(DLL) != NULL, ERROR_BAD_EXE_FORMAT, "LoadLibrary");
	((unsigned char *)bytes)[COFF_AT + 19] &= (unsigned char)~(IMAGE_FILE_DLL >> 8);
	file_write(EXE, bytes, size);
	refused(start(EXE), start_error, "CreateProcess");
}

#define FORMAT ((DWORD)STATUS_INVALID_IMAGE_FORMAT)
static const struct damage {
	const char *what;
	DWORD at, size;
	uint64_t value;
	DWORD status, start_error; /* start_error 0: ERROR_BAD_EXE_FORMAT */
} damages[] = {
	{ "no MZ", 0, 2, 0x4d5a, (DWORD)STATUS_INVALID_IMAGE_NOT_MZ, 0 },
	{ "a program for DOS", MADE_PE, 4, 0, (DWORD)STATUS_INVALID_IMAGE_PROTECT, 0 },
	{ "a program for OS/2", MADE_PE, 4, 0x454e, (DWORD)STATUS_INVALID_IMAGE_NE_FORMAT, 0 },
	{ "a linear executable", MADE_PE, 4, 0x454c, (DWORD)STATUS_INVALID_IMAGE_LE_FORMAT, 0 },
	{ "for i386", COFF_AT, 2, IMAGE_FILE_MACHINE_I386, (DWORD)STATUS_INVALID_IMAGE_WIN_32, ERROR_EXE_MACHINE_TYPE_MISMATCH },
	{ "for ARM64", COFF_AT, 2, IMAGE_FILE_MACHINE_ARM64, FORMAT, ERROR_EXE_MACHINE_TYPE_MISMATCH },
	{ "PE32", OPTIONAL_AT, 2, IMAGE_NT_OPTIONAL_HDR32_MAGIC, FORMAT, ERROR_EXE_MACHINE_TYPE_MISMATCH },
	{ "a ROM image", OPTIONAL_AT, 2, 0x107, FORMAT, 0 },
	{ "an object file", COFF_AT + 18, 2, IMAGE_FILE_DLL, FORMAT, 0 },
	{ "headers far away", 0x3c, 4, 0x7ffffff0, FORMAT, 0 },
	{ "no optional header", COFF_AT + 16, 2, 0, FORMAT, 0 },
	{ "97 sections", COFF_AT + 2, 2, 97, FORMAT, 0 },
	{ "a section table that leaves the headers", COFF_AT + 2, 2, 30, FORMAT, 0 },
	{ "entry behind the image", OPTIONAL_AT + 16, 4, 0x100000, FORMAT, 0 },
	{ "base not at 64 KiB", OPTIONAL_AT + 24, 8, MADE_BASE + 4096, FORMAT, 0 },
	{ "section alignment 0", OPTIONAL_AT + 32, 4, 0, FORMAT, 0 },
	{ "section alignment 4097", OPTIONAL_AT + 32, 4, 4097, FORMAT, 0 },
	{ "section alignment under a page, sections not as in the file", OPTIONAL_AT + 32, 4, 0x200, FORMAT, 0 },
	{ "file alignment 0", OPTIONAL_AT + 36, 4, 0, FORMAT, 0 },
	{ "file alignment no power of two", OPTIONAL_AT + 36, 4, 0x300, FORMAT, 0 },
	{ "file alignment above that of sections", OPTIONAL_AT + 36, 4, 0x2000, FORMAT, 0 },
	{ "image size 0", OPTIONAL_AT + 56, 4, 0, FORMAT, 0 },
	{ "image size too small", OPTIONAL_AT + 56, 4, 0x2000, FORMAT, 0 },
	{ "headers size 0", OPTIONAL_AT + 60, 4, 0, FORMAT, 0 },
	{ "headers size above the file's", OPTIONAL_AT + 60, 4, 0x4000, FORMAT, 0 },
	{ "sections overlap", SECTION_AT(1) + 12, 4, 0x1000, FORMAT, 0 },
	{ "sections leave a gap", SECTION_AT(1) + 12, 4, 0x3000, FORMAT, 0 },
	{ "a section of nothing", SECTION_AT(2) + 8, 4, 0, FORMAT, 0 },
	{ "a section behind the image", SECTION_AT(2) + 8, 4, 0x70000000, FORMAT, 0 },
	{ "data behind the file's end", SECTION_AT(0) + 20, 4, 0x8000, FORMAT, 0 },
	{ "data beyond the file's end", SECTION_AT(0) + 16, 4, 0x8000, FORMAT, 0 },
	{ "data not aligned", SECTION_AT(0) + 20, 4, 0x401, FORMAT, 0 },
	{ "relocations behind the image", DIRECTORY_AT(5), 4, 0x100000, FORMAT, 0 },
	{ "relocations of an unknown kind", 0x808, 2, 0x7000, FORMAT, 0 },
};

static void test_refused(void)
{
	static const unsigned char program[] = { 0x31, 0xc0, 0xc3 }; /* xor eax, eax; ret */
	small_make();
	image_write(&file, DLL);
	status_is(section_status(DLL), 0, "an image that is right");
	SetLastError(0);
	refused(start(DLL), ERROR_BAD_EXE_FORMAT, "a DLL is no program");
	memcpy(file.bytes + 0x400, program, sizeof(program));
	file.nt->FileHeader.Characteristics &= (WORD)~IMAGE_FILE_DLL;
	image_write(&file, EXE);
	ok(start(EXE), "as a program it is started");
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];
		small_make();
		memcpy(file.bytes + d->at, &d->value, d->size);
		bad_file(d->what, file.bytes, file.size, d->status, d->start_error ? d->start_error : ERROR_BAD_EXE_FORMAT);
	}
	small_make();
	memcpy(file.bytes + MADE_PE, "NE", 3);
	file.bytes[MADE_PE + 0x36] = 2;
	bad_file("a program for 16-bit Windows", file.bytes, file.size, (DWORD)STATUS_INVALID_IMAGE_WIN_16, ERROR_BAD_EXE_FORMAT);
	static const DWORD lengths[] = { 0, 1, 2, 63, MADE_PE, COFF_AT + 10, OPTIONAL_AT + 50, SECTION_AT(2), 0x3ff, 0x7ff };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char what[32];
		small_make();
		sprintf(what, "the first %lu bytes", lengths[i]);
		bad_file(what, file.bytes, lengths[i], lengths[i] ? FORMAT : (DWORD)STATUS_INVALID_FILE_FOR_SECTION, ERROR_BAD_EXE_FORMAT);
	}
}

static void all(void)
{
	CreateDirectoryA(PLACE, NULL);
	test_sections();
	test_protections();
	test_flat();
	test_stripped();
	test_refused();
	ok(DeleteFileA(DLL) && DeleteFileA(EXE) && RemoveDirectoryA(PLACE), "the files are no longer in use");
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
