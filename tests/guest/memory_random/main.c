/*
 * Every memory call with random arguments, valid ones and bad ones, from several threads and processes at once.
 * memory_random [SEED [SECONDS [THREADS [PROCESSES [trace]]]]]: without a seed (or with 0) a random one is taken; it is printed,
 * and with it every thread's sequence of operations is the same again; with one thread and one process so is everything. trace: each
 * call is printed.
 *
 * Rounds follow each other until the time is over; round r has seed SEED + r, so that a failure's seed replays the round in
 * which it was. In a round each process is one of two kinds: with a model (its threads own memory of their own and know
 * what each call must give), or without (its threads use the same memory and handles, and nothing may go wrong but what
 * the calls' documentation says). At the end nothing may be left over.
 */
#include "random.h"
#include "tap.h"
#include "guest.h"

#define MODEL_OPERATIONS 500
#define CHAOS_OPERATIONS 900
#define ROUND_SECONDS_MAX 300 /* then it hangs */
#define THREADS_MAX 16
#define PROCESSES_MAX 8

/* ---- the processes of a round ---- */

/* Somebody else's address space: lives until its parent ends it, or ends. */
static int puppet_main(DWORD parent)
{
	HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, parent);
	if (process)
		WaitForSingleObject(process, INFINITE);
	return 0;
}

static int child_main(bool model, uint64_t seed, unsigned int process, unsigned int threads)
{
	struct worker *workers[THREADS_MAX] = { 0 };
	PROCESS_INFORMATION puppet;
	char arguments[32];
	int result = 0;
	touch_init();
	sprintf(arguments, "puppet %lu", GetCurrentProcessId());
	if (!process_start(arguments, false, 0, &puppet))
		return 3;
	for (unsigned int i = 0; i < threads; i++) {
		workers[i] = worker_make(seed, process, i, model ? MODEL_OPERATIONS : CHAOS_OPERATIONS, puppet.hProcess);
		if (workers[i])
			workers[i]->thread_handle =
				CreateThread(NULL, 0, model ? model_thread : chaos_thread, workers[i], 0, NULL);
	}
	for (unsigned int i = 0; i < threads; i++) {
		if (!workers[i] || !workers[i]->thread_handle)
			continue;
		WaitForSingleObject(workers[i]->thread_handle, INFINITE);
		result |= workers[i]->failed;
	}
	TerminateProcess(puppet.hProcess, 0);
	WaitForSingleObject(puppet.hProcess, INFINITE);
	return result;
}

static uint64_t seed, seconds = 10, threads = 4, processes = 2, rounds;

/* False: something failed. A process that can't be started for want of memory is none. */
static bool round_run(uint64_t round_seed)
{
	PROCESS_INFORMATION p[PROCESSES_MAX];
	char arguments[128];
	unsigned int started = 0;
	bool held = true;
	ULONGLONG begin = GetTickCount64();
	for (unsigned int i = 0; i < processes; i++) {
		bool model = (round_seed + i) % 2 == 0;
		sprintf(arguments, "child %s %llu %u %u%s", model ? "model" : "chaos", (unsigned long long)round_seed, i,
			(unsigned int)threads, trace ? " trace" : "");
		if (process_start(arguments, false, 0, &p[started]))
			started++;
	}
	for (unsigned int i = 0; i < started; i++) {
		DWORD code = 0;
		while (WaitForSingleObject(p[i].hProcess, 1000) == WAIT_TIMEOUT) {
			tap_alive();
			if (GetTickCount64() - begin > ROUND_SECONDS_MAX * 1000) {
				note("seed %llu: process %u hangs", (unsigned long long)round_seed, i);
				held = false;
				TerminateProcess(p[i].hProcess, 1);
			}
		}
		GetExitCodeProcess(p[i].hProcess, &code);
		/* 3: its second process could not be started */
		if (code && code != 3) {
			note("seed %llu: process %u ended with 0x%lx; \"memory_random %llu 1 %llu %llu\" replays it",
			     (unsigned long long)round_seed, i, code, (unsigned long long)round_seed,
			     (unsigned long long)threads, (unsigned long long)processes);
			held = false;
		}
		process_close(&p[i]);
	}
	NTSTATUS status = BsCheckMemory();
	if (status && status != STATUS_ACCESS_DENIED) {
		note("seed %llu: BsCheckMemory gave 0x%08lx", (unsigned long long)round_seed, (unsigned long)status);
		held = false;
	}
	tap_alive();
	return held;
}

static void all_rounds(void)
{
	ULONGLONG end = GetTickCount64() + seconds * 1000;
	bool held = true;
	do
		held = round_run(seed + rounds++);
	while (held && GetTickCount64() < end);
	ok(held, "every call gave what it should (%llu rounds from seed %llu, %llu processes of %llu threads)",
	   (unsigned long long)rounds, (unsigned long long)seed, (unsigned long long)processes, (unsigned long long)threads);
}

static uint64_t number(const char *text, uint64_t low, uint64_t high)
{
	uint64_t n = strtoull(text, NULL, 0);
	return n < low ? low : n > high ? high : n;
}

/* What is kept for good is made by one round; then as much must be there after all others as before. */
static void run(void)
{
	struct leak_state then;
	bool held = round_run(seed);
	Sleep(100);
	then = leak_state_now();
	if (held)
		all_rounds();
	else
		ok(false, "the first round, seed %llu", (unsigned long long)seed);
	leak_state_judge(&then, STACKS_KEPT);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "puppet"))
		return puppet_main((DWORD)strtoul(argv[2], NULL, 0));
	trace = argc > 5 && !strcmp(argv[argc - 1], "trace");
	if (argc >= 6 && !strcmp(argv[1], "child"))
		return child_main(!strcmp(argv[2], "model"), strtoull(argv[3], NULL, 0), (unsigned int)strtoul(argv[4], NULL, 0),
				  (unsigned int)strtoul(argv[5], NULL, 0));
	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	if (!seed)
		seed = (__builtin_ia32_rdtsc() ^ GetTickCount64()) % 1000000000 + 1;
	if (argc > 2)
		seconds = number(argv[2], 1, 1000000);
	if (argc > 3)
		threads = number(argv[3], 1, THREADS_MAX);
	if (argc > 4)
		processes = number(argv[4], 1, PROCESSES_MAX);
	note("seed %llu; \"memory_random %llu %llu %llu %llu\" replays it", (unsigned long long)seed, (unsigned long long)seed,
	     (unsigned long long)seconds, (unsigned long long)threads, (unsigned long long)processes);
	run();
	memory_is_consistent();
	return tap_end();
}
