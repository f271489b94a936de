/*
 * Calls without a model: all threads of a process use the same memory and the same handles, at the same time. Nothing is
 * expected but that each call returns, that touching gives a documented exception or none, and that the process's own
 * memory is left alone: so what a call could free or protect is an address in the shared range, or one that is nobody's.
 */
#include "random.h"

#define SHARED_BASE 0x300000000000ull
#define SHARED_PAGES 512ull
#define CELLS 64     /* words of the thread's own memory, for what calls take by pointer */
#define HANDLES 12

static volatile uint64_t handles[HANDLES];

static uint64_t shared_address(struct worker *w)
{
	uint64_t page = below(&w->chance, SHARED_PAGES);
	if (one_in(&w->chance, 2))
		page &= ~15ull;
	return SHARED_BASE + page * PAGE_SIZE + (one_in(&w->chance, 4) ? below(&w->chance, PAGE_SIZE) : 0);
}

static uint64_t address_nobodys(struct worker *w)
{
	static const uint64_t bad[] = {
		0, 1, 0x1000, 0xffff800000000000ull, 0xffffffff80000000ull, 0x0000800000000000ull, 0x00007fffffff0000ull,
		0x00007ffffffff000ull, 0x7ffffffffffffff8ull, ~0ull, ~7ull, 0x2fffffff0000ull, 0x310000000000ull,
	};
	return PICK(&w->chance, bad);
}

static uint64_t size_any(struct worker *w)
{
	static const uint64_t odd[] = { 0, 1, 1ull << 32, 1ull << 46, 1ull << 63, ~0ull, ~4095ull };
	if (one_in(&w->chance, 12))
		return PICK(&w->chance, odd);
	return 1 + below(&w->chance, (one_in(&w->chance, 4) ? 128 : 8) * PAGE_SIZE);
}

/*
 * A place for a word that the kernel reads or writes. In the shared memory other threads write as well, so that a call may
 * find an address that the system chose for another one. In this process that is nobody's; in another process it may be
 * where that has its own memory: calls on another process take their words from the thread's buffer.
 */
static uint64_t pointer_any(struct worker *w, uint64_t value)
{
	uint64_t *cells = (uint64_t *)w->buffer;
	switch (below(&w->chance, w->foreign ? 1 : 12) + (w->foreign ? 3 : 0)) {
	case 0:
		return address_nobodys(w);
	case 1: {
		/* In the shared memory itself: maybe in what is being freed. A size of 0 or an address of it is harmless. */
		uint64_t at = shared_address(w) & ~7ull;
		touch_store((void *)at, value);
		return at;
	}
	case 2:
		return (shared_address(w) & ~4095ull) + 4096 - below(&w->chance, 8);
	default: {
		uint64_t cell = below(&w->chance, CELLS);
		cells[cell] = value;
		return U(&cells[cell]);
	}
	}
}

static uint64_t process_any(struct worker *w)
{
	if (w->foreign)
		return U(w->arenas[1].process);
	switch (below(&w->chance, 8)) {
	case 0:
		return handles[below(&w->chance, HANDLES)];
	case 1:
		return below(&w->chance, 3) * 0x12345678;
	default:
		return OWN_PROCESS;
	}
}

static uint64_t section_any(struct worker *w)
{
	return handles[below(&w->chance, HANDLES)];
}

/* Results: into the thread's buffer, the shared memory, or nowhere good. */
static uint64_t buffer_any(struct worker *w)
{
	switch (below(&w->chance, 6)) {
	case 0:
		return address_nobodys(w);
	case 1:
		return shared_address(w);
	default:
		return U(w->buffer) + PAGE_SIZE + below(&w->chance, 64) * 8;
	}
}

