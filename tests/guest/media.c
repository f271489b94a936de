/*
 * A disk that goes away. Talks with tests/scenarios/test_media.py, which takes D: out and puts it, or another one, back: a
 * line "media: ..." says what is wanted, and a line of input that it was done.
 *
 *	media          the test
 *	media hold X   (a copy on D:) waits for event X, then reads all of its own constants
 *	media copied X the same, after memory was short
 *	media touch X  maps D:\image.dll, waits for event X, then reads a page of it that it has not read before
 */
#include "media_ask.h"
#include "squeeze.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define IMAGE_COPIED "C:\\system\\msvcrt.dll"

/* Pages of the image that nobody needs before they are asked for: 64 KiB in the file, none of it zeros. */
#define CONSTANT(n) (0x9e3779b9u * ((n) + 1))
#define CONSTANTS_4(n) CONSTANT(n), CONSTANT((n) + 1), CONSTANT((n) + 2), CONSTANT((n) + 3)
#define CONSTANTS_16(n) CONSTANTS_4(n), CONSTANTS_4((n) + 4), CONSTANTS_4((n) + 8), CONSTANTS_4((n) + 12)
#define CONSTANTS_64(n) CONSTANTS_16(n), CONSTANTS_16((n) + 16), CONSTANTS_16((n) + 32), CONSTANTS_16((n) + 48)
#define CONSTANTS_256(n) CONSTANTS_64(n), CONSTANTS_64((n) + 64), CONSTANTS_64((n) + 128), CONSTANTS_64((n) + 192)
#define CONSTANTS_1024(n) CONSTANTS_256(n), CONSTANTS_256((n) + 256), CONSTANTS_256((n) + 512), CONSTANTS_256((n) + 768)
#define CONSTANTS_4096(n) CONSTANTS_1024(n), CONSTANTS_1024((n) + 1024), CONSTANTS_1024((n) + 2048), CONSTANTS_1024((n) + 3072)
#define CONSTANT_COUNT 16384
static const uint32_t constants[CONSTANT_COUNT] __attribute__((aligned(4096))) = {
	CONSTANTS_4096(0), CONSTANTS_4096(4096), CONSTANTS_4096(8192), CONSTANTS_4096(12288),
};

static int hold(const char *event, bool squeeze)
{
	HANDLE wait = OpenEventA(SYNCHRONIZE, FALSE, event);
	const volatile uint32_t *in_file = constants;
	uint32_t wrong = 0;
	WaitForSingleObject(wait, INFINITE);
	if (squeeze) {
		memory_squeeze_all();
		memory_discard(in_file);
	}
	for (uint32_t i = 0; i < CONSTANT_COUNT; i++)
		wrong += in_file[i] != CONSTANT(i);
	return wrong ? 1 : 7;
}

/* A page of the image's code, which is not run. */
static const volatile char *image_page(HMODULE image, int n)
{
	static const uint32_t pages[] = { 0x2000, 0xb000, 0xc000, 0x13000 }; /* all in .text; up to 8 pages are read at once */
	const char *base = (const char *)((uintptr_t)image & ~(uintptr_t)0xffff);
	return base + pages[n];
}

static HMODULE image_map(void)
{
	return LoadLibraryExA("D:\\image.dll", NULL, DONT_RESOLVE_DLL_REFERENCES);
}

static int touch(const char *event)
{
	HANDLE wait = OpenEventA(SYNCHRONIZE, FALSE, event);
	const volatile char *page = image_page(image_map(), 2);
	WaitForSingleObject(wait, INFINITE);
	return *page;
}

static HANDLE child(const char *program, const char *what, const char *event)
{
	char line[128];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	sprintf(line, "%s %s %s", program, what, event);
	if (!ok(CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), "%s is started", line))
		return NULL;
	CloseHandle(p.hThread);
	return p.hProcess;
}

static DWORD child_end(HANDLE p)
{
	DWORD code = 12345;
	WaitForSingleObject(p, INFINITE);
	GetExitCodeProcess(p, &code);
	CloseHandle(p);
	return code;
}

/* A copy of this program on D:, perhaps marked to run from swap. */
static bool program_copy(const char *path, WORD mark)
{
	DWORD at = 0, count;
	WORD characteristics = 0;
	char self[MAX_PATH];
	GetModuleFileNameA(NULL, self, sizeof(self));
	if (!CopyFileA(self, path, FALSE))
		return false;
	HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
	bool so = SetFilePointer(file, 0x3c, NULL, FILE_BEGIN) == 0x3c && ReadFile(file, &at, 4, &count, NULL) &&
		  SetFilePointer(file, (LONG)at + 22, NULL, FILE_BEGIN) == at + 22 &&
		  ReadFile(file, &characteristics, 2, &count, NULL) &&
		  SetFilePointer(file, (LONG)at + 22, NULL, FILE_BEGIN) == at + 22;
	characteristics |= mark;
	so = so && WriteFile(file, &characteristics, 2, &count, NULL);
	return CloseHandle(file) && so;
}

