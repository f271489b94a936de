/*
 * Every memory call, good but for one argument: each bad pointer in each place of a pointer, each bad handle in each
 * place of a handle. The documented status comes back, and nothing has changed: no charge, no handle, no region, no
 * variable. Always the same calls, in the same order.
 */
#include "guest.h"
#include "call_raw.h"

#define U(x) ((uint64_t)(uintptr_t)(x))
#define TARGET_PAGES 16ull

/*
 * What stands in each place: h, s, t: the handle of a process, of a section, of a trace; p, i, o: a pointer to what is read and written,
 * read, written; P, I, O: the same, and 0 is good as well; -: a value.
 */
struct sample {
	unsigned int number;
	const char *name, *places;
	void (*make)(uint64_t *a); /* good arguments, beside the process's handle */
	uint32_t good;             /* the status of the call as it is */
};

/* ---- what the calls are about; made anew for each of them ---- */

static char *target, *watched, *view, *window;
static HANDLE section, trace_handle;
static struct {
	void *base;
	SIZE_T size;
	uint64_t offset, count, done, pages[8];
	ULONG old;
	uint32_t flags;
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK io;
	MEMORY_BASIC_INFORMATION info;
	struct nt_memory_range { uint64_t address, bytes; } range;
	struct { uint64_t lowest, highest, alignment; } requirements;
	struct { uint64_t type, value; } parameter;
	struct bs_page page;
	struct bs_memory memory;
	struct bs_paging_file file;
	struct bs_paging_file_removal removal;
	struct bs_frame frame;
	char buffer[256];
} v;
static bool physical_pages; /* v.pages are this process's */

