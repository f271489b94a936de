/* A DLL for tests/guest/image.c: absolute addresses that the loader must relocate, data of its own, an import. */
#include <windows.h>

#define TABLE_SIZE 2048 /* pointers: four pages of relocations */

__declspec(dllexport) int moved_value = 41;

static int one(void) { return 1; }
static int two(void) { return 2; }

/* Each entry is an absolute address in the file. */
__declspec(dllexport) int (*const moved_table[TABLE_SIZE])(void) = { 
	[0 ... 6] = one, [7] = two, [8 ... TABLE_SIZE - 1] = one
};
__declspec(dllexport) int *moved_pointer = &moved_value;

/* How many entries of the table work: all of them. */
__declspec(dllexport) int moved_check(void)
{
	int right = 0;
	for (int i = 0; i < TABLE_SIZE; i++)
		right += moved_table[i]() == (i == 7 ? 2 : 1);
	return right;
}

/* Through the import table. */
__declspec(dllexport) DWORD moved_process(void)
{
	return GetCurrentProcessId();
}

static int attached;

__declspec(dllexport) int moved_attached(void)
{
	return attached;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	(void)reserved;
	attached += reason == DLL_PROCESS_ATTACH;
	return TRUE;
}