static uint64_t section_charge(void)
{
	return memory_now().commit_sections;
}

/* Whether a byte can't be read, and the in-page error says so, and why. */
static bool in_page_error(const volatile char *page, NTSTATUS status)
{
	bool read = can_read(page);
	if (!read && (NTSTATUS)fault.status != status)
		note("the exception says 0x%08lx", (DWORD)fault.status);
	return !read && fault.code == (DWORD)STATUS_IN_PAGE_ERROR && fault.kind == KIND_READ && fault.address == (ULONG_PTR)page &&
	       (NTSTATUS)fault.status == status;
}

/* Pages of this program that come from its file. */
static uint64_t pages_from_file(void)
{
	const char *base = (char *)GetModuleHandleA(NULL);
	const IMAGE_NT_HEADERS *nt = (void *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
	const IMAGE_SECTION_HEADER *s = IMAGE_FIRST_SECTION(nt);
	uint64_t pages = (nt->OptionalHeader.SizeOfHeaders + PAGE_BYTES - 1) / PAGE_BYTES;
	for (int i = 0; i < nt->FileHeader.NumberOfSections; i++)
		pages += (min(s[i].SizeOfRawData, s[i].Misc.VirtualSize) + PAGE_BYTES - 1) / PAGE_BYTES;
	return pages;
}

static bool image_section(HANDLE file)
{
	SetLastError(0);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL);
	return section && CloseHandle(section);
}

static HANDLE image_file(const char *path)
{
	return CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
}

static uint64_t room(void)
{
	struct bs_memory m = memory_now();
	return m.commit_limit > m.commit_charge ? m.commit_limit - m.commit_charge : 0;
}

/* What runs from swap is charged, and so refused when it can't be; another image is not. */
static void test_charge_refused(void)
{
	HANDLE marked = image_file("D:\\marked.exe"), plain = image_file("D:\\plain.exe");
	uint64_t want = pages_from_file() - 1, taken = 0, most = memory_now().commit_limit, charge = section_charge();
	PROCESS_INFORMATION p;
	STARTUPINFOA start = { .cb = sizeof(start) };
	char *hog = VirtualAlloc(NULL, most * PAGE_BYTES, MEM_RESERVE, PAGE_NOACCESS);
	for (uint64_t n; room() > want && taken < most; taken += n) {
		n = min(room() - want, 256);
		if (!VirtualAlloc(hog + taken * PAGE_BYTES, n * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE))
			break;
	}
	refused(image_section(marked), ERROR_COMMITMENT_LIMIT, "the limit does not allow the copy");
	refused(CreateProcessA("D:\\marked.exe", NULL, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), ERROR_COMMITMENT_LIMIT,
		"so the program does not start");
	ok(image_section(plain), "the limit allows an image that is not copied");
	memory_release(hog);
	is(section_charge(), charge, "nothing stays charged");
	ok(image_section(marked), "when there is room again, it is copied");
	is(section_charge(), charge, "and given back");
	CloseHandle(marked);
	CloseHandle(plain);
}

static void calls_refused(HANDLE file, DWORD error, const char *when)
{
	char buffer[64];
	DWORD count;
	BY_HANDLE_FILE_INFORMATION facts;
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	refused(ReadFile(file, buffer, sizeof(buffer), &count, NULL), error, "%s: reading", when);
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	refused(WriteFile(file, "x", 1, &count, NULL), error, "%s: writing", when);
	refused(SetEndOfFile(file), error, "%s: cutting", when);
	refused(FlushFileBuffers(file), error, "%s: flushing", when);
	FILE_DISPOSITION_INFO disposition = { TRUE };
	refused(SetFileInformationByHandle(file, FileDispositionInfo, &disposition, sizeof(disposition)), error,
		"%s: deleting", when);
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	ok(GetFileInformationByHandle(file, &facts), "%s: what was known of the file is known", when);
}

