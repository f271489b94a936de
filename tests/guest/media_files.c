/*
 * Data files on D: while its disk goes, without a word, comes back, and fails. Talks with tests/scenarios/test_media_files.py as
 * media.c does: a line "media: ..." says what is wanted, and a line of input that it was done.
 *
 *	media_files vanish  the disk goes; comes back read-only, then writable; dies, and comes back after changes were lost
 *	media_files errors  the disk is there and writes to it fail for a while
 *	media_files reads   reads fail for a while
 *	media_files sector  a sector of page BAD_PAGE of D:\bad.bin can't be read, nor one of D:\image.dll's BAD_IMAGE_PAGE
 *	media_files touch X maps D:\clean.bin, waits for event X, then reads a page of it that it has not read before
 */
#include "guest.h"
#include "media_ask.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define PAGES 64
#define FAR_PAGE 40 /* does not come with page 0 */
#define BAD_PAGE 21  /* as tests/scenarios/test_media.py has it */
#define BAD_IMAGE_PAGE 8

/* A file of PAGES pages, each filled with its number + 1, on the disk, and not in memory. */
static bool file_make(const char *path)
{
	HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_NO_BUFFERING, NULL);
	char *page = commit_bytes(PAGE_BYTES);
	bool so = file != INVALID_HANDLE_VALUE;
	DWORD count;
	for (int i = 0; i < PAGES && so; i++) {
		memset(page, i + 1, PAGE_BYTES);
		so = WriteFile(file, page, PAGE_BYTES, &count, NULL) && count == PAGE_BYTES;
	}
	so = so && FlushFileBuffers(file);
	CloseHandle(file);
	memory_release(page);
	return so;
}

/* The first byte of a page, from the disk itself. */
static int byte_on_disk(const char *path, int page)
{
	HANDLE file = CreateFileA(path, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, FILE_FLAG_NO_BUFFERING, NULL);
	unsigned char *buffer = (unsigned char *)commit_bytes(PAGE_BYTES);
	DWORD count = 0;
	SetFilePointer(file, page * PAGE_BYTES, NULL, FILE_BEGIN);
	int byte = ReadFile(file, buffer, PAGE_BYTES, &count, NULL) && count == PAGE_BYTES ? buffer[0] : -1;
	CloseHandle(file);
	memory_release(buffer);
	return byte;
}

struct view {
	HANDLE file, section;
	volatile unsigned char *at;
};

