/*
 * image-lock=none: a DLL is rewritten with hostile headers, section tables and relocations, by chance and for real, while it is
 * mapped, also when pages were good before and have left memory, and while it is being mapped. It may be refused, its pages may be
 * wrong or in-page errors; the kernel does not care, and what an image shows beside it is right. The same with a program that
 * runs: code, headers, all of it. image_hostile [ROUNDS]. Works in C:\hostile, which it makes and removes.
 *
 *	image_hostile run EVENT  (a copy) waits for the event, lets its pages leave memory, goes on
 */
#include "squeeze.h"

#define PLACE "C:\\hostile"
#define VICTIM PLACE "\\victim.dll"
#define BESIDE PLACE "\\beside.dll"
#define PROGRAM PLACE "\\victim.exe"
#define PROGRAM_BESIDE PLACE "\\beside.exe"
#define SOURCE "C:\\system\\msvcrt.dll"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static unsigned char original[1 << 20];
static DWORD original_size, relocations_at, relocations_size, headers_at;
static volatile LONG stop;

static uint64_t below(uint64_t n)
{
	return random_next() % n;
}

static bool original_read(void)
{
	HANDLE file = CreateFileA(SOURCE, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	bool so = ReadFile(file, original, sizeof(original), &original_size, NULL) && original_size < sizeof(original);
	const IMAGE_NT_HEADERS *nt = (void *)(original + ((IMAGE_DOS_HEADER *)original)->e_lfanew);
	const IMAGE_SECTION_HEADER *s = IMAGE_FIRST_SECTION(nt);
	headers_at = ((IMAGE_DOS_HEADER *)original)->e_lfanew;
	for (int i = 0; i < nt->FileHeader.NumberOfSections; i++)
		if (!memcmp(s[i].Name, ".reloc", 6)) {
			relocations_at = s[i].PointerToRawData;
			relocations_size = s[i].SizeOfRawData;
		}
	return CloseHandle(file) && so && relocations_at;
}

static HANDLE victim_open(void)
{
	return CreateFileA(VICTIM, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_ALWAYS, 0, NULL);
}

static void put(HANDLE file, DWORD at, const void *bytes, DWORD n)
{
	OVERLAPPED o = { .Offset = at };
	DWORD count;
	WriteFile(file, bytes, n, &count, &o);
}

static bool victim_restore(HANDLE file)
{
	put(file, 0, original, original_size);
	SetFilePointer(file, (LONG)original_size, NULL, FILE_BEGIN);
	return SetEndOfFile(file) && FlushFileBuffers(file);
}

/* A block of relocations for a page near an edge, of entries that are none, or lie across its end. */
static void hostile_relocations(HANDLE file)
{
	uint32_t block[64];
	for (DWORD at = 0; at + sizeof(block) <= relocations_size; at += sizeof(block)) {
		static const uint32_t pages[] = { 0, 0x1000, 0x7fff000, 0xfffff000, 0xffffffff, 0x2001 };
		static const uint32_t sizes[] = { 0, 1, 7, 8, 256, 257, 0x10000, 0x7fffffff, 0xffffffff };
		for (unsigned int i = 2; i < 64; i++)
			block[i] = below(2) ? 0xafffafff : (uint32_t)random_next();
		block[0] = pages[below(6)];
		block[1] = sizes[below(9)];
		put(file, relocations_at + at, block, sizeof(block));
	}
}

/* Fields of headers and section table: an edge, a little more or less, a bit. */
static void hostile_headers(HANDLE file)
{
	static const uint32_t edges[] = { 0, 1, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff };
	for (int i = 0; i < 6; i++) {
		DWORD at = headers_at + 4 * (DWORD)below(180);
		uint32_t value = *(uint32_t *)(original + at);
		value = below(3) == 0 ? edges[below(8)] : below(2) ? value + (uint32_t)below(17) - 8 : value ^ 1u << below(32);
		put(file, at, &value, 4);
	}
}

static void noise(HANDLE file, DWORD at, DWORD bytes)
{
	static uint64_t words[512];
	for (int i = 0; i < 512; i++)
		words[i] = random_next();
	for (DWORD done = 0; done < bytes; done += sizeof(words))
		put(file, at + done, words, sizeof(words));
}

static void damage(HANDLE file)
{
	switch (below(6)) {
	case 0:
		hostile_relocations(file);
		break;
	case 1:
		hostile_headers(file);
		break;
	case 2:
		noise(file, 0, 4096);
		break;
	case 3:
		noise(file, 0, original_size);
		break;
	case 4:
		SetFilePointer(file, (LONG)below(original_size), NULL, FILE_BEGIN);
		SetEndOfFile(file);
		break;
	default:
		hostile_relocations(file);
		hostile_headers(file);
	}
	if (below(2))
		FlushFileBuffers(file);
}

static const unsigned char *map(const char *path)
{
	HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_EXECUTE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL);
	const unsigned char *at = section ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0) : NULL;
	if (section)
		CloseHandle(section);
	CloseHandle(file);
	return at;
}

