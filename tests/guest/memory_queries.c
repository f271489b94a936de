/*
 * NtQueryVirtualMemory in all its classes, and where pages are backed, and why: what each answers, what each refuses.
 */
#include "squeeze.h"
#include <psapi.h>

#define SELF BACKSTORE_CURRENT_PROCESS
#define KERNEL_ADDRESS ((char *)0xffff800000000000ull)

enum { BASIC, WORKING_SET, FILE_NAME, REGION, WORKING_SET_EX, SHARED_COMMIT, IMAGE, REGION_EX, CLASSES };

/* MEMORY_REGION_INFORMATION and MEMORY_IMAGE_INFORMATION, which these headers lack. */
struct region {
	void *base;
	DWORD protect, flags;
	SIZE_T size, commit, partition, node;
};
struct image {
	void *base;
	SIZE_T size;
	DWORD flags, padding;
};

static NTSTATUS ask(const volatile void *address, ULONG class, void *buffer, SIZE_T size, SIZE_T *returned)
{
	return NtQueryVirtualMemory(SELF, (const void *)address, class, buffer, size, returned);
}

static void status_is(NTSTATUS got, NTSTATUS expected, const char *name)
{
	is((uint32_t)got, (uint32_t)expected, "%s", name);
}

/* ---- what every class refuses ---- */

static void test_refusals(void)
{
	static const SIZE_T sizes[CLASSES] = { 48, 8, 16, 24, 16, 8, 24, 48 };
	char buffer[4096], *p = commit_bytes(4096);
	SIZE_T returned = 77;
	status_is(ask(p, CLASSES, buffer, sizeof(buffer), &returned), STATUS_INVALID_INFO_CLASS,
		"a class that there is not");
	status_is(ask(p, ~0u, buffer, sizeof(buffer), &returned), STATUS_INVALID_INFO_CLASS, "the highest number");
	for (ULONG class = 0; class < CLASSES; class++) {
		is((uint32_t)ask(p, class, buffer, sizes[class] - 1, &returned), (uint32_t)STATUS_INFO_LENGTH_MISMATCH,
		   "class %lu: a buffer that is too short", class);
		if (class != FILE_NAME)
			is((uint32_t)ask(p, class, KERNEL_ADDRESS, 1 << 20, NULL), (uint32_t)STATUS_ACCESS_VIOLATION,
			   "class %lu: a buffer in the kernel", class);
		is((uint32_t)NtQueryVirtualMemory((HANDLE)0xdead0, p, class, buffer, sizeof(buffer), NULL),
		   (uint32_t)STATUS_INVALID_HANDLE, "class %lu: a bad handle", class);
		is((uint32_t)ask(p, class, buffer, sizeof(buffer), (SIZE_T *)KERNEL_ADDRESS),
			(uint32_t)STATUS_ACCESS_VIOLATION,
		   "class %lu: a bad place for the length", class);
	}
	is(returned, 77, "nothing was said of lengths");
	status_is(ask(KERNEL_ADDRESS, BASIC, buffer, sizeof(buffer), NULL), STATUS_INVALID_PARAMETER,
		"a kernel address");
	status_is(ask(KERNEL_ADDRESS, REGION, buffer, 48, NULL), STATUS_INVALID_PARAMETER, "its region");
	status_is(ask(KERNEL_ADDRESS, IMAGE, buffer, 24, NULL), STATUS_INVALID_PARAMETER, "its image");
	status_is(ask(KERNEL_ADDRESS, FILE_NAME, buffer, sizeof(buffer), NULL), STATUS_INVALID_ADDRESS, "its file");

	HANDLE weak = NULL;
	DuplicateHandle(SELF, SELF, SELF, &weak, PROCESS_VM_READ | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, 0);
	status_is(NtQueryVirtualMemory(weak, p, BASIC, buffer, 48, NULL), STATUS_ACCESS_DENIED,
		  "a handle without PROCESS_QUERY_INFORMATION");
	CloseHandle(weak);
	DuplicateHandle(SELF, SELF, SELF, &weak, PROCESS_QUERY_INFORMATION, FALSE, 0);
	status_is(NtQueryVirtualMemory(weak, p, BASIC, buffer, 48, NULL), STATUS_SUCCESS, "one with it alone");
	status_is(NtQueryVirtualMemory(weak, p, WORKING_SET, buffer, sizeof(buffer), NULL), STATUS_ACCESS_DENIED,
		  "which is not enough for the working set: PROCESS_VM_READ");
	CloseHandle(weak);
	memory_release(p);
}

