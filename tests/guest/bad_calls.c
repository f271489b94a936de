/*
 * System calls with arguments that no library would give: bad handles, kernel and unmapped addresses, read-only
 * buffers, values at the edges. Nothing may come of it but an error status: never a panic, never a leak. Each round
 * runs in a process of its own, which the calls may ruin. Arguments: bad_calls [ROUNDS [SEED]] (8 rounds).
 */
#include "guest.h"
#include "call_raw.h"

#define CALLS_IN_A_ROUND 1500
#define SECONDS_IN_A_ROUND 20

struct call {
	const char *name;
	unsigned int number, arguments;
};

#define CALL(number, name, arguments) { #name, number, arguments },
static const struct call calls[] = { SYSCALLS(CALL) };
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static bool is_call(const struct call *c, const char *name)
{
	return !strcmp(c->name, name);
}

/*
 * What a round must not call at all: it would end the machine, or wait for ever, or go somewhere else in the program.
 */
static bool is_excluded(const struct call *c)
{
	return is_call(c, "NtShutdownSystem") || is_call(c, "NtContinue") || is_call(c, "NtRaiseException");
}

/* What random arguments may get right, so that the machine is another one for the tests behind this one. */
static bool changes_machine(const struct call *c)
{
	return is_call(c, "BsRemovePagingFile") || is_call(c, "BsAddPagingFile") || is_call(c, "BsSetReclaim");
}

/* Calls that succeed whatever their arguments are. */
static bool takes_nothing(const struct call *c)
{
	return c->arguments == 0;
}

/* Addresses that a call can be given. */
static char *good, *read_only, *edge, *reserved, *released;
static HANDLE objects[6];

static void pools_make(void)
{
	DWORD old;
	good = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	read_only = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	VirtualProtect(read_only, 4096, PAGE_READONLY, &old);
	edge = VirtualAlloc(NULL, 8192, MEM_RESERVE, PAGE_READWRITE);
	VirtualAlloc(edge, 4096, MEM_COMMIT, PAGE_READWRITE);
	reserved = VirtualAlloc(NULL, 65536, MEM_RESERVE, PAGE_READWRITE);
	released = VirtualAlloc(NULL, 65536, MEM_RESERVE, PAGE_READWRITE);
	VirtualFree(released, 0, MEM_RELEASE);
	objects[0] = CreateEventA(NULL, TRUE, TRUE, NULL);
	objects[1] = CreateEventA(NULL, FALSE, FALSE, NULL);
	objects[2] = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 65536, NULL);
	objects[3] = CreateFileA("C:\\backstore.cfg", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	objects[4] = CreateFileA("C:\\bin", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
				 FILE_FLAG_BACKUP_SEMANTICS, NULL);
	objects[5] = objects[0];
}

/*
 * Buffers hold large random words: a small one could be the number of a process, or a handle, that is not this test's
 * business.
 */
static void buffers_scramble(void)
{
	for (int i = 0; i < 128; i++)
		((uint64_t *)good)[i] = random_next() | 1ull << 63;
	/* One that could be a size or a base, so that calls get further. */
	((uint64_t *)good)[random_next() % 16] =
		random_next() % 3 ? random_next() % 100000 + 65536 : (uint64_t)reserved;
	for (int i = 0; i < 16; i++)
		((uint64_t *)(edge + 4096))[-1 - i] = random_next() | 1ull << 63;
}

static uint64_t address_bad(void)
{
	const uint64_t addresses[] = {
		0, 1, 0xffff800000000000ull, 0xffff800000001000ull, 0xffffffff80000000ull, 0xfffffffffffffff8ull,
		0x0000800000000000ull, 0x00007ffffffff000ull, 0x7ffffffffffffff8ull, (uint64_t)released,
		(uint64_t)reserved, (uint64_t)edge + 4096, 0x1000,
	};
	return addresses[random_next() % (sizeof(addresses) / sizeof(addresses[0]))];
}

static uint64_t argument_random(void)
{
	switch (random_next() % 12) {
	case 0:
		return (uint64_t)objects[random_next() % 6];
	case 1:
		return random_next() % 64 * 4;  /* handles that may be open, and small numbers */
	case 2:
		return ~random_next() % 3;      /* the pseudo-handles are -1 and -2 */
	case 3:
	case 4:
		return address_bad();
	case 5:
		return (uint64_t)edge + 4096 -
		       random_next() % 64; /* a structure that begins in memory and ends outside */
	case 6:
		return (uint64_t)read_only;
	case 7:
		return random_next();
	case 8:
		return 1ull << random_next() % 64;
	case 9:
		return random_next() % 0x10000; /* sizes, types, protections */
	default:
		return (uint64_t)good + random_next() % 64 * 8;
	}
}

/* Handles that are not this process's own console; waits that end. */
static void arguments_random(const struct call *c, uint64_t *a)
{
	static int64_t now;
	for (int i = 0; i < SYSCALL_ARGUMENTS_MAX; i++)
		a[i] = argument_random();
	if (c->arguments && random_next() % 2)
		a[0] = (uint64_t)objects[random_next() % 6];
	/* The process itself is a good target for calls that take one, but not for its end. */
	if (strstr(c->name, "VirtualMemory") && random_next() % 2)
		a[0] = ~0ull;
	if ((is_call(c, "NtTerminateProcess") || is_call(c, "NtTerminateThread")) && random_next() % 64)
		a[0] = (uint64_t)objects[random_next() % 6];
	if (is_call(c, "NtWaitForSingleObject"))
		a[2] = (uint64_t)&now;
	if (is_call(c, "NtWaitForMultipleObjects"))
		a[4] = (uint64_t)&now;
	if (is_call(c, "NtDelayExecution"))
		a[1] = random_next() % 2 ? (uint64_t)&now : address_bad();
}

