/*
 * Tests that run in the guest write what they find in the Test Anything Protocol: "ok 1 - name", "not ok 2 - name #
 * why", and the plan "1..N" as the last line, so that a program that ends early is noticed. tap_end's result is the
 * exit code.
 */
#ifndef TAP_H
#define TAP_H

#include "counters.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAP_FORMAT(string, first) __attribute__((format(__MINGW_PRINTF_FORMAT, string, first)))

static struct {
	unsigned int run, failed;
	bool quiet;    /* what holds is neither written nor counted: a body that is run again */
	bool had_failed; /* something had failed before: then the repeated body's failures are no news */
} tap;

/* One line. why: NULL or what went wrong, used if the test failed. */
static inline bool tap_line(bool so, const char *why, const char *format, va_list args)
{
	if (tap.quiet && (so || tap.had_failed))
		return so;
	tap.run++;
	tap.failed += !so;
	printf("%s %u - ", so ? "ok" : "not ok", tap.run);
	vprintf(format, args);
	if (!so && why)
		printf(" # %s", why);
	printf("\n");
	fflush(stdout);
	return so;
}

/* The test holds if so is true. The last error is shown if not. */
TAP_FORMAT(2, 3) static inline bool ok(bool so, const char *format, ...)
{
	char why[64];
	va_list args;
	sprintf(why, "last error %lu", GetLastError());
	va_start(args, format);
	tap_line(so, why, format, args);
	va_end(args);
	return so;
}

/* The test holds if both numbers are the same. */
TAP_FORMAT(3, 4) static inline bool is(uint64_t got, uint64_t expected, const char *format, ...)
{
	char why[128];
	va_list args;
	sprintf(why, "got %llu (0x%llx), expected %llu (0x%llx)", (unsigned long long)got, (unsigned long long)got,
		(unsigned long long)expected, (unsigned long long)expected);
	va_start(args, format);
	tap_line(got == expected, why, format, args);
	va_end(args);
	return got == expected;
}

/* The test holds if low <= got <= high. */
TAP_FORMAT(4, 5) static inline bool is_within(uint64_t got, uint64_t low, uint64_t high, const char *format, ...)
{
	char why[128];
	va_list args;
	bool so = got >= low && got <= high;
	sprintf(why, "got %llu, expected %llu to %llu", (unsigned long long)got, (unsigned long long)low,
		(unsigned long long)high);
	va_start(args, format);
	tap_line(so, why, format, args);
	va_end(args);
	return so;
}

/*
 * The test holds if a call was refused (succeeded is false) with this error. Call SetLastError(0) in the same
 * expression.
 */
TAP_FORMAT(3, 4) static inline bool refused(bool succeeded, DWORD error, const char *format, ...)
{
	char why[96];
	va_list args;
	DWORD got = GetLastError();
	if (succeeded)
		sprintf(why, "it succeeded, expected error %lu", error);
	else
		sprintf(why, "got error %lu, expected %lu", got, error);
	va_start(args, format);
	tap_line(!succeeded && got == error, why, format, args);
	va_end(args);
	return !succeeded && got == error;
}

TAP_FORMAT(1, 2) static inline void note(const char *format, ...)
{
	va_list args;
	if (tap.quiet)
		return;
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* A test that makes no sense on this machine. */
static inline void skip(const char *name, const char *why)
{
	if (!tap.quiet)
		printf("ok %u - %s # SKIP %s\n", ++tap.run, name, why);
}

/* For what takes long: a sign of life, at most once a second. */
static inline void tap_alive(void)
{
	static ULONGLONG last;
	ULONGLONG now = GetTickCount64();
	if (now - last < 1000)
		return;
	last = now;
	printf("# ...\n");
	fflush(stdout);
}

/* Waits for what others bring about, as long as a slow host may take for it: it is judged afterwards. */
#define wait_until(condition)                                        \
	for (int looks_ = 0; looks_ < 600 && !(condition); looks_++) { \
		Sleep(50);                                           \
		tap_alive();                                         \
	}

/* What must be the same after a body as before it. */
struct leak_state {
	uint64_t available; /* frames that are not in use; standby and modified ones have their contents still */
	uint64_t charge, sections, slots, handles, processes, threads;
};

static inline struct leak_state leak_state_now(void)
{
	struct bs_memory m;
	/* The program's own pages that are in use now are those that this takes, whatever was touched before. */
	SetProcessWorkingSetSize(GetCurrentProcess(), (SIZE_T)-1, (SIZE_T)-1);
	m = memory_now();
	return (struct leak_state){
		.available = memory_available(&m) + m.frames_modified + m.frames_transition,
		.charge = m.commit_charge,
		.sections = m.commit_sections,
		.slots = m.paging_file_used,
		.handles = m.handles,
		.processes = m.processes,
		.threads = m.threads,
	};
}

/*
 * The kernel keeps up to 16 stacks of 4 pages for the next threads: bodies that start threads or processes may leave
 * those.
 */
#define STACKS_KEPT 64

static inline bool leak_state_is_back(const struct leak_state *then, uint64_t kept)
{
	struct leak_state now = leak_state_now();
	return now.charge <= then->charge + kept && now.sections <= then->sections && now.slots <= then->slots &&
	       now.handles <= then->handles && now.processes <= then->processes && now.threads <= then->threads &&
	       now.available + kept >= then->available;
}

/* Waits until what others still hold is back, and judges. kept: as for leaks_none. */
static inline void leak_state_judge(const struct leak_state *then, uint64_t kept)
{
	wait_until(leak_state_is_back(then, kept));
	struct leak_state now = leak_state_now();
	is_within(now.processes, 0, then->processes, "no process is left");
	is_within(now.threads, 0, then->threads, "no thread is left");
	is_within(now.handles, 0, then->handles, "no handle is left");
	is_within(now.sections, 0, then->sections, "sections' commit charge is as before");
	is_within(now.charge, 0, then->charge + kept, "commit charge is not higher than before");
	is_within(now.slots, 0, then->slots, "paging-file slots in use are not more than before");
	is_within(now.available + kept, then->available, UINT64_MAX, "frames are as free as before");
}

/*
 * Runs body three times and compares before and after the last two: the first run fills what is kept for good (the
 * process's own working set, page tables, the kernel's pools). Ended processes and threads take a moment to go. Those of the
 * first run, or of another program before, may still be there when the state before is taken: less than that is no leak.
 * kept: how many pages the kernel may keep for the next time, by what is stated of it.
 */
static inline void leaks_none(void (*body)(void), uint64_t kept)
{
	tap.had_failed = tap.failed > 0;
	tap.quiet = true;
	body();
	Sleep(50);
	struct leak_state then = leak_state_now();
	body();
	body();
	tap.quiet = false;
	leak_state_judge(&then, kept);
}

/* The memory manager's own check of all its structures. The last test of most programs. */
static inline void memory_is_consistent(void)
{
	NTSTATUS status = BsCheckMemory();
	if (status == STATUS_ACCESS_DENIED)
		skip("the memory manager's structures agree", "boot option check=call allows the question");
	else
		is((uint32_t)status, 0, "the memory manager's structures agree");
}

static inline int tap_end(void)
{
	printf("1..%u\n", tap.run);
	if (tap.failed)
		printf("# %u of %u failed\n", tap.failed, tap.run);
	fflush(stdout);
	return tap.failed != 0;
}

/* The end of most programs: twice more the same, quietly, leaves nothing behind, and all structures agree. */
static inline int leaks_none_and_end(void (*body)(void), uint64_t kept)
{
	leaks_none(body, kept);
	memory_is_consistent();
	return tap_end();
}

#endif