/* ---- regions ---- */

static void test_regions(void)
{
	char *p = VirtualAlloc(NULL, 1 << 20, MEM_RESERVE, PAGE_READWRITE);
	DWORD old;
	VirtualAlloc(p + 65536, 131072, MEM_COMMIT, PAGE_READWRITE);
	is(query(p).RegionSize, 65536, "a region: reserved pages up to the first committed one");
	is(query(p).Protect, 0, "reserved pages have no protection");
	is(query(p + 65536).RegionSize, 131072, "committed pages are one region, touched or not");
	p[65536] = 1;
	p[131072] = 1;
	is(query(p + 65536).RegionSize, 131072, "wherever they are now");
	VirtualProtect(p + 65536 + 4096, 4096, PAGE_READWRITE | PAGE_GUARD, &old);
	is(query(p + 65536).RegionSize, 4096, "a guard page ends a region");
	is(query(p + 65536 + 4096).Protect, PAGE_READWRITE | PAGE_GUARD, "and is one of its own");
	VirtualProtect(p + 65536 + 4096, 4096, PAGE_READWRITE, &old);
	is(query(p + 65536).RegionSize, 131072, "until the guard has gone");
	VirtualProtect(p + 65536, 4096, PAGE_READONLY, &old);
	is(query(p + 65536).RegionSize, 4096, "so does a page that is read-only");
	VirtualProtect(p + 65536, 4096, PAGE_READWRITE | PAGE_NOCACHE, &old);
	is(query(p + 65536).RegionSize, 131072, "but no uncached page: caching is the allocation's");

	struct region r;
	SIZE_T returned = 0;
	memset(&r, 0xee, sizeof(r));
	status_is(ask(p + 70000, REGION, &r, sizeof(r), &returned), STATUS_SUCCESS, "MemoryRegionInformation");
	ok(r.base == p && r.protect == PAGE_READWRITE && r.flags == 1 && r.size == 1 << 20 && r.commit == 131072,
	   "tells the whole allocation, and how much of it is committed");
	is(returned, 48, "in 48 bytes");
	memset(&r, 0xee, sizeof(r));
	status_is(ask(p, REGION, &r, 24, &returned), STATUS_SUCCESS, "the older, shorter structure");
	ok(returned == 24 && r.size == 1 << 20 && r.commit == 0xeeeeeeeeeeeeeeeeull, "is filled alone");
	status_is(ask(p, REGION_EX, &r, 24, &returned), STATUS_INFO_LENGTH_MISMATCH,
		  "MemoryRegionInformationEx has one length only");
	status_is(ask(p, REGION_EX, &r, sizeof(r), &returned), STATUS_SUCCESS, "and the same answer");
	is(r.commit, 131072, "for the committed size");
	memory_release(p);
	status_is(ask(p, REGION, &r, sizeof(r), NULL), STATUS_INVALID_ADDRESS, "free memory is no region");

	HANDLE s = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 1, 0, NULL);
	char *view = MapViewOfFile(s, FILE_MAP_WRITE, 0, 0, 0);
	VirtualAlloc(view + (1 << 30), 3 * 4096, MEM_COMMIT, PAGE_READWRITE);
	ask(view, REGION, &r, sizeof(r), NULL);
	ok(r.flags == 8 && r.size == 1ull << 32 && r.commit == 3 * 4096, "a view of a SEC_RESERVE section of 4 GiB");
	is(query(view).RegionSize, 1 << 30, "reserved up to what is committed");
	is(query(view + (1 << 30)).RegionSize, 3 * 4096, "which is a region");
	UnmapViewOfFile(view);
	CloseHandle(s);
	ask((void *)test_regions, REGION, &r, sizeof(r), NULL);
	ok(r.flags == 4 && r.base == GetModuleHandleA(NULL), "the program's image");
}

