/*
 * The second volume, D:, labelled SECOND, serial number 1234-5678, empty: its drive, current directories, copies and moves
 * between volumes, programs and DLLs that lie on it. What it makes it removes.
 */
#include "file_text.h"
#include "guest.h"
#include <psapi.h>


static void test_drives(void)
{
	char text[64], system[16];
	DWORD serial = 0, component = 0, flags = 0;
	is(GetLogicalDrives(), 1u << 2 | 1u << 3, "there are the drives C: and D:");
	is(GetLogicalDriveStringsA(sizeof(text), text), 8, "whose roots are 8 characters");
	ok(!memcmp(text, "C:\\\0D:\\\0", 9), "C:\\ and D:\\");
	is(GetLogicalDriveStringsA(8, text), 9, "which need room for 9");
	is(GetDriveTypeA("C:\\"), DRIVE_FIXED, "C: stays");
	is(GetDriveTypeA("D:\\"), DRIVE_REMOVABLE, "D: may go");
	is(GetDriveTypeA("E:\\"), DRIVE_NO_ROOT_DIR, "E: is not there");
	is(GetDriveTypeA("D:\\sub"), DRIVE_NO_ROOT_DIR, "and a directory is no drive");
	ok(GetVolumeInformationA("D:\\", text, sizeof(text), &serial, &component, &flags, system, sizeof(system)),
	   "D: says what it is");
	ok(!strcmp(text, "SECOND"), "its label is SECOND, not \"%s\"", text);
	is(serial, 0x12345678, "its serial number");
	is(component, 255, "names have up to 255 characters");
	ok(!strcmp(system, "FAT32"), "the file system is FAT32, not \"%s\"", system);
	is(flags & (FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK), FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK,
	   "which keeps names as they are given");
	refused(GetVolumeInformationA("D:\\", text, 3, NULL, NULL, NULL, NULL, 0), ERROR_BAD_LENGTH, "a label needs its room");
	refused(GetVolumeInformationA("E:\\", text, 3, NULL, NULL, NULL, NULL, 0), ERROR_PATH_NOT_FOUND, "E: says nothing");
	ULARGE_INTEGER c = { 0 }, d = { 0 };
	ok(GetDiskFreeSpaceExA("C:\\", NULL, &c, NULL) && GetDiskFreeSpaceExA("D:\\", NULL, &d, NULL) &&
	   c.QuadPart != d.QuadPart && d.QuadPart > 0, "each volume has its own size");
}

static void test_files(void)
{
	char path[MAX_PATH];
	/* The first file of each root lies in the same place of its volume: they are two files all the same. */
	ok(file_put("D:\\one.txt", "on D:") && file_put("C:\\one.txt", "on C:"), "two files of one name");
	ok(file_holds("D:\\one.txt", "on D:") && file_holds("C:\\one.txt", "on C:"), "hold what each was given");
	HANDLE both[] = { CreateFileA("C:\\one.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL),
			  CreateFileA("D:\\one.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) };
	ok(both[0] != INVALID_HANDLE_VALUE && both[1] != INVALID_HANDLE_VALUE, "and do not share anything");
	CloseHandle(both[0]);
	CloseHandle(both[1]);
	ok(DeleteFileA("C:\\one.txt"), "one goes");
	ok(file_holds("D:\\one.txt", "on D:"), "the other stays");

	ok(CreateDirectoryA("D:\\sub", NULL), "a directory on D:");
	ok(SetCurrentDirectoryA("D:\\sub"), "becomes the current one");
	ok(GetCurrentDirectoryA(sizeof(path), path) && !strcmp(path, "D:\\sub"), "as D:\\sub");
	ok(file_put("two.txt", "two"), "a file in it");
	ok(file_holds("\\one.txt", "on D:"), "\\ is D:'s root");
	ok(GetFullPathNameA("C:name", sizeof(path), path, NULL) && !strcmp(path, "C:\\name"), "C:name is in C:'s root");
	SetEnvironmentVariableA("=D:", "D:\\sub");
	ok(SetCurrentDirectoryA("C:\\bin"), "back to C:");
	ok(file_holds("D:two.txt", "two"), "D:name counts from the directory that =D: names");
	ok(GetFullPathNameA("d:two.txt", sizeof(path), path, NULL) && !strcmp(path, "D:\\sub\\two.txt"),
	   "and its full name is D:\\sub\\two.txt, not %s", path);
	ok(SetCurrentDirectoryA("C:\\"), "C:'s root again");
	SetEnvironmentVariableA("=D:", NULL);

	refused(MoveFileExA("D:\\one.txt", "C:\\one.txt", 0), ERROR_NOT_SAME_DEVICE, "a rename to another volume");
	ok(MoveFileExA("D:\\one.txt", "C:\\one.txt", MOVEFILE_COPY_ALLOWED), "a move may copy");
	ok(file_holds("C:\\one.txt", "on D:"), "what was there is here");
	refused(DeleteFileA("D:\\one.txt"), ERROR_FILE_NOT_FOUND, "and not there");
	ok(file_put("D:\\one.txt", "again"), "with another one there");
	refused(MoveFileExA("C:\\one.txt", "D:\\one.txt", MOVEFILE_COPY_ALLOWED), ERROR_FILE_EXISTS, "it is not replaced");
	ok(MoveFileExA("C:\\one.txt", "D:\\one.txt", MOVEFILE_COPY_ALLOWED | MOVEFILE_REPLACE_EXISTING), "unless asked for");
	ok(file_holds("D:\\one.txt", "on D:"), "then it is");
	refused(MoveFileExA("D:\\sub", "C:\\sub", MOVEFILE_COPY_ALLOWED), ERROR_ACCESS_DENIED, "directories are not copied");
	ok(DeleteFileA("D:\\one.txt") && DeleteFileA("D:\\sub\\two.txt") && RemoveDirectoryA("D:\\sub"), "all is removed");
}

static void test_images(void)
{
	char path[MAX_PATH];
	DWORD code = 12345;
	ok(CopyFileA("C:\\tests\\silent.exe", "D:\\silent.exe", TRUE), "a program is copied to D:");
	char line[] = "D:\\silent.exe";
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	if (ok(CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, "D:\\", &start, &p), "it is started there")) {
		WaitForSingleObject(p.hProcess, INFINITE);
		GetExitCodeProcess(p.hProcess, &code);
		CloseHandle(p.hProcess);
		CloseHandle(p.hThread);
	}
	is(code, 0, "and ends well");
	ok(CopyFileA("C:\\tests\\resource.dll", "D:\\other.dll", TRUE), "so is a DLL");
	HMODULE dll = LoadLibraryA("D:\\other.dll");
	ok(dll != NULL, "it is loaded from there");
	ok(GetModuleFileNameA(dll, path, sizeof(path)) && !_stricmp(path, "D:\\other.dll"), "its name is D:\\other.dll, not %s", path);
	char mapped[MAX_PATH];
	ok(GetMappedFileNameA(GetCurrentProcess(), dll, mapped, sizeof(mapped)) && strstr(mapped, "D:\\other.dll"),
	   "what is mapped there is %s", mapped);
	refused(DeleteFileA("D:\\other.dll"), ERROR_ACCESS_DENIED, "meanwhile it is not deleted");
	ok(FreeLibrary(dll), "it is unloaded");
	ok(DeleteFileA("D:\\other.dll") && DeleteFileA("D:\\silent.exe"), "both are deleted");
}

int main(void)
{
	test_drives();
	test_files();
	test_images();
	return tap_end();
}
