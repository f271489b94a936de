/*
 * What the files of memory_random share: chance, calls by number, expectations, and the model of one thread's memory.
 * main.c starts rounds of processes; worker.c makes calls and reports; model.c says what the model believes, and
 * model_private.c, model_section.c, model_look.c make calls and compare; chaos.c makes calls without a model.
 */
#ifndef MEMORY_RANDOM_H
#define MEMORY_RANDOM_H

#include "backstore.h"
#include "abi/syscalls.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PAGE_SIZE 4096ull
#define GRANULE 0x10000ull
#define GRANULE_PAGES 16
#define OWN_PROCESS (~0ull)

/* ---- chance ---- */

struct chance {
	uint64_t state;
};

/* Streams of different numbers have nothing in common. */
void chance_start(struct chance *c, uint64_t seed, uint64_t stream);
uint64_t chance_next(struct chance *c);
/* 0 to n - 1. */
static inline uint64_t below(struct chance *c, uint64_t n) { return chance_next(c) % n; }
static inline bool one_in(struct chance *c, uint64_t n) { return below(c, n) == 0; }
#define PICK(c, list) ((list)[below(c, sizeof(list) / sizeof((list)[0]))])

/* ---- calls ---- */

enum call_number {
#define CALL_NUMBER(number, name, arguments) CALL_##name = number,
	SYSCALLS(CALL_NUMBER)
};

const char *call_name(unsigned int number);       /* NULL: no such call */
unsigned int call_arguments(unsigned int number);

/* ---- the model ---- */

#define ARENA_PAGES 192
#define VIEWS_MAX 96
#define SECTIONS_MAX 5
#define SECTION_PAGES 64

enum view_kind { KIND_PRIVATE, KIND_PLACEHOLDER, KIND_SECTION };

struct view {
	bool used;
	enum view_kind kind;
	uint32_t protect;   /* as it was allocated or mapped */
	unsigned int start, count;
	unsigned int section, first; /* sections: which, and the section's page that start shows */
	bool watch, replaced, inherited; /* inherited: a copy of the process has the view as well */
};

struct page {
	int view;           /* -1: free */
	bool committed;     /* private memory; of a section's pages the section knows */
	bool own;           /* a private copy of a section's page */
	bool locked, written;
	bool reset, lost, offered; /* the contents may be zeros by now; they are; no access */
	uint32_t protect;
	uint64_t stamp;     /* what it holds; 0: zeros */
};

/* A range of addresses that only this thread uses, in its own process or in another one. */
struct arena {
	HANDLE process;
	bool remote;
	uint64_t base;
	struct page pages[ARENA_PAGES];
	struct view views[VIEWS_MAX];
};

struct section_model {
	HANDLE handle;      /* NULL: closed */
	unsigned int views; /* of any arena */
	unsigned int pages; /* 0: there is no such section */
	uint32_t protect;
	bool reserve;
	struct { bool committed; uint64_t stamp; } page[SECTION_PAGES];
};

#define STATUSES_MAX 12

/* What a call may give. Empty: success, or a refusal for want of memory. */
struct expected {
	uint32_t status[STATUSES_MAX];
	unsigned int count;
};

struct worker {
	struct chance chance;
	uint64_t seed;
	unsigned int process, thread;
	uint64_t operation, operations;
	struct arena arenas[2];
	struct section_model sections[SECTIONS_MAX];
	uint64_t stamp;
	char *buffer;       /* ARENA_PAGES pages */
	uint64_t handles[4];/* of wrong types: an event, a thread, a closed one; 0 */
	/* the last call, for the report */
	unsigned int number;
	uint64_t arguments[SYSCALL_ARGUMENTS_MAX];
	char about[160];
	uint64_t refusals;
	bool failed;
	HANDLE thread_handle;
	bool foreign;        /* the chaos part: this operation is on another process */
};

extern bool trace;          /* each call is printed */
extern volatile LONG stop; /* something has failed: all threads end */

