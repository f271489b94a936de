/*
 * Compresses and expands data through zlib1.dll, a DLL that this project did not build, in several processes at once
 * that together need more memory than there is. Run by tests/scenarios/test_zlib.py, which checks what it prints.
 *   zlib_shared CHILDREN MIB ROUNDS
 */
#include "backstore.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PAGE 4096
#define BOARD "ZlibShared"
#define PROCESSES_MAX 64
#define DLL_PAGES_MAX 64

/* What each process says of the DLL's pages; the first one compares. */
struct board {
	volatile LONG ready;
	struct {
		uint64_t base, frames[DLL_PAGES_MAX];
		uint32_t crc;
	} of[PROCESSES_MAX];
};

static struct board *board;

static struct board *board_open(void)
{
	HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(struct board), BOARD);

	return h ? MapViewOfFile(h, FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

/* Text that compresses to about a third; the same for each seed, here and in the Python that checks it. */
static void fill(unsigned char *to, size_t bytes, uint32_t seed)
{
	uint32_t x = seed;

	for (size_t i = 0; i < bytes; i++) {
		x = x * 1664525 + 1013904223;
		to[i] = "etaoin shrdlu"[(x >> 24) % 13];
	}
}

static int fail(const char *what, long code)
{
	printf("zlib_shared: %s: %ld (error %lu)\n", what, code, GetLastError());
	fflush(stdout);
	return 1;
}

/* One piece of data there and back. */
static int round_trip(size_t bytes, uint32_t seed, uint32_t *crc)
{
	uLongf packed_bytes = compressBound((uLong)bytes), back_bytes = (uLongf)bytes;
	unsigned char *data = malloc(bytes), *packed = malloc(packed_bytes), *back = malloc(bytes);
	int result;

	if (!data || !packed || !back)
		return fail("no memory", 0);
	fill(data, bytes, seed);
	*crc = (uint32_t)crc32(0, data, (uInt)bytes);
	result = compress2(packed, &packed_bytes, data, (uLong)bytes, 1);
	if (result != Z_OK)
		return fail("compress2", result);
	result = uncompress(back, &back_bytes, packed, packed_bytes);
	if (result != Z_OK || back_bytes != bytes || memcmp(data, back, bytes))
		return fail("uncompress", result);
	free(data);
	free(packed);
	free(back);
	return 0;
}

/* The frames of the DLL's pages that can't be written, as they are in this process; 0: not in memory now. */
static void frames_note(int number)
{
	unsigned char *base = (unsigned char *)GetModuleHandleA("zlib1.dll");

	board->of[number].base = (uintptr_t)base;
	for (int i = 0; i < DLL_PAGES_MAX; i++) {
		MEMORY_BASIC_INFORMATION info;
		struct bs_page page = { 0 };

		if (!VirtualQuery(base + i * PAGE, &info, sizeof(info)) || info.AllocationBase != base ||
		    (info.Protect & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_NOACCESS)))
			continue;
		(void)*(volatile unsigned char *)(base + i * PAGE);
		BsQueryBacking(GetCurrentProcess(), base + i * PAGE, 1, &page);
		board->of[number].frames[i] = page.backing == BS_IMAGE ? page.frame : ~0ull;
	}
}

static int child(int number, size_t bytes, int rounds, int processes)
{
	for (int i = 0; i < rounds; i++)
		if (round_trip(bytes, (uint32_t)(number * 1000 + i), &board->of[number].crc))
			return 1;
	InterlockedIncrement(&board->ready);
	while (board->ready < processes) /* until all have come so far: nobody's pages go while others look */
		Sleep(10);
	frames_note(number);
	InterlockedIncrement(&board->ready);
	while (board->ready < 2 * processes)
		Sleep(10);
	return 0;
}

/* A small stream in full, for the host's own library to expand. */
static void sample_print(void)
{
	unsigned char data[600], packed[1000];
	uLongf packed_bytes = sizeof(packed);

	fill(data, sizeof(data), 7);
	compress2(packed, &packed_bytes, data, sizeof(data), 9);
	printf("sample: ");
	for (uLongf i = 0; i < packed_bytes; i++)
		printf("%02x", packed[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	int processes = argc > 1 ? atoi(argv[1]) : 10, rounds = argc > 3 ? atoi(argv[3]) : 1, bad = 0;
	size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1) << 20;
	HANDLE running[PROCESSES_MAX];
	struct bs_memory m;

	board = board_open();
	if (!board || processes < 1 || processes > PROCESSES_MAX)
		return fail("usage: zlib_shared PROCESSES MIB ROUNDS", processes);
	if (argc > 4)
		return child(atoi(argv[4]), bytes, rounds, processes);
	printf("zlib %s\n", zlibVersion());
	sample_print();
	for (int i = 0; i < processes; i++) {
		STARTUPINFOA s = { .cb = sizeof(s) };
		PROCESS_INFORMATION p;
		char line[128];

		sprintf(line, "zlib_shared %d %lu %d %d", processes, (unsigned long)(bytes >> 20), rounds, i);
		if (!CreateProcessA("C:\\zlib_shared.exe", line, NULL, NULL, FALSE, 0, NULL, NULL, &s, &p))
			return fail("CreateProcess", i);
		CloseHandle(p.hThread);
		running[i] = p.hProcess;
	}
	for (int i = 0; i < processes; i++) {
		DWORD code = 1;

		WaitForSingleObject(running[i], INFINITE);
		GetExitCodeProcess(running[i], &code);
		bad += code != 0;
		printf("process %d: exit code 0x%lx, crc %08x, base %llx\n", i, code, board->of[i].crc,
		       (unsigned long long)board->of[i].base);
	}
	for (int i = 0; i < DLL_PAGES_MAX; i++) {
		int same = 0;

		for (int j = 0; j < processes; j++)
			same += board->of[j].frames[i] == board->of[0].frames[i];
		if (board->of[0].frames[i])
			printf("page %d: %s in %d of %d processes\n", i,
			       board->of[0].frames[i] == ~0ull ? "private" : "same frame", same, processes);
	}
	BsQueryMemory(&m);
	printf("pages written to paging files: %llu\n", (unsigned long long)m.pages_swapped_out);
	printf("ended: %d bad\n", bad);
	return bad != 0;
}
