/*
 * What may happen to the file of a running EXE, or of a loaded DLL, and what those who have it see: docs/files.md,
 * "Running images". image_lock MODE: as the boot option image-lock. Works in C:\locks, which it makes and removes.
 *
 *	image_lock exe EVENT        (a copy) waits for the event; its exit code is the mark of a page that it reads then
 *	image_lock dll EVENT PATH   the same with the DLL at PATH; UNREADABLE: an in-page error
 */
#include "guest.h"

#define PLACE "C:\\locks"
#define PATH_USED PLACE "\\used.img"
#define PATH_NEW PLACE "\\new.img"
#define PATH_OTHER PLACE "\\other.img"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define UNREADABLE 100
#define PAGES 32
#define LATE_PAGE 28 /* is not read with any that are needed before */

/* Found in the file by its first bytes, which nothing else holds: each page has a mark behind them. */
static const struct {
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

static int use_exe(const char *name)
{
	const volatile uint32_t *mark = &marks[LATE_PAGE].mark;
	ready_and_wait(name);
	return (int)*mark;
}

static int use_dll(const char *name, const char *path)
{
	HMODULE dll = LoadLibraryExA(path, NULL, DONT_RESOLVE_DLL_REFERENCES);
	uintptr_t base = (uintptr_t)dll & ~(uintptr_t)0xffff;
	if (!dll)
		return UNREADABLE + 1;
	const volatile uint32_t *mark = (void *)(base + ((uintptr_t)&marks[LATE_PAGE].mark - (uintptr_t)GetModuleHandleA(NULL)));
	probes_init();
	ready_and_wait(name);
	return can_read(mark) ? (int)*mark : UNREADABLE;
}

struct user {
	HANDLE process, go;
	char name[32];
};

static struct user user_start(const char *path)
{
	static int number;
	struct user u;
	char line[128], ready_name[64];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	sprintf(u.name, "Lock%d", number++);
	sprintf(ready_name, "%sReady", u.name);
	u.go = CreateEventA(NULL, TRUE, FALSE, u.name);
	HANDLE ready = CreateEventA(NULL, TRUE, FALSE, ready_name);
	if (is_dll)
		sprintf(line, "C:\\tests\\image_lock.exe dll %s %s", u.name, path);
	else
		sprintf(line, "%s exe %s", path, u.name);
	bool started = CreateProcessA(is_dll ? NULL : path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p);
	u.process = started ? p.hProcess : NULL;
	if (started) {
		HANDLE either[] = { ready, p.hProcess };
		WaitForMultipleObjects(2, either, FALSE, INFINITE);
		CloseHandle(p.hThread);
	}
	CloseHandle(ready);
	return u;
}

/* What it saw; 0: it was not started. */
static DWORD user_end(struct user *u)
{
	DWORD code = 0;
	SetEvent(u->go);
	if (u->process) {
		WaitForSingleObject(u->process, INFINITE);
		GetExitCodeProcess(u->process, &code);
		CloseHandle(u->process);
	}
	CloseHandle(u->go);
	return code;
}

static DWORD seen_by_new(const char *path)
{
	struct user u = user_start(path);
	return user_end(&u);
}

/* ---- the file ---- */

/* Writes the mark to all pages of the open file. */
static bool marks_write(HANDLE file, uint32_t mark)
{
	static char bytes[512 << 10];
	DWORD size = 0, count, found = 0;
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	if (!ReadFile(file, bytes, sizeof(bytes), &size, NULL))
		return false;
	for (DWORD at = 0; at + 16 <= size; at += 512) {
		if (memcmp(bytes + at, &marks[0].magic, 8))
			continue;
		found++;
		if (SetFilePointer(file, (LONG)at + 8, NULL, FILE_BEGIN) != at + 8 || !WriteFile(file, &mark, 4, &count, NULL))
			return false;
	}
	return found == PAGES;
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

/* ---- what is tried; each begins with a file that is in use, mark 1, and ends without ---- */

static void writing(void)
{
	bool allowed = mode == NONE || (mode == UNIX && is_dll);
	struct user u = user_start(PATH_USED);
	HANDLE file = CreateFileA(PATH_USED, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	if (!allowed) {
		refused(file != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION, "open for writing");
		is(user_end(&u), 1, "the user sees what was there");
		return;
	}
	ok(file != INVALID_HANDLE_VALUE, "open for writing");
	ok(marks_write(file, 2), "write");
	CloseHandle(file);
	is(seen_by_new(PATH_USED), 2, "who begins now sees what was written");
	is(user_end(&u), 2, "the user sees it in pages that are read after it");
	is(seen_by_new(PATH_USED), 2, "so do those who begin when it has ended");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void overwriting(void)
{
	bool allowed = mode == NONE || (mode == UNIX && is_dll);
	struct user u = user_start(PATH_USED);
	HANDLE file = CreateFileA(PATH_USED, GENERIC_WRITE, SHARE_ALL, NULL, CREATE_ALWAYS, 0, NULL);
	if (!allowed) {
		refused(file != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION, "overwrite");
		is(user_end(&u), 1, "the user sees what was there");
		return;
	}
	ok(file != INVALID_HANDLE_VALUE && CloseHandle(file), "overwrite");
	is(user_end(&u), is_dll ? UNREADABLE : (DWORD)STATUS_IN_PAGE_ERROR, "what is not there any more is an in-page error");
	ok(seen_by_new(PATH_USED) != 1, "an empty file is no image");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void deleting(void)
{
	uint64_t before = free_bytes();
	struct user u = user_start(PATH_USED);
	SetLastError(0);
	if (mode == NT) {
		refused(DeleteFileA(PATH_USED), ERROR_ACCESS_DENIED, "delete");
		is(user_end(&u), 1, "the user sees what was there");
		return;
	}
	ok(DeleteFileA(PATH_USED), "delete");
	is(GetFileAttributesA(PATH_USED), INVALID_FILE_ATTRIBUTES, "the name has gone");
	ok(free_bytes() < before + sizeof(marks), "its room has not");
	ok(file_make(PATH_USED, 3), "a new file under the old name");
	is(seen_by_new(PATH_USED), 3, "who begins now sees the new one");
	is(user_end(&u), 1, "the user sees what was there");
	is(seen_by_new(PATH_USED), 3, "it is still the new one");
	is(free_bytes(), before, "the room of the old one is free again");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void renaming(void)
{
	struct user u = user_start(PATH_USED);
	ok(MoveFileA(PATH_USED, PATH_OTHER), "rename");
	ok(file_make(PATH_USED, 3), "a new file under the old name");
	is(seen_by_new(PATH_USED), 3, "who begins now sees the new one");
	is(seen_by_new(PATH_OTHER), 1, "under the other name it is the old one");
	is(user_end(&u), 1, "the user sees what was there");
	ok(DeleteFileA(PATH_OTHER), "(as before)");
	ok(file_make(PATH_USED, 1), "(as before)");
}

static void replacing(void)
{
	struct user u = user_start(PATH_USED);
	ok(file_make(PATH_NEW, 3), "another file");
	SetLastError(0);
	if (mode == NT) {
		refused(MoveFileExA(PATH_NEW, PATH_USED, MOVEFILE_REPLACE_EXISTING), ERROR_ACCESS_DENIED, "takes its name");
		is(user_end(&u), 1, "the user sees what was there");
		ok(DeleteFileA(PATH_NEW), "(as before)");
		return;
	}
	ok(MoveFileExA(PATH_NEW, PATH_USED, MOVEFILE_REPLACE_EXISTING), "takes its name");
	is(seen_by_new(PATH_USED), 3, "who begins now sees the new one");
	is(user_end(&u), 1, "the user sees what was there");
	ok(file_make(PATH_USED, 1), "(as before)");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return use_exe(argv[2]);
	if (argc == 4)
		return use_dll(argv[2], argv[3]);
	mode = argc < 2 || !strcmp(argv[1], "nt") ? NT : !strcmp(argv[1], "unix") ? UNIX : NONE;
	ok(CreateDirectoryA(PLACE, NULL), "(a place)");
	for (int i = 0; i < 2; i++) {
		is_dll = i;
		printf("# %s\n", is_dll ? "a DLL" : "an EXE");
		ok(file_make(PATH_USED, 1), "a file");
		writing();
		overwriting();
		deleting();
		renaming();
		replacing();
		ok(DeleteFileA(PATH_USED), "it is deleted");
	}
	ok(RemoveDirectoryA(PLACE), "(no place)");
	return tap_end();
}
