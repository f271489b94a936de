/*
 * Sections of data files: every protection against the handle's access, sizes, the last page, coherence with ReadFile and
 * WriteFile and between processes, private copies, flushing, what is refused while a file is mapped. Works in C:\mapped.
 * Source: Windows documentation of CreateFileMapping, MapViewOfFile, FlushViewOfFile, NtExtendSection.
 */
#include "squeeze.h"
#include <psapi.h>

#define PLACE "C:\\mapped"
#define NAME PLACE "\\data.bin"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define MB(n) ((uint64_t)(n) << 20)
#define PAGES 40u
#define SIZE (PAGES * 4096u)


static HANDLE file_open(DWORD access, DWORD disposition, DWORD flags)
{
	SetLastError(0);
	return CreateFileA(NAME, access, SHARE_ALL, NULL, disposition, flags, NULL);
}

static HANDLE file_read_write(void)
{
	return file_open(GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0);
}

static HANDLE section_of(HANDLE file, DWORD protect, uint64_t size)
{
	SetLastError(0);
	return CreateFileMappingA(file, NULL, protect, (DWORD)(size >> 32), (DWORD)size, NULL);
}

static char *map(HANDLE section, DWORD access, uint64_t offset, SIZE_T size)
{
	SetLastError(0);
	return MapViewOfFile(section, access, (DWORD)(offset >> 32), (DWORD)offset, size);
}

static bool put(HANDLE file, uint64_t offset, const void *bytes, DWORD n)
{
	OVERLAPPED at = { .Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32) };
	DWORD count = 0;
	return WriteFile(file, bytes, n, &count, &at) && count == n;
}

static bool holds(HANDLE file, uint64_t offset, const void *bytes, DWORD n)
{
	static char buffer[65536];
	OVERLAPPED at = { .Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32) };
	DWORD count = 0;
	return ReadFile(file, buffer, n, &count, &at) && count == n && !memcmp(buffer, bytes, n);
}

