/*
 * What may happen to the file of a running EXE, or of a loaded DLL, and what those who have it see: docs/files.md,
 * "Running images". image_lock MODE: as the boot option image-lock. Works in C:\locks, which it makes and removes.
 *
 *	image_lock exe HOW EVENT        (a copy) uses pages of itself, waits for the event, says by its exit code what it sees then
 *	image_lock dll HOW EVENT PATH   the same with the DLL at PATH
 *
 * HOW: "look"; "discard": pages that were read leave memory meanwhile; "plain": without a handler.
 */
#include "squeeze.h"

#define PLACE "C:\\locks"
#define PATH_USED PLACE "\\used.img"
#define PATH_NEW PLACE "\\new.img"
#define PATH_OTHER PLACE "\\other.img"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define PAGES 32
#define EARLY_PAGE 0 /* was read before the event; up to 8 pages come at once */
#define OWN_PAGE 14  /* was written before the event */
#define LATE_PAGE 28 /* was not read */

/* Exit codes: the mark of each of the three pages, or what happened to it; or the error that kept the image from being used. */
#define SAW(early, late, own) ((DWORD)(early) << 16 | (DWORD)(late) << 8 | (DWORD)(own))
#define OWN 9
#define CUT 100 /* an in-page error: STATUS_END_OF_FILE */
#define UNREADABLE 101
#define STAYS 102 /* it could not be discarded */
#define NOT_USED(error) (0x20000000ul | (error))

/* Found in the file by its first bytes, which nothing else holds: each page has a mark behind them. */
static const struct page {
	uint64_t magic;
	uint32_t mark, page;
	uint64_t more[510];
} marks[PAGES] __attribute__((aligned(4096))) = {
#define PAGE(n) { 0x4b52414d4547414dull, 1, (n), { 1 } }
#define PAGES_8(n) PAGE(n), PAGE((n) + 1), PAGE((n) + 2), PAGE((n) + 3), PAGE((n) + 4), PAGE((n) + 5), PAGE((n) + 6), PAGE((n) + 7)
	PAGES_8(0), PAGES_8(8), PAGES_8(16), PAGES_8(24),
};

static enum { NT, UNIX, NONE } mode;
static bool is_dll;

/* ---- who uses the file ---- */

static void ready_and_wait(const char *name)
{
	char ready[64];
	sprintf(ready, "%sReady", name);
	HANDLE events[] = { OpenEventA(EVENT_MODIFY_STATE, FALSE, ready), OpenEventA(SYNCHRONIZE, FALSE, name) };
	SetEvent(events[0]);
	WaitForSingleObject(events[1], INFINITE);
}

static DWORD see(const volatile struct page *page)
{
	if (can_read(&page->mark))
		return page->mark;
	return fault.code == (DWORD)STATUS_IN_PAGE_ERROR && (DWORD)fault.status == (DWORD)STATUS_END_OF_FILE ? CUT : UNREADABLE;
}

static DWORD use(volatile struct page *pages, const char *how, const char *event)
{
	DWORD old;
	bool plain = !strcmp(how, "plain"), gone = true;
	if (!plain)
		probes_init();
	if (!plain)
		can_read(NULL); /* what the handling of an exception needs is there */
	if (!VirtualProtect((void *)&pages[OWN_PAGE], PAGE_BYTES, PAGE_WRITECOPY, &old) || pages[EARLY_PAGE].mark == 0)
		return UNREADABLE;
	pages[OWN_PAGE].mark = OWN;
	ready_and_wait(event);
	if (plain)
		return SAW(0, pages[LATE_PAGE].mark, 0);
	if (!strcmp(how, "discard"))
		gone = memory_discard(&pages[EARLY_PAGE]);
	return SAW(gone ? see(&pages[EARLY_PAGE]) : STAYS, see(&pages[LATE_PAGE]), see(&pages[OWN_PAGE]));
}