/* ---- files and images ---- */

static void test_files(void)
{
	union {
		UNICODE_STRING name;
		char bytes[1200];
	} b;
	SIZE_T returned = 0, needed;
	HANDLE s = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 65536, NULL);
	char *view = MapViewOfFile(s, FILE_MAP_WRITE, 0, 0, 0), *p = commit_bytes(4096);
	status_is(ask((void *)test_files, FILE_NAME, &b, sizeof(b), &returned), STATUS_SUCCESS,
		"MemoryMappedFilenameInformation");
	ok(b.name.Length > 20 && returned == sizeof(b.name) + b.name.MaximumLength &&
		   (char *)b.name.Buffer == b.bytes + sizeof(b.name) &&
		   !memcmp(b.name.Buffer + b.name.Length / 2 - 18, L"memory_queries.exe", 36),
	   "tells this program's path");
	needed = returned;
	status_is(ask((void *)test_files, FILE_NAME, &b, needed - 1, &returned), STATUS_BUFFER_OVERFLOW,
		"in a byte less");
	is(returned, needed, "it tells how many are needed");
	status_is(ask((void *)test_files, FILE_NAME, KERNEL_ADDRESS, 1200, NULL), STATUS_ACCESS_VIOLATION,
		"to a bad address");
	status_is(ask(view, FILE_NAME, &b, sizeof(b), NULL), STATUS_FILE_INVALID, "an anonymous section has no file");
	status_is(ask(p, FILE_NAME, &b, sizeof(b), NULL), STATUS_INVALID_ADDRESS, "nor has private memory");

	struct image i;
	const IMAGE_DOS_HEADER *dos = (void *)GetModuleHandleA(NULL);
	const IMAGE_NT_HEADERS *nt = (void *)((char *)dos + dos->e_lfanew);
	status_is(ask((void *)test_files, IMAGE, &i, sizeof(i), &returned), STATUS_SUCCESS, "MemoryImageInformation");
	ok(i.base == dos && i.size == nt->OptionalHeader.SizeOfImage && i.flags == 0 && returned == 24,
		"base and size");
	status_is(ask(view, IMAGE, &i, sizeof(i), NULL), STATUS_SUCCESS, "a view that is no image");
	ok(!i.base && !i.size, "has none");
	memory_release(p);
	status_is(ask(p, IMAGE, &i, sizeof(i), NULL), STATUS_INVALID_ADDRESS, "free memory");

	SIZE_T with = 0, without = 0, twice = 0;
	char *again = MapViewOfFile(s, FILE_MAP_READ, 0, 0, 0);
	status_is(ask(NULL, SHARED_COMMIT, &twice, sizeof(twice), &returned), STATUS_SUCCESS,
		"MemorySharedCommitInformation");
	UnmapViewOfFile(again);
	ask(NULL, SHARED_COMMIT, &with, sizeof(with), NULL);
	UnmapViewOfFile(view);
	ask(NULL, SHARED_COMMIT, &without, sizeof(without), NULL);
	is(twice, with, "two views of a section count once");
	is_within(with - without, 65536, 65536 + 2 * 4096, "a section of 64 KiB counts as that, and its tables");
	CloseHandle(s);
}

/* ---- working sets ---- */