static bool ended_at(HANDLE file, LONG size)
{
	return SetFilePointer(file, size, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER && SetEndOfFile(file);
}

/* The file anew, each of its 32-bit words its own number; size need not be a multiple of 4. */
static void file_make(DWORD size)
{
	static uint32_t words[16384];
	HANDLE file = file_open(GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS, 0);
	bool so = file != INVALID_HANDLE_VALUE;
	for (DWORD done = 0; done < size && so; done += sizeof(words)) {
		DWORD n = size - done < sizeof(words) ? size - done : (DWORD)sizeof(words);
		for (DWORD i = 0; i < 16384; i++)
			words[i] = done / 4 + i;
		so = put(file, done, words, n);
	}
	if (!so)
		ok(false, "the file is made");
	CloseHandle(file);
}

static void test_protections(void)
{
	static const struct {
		DWORD access, protect;
		bool allowed;
	} cases[] = {
		{ GENERIC_READ, PAGE_READONLY, true },
		{ GENERIC_READ, PAGE_WRITECOPY, true },
		{ GENERIC_READ, PAGE_READWRITE, false },
		{ GENERIC_READ, PAGE_EXECUTE_READ, false },
		{ GENERIC_READ | GENERIC_EXECUTE, PAGE_EXECUTE_READ, true },
		{ GENERIC_READ | GENERIC_EXECUTE, PAGE_EXECUTE_WRITECOPY, true },
		{ GENERIC_READ | GENERIC_EXECUTE, PAGE_EXECUTE_READWRITE, false },
		{ GENERIC_WRITE, PAGE_READWRITE, false },
		{ GENERIC_WRITE, PAGE_READONLY, false },
		{ GENERIC_READ | GENERIC_WRITE, PAGE_READWRITE, true },
		{ GENERIC_READ | GENERIC_WRITE, PAGE_READONLY, true },
		{ GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE, PAGE_EXECUTE_READWRITE, true },
	};
	file_make(SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		HANDLE file = file_open(cases[i].access, OPEN_EXISTING, 0), section = section_of(file, cases[i].protect, 0);
		if (cases[i].allowed)
			ok(section != NULL, "a handle with access %lx: a section of protection %lx", cases[i].access, cases[i].protect);
		else
			refused(section != NULL, ERROR_ACCESS_DENIED, "a handle with access %lx: none of protection %lx",
				cases[i].access, cases[i].protect);
		if (section)
			CloseHandle(section);
		CloseHandle(file);
	}
	HANDLE file = file_open(GENERIC_READ, OPEN_EXISTING, 0), section = section_of(file, PAGE_READONLY, 0);
	refused(map(section, FILE_MAP_WRITE, 0, 0) != NULL, ERROR_ACCESS_DENIED, "a read-only section has no view to write");
	refused(map(section, FILE_MAP_COPY, 0, 0) == NULL, 0, "but one that copies");
	char *view = map(section, FILE_MAP_READ, 65536, 0);
	is(query(view).RegionSize, SIZE - 65536, "a view from byte 65,536 on, to the end");
	is(query(view).Type, MEM_MAPPED, "MEM_MAPPED");
	is(query(view).AllocationProtect, PAGE_READONLY, "PAGE_READONLY");
	is(*(uint32_t *)(void *)(view + 8), 65536 / 4 + 2, "with what the file holds there");
	violation(can_write(view), KIND_WRITE, view, "it can't be written");
	refused(map(section, FILE_MAP_READ, 4096, 0) != NULL, ERROR_MAPPED_ALIGNMENT, "an offset of 4,096");
	refused(map(section, FILE_MAP_READ, 0, SIZE + 1) != NULL, ERROR_ACCESS_DENIED, "a view larger than the section");
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
	/* The view that copies is still there: it alone keeps the file. */
	refused(DeleteFileA(NAME), ERROR_ACCESS_DENIED, "a mapped file can't be deleted");
	for (char *at = NULL; (uintptr_t)at < 0x7ff000000000; at += query(at).RegionSize)
		if (query(at).Type == MEM_MAPPED && query(at).AllocationProtect == PAGE_WRITECOPY) {
			ok(UnmapViewOfFile(at), "the view is unmapped");
			break;
		}
}

static void test_sizes(void)
{
	HANDLE file, section;
	char *view;
	file_make(0);
	file = file_read_write();
	refused(section_of(file, PAGE_READONLY, 0) != NULL, ERROR_FILE_INVALID, "an empty file");
	section = section_of(file, PAGE_READWRITE, 10000);
	ok(section != NULL, "a section larger than the file");
	is(GetFileSize(file, NULL), 10000, "extends it");
	view = map(section, FILE_MAP_WRITE, 0, 0);
	is(query(view).RegionSize, 12288, "of 10,000 bytes 3 pages are seen");
	ok(view[0] == 0 && view[9999] == 0, "which are zeros");
	view[9999] = 'e';
	view[10000] = 'x';
	ok(holds(file, 9999, "e", 1), "the last byte is written");
	refused(section_of(file, PAGE_READONLY, 20000) != NULL, ERROR_NOT_ENOUGH_MEMORY, "one for reading can't be larger");
	refused(section_of(file, PAGE_READWRITE, MB(1) << 20) != NULL, ERROR_NOT_ENOUGH_MEMORY, "none can be of 1 TiB");
	refused(section_of(file, PAGE_READWRITE, MB(4000)) != NULL, ERROR_DISK_FULL, "nor larger than the disk");
	HANDLE other = section_of(file, PAGE_READWRITE, 20000);
	ok(other != NULL, "a second, larger section");
	is(view[10000], 0, "what was behind the end is zeros, now that it is part of the file");
	char *larger = map(other, FILE_MAP_WRITE, 0, 0);
	is(larger[9999], 'e', "both see the same");
	larger[15000] = 'l';
	ok(holds(file, 15000, "l", 1), "and so does ReadFile");
	UnmapViewOfFile(larger);
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(other);
	ok(ended_at(file, 5000), "with no section, the file is cut");
	section = section_of(file, PAGE_READONLY, 0);
	view = map(section, FILE_MAP_READ, 0, 0);
	bool zeros = true;
	for (int i = 5000; i < 8192; i++)
		zeros &= !view[i];
	ok(zeros, "behind its end its last page is zeros");
	violation(can_read(view + 8192), KIND_READ, view + 8192, "behind that is nothing");
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
}

static void test_coherence(void)
{
	static char buffer[20000];
	file_make(SIZE);
	HANDLE file = file_read_write(), reader = file_open(GENERIC_READ, OPEN_EXISTING, 0);
	HANDLE section = section_of(file, PAGE_READWRITE, 0), second = section_of(file, PAGE_READONLY, 8192);
	char *a = map(section, FILE_MAP_WRITE, 0, 0), *b = map(second, FILE_MAP_READ, 0, 0);
	ok(a && b, "two views, of two sections");
	a[100] = 'a';
	is(b[100], 'a', "what is written through one the other has");
	ok(page_at(a).frame == page_at(b).frame && page_at(a).frame, "it is the same page frame");
	ok(holds(reader, 100, "a", 1), "and ReadFile");
	ok(put(file, 4000, "written by WriteFile", 20) && !memcmp(a + 4000, "written by WriteFile", 20), "WriteFile is seen");
	memset(buffer, 'w', sizeof(buffer));
	ok(put(file, 50000, buffer, sizeof(buffer)) && !memcmp(a + 50000, buffer, sizeof(buffer)),
	   "also before the pages were touched");
	bool right = true;
	for (int i = 0; i < 300; i++) {
		DWORD offset = (DWORD)(random_next() % (SIZE - 20000)), n = (DWORD)(random_next() % 20000);
		memset(buffer, (char)random_next(), n);
		if (i % 3)
			right &= put(file, offset, buffer, n);
		else
			memcpy(a + offset, buffer, n);
		right &= holds(reader, offset, buffer, n) && !memcmp(a + offset, buffer, n);
		if (i % 50 == 0)
			working_set_empty();
	}
	ok(right, "300 writes, through the view and by WriteFile, are what both see");

	/* Without buffering, from and to the disk. */
	char *sectors = commit_bytes(8192);
	HANDLE raw = file_open(GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, FILE_FLAG_NO_BUFFERING | FILE_FLAG_WRITE_THROUGH);
	a[12288] = 'v';
	OVERLAPPED whole = { .Offset = 12288 };
	DWORD got;
	ok(ReadFile(raw, sectors, 4096, &got, &whole) && got == 4096 && sectors[0] == 'v',
	   "a read without buffering sees what was written through a view");
	memset(sectors, 's', 4096);
	ok(put(raw, 12288, sectors, 4096) && a[12288] == 's' && a[16383] == 's', "a view sees what was written without buffering");
	ok(holds(reader, 12288, sectors, 4096), "and so does a read with");
	refused(ReadFile(raw, sectors, 100, &got, &whole), ERROR_INVALID_PARAMETER, "100 bytes are no sectors");
	CloseHandle(raw);
	memory_release(sectors);

	/* What is mapped is source and destination of the same file's reads and writes. */
	ok(put(file, 8192, a, 16384) && !memcmp(a, a + 8192, 8192), "WriteFile from a view of the file itself");
	OVERLAPPED at = { .Offset = 65536 };
	DWORD count;
	ok(ReadFile(reader, a + 131072, 20000, &count, &at) && count == 20000 && !memcmp(a + 131072, a + 65536, 20000),
	   "ReadFile into a view of the file itself");
	is(page_at(a + 131072).backing, BS_MEMORY, "a modified page is in memory alone");
	is(page_at(a + 131072).why, BS_WHY_FILE_MODIFIED, "until it is written to the file");
	ok(FlushViewOfFile(a, 0), "FlushViewOfFile");
	is(page_at(a + 131072).backing, BS_DATA_FILE, "then the file has it");
	is(page_at(a + 131072).offset, 131072, "there");
	is(pages_backed(a, PAGES, BS_DATA_FILE), PAGES, "and all others");

	struct {
		void *base;
		ULONG attributes;
		LARGE_INTEGER size;
	} basic = { 0 };
	is((uint32_t)NtQuerySection(second, 0, &basic, sizeof(basic), NULL), 0, "NtQuerySection");
	is((uint64_t)basic.size.QuadPart, 8192, "tells the section's size");
	is(basic.attributes, SEC_FILE | SEC_COMMIT, "and that it is a file's");
	is((uint32_t)NtAreMappedFilesTheSame(a, b), 0, "NtAreMappedFilesTheSame says that they are");

	char path[MAX_PATH] = "";
	ok(GetMappedFileNameA(GetCurrentProcess(), a, path, sizeof(path)) && strstr(path, "mapped\\data.bin"),
	   "GetMappedFileName: %s", path);
	UnmapViewOfFile(a);
	UnmapViewOfFile(b);
	CloseHandle(section);
	CloseHandle(second);
	CloseHandle(reader);
	CloseHandle(file);
}

static void test_flush_is_exact(void)
{
	file_make(SIZE);
	HANDLE file = file_read_write(), section;
	/* All of the volume: what other programs wrote is not to be counted below. */
	HANDLE root = CreateFileA("C:\\", GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
	ok(FlushFileBuffers(file) && FlushFileBuffers(root), "all files are flushed");
	CloseHandle(root);
	section = section_of(file, PAGE_READWRITE, 0);
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	for (int i = 0; i < 20; i++)
		view[i * 8192] = (char)i; /* every second page */
	uint64_t before = memory_now().pages_file_written;
	ok(FlushViewOfFile(view + 4096 * 4, 4096 * 8), "8 pages are flushed, 4 of them modified");
	is(memory_now().pages_file_written - before, 4, "4 are written");
	ok(FlushViewOfFile(view + 4096 * 4, 4096 * 8), "again");
	is(memory_now().pages_file_written - before, 4, "there is nothing to be written");
	view[4096 * 4] = 'n';
	ok(FlushViewOfFile(view, 0), "all of the view");
	is(memory_now().pages_file_written - before, 21, "the 16 others, and one that was modified again");
	refused(FlushViewOfFile(view, SIZE + 4096), ERROR_INVALID_ADDRESS, "more than the view");
	uint64_t swapped = memory_now().pages_swapped_out;
	view[0] = 'u';
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
	wait_until(memory_now().pages_file_written - before >= 22);
	is(memory_now().pages_file_written - before, 22, "what was modified when it was unmapped is written soon");
	is(memory_now().pages_swapped_out, swapped, "not to a paging file");
}

static void test_copies(void)
{
	file_make(SIZE);
	HANDLE file = file_read_write(), section = section_of(file, PAGE_WRITECOPY, 0);
	FlushFileBuffers(file);
	uint64_t charge = memory_now().commit_private;
	char *view = map(section, FILE_MAP_COPY, 0, 0), *same = map(section, FILE_MAP_READ, 0, 0);
	struct bs_memory m = memory_now();
	if (m.commit_policy == BS_COMMIT_STRICT)
		is_within(m.commit_private - charge, PAGES, PAGES + 4, "a view that copies is charged for");
	is(query(view).Protect, PAGE_WRITECOPY, "PAGE_WRITECOPY");
	is(*(uint32_t *)(void *)(view + 4096), 1024, "it shows the file");
	view[4096] = 'c';
	ok(view[4096] == 'c' && same[4096] == 0, "what is written to it others don't see");
	is(page_at(view + 4096).backing, BS_MEMORY, "the page is in memory alone");
	is(page_at(view + 4096).why, BS_WHY_COPIED, "it is a copy");
	ok(!(page_at(view + 4096).flags & BS_SHARED), "it is private");
	is(page_at(view + 8192).backing, BS_DATA_FILE, "the next one is the file's");
	uint32_t number = 1024;
	ok(holds(file, 4096, &number, 4), "the file has not changed");
	working_set_empty();
	is(view[4096], 'c', "trimmed, it is the copy still");
	if (m.paging_file_pages && memory_squeeze_all()) {
		is(page_at(view + 4096).backing, BS_PAGING_FILE, "memory being short, it goes to the paging file");
		is(page_at(view + 8192).backing, BS_DATA_FILE, "what was not written does not");
		ok(view[4096] == 'c' && *(uint32_t *)(void *)(view + 8192) == 2048, "both are read again");
		ok(holds(file, 4096, &number, 4), "the file has not changed");
	}
	UnmapViewOfFile(view);
	UnmapViewOfFile(same);
	CloseHandle(section);
	CloseHandle(file);
}

static void test_refusals(void)
{
	file_make(SIZE);
	HANDLE file = file_read_write(), section = section_of(file, PAGE_READWRITE, 65536);
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	refused(ended_at(file, 100), ERROR_USER_MAPPED_FILE, "a mapped file can't be cut");
	ok(ended_at(file, 65536 + 4096), "but behind what is mapped");
	CloseHandle(section);
	refused(ended_at(file, 100), ERROR_USER_MAPPED_FILE, "a view alone keeps it too");
	SetLastError(0);
	HANDLE again = file_open(GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS, 0);
	refused(again != INVALID_HANDLE_VALUE, ERROR_USER_MAPPED_FILE, "CREATE_ALWAYS");
	again = file_open(GENERIC_READ | GENERIC_WRITE, TRUNCATE_EXISTING, 0);
	refused(again != INVALID_HANDLE_VALUE, ERROR_USER_MAPPED_FILE, "TRUNCATE_EXISTING");
	refused(DeleteFileA(NAME), ERROR_ACCESS_DENIED, "DeleteFile");
	CloseHandle(file);
	ok(MoveFileA(NAME, PLACE "\\moved.bin"), "it can be renamed");
	view[0] = 'm';
	ok(MoveFileA(PLACE "\\moved.bin", NAME), "and back");
	refused(CopyFileA("C:\\bin\\hello.exe", NAME, FALSE), ERROR_USER_MAPPED_FILE, "copied over");
	UnmapViewOfFile(view);
	ok(CopyFileA("C:\\bin\\hello.exe", NAME, FALSE), "unmapped, another is copied over it");
	file = file_read_write();
	section = section_of(file, PAGE_READWRITE, 0);
	ok(section != NULL, "a program mapped as data is just a file");
	view = map(section, FILE_MAP_WRITE, 0, 0);
	ok(view && view[0] == 'M' && view[1] == 'Z', "with its first letters");
	CloseHandle(file);
	CloseHandle(section);
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	SetLastError(0);
	refused(CreateProcessA(NAME, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), ERROR_SHARING_VIOLATION,
		"mapped to be written, it can't be run");
	UnmapViewOfFile(view);
	char command[] = "x";
	bool so = CreateProcessA(NAME, command, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start, &p);
	if (ok(so, "unmapped, it can")) {
		file = file_open(GENERIC_READ, OPEN_EXISTING, 0);
		section = section_of(file, PAGE_READONLY, 0);
		view = map(section, FILE_MAP_READ, 0, 0);
		ok(view && view[0] == 'M', "a running program is mapped as data");
		UnmapViewOfFile(view);
		CloseHandle(section);
		CloseHandle(file);
		TerminateProcess(p.hProcess, 0);
		process_end(&p);
	}
}

static void test_extend(void)
{
	LARGE_INTEGER size = { .QuadPart = 200000 }, zero = { 0 };
	void *base = NULL;
	SIZE_T bytes = MB(1);
	file_make(100000);
	HANDLE file = file_read_write(), section = NULL;
	is((uint32_t)NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, file), 0,
	   "NtCreateSection");
	is((uint32_t)NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, &zero, &bytes, 1, 0, PAGE_READWRITE),
	   (uint32_t)STATUS_INVALID_VIEW_SIZE, "a view larger than the file");
	is((uint32_t)NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, &zero, &bytes, 1, MEM_RESERVE, PAGE_READWRITE),
	   0, "it can be reserved");
	char *view = base;
	is(query(view).RegionSize, 25 * 4096, "what the file has is committed");
	is(query(view + 25 * 4096).State, MEM_RESERVE, "the rest is reserved");
	violation(can_write(view + 150000), KIND_WRITE, view + 150000, "and can't be touched");
	is((uint32_t)NtExtendSection(section, &size), 0, "the section is extended");
	is(GetFileSize(file, NULL), 200000, "and the file");
	ok(can_write(view + 150000), "now it can be touched");
	ok(holds(file, 150000, "Z", 1), "and is the file's");
	refused(ended_at(file, 199999), ERROR_USER_MAPPED_FILE, "the file can't be cut");
	UnmapViewOfFile(view);
	CloseHandle(section);
	ok(ended_at(file, 10), "until it is unmapped");
	CloseHandle(file);
}