static void targets_make(void)
{
	LARGE_INTEGER section_size = { .QuadPart = 65536 };
	memset(&v, 0, sizeof(v));
	target = VirtualAlloc(NULL, TARGET_PAGES * PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	VirtualAlloc(target, TARGET_PAGES / 2 * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t page = 0; page < TARGET_PAGES / 2; page++)
		pattern_fill(target, page, 1);
	watched = VirtualAlloc(NULL, 4 * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
	window = VirtualAlloc(NULL, 4 * PAGE_BYTES, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);
	NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &section_size, PAGE_READWRITE, SEC_COMMIT, NULL);
	view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
}

static void targets_end(void)
{
	uint64_t count = v.count, a[SYSCALL_ARGUMENTS_MAX] = { ~0ull, U(&count), U(v.pages) };
	if (physical_pages)
		call_raw(88, a);
	physical_pages = false;
	VirtualFree(target, 0, MEM_RELEASE);
	VirtualFree(watched, 0, MEM_RELEASE);
	VirtualFree(window, 0, MEM_RELEASE);
	UnmapViewOfFile(view);
	CloseHandle(section);
}

/* ---- good calls ---- */

static void base_size(void *base, SIZE_T size)
{
	v.base = base;
	v.size = size;
}

static void allocate(uint64_t *a)
{
	base_size(target + 10 * PAGE_BYTES, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_COMMIT, a[5] = PAGE_READWRITE;
}

static void allocate_anywhere(uint64_t *a)
{
	base_size(NULL, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_RESERVE | MEM_COMMIT, a[5] = PAGE_READWRITE;
}

static void reset(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_RESET, a[5] = PAGE_READWRITE;
}

static void decommit(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_DECOMMIT;
}

static void release(uint64_t *a)
{
	base_size(target, 0);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_RELEASE;
}

static void protect(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = PAGE_READONLY, a[4] = U(&v.old);
}

static void query_memory(uint64_t *a)
{
	a[1] = U(target), a[3] = U(&v.info), a[4] = sizeof(v.info), a[5] = U(&v.done);
}

static void read_memory(uint64_t *a)
{
	a[1] = U(target), a[2] = U(v.buffer), a[3] = 64, a[4] = U(&v.done);
}

static void create_section(uint64_t *a)
{
	v.offset = 65536;
	RtlInitUnicodeString(&v.name, L"\\BaseNamedObjects\\bad_arguments_2");
	InitializeObjectAttributes(&v.attributes, &v.name, 0, NULL, NULL);
	a[0] = U(&v.base), a[1] = SECTION_ALL_ACCESS, a[2] = U(&v.attributes), a[3] = U(&v.offset), a[4] = PAGE_READWRITE;
	a[5] = SEC_COMMIT;
}

static void create_section_without_name(uint64_t *a)
{
	create_section(a);
	a[2] = 0;
}

static void map_section(uint64_t *a)
{
	a[0] = U(section);
	a[2] = U(&v.base), a[5] = U(&v.offset), a[6] = U(&v.size), a[7] = 2, a[9] = PAGE_READWRITE;
}

static void unmap(uint64_t *a)
{
	a[1] = U(view);
}

static void query_section(uint64_t *a)
{
	a[0] = U(section), a[2] = U(v.buffer), a[3] = 24, a[4] = U(&v.done);
}

static void query_backing(uint64_t *a)
{
	a[1] = U(target), a[2] = 1, a[3] = U(&v.page);
}

static void query_all(uint64_t *a)
{
	a[0] = U(&v.memory);
}

static void query_paging_file(uint64_t *a)
{
	a[1] = U(&v.file);
}

/* Names of nothing: what these calls do otherwise, and names that can't be read, is in paging_files. */
static void add_paging_file(uint64_t *a)
{
	a[0] = U("nowhere"), a[2] = (uint64_t)BS_PRIORITY_NONE;
}

static void remove_paging_file(uint64_t *a)
{
	a[0] = U("nowhere"), a[2] = U(&v.removal);
}

static void query_frames(uint64_t *a)
{
	a[0] = 256, a[1] = 1, a[2] = U(&v.frame);
}

static void allocate_extended(uint64_t *a)
{
	base_size(NULL, PAGE_BYTES);
	v.requirements.highest = 0xffffffff;
	v.parameter.type = 1;
	v.parameter.value = U(&v.requirements);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_RESERVE, a[4] = PAGE_READWRITE, a[5] = U(&v.parameter), a[6] = 1;
}

static void map_extended(uint64_t *a)
{
	a[0] = U(section);
	v.requirements.highest = 0xffffffff;
	v.parameter.type = 1;
	v.parameter.value = U(&v.requirements);
	a[2] = U(&v.base), a[3] = U(&v.offset), a[4] = U(&v.size), a[6] = PAGE_READWRITE, a[7] = U(&v.parameter), a[8] = 1;
}

static void extend(uint64_t *a)
{
	v.offset = 1 << 20;
	a[0] = U(section), a[1] = U(&v.offset);
}

static void lock(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = 1;
}

static void unlock(uint64_t *a)
{
	lock(a);
	a[0] = ~0ull;
	call_raw(83, a);
}

static void write_watch(uint64_t *a)
{
	v.count = 4;
	a[2] = U(watched), a[3] = 4 * PAGE_BYTES, a[4] = U(v.pages), a[5] = U(&v.count), a[6] = U(&v.old);
}

static void write_watch_reset(uint64_t *a)
{
	a[1] = U(watched), a[2] = 4 * PAGE_BYTES;
}

static void physical_allocate(uint64_t *a)
{
	v.count = 4;
	a[1] = U(&v.count), a[2] = U(v.pages);
}

/* Four pages that this process has. */
static void physical_have(void)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { ~0ull };
	physical_allocate(a);
	physical_pages = call_raw(87, a) == 0;
}

static void physical_free(uint64_t *a)
{
	physical_have();
	a[1] = U(&v.count), a[2] = U(v.pages);
}

static void physical_map(uint64_t *a)
{
	physical_have();
	a[0] = U(window), a[1] = 4, a[2] = U(v.pages);
}

static void physical_scatter(uint64_t *a)
{
	physical_have();
	for (int i = 0; i < 4; i++)
		((uint64_t *)v.buffer)[i] = U(window) + (uint64_t)i * PAGE_BYTES;
	a[0] = U(v.buffer), a[1] = 4, a[2] = U(v.pages);
}

static void prefetch(uint64_t *a)
{
	v.range.address = U(target);
	v.range.bytes = PAGE_BYTES;
	a[2] = 1, a[3] = U(&v.range), a[4] = U(&v.flags), a[5] = sizeof(v.flags);
}

static void offer(uint64_t *a)
{
	a[1] = U(target), a[2] = PAGE_BYTES, a[3] = 1;
}

static void reclaim(uint64_t *a)
{
	uint64_t b[SYSCALL_ARGUMENTS_MAX] = { ~0ull };
	offer(b);
	call_raw(94, b);
	a[1] = U(target), a[2] = PAGE_BYTES;
}

static void trace_open(uint64_t *a)
{
	a[0] = BS_EVENT_ALL, a[3] = U(&v.base);
}

static void trace_read(uint64_t *a)
{
	a[0] = U(trace_handle), a[1] = U(v.buffer), a[2] = 1, a[3] = U(&v.pages[0]), a[4] = U(&v.pages[1]), a[5] = U(&v.pages[2]);
}

static const struct sample samples[] = {
	{ 64, "NtAllocateVirtualMemory", "hp-p--", allocate, 0 },
	{ 64, "NtAllocateVirtualMemory, no address", "hp-p--", allocate_anywhere, 0 },
	{ 64, "NtAllocateVirtualMemory, MEM_RESET", "hp-p--", reset, 0 },
	{ 65, "NtFreeVirtualMemory, decommit", "hpp-", decommit, 0 },
	{ 65, "NtFreeVirtualMemory, release", "hpp-", release, 0 },
	{ 66, "NtProtectVirtualMemory", "hpp-o", protect, 0 },
	{ 67, "NtQueryVirtualMemory", "h--o-O", query_memory, 0 },
	{ 68, "NtReadVirtualMemory", "h-o-O", read_memory, 0 },
	{ 69, "NtWriteVirtualMemory", "h-i-O", read_memory, 0 },
	{ 70, "NtCreateSection", "o-II---", create_section, 0 },
	{ 70, "NtCreateSection, no name", "o--I---", create_section_without_name, 0 },
	{ 72, "NtMapViewOfSection", "shp--Ip---", map_section, 0 },
	{ 73, "NtUnmapViewOfSection", "h-", unmap, 0 },
	{ 74, "NtQuerySection", "s-o-O", query_section, 0 },
	{ 75, "BsQueryBacking", "h--o", query_backing, 0 },
	{ 76, "BsQueryMemory", "o", query_all, 0 },
	{ 77, "BsQueryPagingFile", "-o", query_paging_file, 0 },
	{ 79, "NtAllocateVirtualMemoryEx", "hpp--I-", allocate_extended, 0 },
	{ 80, "NtMapViewOfSectionEx", "shpIp--I-", map_extended, 0 },
	{ 81, "NtUnmapViewOfSectionEx", "h--", unmap, 0 },
	{ 82, "NtExtendSection", "sp", extend, STATUS_SECTION_NOT_EXTENDED },
	{ 83, "NtLockVirtualMemory", "hpp-", lock, 0 },
	{ 84, "NtUnlockVirtualMemory", "hpp-", unlock, 0 },
	{ 85, "NtGetWriteWatch", "h---opo", write_watch, 0 },
	{ 86, "NtResetWriteWatch", "h--", write_watch_reset, 0 },
	{ 87, "NtAllocateUserPhysicalPages", "hpo", physical_allocate, 0 },
	{ 88, "NtFreeUserPhysicalPages", "hpi", physical_free, 0 },
	{ 89, "NtMapUserPhysicalPages", "--I", physical_map, 0 },
	{ 90, "NtMapUserPhysicalPagesScatter", "i-I", physical_scatter, 0 },
	{ 92, "NtSetInformationVirtualMemory", "h--ii-", prefetch, 0 },
	{ 94, "BsOfferVirtualMemory", "h---", offer, 0 },
	{ 95, "BsReclaimVirtualMemory", "h--", reclaim, 0 },
	{ 96, "BsQueryFrames", "--o", query_frames, 0 },
	{ 97, "BsAddPagingFile", "---", add_paging_file, STATUS_OBJECT_NAME_NOT_FOUND },
	{ 98, "BsRemovePagingFile", "--o", remove_paging_file, STATUS_OBJECT_NAME_NOT_FOUND },
	{ 102, "BsTraceOpen", "---o", trace_open, 0 },
	{ 103, "BsTraceRead", "to-ooI", trace_read, STATUS_TIMEOUT },
};

/* ---- what a refused call must leave as it is ---- */

struct state {
	uint64_t charges[6], handles, locked, regions;
	void *base;
	SIZE_T size;
	uint64_t offset, count;
};

static uint64_t regions_sum(void)
{
	const char *const at[] = { target, target + TARGET_PAGES / 2 * PAGE_BYTES, target + 10 * PAGE_BYTES, watched, window, view };
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		MEMORY_BASIC_INFORMATION info = query(at[i]);
		sum = sum * 31 + info.State * 3 + info.Protect * 5 + info.Type * 7 + info.RegionSize * 11 + U(info.AllocationBase);
	}
	return sum;
}

static struct state state_now(void)
{
	struct bs_memory m = memory_now();
	return (struct state){
		.charges = { m.commit_private, m.commit_sections, m.commit_page_tables, m.commit_physical, m.commit_clones },
		.handles = m.handles, .locked = m.pages_locked, .regions = regions_sum(),
		.base = v.base, .size = v.size, .offset = v.offset, .count = v.count,
	};
}

/* ---- bad arguments ---- */

enum { READ = 1, WRITTEN = 2 };

static struct {
	const char *name;
	uint64_t value;
	unsigned int bad_for;
} pointers[16];
static unsigned int pointer_count;

static void pointer_add(const char *name, uint64_t value, unsigned int bad_for)
{
	pointers[pointer_count].name = name;
	pointers[pointer_count].value = value;
	pointers[pointer_count++].bad_for = bad_for;
}

static char *pool_page(DWORD protection)
{
	DWORD old;
	char *p = VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	VirtualProtect(p, PAGE_BYTES, protection, &old);
	return p;
}

static HANDLE event_handle, weak_process;

static void pool_make(void)
{
	char *edge = VirtualAlloc(NULL, 2 * PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	char *gone = VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	VirtualAlloc(edge, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	VirtualFree(gone, 0, MEM_RELEASE);
	pointer_add("a null pointer", 0, READ | WRITTEN);
	pointer_add("an address in the lowest 64 KiB", 0xfff0, READ | WRITTEN);
	pointer_add("unmapped memory", U(gone), READ | WRITTEN);
	pointer_add("reserved memory", U(edge + PAGE_BYTES), READ | WRITTEN);
	pointer_add("the last two bytes of a page, nothing behind it", U(edge + PAGE_BYTES - 2), READ | WRITTEN);
	pointer_add("memory without access", U(pool_page(PAGE_NOACCESS)), READ | WRITTEN);
	pointer_add("read-only memory", U(pool_page(PAGE_READONLY)), WRITTEN);
	pointer_add("the program's text", U(pool_make), WRITTEN);
	pointer_add("the direct map", 0xffff800000100000ull, READ | WRITTEN);
	pointer_add("the kernel", 0xffffffff80100000ull, READ | WRITTEN);
	pointer_add("a non-canonical address", 0x0000900000000000ull, READ | WRITTEN);
	pointer_add("the end of the user half", 0x00007ffffffffffeull, READ | WRITTEN);
	pointer_add("the highest address", ~0ull, READ | WRITTEN);

	BsTraceOpen(1ull << BS_EVENT_KILL, 0, 1, &trace_handle);
	event_handle = CreateEventA(NULL, TRUE, FALSE, NULL);
	DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(), &weak_process, SYNCHRONIZE, FALSE, 0);
}

static const struct {
	const char *name;
	char place; /* 0: both */
	uint32_t status;
} handle_kinds[] = {
	{ "0", 0, STATUS_INVALID_HANDLE },
	{ "a closed handle", 0, STATUS_INVALID_HANDLE },
	{ "a number that is no handle", 0, STATUS_INVALID_HANDLE },
	{ "an event", 0, STATUS_OBJECT_TYPE_MISMATCH },
	{ "this thread", 0, STATUS_OBJECT_TYPE_MISMATCH },
	{ "a process that may only be waited for", 'h', STATUS_ACCESS_DENIED },
	{ "a section", 'h', STATUS_OBJECT_TYPE_MISMATCH },
	{ "this process", 's', STATUS_OBJECT_TYPE_MISMATCH },
};

static uint64_t handle_value(unsigned int kind)
{
	HANDLE closed = CreateEventA(NULL, TRUE, FALSE, NULL);
	CloseHandle(closed); /* now: nobody else gets its number before the call */
	const uint64_t values[] = {
		0, U(closed), 0x7ffffffc, U(event_handle), ~1ull, U(weak_process), U(section), ~0ull,
	};
	return values[kind];
}

static unsigned int calls_made, calls_wrong;

/* One call; the caller has put one bad argument in. */
static void judge(const struct sample *s, const uint64_t *a, uint32_t expected, unsigned int place, const char *what)
{
	struct state before = state_now(), after;
	uint32_t status = call_raw(s->number, a);
	after = state_now();
	calls_made++;
	if (status == expected && !memcmp(&before, &after, sizeof(before)))
		return;
	if (calls_wrong++ < 20)
		note("%s, argument %u: %s: gave 0x%08x, expected 0x%08x%s", s->name, place + 1, what, status, expected,
		     memcmp(&before, &after, sizeof(before)) ? "; and something has changed" : "");
}

static void begin(const struct sample *s, uint64_t *a)
{
	targets_make();
	memset(a, 0, SYSCALL_ARGUMENTS_MAX * sizeof(a[0]));
	for (unsigned int i = 0; s->places[i]; i++)
		if (s->places[i] == 'h')
			a[i] = ~0ull;
	s->make(a);
}

static unsigned int needs_of(char place)
{
	return strchr("iI", place) ? READ : WRITTEN;
}

static void sweep(const struct sample *s)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX];
	for (unsigned int place = 0; s->places[place]; place++) {
		char p = s->places[place];
		for (unsigned int k = 0; strchr("piPIoO", p) && k < pointer_count; k++) {
			if (!(pointers[k].bad_for & (needs_of(p) | (p == 'p' ? READ : 0))) ||
			    (strchr("PIO", p) && !pointers[k].value))
				continue;
			begin(s, a);
			a[place] = pointers[k].value;
			judge(s, a, STATUS_ACCESS_VIOLATION, place, pointers[k].name);
			targets_end();
		}
		for (unsigned int k = 0; strchr("hst", p) && k < sizeof(handle_kinds) / sizeof(handle_kinds[0]); k++) {
			if (handle_kinds[k].place && handle_kinds[k].place != p)
				continue;
			begin(s, a);
			a[place] = handle_value(k);
			judge(s, a, handle_kinds[k].status, place, handle_kinds[k].name);
			targets_end();
		}
	}
	tap_alive();
}