int main(int argc, char **argv)
{
	char buffer[64], label[16];
	DWORD count;
	if (argc == 3)
		return !strcmp(argv[1], "touch") ? touch(argv[2]) : hold(argv[2], !strcmp(argv[1], "copied"));
	probes_init();
	HANDLE go = CreateEventA(NULL, TRUE, FALSE, "MediaGo");
	ok(program_copy("D:\\marked.exe", IMAGE_FILE_REMOVABLE_RUN_FROM_SWAP), "a program that runs from swap");
	ok(program_copy("D:\\plain.exe", 0), "and one that does not");
	ok(CopyFileA(IMAGE_COPIED, "D:\\image.dll", FALSE), "an image");
	HANDLE file = CreateFileA("D:\\data.txt", GENERIC_READ | GENERIC_WRITE | DELETE, SHARE_ALL, NULL, CREATE_ALWAYS, 0, NULL);
	ok(WriteFile(file, "some data", 9, &count, NULL), "a file");
	HANDLE other = CreateFileA("D:\\other.txt", GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, CREATE_ALWAYS, 0, NULL);
	ok(WriteFile(other, "other data", 10, &count, NULL), "another one");

	ok(CopyFileA(IMAGE_COPIED, "D:\\late.dll", FALSE), "an image that is not used yet");
	HANDLE late = image_file("D:\\late.dll");
	test_charge_refused();

	uint64_t charge = section_charge();
	HANDLE plain = child("D:\\plain.exe", "hold", "MediaGo");
	uint64_t charge_plain = section_charge() - charge;
	HANDLE marked = child("D:\\marked.exe", "copied", "MediaGo");
	uint64_t charge_marked = section_charge() - charge - charge_plain;
	is(charge_marked - charge_plain, pages_from_file(), "what runs from swap is charged: all that comes from the file");
	HANDLE toucher = child("C:\\tests\\media.exe", "touch", "MediaGo");
	HMODULE image = image_map();
	ok(image != NULL, "the image is mapped");
	ok(can_read(image_page(image, 0)), "a page of it is read");
	char first = *image_page(image, 0);
	Sleep(300); /* until all three wait */

	ask("take out");
	ok(*image_page(image, 0) == first, "what is in memory is still seen");
	ok(in_page_error(image_page(image, 1), STATUS_NO_MEDIA_IN_DEVICE), "a page that is not is an in-page error");
	ok(in_page_error(image_page(image, 1), STATUS_NO_MEDIA_IN_DEVICE), "again");
	is(GetDriveTypeA("D:\\"), DRIVE_REMOVABLE, "the drive is still there");
	calls_refused(file, ERROR_NOT_READY, "taken out");
	refused(CreateFileA("D:\\data.txt", GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE,
		ERROR_NOT_READY, "opening");
	refused(GetFileAttributesA("D:\\") != INVALID_FILE_ATTRIBUTES, ERROR_NOT_READY, "asking about the root");
	refused(GetVolumeInformationA("D:\\", NULL, 0, NULL, NULL, NULL, NULL, 0), ERROR_NOT_READY, "asking about the volume");
	refused(CreateDirectoryA("D:\\new", NULL), ERROR_NOT_READY, "making a directory");
	refused(LoadLibraryA("D:\\plain.exe") != NULL, ERROR_NOT_READY, "loading");
	refused(image_section(late), ERROR_NOT_READY, "making an image section of an open file");
	SetEvent(go);
	is(child_end(marked), 7, "the program that runs from swap goes on");
	is(child_end(plain), (DWORD)STATUS_IN_PAGE_ERROR, "the other one dies");
	is(child_end(toucher), (DWORD)STATUS_IN_PAGE_ERROR, "so does one that reads the image");
	CloseHandle(other);

	ask("put back");
	ok(can_read(image_page(image, 1)), "the page can be read");
	ok(image_section(late), "an image section can be made");
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	ok(ReadFile(file, buffer, sizeof(buffer), &count, NULL) && count == 9 && !memcmp(buffer, "some data", 9),
	   "the open file is read");
	ok(WriteFile(file, ", more", 6, &count, NULL) && FlushFileBuffers(file), "and written");
	is(GetFileSize(file, NULL), 15, "and grows");
	is(GetFileAttributesA("D:\\new"), INVALID_FILE_ATTRIBUTES, "what was refused was not done");

	ask("change");
	ok(in_page_error(image_page(image, 3), STATUS_FILE_INVALID), "a page of an image on the disk that was there is an in-page error");
	calls_refused(file, ERROR_FILE_INVALID, "changed");
	refused(image_section(late), ERROR_FILE_INVALID, "making an image section of a file of the other disk");
	CloseHandle(late);
	ok(GetVolumeInformationA("D:\\", label, sizeof(label), NULL, NULL, NULL, NULL, 0) && !strcmp(label, "OTHER"),
	   "the other volume is there");
	HANDLE mine = CreateFileA("D:\\mine.txt", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	ok(WriteFile(mine, "mine", 4, &count, NULL) && CloseHandle(mine), "and can be written");
	ok(CloseHandle(file), "what is stale is closed");
	ok(FreeLibrary(image), "and unmapped");
	return tap_end();
}