static int child(void)
{
	HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, "FileSection");
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	if (!view || view[5] != 'p')
		return 1;
	memset(view + 8192, 'c', 4096);
	return 0; /* its end unmaps it */
}

static void test_processes(void)
{
	file_make(SIZE);
	HANDLE file = file_read_write();
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, "FileSection");
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	view[5] = 'p';
	is(process_run("child", false), 0, "another process opens the section by name");
	char expected[4096];
	memset(expected, 'c', sizeof(expected));
	ok(!memcmp(view + 8192, expected, 4096) && holds(file, 8192, expected, 4096), "what it wrote is seen");
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
}

/* More than memory has room for, so that pages go to the file and come back. */
static void test_pressure(void)
{
	const uint64_t total = memory_now().frames_total * 4096, size = total / 2 < MB(24) ? total / 2 : MB(24);
	struct bs_memory m = memory_now();
	uint64_t hold = memory_available(&m) * 4096 > size / 2 ? memory_available(&m) * 4096 - size / 2 : 0;
	char *held = hold ? commit_bytes(hold) : NULL;
	file_make(0);
	HANDLE file = file_read_write(), section = section_of(file, PAGE_READWRITE, size);
	if (!section && GetLastError() == ERROR_DISK_FULL) {
		skip("a file larger than memory", "the disk has no room for it");
		goto out;
	}
	uint64_t *view = (uint64_t *)(void *)map(section, FILE_MAP_WRITE, 0, 0);
	if (!ok(view != NULL, "a large file is mapped"))
		goto out;
	for (uint64_t i = 0; held && i < hold; i += 4096)
		held[i] = 1;
	uint64_t swapped = memory_now().pages_swapped_out, refused_before = memory_now().commit_refused;
	for (uint64_t i = 0; i < size / 8; i += 512) {
		view[i] = i;
		if (i % 65536 == 0)
			tap_alive();
	}
	bool right = true;
	for (uint64_t i = 0; i < size / 8; i += 512)
		right &= view[i] == i;
	ok(right, "%llu pages, of which half fit into memory, are what was written",
	   (unsigned long long)(size / 4096));
	for (uint64_t i = 0; i < size; i += MB(1)) {
		uint64_t number = i / 8;
		right &= holds(file, i, &number, 8);
	}
	ok(right, "ReadFile says so too");
	m = memory_now();
	if (!held)
		is(m.pages_swapped_out, swapped, "none went to a paging file");
	is(m.commit_refused, refused_before, "nothing was refused");
	UnmapViewOfFile(view);
out:
	if (section)
		CloseHandle(section);
	CloseHandle(file);
	if (held)
		memory_release(held);
}

