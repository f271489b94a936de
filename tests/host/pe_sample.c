/* Becomes an EXE, and with SAMPLE_DLL a DLL, for test_pe.c: exports, imports, TLS, BSS, shared data, relocations. */
#include <stdio.h>
#include <windows.h>

/* Nine bytes each, so that some of the relocated pointers cross the edges of pages. */
struct __attribute__((packed)) entry {
	char tag;
	const void *pointer;
};

static int counters[5000]; /* 0 at first, so in .bss */
static __thread int thread_number = 3;
__attribute__((section(".shared"), shared)) volatile int shared_number = 1;

#define ENTRY { 'e', &counters[7] }
#define ENTRIES_10 ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY
#define ENTRIES_100                                                                                                    \
	ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10, ENTRIES_10,    \
		ENTRIES_10
#define ENTRIES_1000                                                                                                   \
	ENTRIES_100, ENTRIES_100, ENTRIES_100, ENTRIES_100, ENTRIES_100, ENTRIES_100, ENTRIES_100, ENTRIES_100,        \
		ENTRIES_100, ENTRIES_100

struct entry entries[] = { ENTRIES_1000, ENTRIES_1000, ENTRIES_1000 };

__declspec(dllexport) int sample_sum(int i)
{
	counters[i % 5000]++;
	thread_number += shared_number;
	return *(const int *)entries[i % 3000].pointer + thread_number;
}

#ifdef SAMPLE_DLL
BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
	(void)instance;
	(void)reserved;
	return reason != DLL_PROCESS_ATTACH || sample_sum(7) > 0;
}
#else
int main(void)
{
	printf("%d\n", sample_sum(7));
	return 0;
}
#endif