static DWORD use_dll(const char *how, const char *event, const char *path)
{
	HMODULE dll = LoadLibraryExA(path, NULL, DONT_RESOLVE_DLL_REFERENCES);
	uintptr_t base = (uintptr_t)dll & ~(uintptr_t)0xffff;
	if (!dll)
		return NOT_USED(GetLastError());
	return use((void *)(base + ((uintptr_t)marks - (uintptr_t)GetModuleHandleA(NULL))), how, event);
}

struct user {
	HANDLE process, go;
	DWORD error; /* if there is no process */
	char name[32];
};

static struct user user_start(const char *path, const char *how)
{
	static int number;
	struct user u = { 0 };
	char line[128], ready_name[64];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	sprintf(u.name, "Lock%d", number++);
	sprintf(ready_name, "%sReady", u.name);
	u.go = CreateEventA(NULL, TRUE, FALSE, u.name);
	HANDLE ready = CreateEventA(NULL, TRUE, FALSE, ready_name);
	if (is_dll)
		sprintf(line, "C:\\tests\\image_lock.exe dll %s %s %s", how, u.name, path);
	else
		sprintf(line, "%s exe %s %s", path, how, u.name);
	if (CreateProcessA(is_dll ? NULL : path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p)) {
		HANDLE either[] = { ready, p.hProcess };
		WaitForMultipleObjects(2, either, FALSE, INFINITE);
		CloseHandle(p.hThread);
		u.process = p.hProcess;
	} else {
		u.error = GetLastError();
	}
	CloseHandle(ready);
	return u;
}

/* What it saw. */
static DWORD user_end(struct user *u)
{
	DWORD code = NOT_USED(u->error);
	SetEvent(u->go);
	if (u->process) {
		WaitForSingleObject(u->process, INFINITE);
		GetExitCodeProcess(u->process, &code);
		CloseHandle(u->process);
	}
	CloseHandle(u->go);
	return code;
}

static void user_sees(struct user *u, DWORD early, DWORD late, const char *name)
{
	is(user_end(u), SAW(early, late, OWN), "%s", name);
}

static void new_sees(const char *path, DWORD mark, const char *name)
{
	struct user u = user_start(path, "look");
	user_sees(&u, mark, mark, name);
}

static void new_refused(const char *path, DWORD error, const char *name)
{
	struct user u = user_start(path, "look");
	is(user_end(&u), NOT_USED(error), "%s", name);
}

/* ---- the file ---- */

/* Where a page is in the open file; 0: it is not there. All pages lie in a row. */
static DWORD page_find(HANDLE file, uint32_t number)
{
	static char bytes[512 << 10];
	DWORD size = 0;
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	if (!ReadFile(file, bytes, sizeof(bytes), &size, NULL))
		return 0;
	for (DWORD at = 0; at + sizeof(struct page) <= size; at += 512) {
		const struct page *page = (void *)(bytes + at);
		if (page->magic == marks[0].magic && page->page == number)
			return at;
	}
	return 0;
}

/* Writes the mark to all pages of the open file. */
static bool marks_write(HANDLE file, uint32_t mark)
{
	DWORD at = page_find(file, 0), count;
	bool so = at != 0;
	for (int i = 0; i < PAGES && so; i++, at += sizeof(struct page))
		so = SetFilePointer(file, (LONG)at + 8, NULL, FILE_BEGIN) == at + 8 && WriteFile(file, &mark, 4, &count, NULL);
	return so;
}

static bool file_make(const char *path, uint32_t mark)
{
	DWORD at = 0, count;
	WORD characteristics = 0;
	if (!CopyFileA("C:\\tests\\image_lock.exe", path, FALSE))
		return false;
	HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
	bool so = marks_write(file, mark);
	SetFilePointer(file, 0x3c, NULL, FILE_BEGIN);
	so = so && ReadFile(file, &at, 4, &count, NULL);
	SetFilePointer(file, (LONG)at + 22, NULL, FILE_BEGIN);
	so = so && ReadFile(file, &characteristics, 2, &count, NULL);
	characteristics = is_dll ? characteristics | IMAGE_FILE_DLL : characteristics & ~IMAGE_FILE_DLL;
	SetFilePointer(file, (LONG)at + 22, NULL, FILE_BEGIN);
	so = so && WriteFile(file, &characteristics, 2, &count, NULL);
	return CloseHandle(file) && so;
}

