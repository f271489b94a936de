/*
 * Page protections: which the calls take, for private memory and for views, by the section's own protection, the
 * handle's access and the view's; and what reading, writing and executing then do. What is expected is computed here,
 * from the documentation's tables, by rules of their own.
 */
#include "calls.h"

#define CAN_READ 1
#define CAN_WRITE 2
#define CAN_EXECUTE 4
#define RETURN_BYTE 0xc3 /* ret */
#define WRITE_AT 24      /* where a page is written to, to try */

/* The page of a view that is tried, from the view's begin, and in it a byte that returns when executed; 0: none. */
static size_t page_at_offset, return_at;

static const DWORD protections[] = { PAGE_NOACCESS, PAGE_READONLY,     PAGE_READWRITE,	       PAGE_WRITECOPY,
				     PAGE_EXECUTE,  PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY };
#define PROTECTIONS (sizeof(protections) / sizeof(*protections))

/* What a program can do with a page. x86-64 has no pages that can be executed and not read. */
static unsigned int abilities(DWORD protect)
{
	switch (protect & 0xff) {
	case PAGE_READONLY:
		return CAN_READ;
	case PAGE_READWRITE:
	case PAGE_WRITECOPY:
		return CAN_READ | CAN_WRITE;
	case PAGE_EXECUTE:
	case PAGE_EXECUTE_READ:
		return CAN_READ | CAN_EXECUTE;
	case PAGE_EXECUTE_READWRITE:
	case PAGE_EXECUTE_WRITECOPY:
		return CAN_READ | CAN_WRITE | CAN_EXECUTE;
	}
	return 0;
}

static bool is_write_copy(DWORD protect)
{
	return protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY);
}

static bool touch_is(bool touched, bool may, ULONG_PTR kind, const char *at)
{
	bool so = may ? touched
		      : !touched && fault.code == (DWORD)STATUS_ACCESS_VIOLATION && fault.kind == kind &&
				fault.address == (ULONG_PTR)at;
	if (!so)
		note("kind %llu: touched %d, exception 0x%lx, kind %llu", (unsigned long long)kind, touched, fault.code,
		     (unsigned long long)fault.kind);
	return so;
}

/* Whether the page lets itself be used as this protection says, and faults as it should else. */
static bool behaves(char *p, DWORD protect)
{
	unsigned int can = abilities(protect);
	char *code = p + return_at;
	bool so = touch_is(can_read(p + 8), can & CAN_READ, KIND_READ, p + 8);
	if (return_at || !(can & CAN_EXECUTE))
		so &= touch_is(can_execute(code), can & CAN_EXECUTE, KIND_EXECUTE, code);
	so &= touch_is(can_write(p + WRITE_AT), can & CAN_WRITE, KIND_WRITE, p + WRITE_AT);
	return so;
}

/* ---- private memory ---- */

/* Windows documentation, Memory Protection Constants: one access, none that copies, and at most one modifier with it. */
static bool private_allows(DWORD protect)
{
	DWORD access = protect & 0xff, modifier = protect & ~0xff;
	if (!access || (access & (access - 1)) || is_write_copy(access))
		return false;
	if (modifier & ~(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE))
		return false;
	return !modifier || (access != PAGE_NOACCESS && !(modifier & (modifier - 1)));
}

static bool private_alloc(DWORD protect)
{
	SetLastError(0);
	char *p = VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, protect);
	bool so = (p != NULL) == private_allows(protect) && (p || GetLastError() == ERROR_INVALID_PARAMETER);
	if (p)
		so &= query(p).Protect == protect && query(p).AllocationProtect == protect;
	if (!so)
		note("VirtualAlloc with protection 0x%lx: %p, error %lu, 0x%lx", protect, p, GetLastError(),
		     p ? query(p).Protect : 0);
	VirtualFree(p, 0, MEM_RELEASE);
	return so;
}

/* The modifiers of caching go with the allocation: VirtualProtect takes them and leaves the page as it was. */
static bool private_protect(char *p, DWORD protect)
{
	DWORD old = 0, expected = protect & ~(PAGE_NOCACHE | PAGE_WRITECOMBINE);
	SetLastError(0);
	bool done = VirtualProtect(p, PAGE_BYTES, protect, &old);
	bool so = done == private_allows(protect) && (done || GetLastError() == ERROR_INVALID_PARAMETER);
	if (done) {
		so &= old == PAGE_READWRITE && query(p).Protect == expected;
		if (protect & PAGE_GUARD) {
			so &= !can_read(p + 8) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION &&
			      fault.kind == KIND_READ && fault.address == (ULONG_PTR)(p + 8);
			so &= query(p).Protect == (expected & ~PAGE_GUARD);
		}
		so &= behaves(p, protect);
	} else {
		so &= query(p).Protect == PAGE_READWRITE;
	}
	if (!so)
		note("VirtualProtect with 0x%lx: %d, error %lu, old 0x%lx, now 0x%lx", protect, done, GetLastError(), old,
		     query(p).Protect);
	VirtualProtect(p, PAGE_BYTES, PAGE_READWRITE, &old);
	return so;
}