static void handle_renew(struct worker *w)
{
	uint64_t *slot = (uint64_t *)&handles[below(&w->chance, HANDLES)];
	uint64_t size = 1 + below(&w->chance, 64 * PAGE_SIZE), handle = 0, old;
	uint32_t kind = one_in(&w->chance, 3) ? SEC_RESERVE : SEC_COMMIT;
	if (CALL(w, NtCreateSection, U(&handle), SECTION_ALL_ACCESS, 0, U(&size), protect_any(w), kind, 0))
		handle = one_in(&w->chance, 2) ? U(CreateEventA(NULL, TRUE, FALSE, NULL)) : 0;
	old = (uint64_t)InterlockedExchange64((volatile LONG64 *)slot, (LONG64)handle);
	/* Another thread may still be using it. */
	if (old)
		CALL(w, NtClose, old);
}

/* An allocation that the system placed is nobody's afterwards: it goes at once. */
static void allocate(struct worker *w)
{
	static const uint32_t types[] = {
		MEM_RESERVE, MEM_COMMIT, MEM_COMMIT, MEM_RESERVE | MEM_COMMIT, MEM_RESERVE | MEM_COMMIT, MEM_RESET, MEM_RESET_UNDO,
		MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, MEM_RESERVE | MEM_PHYSICAL, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES,
		MEM_RESERVE | MEM_TOP_DOWN, 0, ~0u,
	};
	uint64_t process = process_any(w), base = shared_address(w), size = size_any(w), anywhere = 0;
	if (one_in(&w->chance, 16)) {
		size = 1 + below(&w->chance, 16 * PAGE_SIZE);
		if (succeeded(CALL(w, NtAllocateVirtualMemory, process, U(&anywhere), 0, U(&size), MEM_RESERVE | MEM_COMMIT,
				   PAGE_READWRITE))) {
			size = 0;
			CALL(w, NtFreeVirtualMemory, process, U(&anywhere), U(&size), MEM_RELEASE);
		}
		return;
	}
	CALL(w, NtAllocateVirtualMemory, process, pointer_any(w, base), one_in(&w->chance, 16) ? below(&w->chance, 64) : 0,
	     pointer_any(w, size), PICK(&w->chance, types), protect_any(w));
}

static void allocate_extended(struct worker *w)
{
	static const uint32_t types[] = {
		MEM_RESERVE | 0x40000, MEM_RESERVE | 0x4000, MEM_RESERVE | MEM_COMMIT | 0x4000, MEM_RESERVE, MEM_COMMIT,
		MEM_RESERVE | MEM_COMMIT,
	};
	uint32_t type = PICK(&w->chance, types);
	CALL(w, NtAllocateVirtualMemoryEx, process_any(w), pointer_any(w, shared_address(w)), pointer_any(w, size_any(w)), type,
	     type & 0x40000 ? PAGE_NOACCESS : protect_any(w), one_in(&w->chance, 8) ? buffer_any(w) : 0,
	     one_in(&w->chance, 8) ? below(&w->chance, 3) : 0);
}

static void free_any(struct worker *w)
{
	static const uint32_t types[] = {
		MEM_DECOMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RELEASE, MEM_RELEASE | 1, MEM_RELEASE | 2, 0, MEM_DECOMMIT | MEM_RELEASE,
	};
	uint64_t size = one_in(&w->chance, 3) ? 0 : size_any(w);
	CALL(w, NtFreeVirtualMemory, process_any(w), pointer_any(w, shared_address(w)), pointer_any(w, size), PICK(&w->chance, types));
}

static void map(struct worker *w)
{
	uint64_t base = shared_address(w) & ~(GRANULE - 1), offset = below(&w->chance, 4) * GRANULE;
	uint64_t size = one_in(&w->chance, 2) ? 0 : size_any(w);
	if (one_in(&w->chance, 3))
		CALL(w, NtMapViewOfSectionEx, section_any(w), process_any(w), pointer_any(w, base), pointer_any(w, offset),
		     pointer_any(w, size), one_in(&w->chance, 2) ? 0x4000 : 0, protect_any(w), 0, 0);
	else
		CALL(w, NtMapViewOfSection, section_any(w), process_any(w), pointer_any(w, base), 0, 0, pointer_any(w, offset),
		     pointer_any(w, size), 1 + below(&w->chance, 2), 0, protect_any(w));
}