static DWORD WINAPI writer(void *argument)
{
	uintptr_t number = (uintptr_t)argument;
	HANDLE file = file_read_write(), section = section_of(file, PAGE_READWRITE, SIZE);
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	uintptr_t wrong = !view;
	/* Each thread has 64 bytes of each page to itself. */
	for (uint64_t round = 0; round < 300 && view; round++) {
		uint64_t at = random_next() % PAGES * 4096 + number * 64, value[8];
		for (int i = 0; i < 8; i++)
			value[i] = round * 8 + (unsigned int)i;
		if (round % 2)
			memcpy(view + at, value, sizeof(value));
		else
			wrong += !put(file, at, value, sizeof(value));
		if (round % 16 == number)
			FlushViewOfFile(view, 0);
		if (round % 64 == number)
			working_set_empty();
		OVERLAPPED where = { .Offset = (DWORD)at };
		uint64_t back[8];
		DWORD count;
		wrong += !ReadFile(file, back, sizeof(back), &count, &where) || memcmp(back, value, sizeof(back));
		wrong += memcmp(view + at, value, sizeof(value)) != 0;
	}
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
	return (DWORD)wrong;
}

static void test_threads(void)
{
	HANDLE threads[6];
	DWORD wrong = 0, code;
	file_make(SIZE);
	for (uintptr_t i = 0; i < 6; i++)
		threads[i] = CreateThread(NULL, 0, writer, (void *)i, 0, NULL);
	for (int i = 0; i < 6; i++) {
		WaitForSingleObject(threads[i], INFINITE);
		GetExitCodeThread(threads[i], &code);
		wrong += code;
		CloseHandle(threads[i]);
	}
	is(wrong, 0, "6 threads write, map, flush and read the same pages at once");
}

static void all(void)
{
	CreateDirectoryA(PLACE, NULL);
	test_protections();
	test_sizes();
	test_coherence();
	test_flush_is_exact();
	test_copies();
	test_refusals();
	test_extend();
	test_processes();
	test_threads();
	ok(DeleteFileA(NAME), "the file is deleted");
	ok(RemoveDirectoryA(PLACE), "and its directory");
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "child"))
		return child();
	probes_init();
	all();
	CreateDirectoryA(PLACE, NULL);
	test_pressure();
	DeleteFileA(NAME);
	RemoveDirectoryA(PLACE);
	return leaks_none_and_end(all, STACKS_KEPT);
}
