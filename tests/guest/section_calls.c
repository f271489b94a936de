/*
 * The native calls for sections: which arguments they take, which they refuse and with what status; protections of
 * sections and views and the rights that views need; caching; the calls that Windows has for the rest.
 */
#include "guest.h"

#define SELF BACKSTORE_CURRENT_PROCESS
#define SIZE 65536
#define KERNEL_ADDRESS ((void *)0xffff800000000000ull)
#define SHARE 1 /* ViewShare */
#define DIFFERENT_BASE_OK 0x800000
#define EXTEND_RIGHT 0x10

static void status_is(NTSTATUS got, NTSTATUS expected, const char *name)
{
	is((uint32_t)got, (uint32_t)expected, "%s", name);
}

/* The section's handle, or NULL; *status: what NtCreateSection said. */
static HANDLE make(uint64_t size, ULONG protect, ULONG attributes, NTSTATUS *status)
{
	LARGE_INTEGER bytes = { .QuadPart = (LONGLONG)size };
	HANDLE s = NULL;
	NTSTATUS got = NtCreateSection(&s, SECTION_ALL_ACCESS, NULL, &bytes, protect, attributes, NULL);
	if (status)
		*status = got;
	return NT_SUCCESS(got) ? s : NULL;
}

static NTSTATUS make_status(uint64_t size, ULONG protect, ULONG attributes)
{
	NTSTATUS status;
	HANDLE s = make(size, protect, attributes, &status);
	if (s)
		CloseHandle(s);
	return status;
}

static NTSTATUS map_full(HANDLE s, void **base, ULONG_PTR zero_bits, SIZE_T commit, uint64_t offset, SIZE_T *size,
	ULONG inherit,
			 ULONG type, ULONG protect)
{
	LARGE_INTEGER at = { .QuadPart = (LONGLONG)offset };
	return NtMapViewOfSection(s, SELF, base, zero_bits, commit, &at, size, inherit, type, protect);
}

static char *map(HANDLE s, ULONG type, ULONG protect, NTSTATUS *status)
{
	void *base = NULL;
	SIZE_T size = 0;
	NTSTATUS got = map_full(s, &base, 0, 0, 0, &size, SHARE, type, protect);
	if (status)
		*status = got;
	return NT_SUCCESS(got) ? base : NULL;
}

static NTSTATUS map_status(HANDLE s, ULONG type, ULONG protect)
{
	NTSTATUS status;
	char *view = map(s, type, protect, &status);
	if (view)
		NtUnmapViewOfSection(SELF, view);
	return status;
}

static HANDLE image_file_open(void)
{
	char path[MAX_PATH];
	GetModuleFileNameA(NULL, path, sizeof(path));
	return CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
}

static HANDLE image_make(void)
{
	HANDLE file = image_file_open(), s = NULL;
	NtCreateSection(&s, SECTION_ALL_ACCESS, NULL, NULL, PAGE_EXECUTE, SEC_IMAGE, file);
	CloseHandle(file);
	return s;
}