/* The call as it is, without a bad argument: or nothing that is said of bad ones is worth much. */
static bool is_good(const struct sample *s)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX];
	uint32_t status;
	begin(s, a);
	status = call_raw(s->number, a);
	if (status == 0 && s->number == 87)
		physical_pages = true;
	if (status == 0 && (s->number == 64 || s->number == 79))
		if ((char *)v.base < target || (char *)v.base >= target + TARGET_PAGES * PAGE_BYTES)
			VirtualFree(v.base, 0, MEM_RELEASE);
	if (status == 0 && s->number == 88)
		physical_pages = false;
	if (status == 0 && (s->number == 70 || s->number == 102))
		CloseHandle(v.base);
	if (status == 0 && (s->number == 72 || s->number == 80))
		UnmapViewOfFile(v.base);
	targets_end();
	if (status == (uint32_t)STATUS_NOT_IMPLEMENTED || (s->number == 77 && status == (uint32_t)STATUS_NO_MORE_ENTRIES)) {
		note("%s: 0x%08x", s->name, status);
		return false;
	}
	return is(status, s->good, "%s as it should be called", s->name);
}

static void test_sweep(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		calls_made = calls_wrong = 0;
		if (!is_good(&samples[i]))
			continue;
		sweep(&samples[i]);
		is(calls_wrong, 0, "%s: %u calls with a bad argument", samples[i].name, calls_made);
	}
}

