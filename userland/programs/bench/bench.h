/*
 * What a memory operation costs, in ticks of the time-stamp counter. The rows are written once, in terms of os_ functions
 * that Backstore (os_windows.c) and Linux (tests/bench/os_linux.c) have each in its own way.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull
#define LARGE_PAGE_BYTES (512 * PAGE_BYTES)
#define MIB (1024 * 1024ull)

static inline uint64_t ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

/* ---- the system; what fails ends the program with a message that names it ---- */

void os_start(void);
void os_null_call(void);
/* Private memory, committed, readable and writable. */
void *os_alloc(size_t bytes);
/* The same in pages of 2 MiB; NULL if there are none. Backed by memory at once here, when touched on Linux. */
void *os_alloc_large(size_t bytes);
void os_free(void *at, size_t bytes);
void os_protect_none(void *at, size_t bytes);
void os_protect_read(void *at, size_t bytes);
void os_protect_write(void *at, size_t bytes);
/* Anonymous shared memory, and views of it. */
intptr_t os_section(size_t bytes);
void *os_map(intptr_t section, size_t bytes);
void os_unmap(void *view, size_t bytes);
void os_section_close(intptr_t section);
/* A file of so many bytes, all of them in memory; it goes when it is closed. A view of it to read, which os_unmap ends. */
intptr_t os_file(size_t bytes);
void *os_file_map(intptr_t file, size_t bytes);
void os_file_read(intptr_t file, size_t offset, void *to, size_t bytes);
void os_file_close(intptr_t file);
/* A new file on a disk of its own, which goes when it is closed with os_disk_file_close. Written in order; on the disk after the flush. */
intptr_t os_disk_file(void);
void os_file_write(intptr_t file, const void *from, size_t bytes);
void os_file_flush(intptr_t file);
void os_disk_file_close(intptr_t file);
/* Address space that holds nothing, private or of a section, until os_commit says where. Freed, or unmapped, as above. */
void *os_reserve(size_t bytes);
intptr_t os_section_sparse(size_t bytes);
void *os_map_sparse(intptr_t section, size_t bytes);
void os_commit(void *at, size_t bytes);
/* A copy of the process by copy-on-write. 0 in the copy, which ends with os_exit; else what os_wait takes. */
intptr_t os_clone(void);
void os_wait(intptr_t process);
void os_forget(intptr_t process); /* nobody is going to wait for it: no handle of it stays */
void os_exit(void);
/* This program anew, in a process of its own, as "bench -e", which ends at once: what os_wait takes. */
intptr_t os_run_itself(void);
/* From now on an access that protection forbids calls fix(address), and is tried again. */
void os_on_fault(void (*fix)(void *address));
/* Things to wait for, kept by a copy too: os_pass(0) wakes one who waits in os_take(0). */
#define TOKENS 3
void os_token_start(void);
void os_pass(int to);
void os_take(int who);
/* A thread of this process. */
intptr_t os_thread(void (*run)(void *argument), void *argument);
void os_join(intptr_t thread);
unsigned int os_cpus(void);
uint64_t os_memory(void);       /* bytes */
uint64_t os_paging_file(void);  /* bytes; 0: none */
uint64_t os_pages_read(void);   /* from paging files since the start, in faults that had to wait for it */
double os_seconds(void);

/* ---- rows ---- */

struct result {
	const char *name, *unit;
	double value;
};

void report(const char *row, const char *unit, double value);

struct row {
	const char *name, *what;
	void (*run)(void);
};
extern const struct row memory_rows[], process_rows[], file_rows[], growth_rows[], disk_rows[], swap_rows[], os_rows[]; /* a row without a name ends each */

/* So many views that nothing uses, and so many processes, this one included, that only wait, while rows run. */
void surroundings_make(unsigned int views, unsigned int processes);
void surroundings_end(void);

/* A write, or a read, to each page of a range. */
void touch_write(volatile char *at, size_t bytes);
void touch_read(const volatile char *at, size_t bytes);

#endif