static void test_create(void)
{
	static const ULONG bad[] = { 0, SEC_COMMIT | SEC_RESERVE, SEC_NOCACHE,
		SEC_COMMIT | SEC_NOCACHE | SEC_WRITECOMBINE,
				     SEC_IMAGE | SEC_COMMIT, SEC_IMAGE | SEC_NOCACHE, SEC_COMMIT | 1,
					SEC_WRITECOMBINE };
	static const ULONG bad_protect[] = { 0, PAGE_NOACCESS, PAGE_READWRITE | PAGE_GUARD,
		PAGE_READWRITE | PAGE_NOCACHE,
					     PAGE_READWRITE | PAGE_WRITECOMBINE, PAGE_READONLY | PAGE_READWRITE,
						0x1000 };
	HANDLE s = NULL;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is((uint32_t)make_status(SIZE, PAGE_READWRITE, bad[i]), (uint32_t)STATUS_INVALID_PARAMETER_6,
		   "attributes 0x%lx", bad[i]);
	for (unsigned int i = 0; i < sizeof(bad_protect) / sizeof(bad_protect[0]); i++)
		is((uint32_t)make_status(SIZE, bad_protect[i], SEC_COMMIT), (uint32_t)STATUS_INVALID_PAGE_PROTECTION,
		   "protection 0x%lx", bad_protect[i]);
	status_is(make_status(0, PAGE_READWRITE, SEC_COMMIT), STATUS_INVALID_PARAMETER_4, "size 0");
	status_is(NtCreateSection(&s, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, NULL),
		STATUS_INVALID_PARAMETER_4,
		  "no size");
	status_is(make_status(1ull << 63, PAGE_READWRITE, SEC_RESERVE), STATUS_SECTION_TOO_BIG,
		"a size that is too big");
	status_is(make_status(~0ull, PAGE_READWRITE, SEC_RESERVE), STATUS_SECTION_TOO_BIG, "the biggest number");
	status_is(make_status(SIZE, PAGE_EXECUTE, SEC_IMAGE), STATUS_INVALID_FILE_FOR_SECTION,
		"an image without a file");
	status_is(NtCreateSection(&s, SECTION_ALL_ACCESS, NULL, KERNEL_ADDRESS, PAGE_READWRITE, SEC_COMMIT, NULL),
		  STATUS_ACCESS_VIOLATION, "a size in the kernel");
	status_is(NtCreateSection(KERNEL_ADDRESS, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, NULL),
		  STATUS_ACCESS_VIOLATION, "a place for the handle in the kernel");
	LARGE_INTEGER size = { .QuadPart = 5000 };
	status_is(NtCreateSection(&s, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, (HANDLE)0xdead0),
		  STATUS_INVALID_HANDLE, "a bad file handle");
	s = make(5000, PAGE_READWRITE, SEC_COMMIT, NULL);
	struct {
		void *base;
		ULONG attributes;
		LARGE_INTEGER size;
	} b;
	SIZE_T returned = 0;
	status_is(NtQuerySection(s, 0, &b, sizeof(b), &returned), STATUS_SUCCESS, "NtQuerySection");
	ok(b.size.QuadPart == 8192 && b.attributes == SEC_COMMIT && !b.base && returned == 24,
		"an unaligned size is rounded up to pages");
	status_is(NtQuerySection(s, 0, &b, 23, NULL), STATUS_INFO_LENGTH_MISMATCH, "in too short a buffer");
	status_is(NtQuerySection(s, 1, &b, 64, NULL), STATUS_SECTION_NOT_IMAGE,
		"image information of an anonymous section");
	status_is(NtQuerySection(s, 9, &b, 64, NULL), STATUS_INVALID_INFO_CLASS, "a class that there is not");
	status_is(NtQuerySection(s, 0, KERNEL_ADDRESS, 64, NULL), STATUS_ACCESS_VIOLATION, "to a bad address");
	HANDLE weak = NULL;
	DuplicateHandle(SELF, s, SELF, &weak, SECTION_MAP_READ, FALSE, 0);
	status_is(NtQuerySection(weak, 0, &b, sizeof(b), NULL), STATUS_ACCESS_DENIED,
		"with a handle that may only map");
	CloseHandle(weak);
	CloseHandle(s);

	struct bs_memory before = memory_now();
	s = make(1ull << 40, PAGE_READWRITE, SEC_RESERVE, NULL);
	char *view = map(s, 0, PAGE_READWRITE, NULL);
	ok(view && query(view).RegionSize == 1ull << 40, "a SEC_RESERVE section of 1 TiB is mapped");
	is_within(memory_now().commit_charge - before.commit_charge, 0, 8, "and costs next to nothing");
	NtUnmapViewOfSection(SELF, view);
	CloseHandle(s);
}