static void test_private(void)
{
	static const DWORD modifiers[] = { 0, PAGE_GUARD, PAGE_NOCACHE, PAGE_WRITECOMBINE, PAGE_GUARD | PAGE_NOCACHE,
					   PAGE_GUARD | PAGE_WRITECOMBINE, PAGE_NOCACHE | PAGE_WRITECOMBINE,
					   PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE, 0x800, 0x80000000 };
	char *p = VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	memset(p, RETURN_BYTE, PAGE_BYTES);
	for (unsigned int m = 0; m < sizeof(modifiers) / sizeof(*modifiers); m++) {
		bool alloc = true, protect = true;
		/* All combinations of the eight bits without a modifier, one bit at a time with one. */
		for (DWORD access = 0; access < 256; access++) {
			if (m && (access & (access - 1)))
				continue;
			alloc &= private_alloc(access | modifiers[m]);
			protect &= private_protect(p, access | modifiers[m]);
		}
		ok(alloc, "VirtualAlloc takes the right protections with modifiers 0x%lx", modifiers[m]);
		ok(protect, "and VirtualProtect, and pages behave as they say");
	}
	VirtualFree(p, 0, MEM_RELEASE);

	/* Caching is the allocation's. */
	for (unsigned int m = 2; m <= 3; m++) {
		DWORD old;
		p = VirtualAlloc(NULL, 2 * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | modifiers[m]);
		pattern_fill(p, 0, 4);
		ok(VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old) && old == (PAGE_READWRITE | modifiers[m]) &&
			   query(p).Protect == (PAGE_READONLY | modifiers[m]),
		   "a page of uncached (0x%lx) memory stays so when it is protected otherwise", modifiers[m]);
		ok(pattern_holds(p, 0, 4), "with its contents");
		working_set_empty();
		ok(pattern_holds(p, 0, 4) && query(p).Protect == (PAGE_READONLY | modifiers[m]),
		   "and when it was away");
		VirtualFree(p, 0, MEM_RELEASE);
	}
}

/* ---- sections ---- */

#define SECTION_RIGHTS 5
static const DWORD rights[SECTION_RIGHTS] = {
	SECTION_QUERY,
	SECTION_MAP_READ,
	SECTION_MAP_READ | SECTION_MAP_WRITE,
	SECTION_MAP_READ | SECTION_MAP_EXECUTE,
	SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_MAP_EXECUTE,
};

/* The access to a section's handle that a view of this protection needs. Copying needs none to write. */
static DWORD rights_needed(DWORD view)
{
	DWORD needed = SECTION_MAP_READ;
	if (view & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE))
		needed |= SECTION_MAP_WRITE;
	if (view >= PAGE_EXECUTE)
		needed |= SECTION_MAP_EXECUTE;
	return needed;
}

/* CreateFileMapping's table: what views a section of this protection can have. */
static bool section_allows(DWORD section, DWORD view)
{
	unsigned int most = CAN_READ;
	if (section >= PAGE_EXECUTE)
		most |= CAN_EXECUTE;
	if (section & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE))
		most |= CAN_WRITE;
	unsigned int wanted = abilities(view);
	if (is_write_copy(view))
		wanted &= ~CAN_WRITE;
	return (wanted & ~most) == 0;
}

static bool section_created(HANDLE file, DWORD protect, HANDLE *section)
{
	SetLastError(0);
	*section = CreateFileMappingA(file, NULL, protect, 0, 0, NULL);
	return *section != NULL;
}

/*
 * Which protections a view can be given: those that grant no more than its first one and the section do. A page that
 * copies when it is written to counts as one that is read; one that copies and executes needs a view that did.
 */
