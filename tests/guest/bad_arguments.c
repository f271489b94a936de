/*
 * Every memory call, good but for one argument: each bad pointer in each place of a pointer, each bad handle in each
 * place of a handle. The documented status comes back, and nothing has changed: no charge, no handle, no region, no
 * variable. Always the same calls, in the same order.
 */
#include "bad_arguments.h"

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