/* One row for each protection of a section: the protections that views of it may have. */
static void test_protections(void)
{
	static const ULONG protections[] = { PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY,
					     PAGE_EXECUTE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE,
						PAGE_EXECUTE_WRITECOPY };
	static const char *const allowed[] = { NULL,	     "11.1....", "1111....", "11.1....",
					       "1...1...", "11.111.1", "11111111", "11.111.1" };
	/* Views of PAGE_READWRITE sections that a handle with these rights may map. */
	static const struct {
		ACCESS_MASK access;
		const char *views;
	} rights[] = {
		{ SECTION_MAP_READ, "11.1...." },
		{ SECTION_MAP_WRITE, "..1....." },
		{ SECTION_MAP_EXECUTE, "....1..." },
		{ SECTION_MAP_READ | SECTION_MAP_EXECUTE, "11.111.1" },
		{ SECTION_MAP_WRITE | SECTION_MAP_EXECUTE, "..1.1.1." },
		{ SECTION_QUERY, "........" },
	};
	for (int i = 1; i < 8; i++) {
		HANDLE s = make(SIZE, protections[i], SEC_COMMIT, NULL);
		char got[9] = "........";
		for (int j = 0; j < 8; j++) {
			NTSTATUS status = map_status(s, 0, protections[j]);
			got[j] = status == STATUS_SUCCESS ? '1' : status == STATUS_SECTION_PROTECTION ? '.' : '?';
		}
		ok(!strcmp(got, allowed[i]), "views of a section of protection 0x%lx: %s", protections[i], got);
		CloseHandle(s);
	}
	HANDLE s = make(SIZE, PAGE_EXECUTE_READWRITE, SEC_COMMIT, NULL);
	for (unsigned int i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		HANDLE h = NULL;
		char got[9] = "........";
		DuplicateHandle(SELF, s, SELF, &h, rights[i].access, FALSE, 0);
		for (int j = 0; j < 8; j++) {
			NTSTATUS status = map_status(h, 0, protections[j]);
			got[j] = status == STATUS_SUCCESS ? '1' : status == STATUS_ACCESS_DENIED ? '.' : '?';
		}
		ok(!strcmp(got, rights[i].views), "views by a handle with rights 0x%lx: %s", rights[i].access, got);
		CloseHandle(h);
	}
	CloseHandle(s);
}