static uint64_t free_bytes(void)
{
	ULARGE_INTEGER free = { 0 };
	GetDiskFreeSpaceExA("C:\\", NULL, NULL, &free);
	return free.QuadPart;
}

/* ---- what is tried; each begins and ends with a file that nobody uses, mark 1 ---- */

static HANDLE file_open(DWORD access, DWORD share, DWORD disposition)
{
	SetLastError(0);
	return CreateFileA(PATH_USED, access, share, NULL, disposition, 0, NULL);
}

static bool opens(DWORD access, DWORD share, DWORD disposition)
{
	HANDLE file = file_open(access, share, disposition);
	return file != INVALID_HANDLE_VALUE && CloseHandle(file);
}

static bool contents_may_change(void)
{
	return mode == NONE || (mode == UNIX && is_dll);
}

static void writing(void)
{
	struct user u = user_start(PATH_USED, "look"), v = user_start(PATH_USED, "discard");
	HANDLE file = file_open(GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING);
	if (contents_may_change()) {
		ok(file != INVALID_HANDLE_VALUE, "open for writing");
		ok(marks_write(file, 2) && CloseHandle(file), "write");
	} else {
		refused(file != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION, "open for writing");
		refused(opens(FILE_APPEND_DATA, SHARE_ALL, OPEN_EXISTING), ERROR_SHARING_VIOLATION, "open for appending");
		refused(opens(GENERIC_WRITE, SHARE_ALL, OPEN_ALWAYS), ERROR_SHARING_VIOLATION, "open for writing, or make");
	}
	ok(opens(FILE_WRITE_ATTRIBUTES | GENERIC_READ, SHARE_ALL, OPEN_EXISTING), "its attributes may be written");
	DWORD mark = contents_may_change() ? 2 : 1;
	/* First, while memory alone has what was written: who begins has it written to the disk. */
	user_sees(&u, 1, mark, "the user: in pages that it reads now; those that are in memory, or its own, are as they were");
	new_sees(PATH_USED, mark, "who begins now sees what is there now");
	user_sees(&v, mark, mark, "a page that has left memory is read again; its own is as it was");
	new_sees(PATH_USED, mark, "so do those who begin when they have ended");
	ok(file_make(PATH_USED, 1), "(as before)");
}

/* Somebody may write to the file; then it is to be used. */
static void using_written(void)
{
	HANDLE file = file_open(GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING);
	if (contents_may_change())
		new_sees(PATH_USED, 1, "use while it is open for writing");
	else
		new_refused(PATH_USED, ERROR_SHARING_VIOLATION, "use while it is open for writing");
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);
	void *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	ok(CloseHandle(file) && view && CloseHandle(section), "it is mapped to be written");
	if (contents_may_change())
		new_sees(PATH_USED, 1, "use while it may be written through a view");
	else
		new_refused(PATH_USED, ERROR_SHARING_VIOLATION, "use while it may be written through a view");
	ok(UnmapViewOfFile(view), "it is not any more");
	file = file_open(GENERIC_READ, FILE_SHARE_DELETE, OPEN_EXISTING);
	new_refused(PATH_USED, ERROR_SHARING_VIOLATION, "use while somebody reads it who does not share that");
	CloseHandle(file);
	file = file_open(GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING);
	new_sees(PATH_USED, 1, "who shares it keeps nobody from using it");
	CloseHandle(file);
}