/* A system call. CALL(w, name, argument, ...): those that are not given are 0. */
uint32_t call_make(struct worker *w, unsigned int number, const uint64_t *arguments);
#define CALL(w, name, ...) \
	call_make(w, CALL_##name, (const uint64_t[SYSCALL_ARGUMENTS_MAX]){ __VA_ARGS__ })
#define U(x) ((uint64_t)(uintptr_t)(x))

/* What the pointers of the next call lead to. Shown when it fails. */
__attribute__((format(__MINGW_PRINTF_FORMAT, 2, 3))) void about(struct worker *w, const char *format, ...);
/* Prints seed, thread, operation, the last call; then everybody stops. */
__attribute__((format(__MINGW_PRINTF_FORMAT, 2, 3))) void failure(struct worker *w, const char *format, ...);
/* One line to standard output, at once and whole. */
__attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2))) void line(const char *format, ...);

static inline void expect(struct expected *e, uint32_t status)
{
	if (e->count < STATUSES_MAX)
		e->status[e->count++] = status;
}

/* True: the call succeeded, and should have. False: it was refused as expected, or that is a failure, reported here. */
bool as_expected(struct worker *w, const struct expected *e, uint32_t got);
static inline bool succeeded(uint32_t status) { return (int32_t)status >= 0; }

/* ---- touching; 0, or the exception's code ---- */

uint32_t touch_load(const volatile void *address, uint64_t *value);
uint32_t touch_store(volatile void *address, uint64_t value);
void touch_init(void);

/* ---- model.c ---- */

void arena_init(struct arena *a, HANDLE process, bool remote, uint64_t base);
static inline uint64_t page_address(const struct arena *a, unsigned int page) { return a->base + page * PAGE_SIZE; }
struct view *page_view(struct arena *a, unsigned int page); /* NULL: free */
bool page_committed(struct worker *w, struct arena *a, unsigned int page);
uint64_t *page_stamp(struct worker *w, struct arena *a, unsigned int page);
/* PAGE_* without guard and caching. */
static inline uint32_t protect_base(uint32_t protect) { return protect & 0xff; }
bool protect_valid(uint32_t protect);
bool protect_writes(uint32_t protect);
bool protect_executes(uint32_t protect);
bool protect_copies(uint32_t protect);
/* A new view on free pages; all of them as the view says. NULL: the model has no room, and nothing was changed. */
struct view *view_add(struct arena *a, enum view_kind kind, unsigned int start, unsigned int count, uint32_t protect);
bool view_room(struct arena *a, unsigned int more);
/* Gives [start, start + count) up; the view becomes shorter, or two, or goes. */
void view_cut(struct worker *w, struct arena *a, struct view *v, unsigned int start, unsigned int count);
void page_clear(struct page *p);
bool range_free(struct arena *a, unsigned int start, unsigned int count);
void section_unused(struct section_model *s);

/* A random range in an arena: in pages, and as a caller might say it: not rounded. */
struct range {
	unsigned int start, count;
	uint64_t base, size;
};
struct range range_any(struct worker *w, struct arena *a);
struct range range_granule(struct worker *w, struct arena *a); /* begins at a multiple of 64 KiB */
struct range range_in_view(struct worker *w, struct arena *a, struct view *v);
struct view *view_any(struct worker *w, struct arena *a, int kind); /* kind -1: any; NULL: none */
uint32_t protect_any(struct worker *w);

/* ---- operations: each makes a call or more, compares, and brings the model up to date ---- */

void private_operation(struct worker *w, struct arena *a);
void section_operation(struct worker *w, struct arena *a);
void extra_operation(struct worker *w, struct arena *a);
void more_operation(struct worker *w, struct arena *a);
void look_operation(struct worker *w, struct arena *a);
/* Writes to private pages alone: nobody else sees that, whoever shares the rest. */
void private_write(struct worker *w, struct arena *a);
void contents_operation(struct worker *w, struct arena *a);
void bad_operation(struct worker *w, struct arena *a);
void clone_operation(struct worker *w, struct arena *a);
/* Every page of the arena is as the model says, and holds what it says. */
void arena_verify(struct worker *w, struct arena *a);
/* Does page i hold its stamp? Guard pages and those that can't be read: not asked. */
bool page_holds(struct worker *w, struct arena *a, unsigned int page);

/* Makes a worker for thread number thread of process number process; NULL: no memory. */
struct worker *worker_make(uint64_t seed, unsigned int process, unsigned int thread, uint64_t operations, HANDLE other);

DWORD WINAPI model_thread(void *worker);
DWORD WINAPI chaos_thread(void *worker);

#endif