static void test_working_set(void)
{
	enum { MANY = 3000 };
	char *p = commit_bytes(MANY * 4096);
	ULONG_PTR count = 0;
	SIZE_T returned = 0, size = (1 + MANY + 4000) * sizeof(ULONG_PTR);
	PSAPI_WORKING_SET_INFORMATION *list = (void *)commit_bytes(size);
	for (int i = 0; i < MANY; i++)
		p[i * 4096] = 1;
	DWORD old;
	VirtualProtect(p + 4096, 4096, PAGE_READONLY, &old);
	(void)can_read(p + 4096);
	HANDLE s = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL);
	char *a = MapViewOfFile(s, FILE_MAP_WRITE, 0, 0, 0), *b = MapViewOfFile(s, FILE_MAP_READ, 0, 0, 0);
	a[0] = 1;
	(void)can_read(b);

	status_is(ask(NULL, WORKING_SET, &count, sizeof(count), NULL), STATUS_INFO_LENGTH_MISMATCH,
		  "MemoryWorkingSetInformation with room for the count alone");
	ok(count > MANY, "gives the count (%llu)", (unsigned long long)count);
	status_is(ask(NULL, WORKING_SET, list, size, &returned), STATUS_SUCCESS, "with room for all");
	is(returned, (1 + list->NumberOfEntries) * sizeof(ULONG_PTR), "it says how much it wrote");
	uint64_t found = 0, protection = 0, first = 0, second = 0;
	bool ordered = true;
	for (ULONG_PTR i = 0; i < list->NumberOfEntries; i++) {
		PSAPI_WORKING_SET_BLOCK e = list->WorkingSetInfo[i];
		char *at = (char *)(ULONG_PTR)(e.VirtualPage << 12);
		found += at >= p && at < p + MANY * 4096 && !e.Shared && !e.ShareCount;
		if (at == p + 4096)
			protection = e.Protection;
		if (at == a)
			first = e.Flags & 0xfff;
		if (at == b)
			second = e.Flags & 0xfff;
		ordered &= !i || e.VirtualPage > list->WorkingSetInfo[i - 1].VirtualPage;
	}
	is(found, MANY, "all pages that were touched are in it, as private ones");
	is(protection, 1, "a read-only page is code 1");
	is(first, 0x144, "a page of a section with two views: shared, share count 2, code 4");
	is(second, 0x141, "and in the view for reading, code 1");
	ok(ordered, "by address, each once");

	PSAPI_WORKING_SET_EX_INFORMATION ex[6] = {
		{ .VirtualAddress = p + 5 }, { .VirtualAddress = p + 4096 }, { .VirtualAddress = a },
		{ .VirtualAddress = NULL }, { .VirtualAddress = KERNEL_ADDRESS }, { .VirtualAddress = p + 8192 },
	};
	VirtualFree(p + 8192, 4096, MEM_DECOMMIT);
	status_is(ask(NULL, WORKING_SET_EX, ex, sizeof(ex) + 8, &returned), STATUS_SUCCESS,
		"MemoryWorkingSetExInformation");
	is(returned, sizeof(ex), "fills whole entries");
	ok(ex[0].VirtualAttributes.Valid && ex[0].VirtualAttributes.Win32Protection == PAGE_READWRITE &&
		   !ex[0].VirtualAttributes.Shared && !ex[0].VirtualAttributes.Locked,
	   "a private page");
	is(ex[1].VirtualAttributes.Win32Protection, PAGE_READONLY, "a read-only page");
	ok(ex[2].VirtualAttributes.Shared && ex[2].VirtualAttributes.ShareCount == 2,
		"a section's page with two views");
	is(ex[3].VirtualAttributes.Flags | ex[4].VirtualAttributes.Flags, 0, "what is not allocated: nothing");
	ok(!ex[5].VirtualAttributes.Valid, "a page that is not committed is not valid");
	working_set_empty();
	ex[0].VirtualAddress = p;
	ask(NULL, WORKING_SET_EX, ex, 3 * sizeof(ex[0]), NULL);
	ok(!ex[0].VirtualAttributes.Valid && !ex[2].VirtualAttributes.Valid && ex[2].VirtualAttributes.Shared,
	   "emptied, none is valid; that the section's page is shared is still said");
	UnmapViewOfFile(a);
	UnmapViewOfFile(b);
	CloseHandle(s);
	memory_release(list);
	memory_release(p);
}

/* ---- where, and why ---- */

static void why_is(const volatile void *at, enum bs_backing backing, enum bs_why why, const char *name)
{
	struct bs_page page = page_at(at);
	if (!ok(page.backing == backing && page.why == why, "%s", name))
		note("backing %u, why %u, flags 0x%x", page.backing, page.why, page.flags);
}

static volatile char variable = 1;

