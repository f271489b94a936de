/* Rows of copies of a process, exceptions, and two processes in turn. */
#include "bench.h"
#include <stdio.h>

#define BLOCK (16 * MIB)
#define BLOCK_PAGES (BLOCK / PAGE_BYTES)
#define SWITCHES 2000

/* What the copy has to say is said through a section: no output of two processes is mixed. */
static volatile uint64_t *board;

static void board_start(void)
{
	if (!board)
		board = os_map(os_section(PAGE_BYTES), PAGE_BYTES);
}

static void copy_on_write(void)
{
	uint64_t copied = 0, last = 0;

	board_start();
	for (int round = 0; round < 2; round++) {
		char *p = os_alloc(BLOCK);
		intptr_t copy;
		uint64_t start;

		touch_write(p, BLOCK);
		copy = os_clone();
		if (!copy) {
			start = ticks();
			touch_write(p, BLOCK);
			board[0] = ticks() - start;
			os_exit();
		}
		os_wait(copy);
		copied = board[0];
		start = ticks();
		touch_write(p, BLOCK);
		last = ticks() - start;
		os_free(p, BLOCK);
	}
	report("copy-on-write", "per page", (double)copied / BLOCK_PAGES);
	report("last-owner", "per page", (double)last / BLOCK_PAGES);
}

/* Not if the copy could not be promised its memory. */
static void clone_wait(unsigned int mib)
{
	const int clones = 10;
	char name[32], *p;
	uint64_t start = 0;

	if (2 * mib * MIB > os_memory())
		return;
	p = mib ? os_alloc(mib * MIB) : NULL;
	if (p)
		touch_write(p, mib * MIB);
	for (int i = -2; i < clones; i++) { /* two to warm up */
		intptr_t copy;

		if (i == 0)
			start = ticks();
		copy = os_clone();
		if (!copy)
			os_exit();
		os_wait(copy);
	}
	start = ticks() - start;
	if (p)
		os_free(p, mib * MIB);
	snprintf(name, sizeof(name), "clone-%u", mib);
	report(name, "per clone", (double)start / clones);
}

static void clone_rows(void)
{
	clone_wait(0);
	clone_wait(16);
	clone_wait(64);
}

static void make_writable(void *address)
{
	os_protect_write((void *)((uintptr_t)address & ~(PAGE_BYTES - 1)), PAGE_BYTES);
}

static void handler(void)
{
	const size_t bytes = 1000 * PAGE_BYTES;
	char *p = os_alloc(bytes);
	uint64_t start = 0;

	os_on_fault(make_writable);
	for (int round = 0; round < 2; round++) {
		touch_write(p, bytes);
		os_protect_none(p, bytes);
		start = ticks();
		touch_write(p, bytes);
		start = ticks() - start;
	}
	os_on_fault(NULL);
	os_free(p, bytes);
	report("handler", "per fault", (double)start / 1000);
}

static void token(void)
{
	uint64_t start;
	intptr_t copy;

	os_token_start();
	copy = os_clone();
	if (!copy) {
		for (int i = 0; i < SWITCHES + 100; i++) {
			os_take(1);
			os_pass(0);
		}
		os_take(1); /* its end is not to be part of the last switch */
		os_exit();
	}
	for (int i = 0; i < 100; i++) {
		os_pass(1);
		os_take(0);
	}
	start = ticks();
	for (int i = 0; i < SWITCHES; i++) {
		os_pass(1);
		os_take(0);
	}
	report("switch", "per switch", (double)(ticks() - start) / (2 * SWITCHES));
	os_pass(1);
	os_wait(copy);
}

/* From one process' call to another one's main, and to its end. */
static void start(void)
{
	const int starts = 10;
	uint64_t begin = 0;

	for (int i = -2; i < starts; i++) {
		if (i == 0)
			begin = ticks();
		os_wait(os_run_itself());
	}
	report("start", "per process", (double)(ticks() - begin) / starts);
}

const struct row process_rows[] = {
	{ "copy-on-write", "writing pages that a copy of the process shares; and as their last owner", copy_on_write },
	{ "clone", "copy of the process, its end, waiting for it; with 0, 16 and 64 MiB", clone_rows },
	{ "start", "a program's start to main, its end, waiting for it", start },
	{ "handler", "a handler makes the page accessible that was touched, and goes on", handler },
	{ "switch", "two processes hand a token back and forth", token },
	{ 0 },
};