static void test_map(void)
{
	HANDLE s = make(4 * SIZE, PAGE_READWRITE, SEC_COMMIT, NULL), event = CreateEventA(NULL, TRUE, FALSE, NULL);
	void *base = NULL;
	SIZE_T size = 0;
	status_is(map_full(s, &base, 0, 0, 0, &size, 0, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_8,
		"inherit disposition 0");
	status_is(map_full(s, &base, 0, 0, 0, &size, 3, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_8, "or 3");
	status_is(map_full(s, &base, 0, 0, 0, &size, SHARE, MEM_COMMIT, PAGE_READWRITE), STATUS_INVALID_PARAMETER_9,
		"type MEM_COMMIT");
	status_is(map_full(s, &base, 0, 0, 0, &size, SHARE, MEM_LARGE_PAGES, PAGE_READWRITE),
		STATUS_INVALID_PARAMETER_9,
		  "large pages of a section that has none");
	status_is(map_full(s, &base, 0, 0, 0, &size, SHARE, 0, 0), STATUS_INVALID_PAGE_PROTECTION, "protection 0");
	status_is(map_full(s, &base, 25, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_4,
		"25 zero bits");
	status_is(map_full(s, &base, 0, 0, 4096, &size, SHARE, 0, PAGE_READWRITE), STATUS_MAPPED_ALIGNMENT,
		"an unaligned offset");
	status_is(map_full(s, &base, 0, 0, 4 * SIZE, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_VIEW_SIZE,
		"an offset at the end");
	status_is(map_full((HANDLE)0xdead0, &base, 0, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_HANDLE,
		"a bad handle");
	status_is(map_full(event, &base, 0, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_OBJECT_TYPE_MISMATCH,
		"an event");
	status_is(map_full(s, KERNEL_ADDRESS, 0, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_ACCESS_VIOLATION,
		"a bad pointer");
	base = KERNEL_ADDRESS;
	status_is(map_full(s, &base, 0, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_3,
		"a kernel address");
	base = NULL;
	size = 1ull << 62;
	status_is(map_full(s, &base, 0, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_4,
		"more than there are addresses");
	size = SIZE;
	status_is(map_full(s, &base, 0, 2 * SIZE, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_5,
		  "more to commit than the view shows");
	ok(base == NULL && size == SIZE, "none of this changed the variables");
	status_is(map_full(s, &base, 0, 0, SIZE, &size, SHARE, MEM_TOP_DOWN, PAGE_READWRITE), STATUS_SUCCESS,
		"MEM_TOP_DOWN");
	ok((uintptr_t)base > 0x7ff000000000ull, "gives a high address");
	NtUnmapViewOfSection(SELF, base);
	base = NULL;
	status_is(map_full(s, &base, 1, 0, 0, &size, SHARE, 0, PAGE_READWRITE), STATUS_SUCCESS, "a zero bit");
	ok((uintptr_t)base < 1ull << 31, "gives a low one");
	NtUnmapViewOfSection(SELF, base);
	status_is(NtUnmapViewOfSection(SELF, base), STATUS_NOT_MAPPED_VIEW, "unmapping it twice");
	status_is(NtUnmapViewOfSection(SELF, KERNEL_ADDRESS), STATUS_NOT_MAPPED_VIEW, "unmapping a kernel address");
	CloseHandle(event);

	char *view = map(s, SEC_NO_CHANGE, PAGE_READWRITE, NULL);
	void *at = view;
	ULONG old;
	size = 4096;
	status_is(NtProtectVirtualMemory(SELF, &at, &size, PAGE_READONLY, &old), STATUS_INVALID_PAGE_PROTECTION,
		  "a SEC_NO_CHANGE view keeps its protection");
	ok(can_write(view), "and works");
	NtUnmapViewOfSection(SELF, view);
	CloseHandle(s);

	/* The commit size of a SEC_RESERVE section. */
	s = make(16 * SIZE, PAGE_READWRITE, SEC_RESERVE, NULL);
	base = NULL;
	size = 0;
	status_is(map_full(s, &base, 0, 5000, SIZE, &size, SHARE, 0, PAGE_READWRITE), STATUS_SUCCESS,
		"5,000 bytes to commit");
	ok(query(base).State == MEM_COMMIT && query(base).RegionSize == 8192 && can_write(base),
		"are two pages from the view's start");
	is(query((char *)base + 8192).State, MEM_RESERVE, "the others are reserved");
	NtUnmapViewOfSection(SELF, base);
	if (memory_now().commit_policy == BS_COMMIT_STRICT) {
		HANDLE huge = make(1ull << 40, PAGE_READWRITE, SEC_RESERVE, NULL);
		base = NULL;
		size = 0;
		status_is(map_full(huge, &base, 0, 1ull << 40, 0, &size, SHARE, 0, PAGE_READWRITE),
			STATUS_COMMITMENT_LIMIT,
			  "more to commit than may be promised");
		is((uintptr_t)base, 0, "maps nothing");
		CloseHandle(huge);
	}
	CloseHandle(s);
}

static void test_caching(void)
{
	static const struct {
		ULONG attribute, bit;
		const char *name;
	} kinds[] = { { SEC_NOCACHE, PAGE_NOCACHE, "SEC_NOCACHE" }, { SEC_WRITECOMBINE, PAGE_WRITECOMBINE,
		"SEC_WRITECOMBINE" } };
	for (int i = 0; i < 2; i++) {
		HANDLE s = make(SIZE, PAGE_READWRITE, SEC_COMMIT | kinds[i].attribute, NULL);
		char *view = map(s, 0, PAGE_READWRITE, NULL), *copy = map(s, 0, PAGE_WRITECOPY, NULL);
		DWORD old;
		ok(view && query(view).Protect == (PAGE_READWRITE | kinds[i].bit) &&
			   query(view).AllocationProtect == (PAGE_READWRITE | kinds[i].bit),
		   "a view of a %s section says so in its protection", kinds[i].name);
		ok(can_write(view) && *copy == 0x5a, "and works");
		ok(VirtualProtect(view, 4096, PAGE_READONLY, &old) &&
			query(view).Protect == (PAGE_READONLY | kinds[i].bit),
		   "another protection leaves it so");
		ok(can_write(copy) && query(copy).Protect == (PAGE_READWRITE | kinds[i].bit), "so does a private copy");
		is(query(map(s, 0, PAGE_NOACCESS, NULL)).Protect, PAGE_NOACCESS, "a view without access is just that");
		struct bs_page page = page_at(view);
		is(page.protect, PAGE_READONLY | kinds[i].bit, "the page's own protection is the same");
		for (MEMORY_BASIC_INFORMATION m = { 0 }; VirtualQuery((char *)m.BaseAddress + m.RegionSize, &m,
			sizeof(m));)
			if (m.Type == MEM_MAPPED && m.AllocationProtect == PAGE_NOACCESS && m.RegionSize == SIZE)
				NtUnmapViewOfSection(SELF, m.AllocationBase);
		NtUnmapViewOfSection(SELF, view);
		NtUnmapViewOfSection(SELF, copy);
		CloseHandle(s);
	}
	HANDLE s = make(SIZE, PAGE_READWRITE, SEC_RESERVE | SEC_NOCACHE, NULL);
	char *view = map(s, 0, PAGE_READWRITE, NULL);
	VirtualAlloc(view, 4096, MEM_COMMIT, PAGE_READWRITE);
	is(query(view).Protect, PAGE_READWRITE | PAGE_NOCACHE,
		"with SEC_RESERVE, pages that are committed are uncached");
	NtUnmapViewOfSection(SELF, view);
	CloseHandle(s);
}

static void test_map_ex(void)
{
	HANDLE s = make(4 * SIZE, PAGE_READWRITE, SEC_COMMIT, NULL);
	LARGE_INTEGER offset = { .QuadPart = SIZE };
	MEM_ADDRESS_REQUIREMENTS limits = { .LowestStartingAddress = (void *)0x10000000,
		.HighestEndingAddress = (void *)0x1fffffff,
					    .Alignment = 1 << 20 };
	MEM_EXTENDED_PARAMETER parameter = { .Type = MemExtendedParameterAddressRequirements, .Pointer = &limits };
	void *base = NULL;
	SIZE_T size = 0;
	status_is(NtMapViewOfSectionEx(s, SELF, &base, &offset, &size, 0, PAGE_READWRITE, NULL, 0), STATUS_SUCCESS,
		  "NtMapViewOfSectionEx");
	is(size, 3 * SIZE, "maps from the offset to the end");
	status_is(NtUnmapViewOfSectionEx(SELF, base, 4), STATUS_INVALID_PARAMETER,
		"NtUnmapViewOfSectionEx with a flag that there is not");
	status_is(NtUnmapViewOfSectionEx(SELF, base, 2), STATUS_CONFLICTING_ADDRESSES,
		"a view that replaced no placeholder can't become one");
	status_is(NtUnmapViewOfSectionEx(SELF, base, 1), STATUS_SUCCESS, "with the flag for a boost");
	base = NULL;
	size = 0;
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, 0, PAGE_READWRITE, &parameter, 1), STATUS_SUCCESS,
		  "with address requirements");
	ok((uintptr_t)base >= 0x10000000 && (uintptr_t)base + size <= 0x20000000 &&
		(uintptr_t)base % (1 << 20) == 0, "they are met");
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, 0, PAGE_READWRITE, &parameter, 1),
		STATUS_INVALID_PARAMETER,
		  "with an address as well");
	NtUnmapViewOfSection(SELF, base);
	base = NULL;
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, MEM_COMMIT, PAGE_READWRITE, NULL, 0),
		STATUS_INVALID_PARAMETER_6,
		  "a type that there is not");
	parameter.Type = 77;
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, 0, PAGE_READWRITE, &parameter, 1),
		STATUS_INVALID_PARAMETER,
		  "a parameter that there is not");
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, 0, PAGE_READWRITE, NULL, 1),
		STATUS_INVALID_PARAMETER,
		  "one parameter, and none");

	/* Into a placeholder, and back. */
	size = 4 * SIZE;
	NtAllocateVirtualMemoryEx(SELF, &base, &size, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, NULL, 0);
	status_is(NtMapViewOfSectionEx(s, SELF, &base, NULL, &size, MEM_REPLACE_PLACEHOLDER, PAGE_READWRITE, NULL,
		0), STATUS_SUCCESS,
		  "a view replaces a placeholder");
	ok(can_write(base), "and works");
	status_is(NtUnmapViewOfSectionEx(SELF, base, MEM_PRESERVE_PLACEHOLDER), STATUS_SUCCESS,
		"it becomes a placeholder again");
	is(query(base).State, MEM_RESERVE, "the addresses stay reserved");
	VirtualFree(base, 0, MEM_RELEASE);
	CloseHandle(s);
}

