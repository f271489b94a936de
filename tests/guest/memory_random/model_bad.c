/* One bad argument in a call that would otherwise be good: the documented status, and nothing has changed. */
#include "random.h"

/* Where a call takes a process's handle, and pointers that it must be able to use. -1: none. */
static const struct place {
	unsigned int number;
	int process;
	int pointers[4];
} places[] = {
	{ CALL_NtAllocateVirtualMemory, 0, { 1, 3, -1, -1 } },
	{ CALL_NtFreeVirtualMemory, 0, { 1, 2, -1, -1 } },
	{ CALL_NtProtectVirtualMemory, 0, { 1, 2, 4, -1 } },
	{ CALL_NtQueryVirtualMemory, 0, { 3, -1, -1, -1 } },
	{ CALL_NtReadVirtualMemory, 0, { 2, -1, -1, -1 } },
	{ CALL_NtWriteVirtualMemory, 0, { 2, -1, -1, -1 } },
	{ CALL_BsQueryBacking, 0, { 3, -1, -1, -1 } },
	{ CALL_NtMapViewOfSection, 1, { 2, 6, -1, -1 } },
	{ CALL_NtUnmapViewOfSection, 0, { -1, -1, -1, -1 } },
	{ CALL_NtCreateSection, -1, { 0, -1, -1, -1 } },
	{ CALL_BsQueryMemory, -1, { 0, -1, -1, -1 } },
	{ CALL_NtQuerySection, -1, { 2, -1, -1, -1 } },
};

static uint64_t pointer_bad(struct worker *w)
{
	static const uint64_t bad[] = {
		0, 8, 0xfff8, 0xffff800000000000ull, 0xffffffff80000000ull, 0x0000800000000000ull, 0x00007ffffffffffcull,
		0x7ffffffffffffff8ull, ~0ull, 0x00007fffffff0000ull,
	};
	return PICK(&w->chance, bad);
}

/* A call on one page of the arena that is free, or is private memory. */
void bad_operation(struct worker *w, struct arena *a)
{
	const struct place *p = &PICK(&w->chance, places);
	unsigned int page = (unsigned int)below(&w->chance, ARENA_PAGES);
	uint64_t base = page_address(a, page), size = PAGE_SIZE, section = 0, handle, offset = 0;
	uint32_t old, status;
	struct expected e = { .count = 0 };
	uint64_t arguments[SYSCALL_ARGUMENTS_MAX] = { 0 };
	for (unsigned int i = 0; i < SECTIONS_MAX; i++)
		if (w->sections[i].handle)
			section = U(w->sections[i].handle);
	switch (p->number) {
	case CALL_NtAllocateVirtualMemory:
		arguments[1] = U(&base), arguments[3] = U(&size), arguments[4] = MEM_COMMIT, arguments[5] = PAGE_READWRITE;
		break;
	case CALL_NtFreeVirtualMemory:
		arguments[1] = U(&base), arguments[2] = U(&size), arguments[3] = MEM_DECOMMIT;
		break;
	case CALL_NtProtectVirtualMemory:
		arguments[1] = U(&base), arguments[2] = U(&size), arguments[3] = PAGE_READWRITE, arguments[4] = U(&old);
		break;
	case CALL_NtQueryVirtualMemory:
		arguments[1] = base, arguments[3] = U(w->buffer), arguments[4] = sizeof(MEMORY_BASIC_INFORMATION);
		break;
	case CALL_NtReadVirtualMemory:
	case CALL_NtWriteVirtualMemory:
		/* From memory that can be read, to memory that can be written. */
		arguments[1] = U(w->buffer) + PAGE_SIZE, arguments[2] = U(w->buffer), arguments[3] = 64;
		break;
	case CALL_BsQueryBacking:
		arguments[1] = base, arguments[2] = 1, arguments[3] = U(w->buffer);
		break;
	case CALL_NtMapViewOfSection:
		arguments[0] = section, arguments[2] = U(&base), arguments[5] = U(&offset), arguments[6] = U(&size);
		arguments[7] = 1, arguments[9] = PAGE_READONLY;
		break;
	case CALL_NtUnmapViewOfSection:
		arguments[1] = base;
		break;
	case CALL_NtCreateSection:
		arguments[1] = SECTION_ALL_ACCESS, arguments[3] = U(&size), arguments[4] = PAGE_READWRITE;
		arguments[5] = SEC_COMMIT;
		break;
	case CALL_NtQuerySection:
		arguments[0] = section, arguments[2] = U(w->buffer), arguments[3] = 24;
		break;
	}
	/* What is read of another process goes through this process's buffer. */
	if (p->process >= 0)
		arguments[p->process] = OWN_PROCESS;
	if (p->number == CALL_NtMapViewOfSection && !section)
		return;
	unsigned int places_bad = 0;
	while (places_bad < 4 && p->pointers[places_bad] >= 0)
		places_bad++;
	if (places_bad && (p->process < 0 || one_in(&w->chance, 2))) {
		arguments[p->pointers[below(&w->chance, places_bad)]] = pointer_bad(w);
		expect(&e, STATUS_ACCESS_VIOLATION);
		if (p->number == CALL_NtQuerySection && !section)
			expect(&e, STATUS_INVALID_HANDLE);
	} else {
		handle = PICK(&w->chance, w->handles);
		arguments[p->process] = handle;
		expect(&e, handle == w->handles[0] || handle == w->handles[1] ? STATUS_OBJECT_TYPE_MISMATCH
									       : STATUS_INVALID_HANDLE);
	}
	about(w, "a bad argument");
	status = call_make(w, p->number, arguments);
	as_expected(w, &e, status);
	if (!w->failed && (base != page_address(a, page) || size != PAGE_SIZE))
		failure(w, "gave 0x%08x, and changed base or size", status);
}