static void pairs(struct worker *w, unsigned int number)
{
	uint64_t arguments[SYSCALL_ARGUMENTS_MAX] = { process_any(w), pointer_any(w, shared_address(w)),
						      pointer_any(w, size_any(w)), 1, buffer_any(w) };
	call_make(w, number, arguments);
}

/*
 * What is told has addresses in it, of this process's own memory: none may be where another call finds a base. So it goes
 * to the thread's buffer, or nowhere good.
 */
static void look(struct worker *w)
{
	uint64_t own = one_in(&w->chance, 6) ? address_nobodys(w) : U(w->buffer) + PAGE_SIZE + below(&w->chance, 64) * 8;
	uint64_t address = one_in(&w->chance, 8) ? address_nobodys(w) : shared_address(w);
	switch (below(&w->chance, 6)) {
	case 0:
		CALL(w, NtQueryVirtualMemory, process_any(w), address, below(&w->chance, 10), own, size_any(w) % (64 * PAGE_SIZE), 0);
		break;
	case 1:
		CALL(w, BsQueryBacking, process_any(w), address, below(&w->chance, 64), buffer_any(w));
		break;
	case 2:
		CALL(w, BsQueryFrames, below(&w->chance, 20000), below(&w->chance, 64), buffer_any(w));
		break;
	case 3:
		CALL(w, NtQuerySection, section_any(w), below(&w->chance, 3), own, below(&w->chance, 80), 0);
		break;
	case 4:
		CALL(w, BsQueryMemory, own);
		break;
	default:
		CALL(w, BsQueryPagingFile, below(&w->chance, 3), buffer_any(w));
	}
}

static void copy(struct worker *w)
{
	uint64_t size = below(&w->chance, 4 * PAGE_SIZE);
	if (w->foreign) /* no address of one process comes into the other's shared memory */
		CALL(w, NtReadVirtualMemory, process_any(w), shared_address(w), U(w->buffer) + 4 * PAGE_SIZE, size, 0);
	else if (one_in(&w->chance, 2))
		CALL(w, NtReadVirtualMemory, process_any(w), shared_address(w), buffer_any(w), size, 0);
	else
		CALL(w, NtWriteVirtualMemory, process_any(w), shared_address(w), shared_address(w), size, 0);
}

static void physical(struct worker *w)
{
	uint64_t *cells = (uint64_t *)w->buffer;
	uint64_t count = below(&w->chance, 32);
	switch (below(&w->chance, 4)) {
	case 0:
		CALL(w, NtAllocateUserPhysicalPages, process_any(w), pointer_any(w, count), buffer_any(w));
		break;
	case 1:
		CALL(w, NtFreeUserPhysicalPages, process_any(w), pointer_any(w, count), buffer_any(w));
		break;
	case 2:
		CALL(w, NtMapUserPhysicalPages, shared_address(w), count, one_in(&w->chance, 2) ? 0 : buffer_any(w));
		break;
	default:
		for (uint64_t i = 0; i < CELLS; i++)
			cells[i] = shared_address(w) & ~4095ull;
		CALL(w, NtMapUserPhysicalPagesScatter, U(cells), count, one_in(&w->chance, 2) ? 0 : buffer_any(w));
	}
}