/* ---- pointers in pointers ---- */

static void test_nested(void)
{
	static const unsigned int numbers[] = { 70, 71 };
	unsigned int wrong = 0;
	for (size_t n = 0; n < 2; n++)
		for (unsigned int k = 0; k < pointer_count; k++)
			for (unsigned int deep = 0; deep < 2; deep++) {
				uint64_t a[SYSCALL_ARGUMENTS_MAX] = { 0 };
				struct state before, after;
				if (!(pointers[k].bad_for & READ) || (!pointers[k].value && !deep))
					continue;
				targets_make();
				create_section(a);
				if (deep)
					v.name.Buffer = (WCHAR *)pointers[k].value;
				else
					v.attributes.ObjectName = (UNICODE_STRING *)pointers[k].value;
				before = state_now();
				uint32_t status = call_raw(numbers[n], a);
				after = state_now();
				targets_end();
				if (status == (uint32_t)STATUS_ACCESS_VIOLATION && !memcmp(&before, &after, sizeof(before)))
					continue;
				if (wrong++ < 10)
					note("call %u, a name%s at %s: 0x%08x", numbers[n], deep ? "'s letters" : "", pointers[k].name, status);
			}
	is(wrong, 0, "names that can't be read");
}

/* ---- variables in the memory that the call is about ---- */