/* Reads each page of the image. How many could be read. */
static unsigned int touch_all(const unsigned char *at)
{
	MEMORY_BASIC_INFORMATION m;
	unsigned int n = 0;
	for (const unsigned char *p = at; VirtualQuery(p, &m, sizeof(m)) && m.AllocationBase == at; p += m.RegionSize)
		for (SIZE_T i = 0; i < m.RegionSize && i < 4 << 20; i += PAGE_BYTES)
			n += can_read((const unsigned char *)m.BaseAddress + i);
	return n;
}

static uint64_t sum(const unsigned char *at)
{
	MEMORY_BASIC_INFORMATION m;
	uint64_t s = 0;
	for (const unsigned char *p = at; VirtualQuery(p, &m, sizeof(m)) && m.AllocationBase == at; p += m.RegionSize)
		for (SIZE_T i = 0; m.Protect != PAGE_NOACCESS && m.State == MEM_COMMIT && i < m.RegionSize; i += 8)
			s = s * 31 + *(uint64_t *)((const unsigned char *)m.BaseAddress + i);
	return s;
}

/* ---- programs ---- */

#define HEADERS_SAME 7 /* exit codes of those that live */
#define HEADERS_CHANGED 8

static int run(const char *event)
{
	HANDLE go = OpenEventA(SYNCHRONIZE, FALSE, event), ready = OpenEventA(EVENT_MODIFY_STATE, FALSE, "HostileReady");
	const volatile IMAGE_DOS_HEADER *headers = (void *)GetModuleHandleA(NULL);
	WORD magic = headers->e_magic;
	SetEvent(ready);
	WaitForSingleObject(go, INFINITE);
	if (!memory_discard(headers))
		return 1;
	/* What reads headers to find something in them. */
	GetProcAddress(GetModuleHandleA(NULL), "nothing");
	FindResourceA(NULL, "nothing", RT_RCDATA);
	return headers->e_magic == magic ? HEADERS_SAME : HEADERS_CHANGED;
}

static HANDLE run_start(const char *path, HANDLE ready)
{
	char line[] = "program run HostileGo";
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	if (!ok(CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), "%s begins", path))
		return NULL;
	WaitForSingleObject(ready, INFINITE);
	ResetEvent(ready);
	CloseHandle(p.hThread);
	return p.hProcess;
}

/* Its exit code. Noise may be any program, also one that goes on for ever. */
static DWORD run_end(HANDLE p)
{
	DWORD code = 0;
	if (WaitForSingleObject(p, 5000) != WAIT_OBJECT_0) {
		note("it does not end");
		TerminateProcess(p, 2);
		WaitForSingleObject(p, INFINITE);
	}
	GetExitCodeProcess(p, &code);
	CloseHandle(p);
	return code;
}

enum harm { CODE_BREAKS, CODE_NOISE, CODE_CUT, HEADERS, ALL, HARMS };