static void rest(struct worker *w)
{
	switch (below(&w->chance, 8)) {
	case 0:
		CALL(w, NtGetWriteWatch, process_any(w), below(&w->chance, 3), shared_address(w), size_any(w), buffer_any(w),
		     pointer_any(w, below(&w->chance, 64)), pointer_any(w, 0));
		break;
	case 1:
		CALL(w, NtResetWriteWatch, process_any(w), shared_address(w), size_any(w));
		break;
	case 2:
		CALL(w, BsOfferVirtualMemory, process_any(w), shared_address(w) & ~4095ull, PAGE_SIZE * below(&w->chance, 32),
		     1 + below(&w->chance, 5));
		break;
	case 3:
		CALL(w, BsReclaimVirtualMemory, process_any(w), shared_address(w) & ~4095ull, PAGE_SIZE * below(&w->chance, 32));
		break;
	case 4:
		pairs(w, CALL_NtFlushVirtualMemory);
		break;
	case 5: {
		uint64_t *range = (uint64_t *)(w->buffer + 2 * PAGE_SIZE);
		range[0] = shared_address(w);
		range[1] = size_any(w);
		range[2] = 0;
		CALL(w, NtSetInformationVirtualMemory, process_any(w), below(&w->chance, 3), below(&w->chance, 3),
		     one_in(&w->chance, 4) ? buffer_any(w) : U(range), U(&range[2]), below(&w->chance, 12));
		break;
	}
	case 6:
		CALL(w, NtAreMappedFilesTheSame, shared_address(w), shared_address(w));
		break;
	default:
		CALL(w, NtExtendSection, section_any(w), pointer_any(w, size_any(w)));
	}
}

static void touch(struct worker *w)
{
	uint64_t value = 0, at = shared_address(w) & ~7ull;
	for (int i = 0; i < 16; i++, at += PAGE_SIZE) {
		uint32_t code = one_in(&w->chance, 2) ? touch_load((void *)at, &value) : touch_store((void *)at, at);
		if (code && code != (uint32_t)STATUS_ACCESS_VIOLATION && code != (uint32_t)STATUS_GUARD_PAGE_VIOLATION &&
		    code != (uint32_t)STATUS_IN_PAGE_ERROR) {
			failure(w, "touching 0x%llx raised 0x%08x", (unsigned long long)at, code);
			return;
		}
	}
}

static void trim(struct worker *w)
{
	QUOTA_LIMITS limits = { .MinimumWorkingSetSize = ~(SIZE_T)0, .MaximumWorkingSetSize = ~(SIZE_T)0 };
	CALL(w, NtSetInformationProcess, process_any(w), 1, U(&limits), sizeof(limits));
}

DWORD WINAPI chaos_thread(void *worker)
{
	struct worker *w = worker;
	uint32_t status;
	for (w->operation = 0; w->operation < w->operations && !w->failed && !stop; w->operation++) {
		w->foreign = one_in(&w->chance, 4);
		switch (below(&w->chance, 32)) {
		case 0 ... 6:
			allocate(w);
			break;
		case 7 ... 8:
			allocate_extended(w);
			break;
		case 9 ... 11:
			free_any(w);
			break;
		case 12 ... 13:
			pairs(w, one_in(&w->chance, 2) ? CALL_NtLockVirtualMemory : CALL_NtUnlockVirtualMemory);
			break;
		case 14 ... 15:
			CALL(w, NtProtectVirtualMemory, process_any(w), pointer_any(w, shared_address(w)), pointer_any(w, size_any(w)),
			     protect_any(w), buffer_any(w));
			break;
		case 16 ... 17:
			map(w);
			break;
		case 18:
			if (one_in(&w->chance, 2))
				CALL(w, NtUnmapViewOfSection, process_any(w), shared_address(w));
			else
				CALL(w, NtUnmapViewOfSectionEx, process_any(w), shared_address(w), below(&w->chance, 4));
			break;
		case 19 ... 20:
			handle_renew(w);
			break;
		case 21:
			look(w);
			break;
		case 22:
			copy(w);
			break;
		case 23:
			physical(w);
			break;
		case 24 ... 26:
			rest(w);
			break;
		case 27:
			if (one_in(&w->chance, 8))
				trim(w);
			break;
		default:
			touch(w);
		}
		if (one_in(&w->chance, 1000)) {
			status = CALL(w, BsCheckMemory, 0);
			if (status && status != (uint32_t)STATUS_ACCESS_DENIED)
				failure(w, "the memory manager's check of itself: 0x%08x", status);
		}
	}
	return w->failed;
}