static void test_images(void)
{
	HANDLE s = image_make(), file = image_file_open(), h = NULL;
	char *own = (char *)GetModuleHandleA(NULL), *view;
	struct {
		void *base;
		ULONG attributes;
		LARGE_INTEGER size;
	} b;
	SIZE_T returned;
	ULONG_PTR delta = 0;
	NTSTATUS status;
	const IMAGE_NT_HEADERS *nt = (void *)(own + ((IMAGE_DOS_HEADER *)own)->e_lfanew);
	status_is(NtQuerySection(s, 0, &b, sizeof(b), NULL), STATUS_SUCCESS, "an image's section");
	is(b.attributes, SEC_IMAGE | SEC_FILE, "says so");
	is(b.size.QuadPart, nt->OptionalHeader.SizeOfImage, "and its size");
	status_is(NtQuerySection(s, 2, &delta, sizeof(delta), &returned), STATUS_SUCCESS, "how far it was relocated");
	is(delta % SIZE, 0, "is a multiple of 64 KiB");
	status_is(NtQuerySection(s, 2, &delta, 4, NULL), STATUS_INFO_LENGTH_MISMATCH, "not in 4 bytes");
	view = map(s, 0, PAGE_READONLY, &status);
	status_is(status, STATUS_IMAGE_NOT_AT_BASE, "the second view of an image is not at its base");
	ok(!memcmp(view, own, 64), "but is the same");
	status_is(NtAreMappedFilesTheSame(own, view), STATUS_SUCCESS, "NtAreMappedFilesTheSame says so too");
	NtUnmapViewOfSection(SELF, view);
	status_is(map_status(s, DIFFERENT_BASE_OK, PAGE_READONLY), STATUS_SUCCESS,
		"MEM_DIFFERENT_IMAGE_BASE_OK: that is no news");
	LARGE_INTEGER size = { .QuadPart = 1 << 20 };
	status_is(NtExtendSection(s, &size), STATUS_SECTION_NOT_EXTENDED, "an image can't be extended");
	CloseHandle(s);
	UNICODE_STRING name = { 40, 42, L"\\BaseNamedObjects\\img" };
	OBJECT_ATTRIBUTES attributes;
	InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
	status_is(NtCreateSection(&h, SECTION_ALL_ACCESS, &attributes, NULL, PAGE_EXECUTE, SEC_IMAGE, file),
		STATUS_OBJECT_NAME_INVALID,
		  "an image's section gets no name");
	status_is(NtCreateSection(&h, SECTION_ALL_ACCESS, NULL, NULL, PAGE_EXECUTE, SEC_IMAGE | SEC_RESERVE, file),
		STATUS_INVALID_PARAMETER_6,
		  "nor other attributes");
	CloseHandle(file);
}