static void test_why(void)
{
	char *p = VirtualAlloc(NULL, 65536, MEM_RESERVE, PAGE_READWRITE);
	why_is(p, BS_NOTHING, BS_WHY_RESERVED, "a reserved page: nothing");
	VirtualAlloc(p, 65536, MEM_COMMIT, PAGE_READWRITE);
	why_is(p, BS_ZERO, BS_WHY_UNTOUCHED, "a committed one: zero on demand, as it was never touched");
	(void)can_read(p);
	p[4096] = 1;
	why_is(p + 4096, BS_MEMORY, BS_WHY_MODIFIED, "a written one: memory alone, as it was modified");
	ok(page_at(p + 4096).shares == 1 && page_at(p + 4096).flags & BS_VALID, "one page table has it");
	VirtualAlloc(p + 4096, 4096, MEM_RESET, PAGE_READWRITE);
	ok(page_at(p + 4096).why == BS_WHY_RESET, "after MEM_RESET it may be discarded");
	p[4096] = 2;
	why_is(p + 4096, BS_MEMORY, BS_WHY_MODIFIED, "until it is written again");
	working_set_empty();
	ok(page_at(p + 4096).why == BS_WHY_MODIFIED && !(page_at(p + 4096).flags & BS_VALID) &&
		   page_at(p + 4096).flags & BS_RESIDENT,
	   "out of the page table it is still in memory alone");
	memory_release(p);
	why_is(p, BS_NOTHING, BS_WHY_FREE, "free memory");

	why_is((void *)test_why, BS_IMAGE, BS_WHY_FILE, "code: the image file, as it was never modified");
	ok(page_at((void *)test_why).offset % 512 == 0 && page_at((void *)test_why).offset, "at an offset");
	variable = 2;
	why_is(&variable, BS_MEMORY, BS_WHY_COPIED, "a written page of the image's data: a private copy");

	HANDLE s = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 65536, NULL);
	char *view = MapViewOfFile(s, FILE_MAP_WRITE, 0, 0, 0);
	why_is(view, BS_ZERO, BS_WHY_UNTOUCHED, "a section's page that was never touched");
	(void)can_read(view);
	why_is(view, BS_ZERO, BS_WHY_UNWRITTEN, "read, but never written: its frame can be taken at any time");
	view[0] = 1;
	why_is(view, BS_MEMORY, BS_WHY_MODIFIED, "written");
	is(page_at(view).flags & (BS_SHARED | BS_VALID | BS_DIRTY), BS_SHARED | BS_VALID | BS_DIRTY,
		"it is the section's");
	UnmapViewOfFile(view);
	CloseHandle(s);
	struct bs_page page;
	status_is(BsQueryBacking(SELF, KERNEL_ADDRESS, 1, &page), STATUS_INVALID_PARAMETER,
		"a kernel address is refused");
	status_is(BsQueryBacking(SELF, NULL, 1, (void *)KERNEL_ADDRESS), STATUS_ACCESS_VIOLATION, "and a bad buffer");
}