static void emptying(DWORD disposition, const char *name)
{
	struct user u = user_start(PATH_USED, is_dll ? "look" : "plain");
	ok(opens(GENERIC_WRITE, SHARE_ALL, disposition), "%s", name);
	is(user_end(&u), is_dll ? SAW(1, CUT, OWN) : (DWORD)STATUS_IN_PAGE_ERROR, "what is not there any more is an in-page error");
	new_refused(PATH_USED, ERROR_BAD_EXE_FORMAT, "an empty file is no image");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void overwriting(void)
{
	struct user u;
	if (!contents_may_change()) {
		u = user_start(PATH_USED, "look");
		refused(opens(GENERIC_WRITE, SHARE_ALL, CREATE_ALWAYS), ERROR_SHARING_VIOLATION, "overwrite");
		refused(opens(GENERIC_READ, SHARE_ALL, CREATE_ALWAYS), ERROR_SHARING_VIOLATION, "also for one who only reads then");
		refused(opens(GENERIC_WRITE, SHARE_ALL, TRUNCATE_EXISTING), ERROR_SHARING_VIOLATION, "empty");
		refused(CopyFileA("C:\\tests\\silent.exe", PATH_USED, FALSE), ERROR_SHARING_VIOLATION, "copy another over it");
		user_sees(&u, 1, 1, "the user sees what was there");
		return;
	}
	emptying(CREATE_ALWAYS, "overwrite");
	emptying(TRUNCATE_EXISTING, "empty");
	u = user_start(PATH_USED, "look");
	ok(file_make(PATH_USED, 3), "copy another over it");
	new_sees(PATH_USED, 3, "who begins now sees the other one");
	user_sees(&u, 1, 3, "the user sees it in pages that it reads now");
	ok(file_make(PATH_USED, 1), "(as before)");

	u = user_start(PATH_USED, "look");
	HANDLE file = file_open(GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING);
	ok(SetFilePointer(file, (LONG)page_find(file, LATE_PAGE), NULL, FILE_BEGIN) && SetEndOfFile(file) && CloseHandle(file),
	   "cut");
	user_sees(&u, 1, CUT, "what was cut off is an in-page error, and nothing else is");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static bool delete_by_handle(void)
{
	FILE_DISPOSITION_INFO delete = { TRUE };
	HANDLE file = file_open(DELETE, SHARE_ALL, OPEN_EXISTING);
	bool so = SetFileInformationByHandle(file, FileDispositionInfo, &delete, sizeof(delete));
	DWORD error = GetLastError();
	CloseHandle(file);
	SetLastError(error);
	return so;
}

static bool delete_on_close(void)
{
	SetLastError(0);
	HANDLE file = CreateFileA(PATH_USED, DELETE, SHARE_ALL, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL);
	return file != INVALID_HANDLE_VALUE && CloseHandle(file);
}

/* The file is used and its name has gone. */
static void deleted(struct user *u, uint64_t free_before)
{
	is(GetFileAttributesA(PATH_USED), INVALID_FILE_ATTRIBUTES, "the name has gone");
	ok(free_bytes() < free_before + sizeof(marks), "its room has not");
	ok(file_make(PATH_USED, 3), "a new file under the old name");
	new_sees(PATH_USED, 3, "who begins now sees the new one");
	user_sees(u, 1, 1, "the user sees what was there");
	new_sees(PATH_USED, 3, "it is still the new one");
	is(free_bytes(), free_before, "the room of the old one is free again");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void deleting(void)
{
	uint64_t before = free_bytes();
	struct user u = user_start(PATH_USED, mode == NT ? "look" : "discard");
	if (mode == NT) {
		refused(DeleteFileA(PATH_USED), ERROR_ACCESS_DENIED, "delete");
		refused(delete_by_handle(), ERROR_ACCESS_DENIED, "delete by a handle");
		refused(delete_on_close(), ERROR_ACCESS_DENIED, "delete when a handle is closed");
		user_sees(&u, 1, 1, "the user sees what was there");
		return;
	}
	ok(DeleteFileA(PATH_USED), "delete");
	deleted(&u, before);
	u = user_start(PATH_USED, "look");
	ok(delete_by_handle(), "delete by a handle");
	deleted(&u, before);
	u = user_start(PATH_USED, "look");
	ok(delete_on_close(), "delete when a handle is closed");
	deleted(&u, before);
}

static void renaming(void)
{
	struct user u = user_start(PATH_USED, "look");
	ok(MoveFileA(PATH_USED, PATH_OTHER), "rename");
	ok(file_make(PATH_USED, 3), "a new file under the old name");
	struct user v = user_start(PATH_USED, "look");
	new_sees(PATH_USED, 3, "who begins now sees the new one");
	new_sees(PATH_OTHER, 1, "under the other name it is the old one");
	user_sees(&u, 1, 1, "the user sees what was there");
	user_sees(&v, 3, 3, "both were used at once");
	ok(DeleteFileA(PATH_OTHER), "(as before)");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void replacing(void)
{
	struct user u = user_start(PATH_USED, "look");
	ok(file_make(PATH_NEW, 3), "another file");
	SetLastError(0);
	if (mode == NT) {
		refused(MoveFileExA(PATH_NEW, PATH_USED, MOVEFILE_REPLACE_EXISTING), ERROR_ACCESS_DENIED, "takes its name");
		user_sees(&u, 1, 1, "the user sees what was there");
		ok(DeleteFileA(PATH_NEW), "(as before)");
		return;
	}
	ok(MoveFileExA(PATH_NEW, PATH_USED, MOVEFILE_REPLACE_EXISTING), "takes its name");
	new_sees(PATH_USED, 3, "who begins now sees the new one");
	user_sees(&u, 1, 1, "the user sees what was there");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void held(const volatile struct page *view, const char *by)
{
	if (!contents_may_change())
		refused(opens(GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING), ERROR_SHARING_VIOLATION, "%s keeps it from being written", by);
	if (mode == NT)
		refused(delete_on_close(), ERROR_ACCESS_DENIED, "and from being deleted");
	if (view)
		is(view[EARLY_PAGE].mark, 1, "%s shows it", by);
}

/* No process runs it: the lock goes with the last section. */
static void holding(void)
{
	HANDLE file = file_open(GENERIC_READ | GENERIC_EXECUTE, SHARE_ALL, OPEN_EXISTING);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_EXECUTE_READ | SEC_IMAGE, 0, 0, NULL);
	ok(section && CloseHandle(file), "an image section, and no process");
	held(NULL, "a section");
	char *base = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
	const volatile struct page *view = (void *)(base + ((uintptr_t)marks - (uintptr_t)GetModuleHandleA(NULL)));
	CloseHandle(section);
	held(view, "a view");
	if (mode != NT) {
		ok(DeleteFileA(PATH_USED) && file_make(PATH_USED, 3), "a new file under the old name");
		is(view[LATE_PAGE].mark, 1, "the view shows the old one");
	}
	ok(UnmapViewOfFile(base), "it goes");
	ok(opens(GENERIC_READ | GENERIC_WRITE, 0, OPEN_EXISTING), "the file may be written");
	ok(DeleteFileA(PATH_USED) && file_make(PATH_USED, 1), "and deleted");
}

int main(int argc, char **argv)
{
	if (argc == 4)
		return (int)use((void *)(uintptr_t)marks, argv[2], argv[3]);
	if (argc == 5)
		return (int)use_dll(argv[2], argv[3], argv[4]);
	mode = argc < 2 || !strcmp(argv[1], "nt") ? NT : !strcmp(argv[1], "unix") ? UNIX : NONE;
	ok(CreateDirectoryA(PLACE, NULL), "(a place)");
	for (int i = 0; i < 2; i++) {
		is_dll = i;
		printf("# %s\n", is_dll ? "a DLL" : "an EXE");
		ok(file_make(PATH_USED, 1), "a file");
		writing();
		using_written();
		overwriting();
		deleting();
		renaming();
		replacing();
		holding();
		ok(DeleteFileA(PATH_USED), "it is deleted");
	}
	ok(RemoveDirectoryA(PLACE), "(no place)");
	return tap_end();
}
