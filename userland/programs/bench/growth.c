/* How cost grows: what surrounds a row while it runs, sparse memory of any size, and faults on all processors at once. */
#include "bench.h"
#include <stdio.h>

#define KIB 1024ull
#define TIB (MIB * MIB)
#define CALLS 200
#define BLOCK (16 * MIB)
#define ROUNDS 4
#define WORKERS_MAX 8
#define WAITING 2 /* the token of processes that only wait */

static unsigned int copies;

void surroundings_make(unsigned int views, unsigned int processes)
{
	intptr_t section = views ? os_section(PAGE_BYTES) : 0;

	if (processes > 1)
		os_token_start();
	for (; copies < processes - 1; copies++) {
		intptr_t copy = os_clone();

		if (!copy) {
			os_take(WAITING);
			os_pass(WAITING);
			os_exit();
		}
		os_forget(copy);
	}
	for (unsigned int i = 0; i < views; i++)
		os_map(section, PAGE_BYTES);
}

/* Each copy wakes the next one when it ends. */
void surroundings_end(void)
{
	if (copies)
		os_pass(WAITING);
}

static void page_use(char *p)
{
	os_commit(p, PAGE_BYTES);
	*(volatile char *)p = 1;
}

/* Reserved and given back; use: after one page in the middle was committed and touched. */
static void sparse_size(const char *size, uint64_t bytes, bool use)
{
	const char *unused = use ? "" : "unused-";
	char name[32];
	uint64_t start = 0;

	for (int i = -2; i < CALLS; i++) {
		char *p;

		if (!i)
			start = ticks();
		p = os_reserve(bytes);
		if (use)
			page_use(p + bytes / 2);
		os_free(p, bytes);
	}
	snprintf(name, sizeof(name), "reserve-%s%s", unused, size);
	report(name, "per reservation", (double)(ticks() - start) / CALLS);
	for (int i = -2; i < CALLS; i++) {
		intptr_t section;
		char *p;

		if (!i)
			start = ticks();
		section = os_section_sparse(bytes);
		p = os_map_sparse(section, bytes);
		if (use)
			page_use(p + bytes / 2);
		os_unmap(p, bytes);
		os_section_close(section);
	}
	snprintf(name, sizeof(name), "section-%s%s", unused, size);
	report(name, "per section", (double)(ticks() - start) / CALLS);
}

static void sparse(void)
{
	for (int use = 0; use < 2; use++) {
		sparse_size("64K", 64 * KIB, use);
		sparse_size("1G", 1024 * MIB, use);
		sparse_size("1T", TIB, use);
	}
}

/* ---- faults on all processors at once ---- */

struct board {
	volatile unsigned int ready, go;
};

static void fault_worker(void *argument)
{
	struct board *b = argument;

	__atomic_add_fetch(&b->ready, 1, __ATOMIC_SEQ_CST);
	while (!b->go)
		__asm__ volatile("pause" : : : "memory");
	for (int i = 0; i < ROUNDS; i++) {
		char *p = os_alloc(BLOCK);

		touch_write(p, BLOCK);
		os_free(p, BLOCK);
	}
}

/* Thousands of faults a second, of all workers together. */
static void faults(const char *name, struct board *b, unsigned int workers, bool processes)
{
	intptr_t worker[WORKERS_MAX];
	double start;

	b->ready = b->go = 0;
	for (unsigned int i = 0; i < workers; i++) {
		worker[i] = processes ? os_clone() : os_thread(fault_worker, b);
		if (!worker[i]) {
			fault_worker(b);
			os_exit();
		}
	}
	while (b->ready < workers)
		__asm__ volatile("pause" : : : "memory");
	start = os_seconds();
	b->go = 1;
	for (unsigned int i = 0; i < workers; i++) {
		if (processes)
			os_wait(worker[i]);
		else
			os_join(worker[i]);
	}
	report(name, "thousand per second",
	       (double)(workers * ROUNDS * (BLOCK / PAGE_BYTES)) / (os_seconds() - start) / 1000);
}

static void parallel(void)
{
	struct board *b = os_map(os_section(PAGE_BYTES), PAGE_BYTES);
	unsigned int workers = os_cpus() < WORKERS_MAX ? os_cpus() : WORKERS_MAX;

	faults("faults-threads", b, workers, false);
	faults("faults-processes", b, workers, true);
}

const struct row growth_rows[] = {
	{ "sparse", "64 KiB, 1 GiB and 1 TiB reserved, as private memory and as a section, and no or one page of it used", sparse },
	{ "parallel", "first touches a second by a thread, and a process, for each processor", parallel },
	{ 0 },
};