static void test_others(void)
{
	HANDLE s = make(SIZE, PAGE_READWRITE, SEC_COMMIT, NULL), other = make(SIZE, PAGE_READWRITE, SEC_COMMIT,
		NULL), weak = NULL;
	char *view = map(s, 0, PAGE_READWRITE, NULL), *same = map(s, 0, PAGE_READONLY, NULL), *not = map(other, 0,
		PAGE_READWRITE, NULL);
	char *private = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	LARGE_INTEGER bytes = { .QuadPart = 2 * SIZE };
	IO_STATUS_BLOCK io;
	void *base = view;
	SIZE_T size = 0;
	status_is(NtExtendSection(s, &bytes), STATUS_SECTION_NOT_EXTENDED, "an anonymous section can't be extended");
	status_is(NtExtendSection(s, NULL), STATUS_ACCESS_VIOLATION, "nor without a size");
	DuplicateHandle(SELF, s, SELF, &weak, SECTION_MAP_READ, FALSE, 0);
	status_is(NtExtendSection(weak, &bytes), STATUS_ACCESS_DENIED, "nor without the right");
	CloseHandle(weak);
	status_is(NtFlushVirtualMemory(SELF, &base, &size, &io), STATUS_NOT_MAPPED_DATA,
		  "NtFlushVirtualMemory: an anonymous section's view has no file; FlushViewOfFile takes that for success");
	base = private;
	status_is(NtFlushVirtualMemory(SELF, &base, &size, &io), STATUS_NOT_MAPPED_VIEW, "private memory is no view");
	base = view;
	size = SIZE + 1;
	status_is(NtFlushVirtualMemory(SELF, &base, &size, &io), STATUS_NOT_MAPPED_VIEW,
		"nor is what lies behind a view");
	base = KERNEL_ADDRESS;
	status_is(NtFlushVirtualMemory(SELF, &base, &size, &io), STATUS_INVALID_PARAMETER_2, "a kernel address");
	status_is(NtFlushVirtualMemory(SELF, NULL, &size, &io), STATUS_ACCESS_VIOLATION, "a bad pointer");
	status_is(NtFlushVirtualMemory((HANDLE)0xdead0, &base, &size, &io), STATUS_INVALID_HANDLE, "a bad handle");
	status_is(NtAreMappedFilesTheSame(view, same), STATUS_SUCCESS, "two views of one section show the same");
	status_is(NtAreMappedFilesTheSame(view, not), STATUS_NOT_SAME_DEVICE, "views of two sections do not");
	status_is(NtAreMappedFilesTheSame(view, private), STATUS_CONFLICTING_ADDRESSES, "private memory shows no file");
	VirtualFree(private, 0, MEM_RELEASE);
	status_is(NtAreMappedFilesTheSame(view, private), STATUS_INVALID_ADDRESS, "free memory shows nothing");
	status_is(NtAreMappedFilesTheSame(KERNEL_ADDRESS, view), STATUS_INVALID_ADDRESS, "nor does the kernel's");
	NtUnmapViewOfSection(SELF, view);
	NtUnmapViewOfSection(SELF, same);
	NtUnmapViewOfSection(SELF, not);
	CloseHandle(s);
	CloseHandle(other);
}

static void all(void)
{
	test_create();
	test_protections();
	test_map();
	test_caching();
	test_map_ex();
	test_images();
	test_others();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