static struct view view_open(const char *path, bool write)
{
	struct view v;
	v.file = CreateFileA(path, GENERIC_READ | (write ? GENERIC_WRITE : 0), SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	v.section = CreateFileMappingA(v.file, NULL, write ? PAGE_READWRITE : PAGE_READONLY, 0, 0, NULL);
	v.at = MapViewOfFile(v.section, write ? FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, 0);
	return v;
}

static bool view_close(struct view *v)
{
	return UnmapViewOfFile((const void *)v->at) && CloseHandle(v->section) && CloseHandle(v->file);
}

static bool in_page_error(const volatile void *at, NTSTATUS status)
{
	bool read = can_read(at);
	if (!read && (NTSTATUS)fault.status != status)
		note("the exception says 0x%08lx", (DWORD)fault.status);
	return !read && fault.code == (DWORD)STATUS_IN_PAGE_ERROR && fault.address == (ULONG_PTR)at && (NTSTATUS)fault.status == status;
}

static int touch(const char *event)
{
	HANDLE wait = OpenEventA(SYNCHRONIZE, FALSE, event);
	struct view v = view_open("D:\\clean.bin", false);
	WaitForSingleObject(wait, INFINITE);
	return v.at[FAR_PAGE * PAGE_BYTES + 5];
}

/* Makes and removes files until that fails. */
static DWORD WINAPI busy(void *arg)
{
	(void)arg;
	for (;;) {
		HANDLE file = CreateFileA("D:\\busy.bin", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
		DWORD count;
		bool so = file != INVALID_HANDLE_VALUE && WriteFile(file, "busy", 4, &count, NULL) && FlushFileBuffers(file);
		CloseHandle(file);
		if (!so || !DeleteFileA("D:\\busy.bin"))
			return 7;
	}
}

static void test_vanish(void)
{
	HANDLE go = CreateEventA(NULL, TRUE, FALSE, "MediaFilesGo");
	PROCESS_INFORMATION p;
	char buffer[64];
	DWORD count, code = 0;
	ok(file_make("D:\\clean.bin") && file_make("D:\\dirty.bin") && file_make("D:\\left.bin"), "three files");
	process_start("touch MediaFilesGo", false, 0, &p);
	struct view clean = view_open("D:\\clean.bin", false), dirty = view_open("D:\\dirty.bin", true);
	struct view left = view_open("D:\\left.bin", true);
	HANDLE file = CreateFileA("D:\\clean.bin", GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	ok(clean.at && dirty.at && left.at && clean.at[0] == 1 && dirty.at[0] == 1 && left.at[0] == 1, "are mapped and read");
	Sleep(3000); /* the volume comes to rest */

	ask("vanish");
	is(clean.at[0], 1, "what is in memory is still seen");
	ok(in_page_error(clean.at + FAR_PAGE * PAGE_BYTES, STATUS_NO_MEDIA_IN_DEVICE),
	   "a page that is not is an in-page error, which says why");
	ok(in_page_error(dirty.at + FAR_PAGE * PAGE_BYTES, STATUS_NO_MEDIA_IN_DEVICE), "also in a view to write");
	refused(ReadFile(file, buffer, sizeof(buffer), &count, NULL), ERROR_NOT_READY, "ReadFile");
	dirty.at[0] = 101;
	dirty.at[PAGE_BYTES] = 102;
	refused(FlushViewOfFile((const void *)dirty.at, 0), ERROR_NOT_READY, "FlushViewOfFile");
	left.at[0] = 103;
	left.at[PAGE_BYTES] = 104;
	ok(view_close(&left), "a file with two modified pages is left");
	SetEvent(go);
	is(process_end(&p), (DWORD)STATUS_IN_PAGE_ERROR, "who does not handle the error dies");
	HANDLE full = CreateFileMappingA(dirty.file, NULL, PAGE_READWRITE, 0, 1 << 20, NULL);
	refused(full != NULL, ERROR_NOT_READY, "a mapping that would extend a file");

	ask("back, read-only");
	refused(FlushViewOfFile((const void *)dirty.at, 0), ERROR_WRITE_PROTECT, "FlushViewOfFile on a read-only disk");
	is(dirty.at[0], 101, "the page is as it was modified");
	ok(can_read(clean.at + FAR_PAGE * PAGE_BYTES) && clean.at[FAR_PAGE * PAGE_BYTES] == FAR_PAGE + 1, "the other page is read");
	ask("vanish again");
	ask("back");
	ok(FlushViewOfFile((const void *)dirty.at, 0), "FlushViewOfFile succeeds on one that can be written");
	is(byte_on_disk("D:\\dirty.bin", 0), 101, "the first modified page is on the disk");
	is(byte_on_disk("D:\\dirty.bin", 1), 102, "and the second");
	is(byte_on_disk("D:\\dirty.bin", 2), 3, "what was not modified is as it was");
	is(byte_on_disk("D:\\left.bin", 0), 1, "the file that was left too");

	HANDLE thread = CreateThread(NULL, 0, busy, NULL, 0, NULL);
	Sleep(500);
	ask("die");
	is(WaitForSingleObject(thread, 30000), WAIT_OBJECT_0, "who writes all the time is not stuck");
	GetExitCodeThread(thread, &code);
	is(code, 7, "but told");
	CloseHandle(thread);
	dirty.at[PAGE_BYTES] = 105;
	ask("back after changes were lost");
	ok(in_page_error(dirty.at + FAR_PAGE * PAGE_BYTES, STATUS_FILE_INVALID), "the views are of a disk that is no more");
	is(dirty.at[PAGE_BYTES], 105, "what is in memory is still seen");
	refused(FlushViewOfFile((const void *)dirty.at, 0), ERROR_FILE_INVALID, "and can't be written");
	is(byte_on_disk("D:\\dirty.bin", 1), 102, "the file is as it was written last");
	ok(view_close(&clean) && view_close(&dirty) && CloseHandle(file), "all is closed");
	CloseHandle(go);
	Sleep(2500); /* the writer forgets */
	is(BsCheckMemory(), STATUS_SUCCESS, "the memory manager's structures agree");
}

static void test_errors(void)
{
	ok(file_make("D:\\dirty.bin"), "a file");
	struct view v = view_open("D:\\dirty.bin", true);
	ok(v.at && v.at[0] == 1 && v.at[8 * PAGE_BYTES] == 9, "is mapped and read");
	HANDLE section = CreateFileMappingA(v.file, NULL, PAGE_READWRITE, 0, 1 << 30, NULL);
	refused(section != NULL, ERROR_DISK_FULL, "a section for which the volume has no room");
	is(GetFileSize(v.file, NULL), PAGES * PAGE_BYTES, "the file has not grown");
	Sleep(3000);

	ask("fail");
	v.at[0] = 101;
	v.at[8 * PAGE_BYTES] = 102;
	refused(FlushViewOfFile((const void *)v.at, PAGE_BYTES), ERROR_IO_DEVICE, "FlushViewOfFile");
	refused(FlushViewOfFile((const void *)v.at, 0), ERROR_IO_DEVICE, "again, all of it");
	refused(FlushFileBuffers(v.file), ERROR_IO_DEVICE, "FlushFileBuffers");
	ok(v.at[0] == 101 && v.at[8 * PAGE_BYTES] == 102, "the pages are as they were modified");
	is(pages_with((const void *)v.at, 1, BS_DIRTY), 1, "and still modified");
	Sleep(2500); /* the writer has tried */

	ask("work");
	ok(FlushViewOfFile((const void *)v.at, PAGE_BYTES), "FlushViewOfFile");
	is(byte_on_disk("D:\\dirty.bin", 0), 101, "the page is on the disk");
	ok(UnmapViewOfFile((const void *)v.at), "the view goes");
	Sleep(3000);
	is(byte_on_disk("D:\\dirty.bin", 8), 102, "the writer has written the other one");
	ok(CloseHandle(v.section) && CloseHandle(v.file), "all is closed");
	is(BsCheckMemory(), STATUS_SUCCESS, "the memory manager's structures agree");
}

static const volatile unsigned char *image_map(const char *path)
{
	SetLastError(0);
	HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL);
	DWORD error = GetLastError();
	const volatile unsigned char *at = section ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0) : NULL;
	CloseHandle(section);
	CloseHandle(file);
	SetLastError(error);
	return at;
}

static void test_reads(void)
{
	PROCESS_INFORMATION p;
	STARTUPINFOA start = { .cb = sizeof(start) };
	char buffer[64];
	DWORD count;
	ok(file_make("D:\\clean.bin") && CopyFileA("C:\\system\\msvcrt.dll", "D:\\image.dll", FALSE), "a file and an image");
	struct view v = view_open("D:\\clean.bin", false);
	const volatile unsigned char *image = image_map("D:\\image.dll"), *bad = v.at + FAR_PAGE * PAGE_BYTES;
	ok(v.at && v.at[0] == 1 && image && image[0] == 'M', "are mapped and read");

	ask("fail");
	is(v.at[0], 1, "what is in memory is still seen");
	ok(in_page_error(bad, STATUS_IO_DEVICE_ERROR), "a page that is not is an in-page error, which says why");
	ok(in_page_error(image + 0x8000, STATUS_IO_DEVICE_ERROR), "a page of an image too");
	ok(!can_execute((const void *)(image + 0x9000)) && fault.code == (DWORD)STATUS_IN_PAGE_ERROR && fault.kind == KIND_EXECUTE &&
		   (NTSTATUS)fault.status == STATUS_IO_DEVICE_ERROR,
	   "also when it is run");
	SetFilePointer(v.file, FAR_PAGE * PAGE_BYTES, NULL, FILE_BEGIN);
	refused(ReadFile(v.file, buffer, sizeof(buffer), &count, NULL), ERROR_IO_DEVICE, "ReadFile");
	is(SetFilePointer(v.file, 0, NULL, FILE_CURRENT), FAR_PAGE * PAGE_BYTES, "which leaves the position where it was");
	HANDLE other = CreateFileA("C:\\temp\\media.bin", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL), end[2];
	SetLastError(0);
	refused(WriteFile(other, (const void *)bad, 100, &count, NULL), ERROR_IO_DEVICE, "WriteFile of bytes that can't be read");
	ok(CreatePipe(&end[0], &end[1], NULL, 0), "a pipe");
	refused(WriteFile(end[1], (const void *)bad, 100, &count, NULL), ERROR_IO_DEVICE, "the same into it");
	refused(WriteFile(end[1], (const void *)16, 100, &count, NULL), ERROR_NOACCESS, "bytes that are nowhere are another error");
	ok(CloseHandle(other) && CloseHandle(end[0]) && CloseHandle(end[1]), "(closed)");
	refused(image_map("D:\\hello.exe") != NULL, ERROR_IO_DEVICE, "an image section");
	refused(LoadLibraryA("D:\\hello.exe") != NULL, ERROR_IO_DEVICE, "loading");
	refused(CreateProcessA("D:\\hello.exe", NULL, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), ERROR_IO_DEVICE, "running");

	ask("work");
	is(*bad, FAR_PAGE + 1, "the page can be read");
	ok(can_read(image + 0x8000), "and the image's");
	ok(ReadFile(v.file, buffer, sizeof(buffer), &count, NULL) && buffer[0] == FAR_PAGE + 1, "ReadFile");
	ok(view_close(&v) && UnmapViewOfFile((const void *)image), "all is closed");
	is(BsCheckMemory(), STATUS_SUCCESS, "the memory manager's structures agree");
}

/* One bad page takes no other with it, though they are read with one request. */
static void test_sector(void)
{
	static char buffer[PAGES * PAGE_BYTES];
	uint64_t right = 0, wrong = 0;
	DWORD count = 0;
	struct view v = view_open("D:\\bad.bin", false);
	ok(v.at != NULL, "a file with a bad sector is mapped");
	for (int page = 0; page < PAGES; page++) {
		if (page == BAD_PAGE)
			ok(in_page_error(v.at + page * PAGE_BYTES + 5, STATUS_IO_DEVICE_ERROR), "its page is an in-page error");
		else
			right += can_read(v.at + page * PAGE_BYTES) && v.at[page * PAGE_BYTES] == page + 1;
	}
	is(right, PAGES - 1, "the others are what they are");
	refused(ReadFile(v.file, buffer, sizeof(buffer), &count, NULL), ERROR_IO_DEVICE, "reading all of it");
	SetFilePointer(v.file, (BAD_PAGE + 1) * PAGE_BYTES, NULL, FILE_BEGIN);
	ok(ReadFile(v.file, buffer, PAGE_BYTES, &count, NULL) && count == PAGE_BYTES && buffer[0] == BAD_PAGE + 2, "what is behind it");
	const volatile unsigned char *image = image_map("D:\\image.dll"), *good = image_map("C:\\system\\msvcrt.dll");
	ok(image && good, "an image with a bad sector is mapped");
	for (int page = 1; page < 16; page++) {
		if (page == BAD_IMAGE_PAGE)
			ok(in_page_error(image + page * PAGE_BYTES, STATUS_IO_DEVICE_ERROR), "its page is an in-page error");
		else
			wrong += !can_read(image + page * PAGE_BYTES) ||
				 memcmp((const void *)(image + page * PAGE_BYTES), (const void *)(good + page * PAGE_BYTES), PAGE_BYTES);
	}
	is(wrong, 0, "the others are what they are");
	ok(view_close(&v) && UnmapViewOfFile((const void *)image) && UnmapViewOfFile((const void *)good), "all is closed");
	is(BsCheckMemory(), STATUS_SUCCESS, "the memory manager's structures agree");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return touch(argv[2]);
	probes_init();
	if (argc == 2 && !strcmp(argv[1], "errors"))
		test_errors();
	else if (argc == 2 && !strcmp(argv[1], "reads"))
		test_reads();
	else if (argc == 2 && !strcmp(argv[1], "sector"))
		test_sector();
	else
		test_vanish();
	return tap_end();
}