/* The file of the running program is changed; it goes on. The exit code is returned, and its neighbour's put to *beside. */
static DWORD harm_running(enum harm harm, DWORD *beside)
{
	HANDLE go = CreateEventA(NULL, TRUE, FALSE, "HostileGo"), ready = CreateEventA(NULL, TRUE, FALSE, "HostileReady");
	const IMAGE_NT_HEADERS *nt = (void *)((char *)GetModuleHandleA(NULL) + ((IMAGE_DOS_HEADER *)GetModuleHandleA(NULL))->e_lfanew);
	const IMAGE_SECTION_HEADER *code = IMAGE_FIRST_SECTION(nt);
	static unsigned char breaks[64 << 10];
	CopyFileA("C:\\tests\\image_hostile.exe", PROGRAM, FALSE);
	HANDLE victim = run_start(PROGRAM, ready), neighbour = run_start(PROGRAM_BESIDE, ready);
	HANDLE file = CreateFileA(PROGRAM, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	switch (harm) {
	case CODE_BREAKS:
		memset(breaks, 0xcc, sizeof(breaks));
		for (DWORD at = 0; at < code->SizeOfRawData; at += sizeof(breaks))
			put(file, code->PointerToRawData + at, breaks, min(sizeof(breaks), code->SizeOfRawData - at));
		break;
	case CODE_NOISE:
		noise(file, code->PointerToRawData, code->SizeOfRawData);
		break;
	case CODE_CUT:
		SetFilePointer(file, (LONG)code->PointerToRawData, NULL, FILE_BEGIN);
		SetEndOfFile(file);
		break;
	case HEADERS:
		memset(breaks, 0xff, sizeof(breaks));
		put(file, 0, breaks, nt->OptionalHeader.SizeOfHeaders);
		break;
	default:
		noise(file, 0, GetFileSize(file, NULL));
	}
	CloseHandle(file);
	SetEvent(go);
	DWORD exit_code = run_end(victim);
	*beside = run_end(neighbour);
	CloseHandle(go);
	CloseHandle(ready);
	return exit_code;
}

static void test_programs(void)
{
	static const char *const names[] = { "code becomes breakpoints", "code becomes noise", "code is cut off",
					     "headers are filled with ones", "all becomes noise" };
	ok(CopyFileA("C:\\tests\\image_hostile.exe", PROGRAM_BESIDE, FALSE), "a program beside the other");
	for (enum harm harm = 0; harm < HARMS; harm++) {
		DWORD beside, code = harm_running(harm, &beside);
		note("%s: exit code 0x%lx", names[harm], code);
		if (harm == HEADERS)
			is(code, HEADERS_CHANGED, "%s: the program sees it, and lives", names[harm]);
		else if (harm == CODE_CUT)
			is(code, (DWORD)STATUS_IN_PAGE_ERROR, "%s: an in-page error, and the program dies", names[harm]);
		else
			ok(code != HEADERS_SAME && code != HEADERS_CHANGED, "%s: the program does not live", names[harm]);
		is(beside, HEADERS_SAME, "the one beside it does");
	}
	is(BsCheckMemory(), STATUS_SUCCESS, "the memory manager's structures agree");
	ok(DeleteFileA(PROGRAM) && DeleteFileA(PROGRAM_BESIDE), "(as before)");
}

static DWORD WINAPI damager(void *arg)
{
	while (!stop) {
		victim_restore(arg);
		Sleep(0); /* a moment for it to be mapped whole */
		damage(arg);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 30, mapped = 0, refused_count = 0, away = 0;
	uint64_t pages = 0, changed = 0;
	if (argc == 3)
		return run(argv[2]);
	probes_init();
	ok(CreateDirectoryA(PLACE, NULL) && original_read(), "a DLL of %lu bytes, %lu of relocations", original_size, relocations_size);
	ok(CopyFileA(SOURCE, BESIDE, FALSE), "one beside it");
	const unsigned char *beside = map(BESIDE);
	uint64_t before = sum(beside);
	HANDLE file = victim_open();
	for (int i = 0; i < rounds; i++) {
		victim_restore(file);
		const unsigned char *old = map(VICTIM);
		const unsigned char *part = old && below(2) ? old + PAGE_BYTES * below(8) : NULL;
		if (part)
			can_read(part);
		damage(file);
		if (old)
			pages += touch_all(old); /* with relocations from before, contents from after it */
		const unsigned char *new = map(VICTIM); /* with what is there now */
		mapped += new != NULL;
		refused_count += !new;
		if (new)
			pages += touch_all(new);
		working_set_empty();
		damage(file);
		if (old)
			UnmapViewOfFile(old);
		if (new)
			UnmapViewOfFile(new);
	}
	for (int i = 0; i < rounds / 5; i++) { /* pages that were good, and have left memory */
		victim_restore(file);
		const unsigned char *old = map(VICTIM);
		touch_all(old);
		noise(file, PAGE_BYTES, original_size - PAGE_BYTES - 1);
		if (i % 2)
			damage(file);
		away += memory_discard(old) && memory_discard(beside);
		for (DWORD at = 0; at < 16 * PAGE_BYTES; at += PAGE_BYTES)
			changed += can_read(old + at) && can_read(beside + at) && memcmp(old + at, beside + at, 64);
		pages += touch_all(old);
		UnmapViewOfFile(old);
	}
	is(away, rounds / 5, "what was read has left memory");
	ok(changed > (uint64_t)rounds, "%llu pages that were good came back changed", (unsigned long long)changed);
	ok(pages > 0 && mapped && refused_count, "%d images were mapped, %d refused, %llu pages read", mapped, refused_count,
	   (unsigned long long)pages);
	HANDLE thread = CreateThread(NULL, 0, damager, file, 0, NULL);
	mapped = 0;
	for (int tries = 0; mapped < rounds / 3 && tries < 100 * rounds; tries++) {
		const unsigned char *at = map(VICTIM);
		mapped += at != NULL;
		if (at)
			touch_all(at);
		if (at)
			UnmapViewOfFile(at);
	}
	stop = 1;
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	ok(mapped > 0, "%d images changed while they were mapped", mapped);
	test_programs();
	is(sum(beside), before, "what is beside it is as it was");
	ok(UnmapViewOfFile(beside) && CloseHandle(file), "(closed)");
	ok(DeleteFileA(VICTIM) && DeleteFileA(BESIDE) && RemoveDirectoryA(PLACE), "(no place)");
	return tap_end();
}
