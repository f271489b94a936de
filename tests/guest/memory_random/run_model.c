/* A thread with a model: operations in two arenas, one in its own process and one in another. */
#include "random.h"

/* Nothing else is placed here: what the system chooses for others lies far below or far above. */
#define ARENAS_BASE 0x200000000000ull
#define ARENAS_STRIDE 0x10000000ull

struct worker *worker_make(uint64_t seed, unsigned int process, unsigned int thread, uint64_t operations, HANDLE other)
{
	struct worker *w = VirtualAlloc(NULL, sizeof(*w), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	uint64_t base = ARENAS_BASE + (2 * thread) * ARENAS_STRIDE;
	if (!w)
		return NULL;
	w->buffer = VirtualAlloc(NULL, ARENA_PAGES * PAGE_SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!w->buffer) {
		VirtualFree(w, 0, MEM_RELEASE);
		return NULL;
	}
	chance_start(&w->chance, seed, process * 256 + thread);
	w->seed = seed;
	w->process = process;
	w->thread = thread;
	w->operations = operations;
	arena_init(&w->arenas[0], GetCurrentProcess(), false, base);
	arena_init(&w->arenas[1], other, true, base + ARENAS_STRIDE);
	/* The arenas would be exactly at multiples of 2 MiB, where page tables begin: make them straddle. */
	w->arenas[0].base += 0x200000 - ARENA_PAGES / 2 * PAGE_SIZE;
	w->arenas[1].base += 0x200000 - ARENA_PAGES / 2 * PAGE_SIZE;
	return w;
}

static void arenas_empty(struct worker *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct arena *a = &w->arenas[i];
		for (unsigned int page = 0; page < ARENA_PAGES && !w->failed; page++) {
			struct view *v = page_view(a, page);
			struct expected e = { .count = 0 };
			uint64_t base = page_address(a, page), size = 0;
			if (!v)
				continue;
			about(w, "the end: page %u", page);
			if (v->kind == KIND_SECTION)
				as_expected(w, &e, CALL(w, NtUnmapViewOfSection, U(a->process), base));
			else
				as_expected(w, &e, CALL(w, NtFreeVirtualMemory, U(a->process), U(&base), U(&size), MEM_RELEASE));
			if (!w->failed)
				view_cut(w, a, v, v->start, v->count);
		}
	}
	for (unsigned int i = 0; i < SECTIONS_MAX; i++)
		if (w->sections[i].handle)
			CloseHandle(w->sections[i].handle);
}

DWORD WINAPI model_thread(void *worker)
{
	static void (*const operations[])(struct worker *, struct arena *) = {
		private_operation, private_operation, private_operation, section_operation, section_operation,
		extra_operation, extra_operation, extra_operation, more_operation,
		contents_operation, contents_operation, contents_operation, look_operation, look_operation, bad_operation,
	};
	struct worker *w = worker;
	HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL), closed = CreateEventA(NULL, TRUE, FALSE, NULL);
	w->handles[0] = U(event);
	w->handles[1] = U(GetCurrentThread());
	w->handles[2] = 0x7ffffff0 + 4 * w->thread;
	CloseHandle(closed);
	for (w->operation = 0; w->operation < w->operations && !w->failed && !stop; w->operation++) {
		struct arena *a = &w->arenas[one_in(&w->chance, 4)];
		PICK(&w->chance, operations)(w, a);
		if (one_in(&w->chance, 250))
			clone_operation(w, &w->arenas[0]);
		if (w->operation % 256 == 255) {
			arena_verify(w, &w->arenas[0]);
			arena_verify(w, &w->arenas[1]);
		}
		if (one_in(&w->chance, 600)) {
			struct expected e = { .count = 0 };
			uint32_t status = CALL(w, BsCheckMemory, 0);
			about(w, "the memory manager's check of itself");
			if (status != (uint32_t)STATUS_ACCESS_DENIED)
				as_expected(w, &e, status);
		}
	}
	if (!w->failed && !stop) {
		arena_verify(w, &w->arenas[0]);
		arena_verify(w, &w->arenas[1]);
		arenas_empty(w);
	}
	if (event)
		CloseHandle(event);
	return w->failed;
}