static void test_frames(void)
{
	enum { PIECE = 512 };
	static struct bs_frame frames[PIECE];
	struct bs_memory m = memory_now();
	uint64_t uses[BS_USE_KERNEL + 1] = { 0 }, managed = 0, wrong = 0, all = 0;
	for (uint64_t at = 0; at <= m.frame_highest; at += PIECE) {
		uint64_t n = m.frame_highest + 1 - at < PIECE ? m.frame_highest + 1 - at : PIECE;
		if (BsQueryFrames(at, PIECE, frames))
			break;
		all += n;
		for (uint64_t i = 0; i < n; i++) {
			managed += frames[i].state != BS_FRAME_NONE;
			wrong += (frames[i].state == BS_FRAME_NONE) != (frames[i].use == BS_USE_NONE) ||
				frames[i].use > BS_USE_KERNEL;
			uses[frames[i].use % (BS_USE_KERNEL + 1)]++;
		}
	}
	is(all, m.frame_highest + 1, "BsQueryFrames tells of all frames");
	is(managed, m.frames_total, "as many as there are are managed");
	is(wrong, 0, "each is of one use");
	ok(uses[BS_USE_PRIVATE] && uses[BS_USE_IMAGE] && uses[BS_USE_TABLE] && uses[BS_USE_KERNEL] && uses[BS_USE_FREE],
	   "private %llu, image %llu, tables %llu, kernel %llu, free %llu", (unsigned long long)uses[BS_USE_PRIVATE],
	   (unsigned long long)uses[BS_USE_IMAGE], (unsigned long long)uses[BS_USE_TABLE],
	   (unsigned long long)uses[BS_USE_KERNEL], (unsigned long long)uses[BS_USE_FREE]);
	char *p = commit_bytes(4096);
	*p = 1;
	struct bs_page page = page_at(p);
	struct bs_frame f = { 0 };
	status_is(BsQueryFrames(page.frame, 1, &f), STATUS_SUCCESS, "the frame of a page");
	ok(f.state == BS_FRAME_ACTIVE && f.use == BS_USE_PRIVATE && f.shares == 1,
		"is active, private, of one page table");
	memory_release(p);
	status_is(BsQueryFrames(m.frame_highest + 1, 1, &f), STATUS_NO_MORE_ENTRIES, "behind the highest is none");
	status_is(BsQueryFrames(0, 0, &f), STATUS_INVALID_PARAMETER, "none are asked for");
	status_is(BsQueryFrames(page.frame, 1, (void *)KERNEL_ADDRESS), STATUS_ACCESS_VIOLATION, "a bad buffer");
}

/* ---- the system ---- */

static void test_system(void)
{
	char buffer[344] = { 0 };
	DWORD field[78]; /* 11: available pages, 12: charge, 13: limit */
	ULONG returned = 0;
	status_is(NtQuerySystemInformation(2, buffer, 311, &returned), STATUS_INFO_LENGTH_MISMATCH,
		  "SystemPerformanceInformation in too short a buffer");
	status_is(NtQuerySystemInformation(2, buffer, 312, &returned), STATUS_SUCCESS, "in 312 bytes");
	is(returned, 312, "which it fills");
	struct bs_memory m = memory_now();
	memcpy(field, buffer, sizeof(field));
	is(field[13], m.commit_limit, "the commit limit");
	is_within(field[12], 1, m.commit_limit, "the commit charge");
	is_within(field[11], 1, m.frames_total, "available pages");
	status_is(NtQuerySystemInformation(2, buffer, sizeof(buffer), &returned), STATUS_SUCCESS,
		"in the newer 344 bytes");
	is(returned, 344, "which it fills, too");
}

static NTSTATUS memory_list(ULONG info_class, ULONG command, ULONG size)
{
	return NtSetSystemInformation(info_class, &command, size);
}

#define MEMORY_LIST 80 /* SystemMemoryListInformation */
#define PURGE_STANDBY 4

/* A page of this program that is code, and is not run. */
static void test_standby_purge(void)
{
	const volatile char *code = (char *)GetModuleHandleA(NULL) + 0x1000;
	char byte = code[0];
	status_is(memory_list(79, PURGE_STANDBY, 4), STATUS_INVALID_INFO_CLASS, "another class");
	status_is(memory_list(MEMORY_LIST, PURGE_STANDBY, 8), STATUS_INFO_LENGTH_MISMATCH, "another length");
	status_is(memory_list(MEMORY_LIST, 99, 4), STATUS_INVALID_PARAMETER, "another command");
	status_is(NtSetSystemInformation(MEMORY_LIST, (void *)KERNEL_ADDRESS, 4), STATUS_ACCESS_VIOLATION, "a bad buffer");
	ok(page_at(code).flags & BS_RESIDENT, "a page of an image is in memory");
	uint64_t discarded = memory_now().pages_discarded;
	ok(memory_discard(code), "it leaves memory when the standby list is purged");
	ok(memory_now().pages_discarded > discarded, "which is counted");
	is(code[0], byte, "it is read again");
}

static void all(void)
{
	test_refusals();
	test_regions();
	test_files();
	test_working_set();
	test_why();
	test_frames();
	test_system();
	test_standby_purge();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