static int child(uint64_t seed)
{
	uint64_t arguments[SYSCALL_ARGUMENTS_MAX];
	CloseHandle(GetStdHandle(STD_INPUT_HANDLE)); /* a read of the console would wait for ever */
	random_state = seed;
	pools_make();
	for (int i = 0; i < CALLS_IN_A_ROUND; i++) {
		const struct call *c = &calls[random_next() % CALLS];
		if (is_excluded(c) || changes_machine(c))
			continue;
		buffers_scramble();
		arguments_random(c, arguments);
		call_raw(c->number, arguments);
	}
	return 0;
}

/* Every call, with nothing but one kind of bad argument. */
static void test_uniform(void)
{
	static const struct {
		const char *name;
		uint64_t value;
	} kinds[] = {
		{ "0", 0 },
		{ "a kernel address", 0xffff800000100000ull },
		{ "-16", ~15ull },
		{ "a non-canonical address", 1ull << 63 },
		{ "an unmapped address", 0x7ffe12345000ull },
		{ "an odd kernel address", 0xffffffff80000001ull },
	};
	uint64_t a[SYSCALL_ARGUMENTS_MAX];
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		uint64_t succeeded = 0;
		for (size_t i = 0; i < CALLS; i++) {
			const struct call *c = &calls[i];
			if (takes_nothing(c) || is_excluded(c))
				continue;
			/*
			 * NtTerminateProcess(0) ends the other threads, of which there are none; with 0, these may
			 * wait, or have no pages to map, or be asked for what holds already.
			 */
			if (kinds[k].value == 0 && (is_call(c, "NtTerminateProcess") ||
						    is_call(c, "NtTerminateThread") || is_call(c, "NtDelayExecution") ||
						    is_call(c, "NtMapUserPhysicalPages") ||
						    is_call(c, "NtMapUserPhysicalPagesScatter") ||
						    is_call(c, "BsSetReclaim")))
				continue;
			for (int n = 0; n < SYSCALL_ARGUMENTS_MAX; n++)
				a[n] = kinds[k].value;
			uint32_t status = call_raw(c->number, a);
			if ((int32_t)status >= 0) {
				note("%s gave status 0x%08x", c->name, status);
				succeeded++;
			}
		}
		is(succeeded, 0, "all arguments %s: every call fails", kinds[k].name);
	}
}

static void test_numbers(void)
{
	static const uint64_t numbers[] = {
		SYSCALL_NUMBER_MAX, 10, 100, 1000, 1ull << 31, 1ull << 32, ~0ull, 1ull << 63
	};
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { 0 };
	bool refused_all = true;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		bool exists = false;
		for (size_t c = 0; c < CALLS; c++)
			exists |= calls[c].number == (uint32_t)numbers[i];
		uint32_t status = exists ? (uint32_t)STATUS_INVALID_SYSTEM_SERVICE : call_raw(numbers[i], a);
		if (status != (uint32_t)STATUS_INVALID_SYSTEM_SERVICE)
			note("system call %llu gave 0x%08x", (unsigned long long)numbers[i], status);
		refused_all &= status == (uint32_t)STATUS_INVALID_SYSTEM_SERVICE;
	}
	ok(refused_all, "numbers of no system call give STATUS_INVALID_SYSTEM_SERVICE");
}

static void test_handles(void)
{
	static const uint64_t handles[] = { 0, 3, 0x7ffffffc, 0xfffffffc, 0x100000004ull, 0xdeadbeef, 1ull << 63 };
	bool refused_all = true;
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { 0 };
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		a[0] = handles[i];
		refused_all &= call_raw(1, a) == (uint32_t)STATUS_INVALID_HANDLE;  /* NtClose */
		refused_all &= call_raw(7, a) == (uint32_t)STATUS_INVALID_HANDLE;  /* NtSetEvent */
	}
	ok(refused_all, "bad handles give STATUS_INVALID_HANDLE");
	HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
	a[0] = (uint64_t)event;
	is(call_raw(28, a), (uint32_t)STATUS_OBJECT_TYPE_MISMATCH,
	   "an event is no thread: STATUS_OBJECT_TYPE_MISMATCH");
	CloseHandle(event);
	is(call_raw(7, a), (uint32_t)STATUS_INVALID_HANDLE, "a closed handle is bad");
}

static void run_rounds(uint64_t rounds, uint64_t seed)
{
	char arguments[64];
	for (uint64_t round = 0; round < rounds; round++) {
		PROCESS_INFORMATION p;
		sprintf(arguments, "child %llu", (unsigned long long)(seed + round * 7919));
		if (!process_start(arguments, false, 0, &p)) {
			ok(false, "a process for seed %llu", (unsigned long long)(seed + round * 7919));
			return;
		}
		bool late = WaitForSingleObject(p.hProcess, SECONDS_IN_A_ROUND * 1000) != WAIT_OBJECT_0;
		if (late)
			TerminateProcess(p.hProcess, 1);
		DWORD code = process_end(&p);
		note("seed %llu: %s, exit code 0x%lx", (unsigned long long)(seed + round * 7919),
		     late ? "stopped" : "ended", code);
		tap_alive();
	}
	ok(true, "%llu rounds of %d calls with random arguments", (unsigned long long)rounds, CALLS_IN_A_ROUND);
}

static uint64_t first_seed = 1;

static void fixed(void)
{
	test_uniform();
	test_numbers();
	test_handles();
}

static void one_round(void)
{
	run_rounds(1, first_seed);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "child"))
		return child(strtoull(argv[2], NULL, 10));
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 8;
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	probes_init();
	fixed();
	leaks_none(fixed, 0);
	run_rounds(rounds, first_seed);
	return leaks_none_and_end(one_round, STACKS_KEPT);
}