static bool view_allows(DWORD section, DWORD view, DWORD protect)
{
	enum { READ = 1, WRITE = 2, EXECUTE = 4, EXECUTE_COPY = 8 };
	DWORD of[3] = { section, view, protect };
	unsigned int grants[3];
	for (int i = 0; i < 3; i++) {
		grants[i] = of[i] == PAGE_NOACCESS ? 0 : READ;
		if (of[i] & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE))
			grants[i] |= WRITE;
		if (of[i] >= PAGE_EXECUTE)
			grants[i] |= EXECUTE;
		if (of[i] & (PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY))
			grants[i] |= EXECUTE_COPY;
	}
	if (grants[1] == grants[2])
		return true;
	return grants[1] && !(grants[2] & ~grants[1]) && !(grants[2] & ~grants[0]);
}

/* The page to try in a new view of the whole section. */
static char *map(HANDLE section, DWORD protect, NTSTATUS *status)
{
	void *base = NULL;
	SIZE_T size = 0;
	*status = NtMapViewOfSection(section, NATIVE_PROCESS, &base, 0, 0, NULL, &size, 2 /* ViewUnmap */, 0, protect);
	return NT_SUCCESS(*status) ? (char *)base + page_at_offset : NULL;
}

static void unmap(void *p)
{
	NtUnmapViewOfSection(NATIVE_PROCESS, p);
}

/* A view's pages: as asked for, shared or copied when written, and then protected in every way. */
static bool view_holds(HANDLE section, DWORD own, DWORD protect, char *p, const char *plain)
{
	char before = plain[WRITE_AT];
	bool so = query(p).Protect == protect && query(p).AllocationProtect == protect && query(p).Type == MEM_MAPPED;
	so &= behaves(p, protect);
	if (abilities(protect) & CAN_WRITE) {
		/* The write of behaves(): seen in the section, or in a private page that is writable from now on. */
		DWORD now = query(p).Protect;
		if (is_write_copy(protect))
			so &= now == (protect == PAGE_WRITECOPY ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE) &&
			      plain[WRITE_AT] == before && !(page_at(p).flags & BS_SHARED);
		else
			so &= now == protect && plain[WRITE_AT] == 0x5a;
		p[WRITE_AT] = before;
	}
	unmap(p);
	for (unsigned int i = 0; i < PROTECTIONS; i++) {
		NTSTATUS status;
		DWORD old = 0;
		p = map(section, protect, &status);
		SetLastError(0);
		bool done = VirtualProtect(p, PAGE_BYTES, protections[i], &old);
		bool good = done == view_allows(own, protect, protections[i]) &&
			    (done ? old == protect : GetLastError() == ERROR_INVALID_PARAMETER);
		if (done)
			good &= behaves(p, protections[i]);
		if (!good)
			note("section 0x%lx, view 0x%lx, VirtualProtect with 0x%lx: %d, error %lu, old 0x%lx", own, protect,
			     protections[i], done, GetLastError(), old);
		if (done && (abilities(protections[i]) & CAN_WRITE))
			p[WRITE_AT] = before;
		unmap(p);
		so &= good;
	}
	return so;
}

/* Views of each protection by handles of each access. */
static void test_views(HANDLE section, DWORD own, const char *kind)
{
	NTSTATUS status;
	char *plain = map(section, PAGE_READONLY, &status);
	bool all = true;
	for (unsigned int r = 0; r < SECTION_RIGHTS; r++) {
		HANDLE handle;
		if (!DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &handle, rights[r], FALSE, 0)) {
			/* The section's own handle has no such access. */
			all &= (rights[r] & SECTION_MAP_WRITE && !section_allows(own, PAGE_READWRITE)) ||
			       (rights[r] & SECTION_MAP_EXECUTE && own < PAGE_EXECUTE);
			continue;
		}
		for (unsigned int v = 0; v < PROTECTIONS; v++) {
			DWORD view = protections[v];
			NTSTATUS expected = (rights_needed(view) & ~rights[r]) ? STATUS_ACCESS_DENIED
					    : section_allows(own, view)	       ? STATUS_SUCCESS
									       : STATUS_SECTION_PROTECTION;
			char *p = map(handle, view, &status);
			bool so = status == expected;
			if (p)
				so &= view_holds(handle, own, view, p, plain);
			if (!so)
				note("section 0x%lx, access 0x%lx, view 0x%lx: 0x%lx, expected 0x%lx", own, rights[r],
				     view, status, expected);
			all &= so;
		}
		CloseHandle(handle);
	}
	ok(all, "%s, section protection 0x%lx: views of each protection by handles of each access", kind, own);
	map(section, PAGE_READONLY | PAGE_READWRITE, &status);
	status_is(status, STATUS_INVALID_PAGE_PROTECTION, "two protections at once are none");
	unmap(plain);
}