static void test_inside(void)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { ~0ull };
	uint64_t *cells;
	targets_make();
	cells = (uint64_t *)target;
	cells[0] = U(target);
	cells[1] = PAGE_BYTES;
	a[1] = U(&cells[0]), a[2] = U(&cells[1]), a[3] = MEM_DECOMMIT;
	is(call_raw(65, a), 0, "decommitting the page in which base and size stand");
	is(query(target).State, MEM_RESERVE, "decommits it");
	VirtualAlloc(target, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	cells[0] = U(target);
	cells[1] = PAGE_BYTES;
	a[3] = PAGE_NOACCESS, a[4] = U(&cells[2]);
	is(call_raw(66, a), 0, "protecting the page in which base, size and the old protection stand");
	is(query(target).Protect, PAGE_NOACCESS, "protects it");
	targets_end();

	targets_make();
	cells = (uint64_t *)target;
	cells[0] = U(target);
	cells[1] = 0;
	a[3] = MEM_RELEASE;
	is(call_raw(65, a), 0, "releasing the allocation in which base and size stand");
	is(query(target).State, MEM_FREE, "releases it");
	targets_end();
}

static void all(void)
{
	test_sweep();
	test_nested();
	test_inside();
}

int main(void)
{
	probes_init();
	pool_make();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