/* The program's own file, and a page of its code: one with a return in it. */
static HANDLE file_find(void)
{
	char path[MAX_PATH];
	const unsigned char *image = (const unsigned char *)GetModuleHandleA(NULL);
	const IMAGE_NT_HEADERS64 *nt = (const void *)(image + ((const IMAGE_DOS_HEADER *)image)->e_lfanew);
	const IMAGE_SECTION_HEADER *text = IMAGE_FIRST_SECTION(nt);
	page_at_offset = PAGE_BYTES;
	const unsigned char *page = image + text->VirtualAddress + PAGE_BYTES - text->PointerToRawData;
	for (return_at = 32; page[return_at] != RETURN_BYTE; return_at++)
		;
	GetModuleFileNameA(NULL, path, sizeof(path));
	return CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
}

static void test_file(void)
{
	HANDLE file = file_find(), section;
	ok(file != INVALID_HANDLE_VALUE && return_at < PAGE_BYTES, "the program's own file");
	if (!section_created(file, PAGE_READONLY, &section) && GetLastError() == ERROR_NOT_SUPPORTED) {
		skip("sections of a data file", "there are none yet");
		CloseHandle(file);
		return_at = 16;
		page_at_offset = 0;
		return;
	}
	CloseHandle(section);
	for (unsigned int s = 0; s < PROTECTIONS; s++) {
		DWORD own = protections[s], error;
		bool exists = own != PAGE_NOACCESS && own != PAGE_EXECUTE;
		bool created = section_created(file, own, &section);
		error = GetLastError();
		if (own & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE))
			ok(!created && error == ERROR_ACCESS_DENIED, "a file that can't be written has no section 0x%lx",
			   own);
		else
			ok(created == exists && (created || error == ERROR_INVALID_PARAMETER),
			   "CreateFileMapping with protection 0x%lx %s", own, exists ? "succeeds" : "is refused");
		if (!created)
			continue;
		test_views(section, own, "a file");
		CloseHandle(section);
	}
	section_created(file, PAGE_READONLY, &section);
	char *p = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
	SetLastError(0);
	refused(VirtualAlloc(p, PAGE_BYTES, MEM_COMMIT, PAGE_READONLY), ERROR_ACCESS_DENIED,
		"a view of a file has nothing to commit");
	UnmapViewOfFile(p);
	CloseHandle(section);
	CloseHandle(file);
	page_at_offset = 0;
	return_at = 16;
}

static void test_anonymous(void)
{
	HANDLE section;
	for (unsigned int s = 0; s < PROTECTIONS; s++) {
		DWORD own = protections[s];
		SetLastError(0);
		section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, own, 0, PAGE_BYTES, NULL);
		if (own == PAGE_NOACCESS || own == PAGE_EXECUTE)
			refused(section, ERROR_INVALID_PARAMETER, "no section of the paging file has protection 0x%lx",
				own);
		if (!section)
			continue;
		/* One that can't be written holds zeros for ever: nothing to execute. */
		void *p = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
		if (p)
			memset(p, RETURN_BYTE, PAGE_BYTES);
		UnmapViewOfFile(p);
		return_at = p ? 16 : 0;
		test_views(section, own, "the paging file");
		CloseHandle(section);
	}
	return_at = 16;
}

/* The access words of MapViewOfFile. */
static void test_map_access(void)
{
	static const struct {
		DWORD access, protect;
	} table[] = {
		{ FILE_MAP_READ, PAGE_READONLY },
		{ FILE_MAP_WRITE, PAGE_READWRITE },
		{ FILE_MAP_READ | FILE_MAP_WRITE, PAGE_READWRITE },
		{ FILE_MAP_COPY, PAGE_WRITECOPY },
		{ FILE_MAP_ALL_ACCESS, PAGE_READWRITE },
		{ FILE_MAP_READ | FILE_MAP_EXECUTE, PAGE_EXECUTE_READ },
		{ FILE_MAP_WRITE | FILE_MAP_EXECUTE, PAGE_EXECUTE_READWRITE },
		{ FILE_MAP_COPY | FILE_MAP_EXECUTE, PAGE_EXECUTE_WRITECOPY },
		{ 0, PAGE_NOACCESS },
	};
	HANDLE section =
		CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_EXECUTE_READWRITE, 0, PAGE_BYTES, NULL);
	for (unsigned int i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char *p = MapViewOfFile(section, table[i].access, 0, 0, 0);
		is(p ? query(p).Protect : 0, table[i].protect, "MapViewOfFile with access 0x%lx", table[i].access);
		UnmapViewOfFile(p);
	}
	CloseHandle(section);
}

static void all(void)
{
	return_at = 16;
	test_private();
	test_file();
	test_anonymous();
	test_map_access();
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
