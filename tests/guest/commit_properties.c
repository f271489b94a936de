/*
 * The properties of commit, over random sequences of promises: what is charged is the sum of what was promised; what was
 * granted can be touched, whatever else was granted; what is refused changes nothing; what is given back is there again.
 * commit_properties [SEED]: without one, a random seed, which is printed.
 */
#include "guest.h"

#define PROMISES_MAX 1500
#define STEPS 400
#define IMAGES_MAX 16 /* pages of images that the process writes to */

enum kind { PRIVATE, SECTION, SECTION_RESERVED, WRITE_COPY, KINDS };
static const char *const kind_names[] = {
	"private memory", "a section", "a reserved section's pages", "a write-copy view"
};

/* One promise that was granted. */
struct promise {
	enum kind kind;
	char *base;
	uint64_t pages;     /* committed, from base on; of a write-copy view, those that may become private */
	uint64_t sections;  /* pages of the section */
	uint64_t owner;     /* of the pattern, once it was filled */
};
static struct promise promises[PROMISES_MAX];
static unsigned int promise_count;
static uint64_t policy, wrong, next_owner = 1;
static uint64_t refusals[KINDS], grants[KINDS];

static bool counts_at_once(enum kind kind)
{
	return kind != WRITE_COPY || policy != BS_COMMIT_LAZY_WRITECOPY;
}

/* ---- what the model says ---- */

/* What has been promised to this process and by its sections: not tables, which have their own account. */
static void promised(uint64_t *private, uint64_t *sections)
{
	*private = *sections = 0;
	for (unsigned int i = 0; i < promise_count; i++) {
		const struct promise *p = &promises[i];
		if (p->kind == PRIVATE || (p->kind == WRITE_COPY && (p->owner || counts_at_once(WRITE_COPY))))
			*private += p->pages;
		*sections += p->sections;
	}
}

/* Prototype tables of a section of so many pages, when all are touched: one for 512 words, and so on up. */
static uint64_t tables_for(uint64_t pages)
{
	uint64_t n = 0;
	do {
		pages = (pages + 511) / 512;
		n += pages;
	} while (pages > 1);
	return n;
}

static uint64_t room_now(void)
{
	struct bs_memory m = memory_now();
	return m.commit_limit > m.commit_charge ? m.commit_limit - m.commit_charge : 0;
}

/* A difference that should not be: the first few are told. */
static void differ(const char *what, uint64_t got, uint64_t low, uint64_t high)
{
	if (got >= low && got <= high)
		return;
	if (wrong++ < 10)
		note("%s: %llu, expected %llu to %llu", what, (unsigned long long)got, (unsigned long long)low,
		     (unsigned long long)high);
}

static struct bs_memory start;

/* The kernel's accounts agree with each other, with the limit, and with what was promised since the start. */
static void check_accounts(void)
{
	struct bs_memory m = memory_now();
	uint64_t private, sections, tables = 0;
	promised(&private, &sections);
	for (unsigned int i = 0; i < promise_count; i++)
		tables += promises[i].sections ? tables_for(promises[i].sections) : 0;
	differ("the charge is the sum of its owners'", m.commit_charge,
	       m.commit_private + m.commit_sections + m.commit_page_tables + m.commit_kernel + m.commit_physical + m.commit_clones,
	       m.commit_private + m.commit_sections + m.commit_page_tables + m.commit_kernel + m.commit_physical + m.commit_clones);
	/* Under lazy-writecopy the programs' own images are charged as they are written to, at any time. */
	differ("private memory", m.commit_private, start.commit_private + private,
	       start.commit_private + private + (policy == BS_COMMIT_LAZY_WRITECOPY ? IMAGES_MAX : 0));
	/* Reserved sections' tables come with their pages; all others' at once. */
	differ("sections", m.commit_sections, start.commit_sections + sections, start.commit_sections + sections + tables);
	if (policy != BS_COMMIT_OVERCOMMIT)
		differ("charge and limit", m.commit_charge, 0, m.commit_limit);
	/* Each promise's page tables: one for 2 MiB, the partly used ones, and three for the levels above. */
	differ("page tables", m.commit_page_tables, start.commit_page_tables,
	       start.commit_page_tables + (private + sections) * 2 / 512 + promise_count * 5 + 8);
}

/* ---- promises ---- */

static HANDLE section_new(uint64_t pages, DWORD kind)
{
	uint64_t size = pages * PAGE_BYTES;
	return CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | kind, (DWORD)(size >> 32), (DWORD)size, NULL);
}

/* False: refused, nothing is left of it. The last error says why. */
static bool promise_make(enum kind kind, uint64_t pages, struct promise *p)
{
	HANDLE section;
	DWORD error;
	*p = (struct promise){ .kind = kind, .pages = pages };
	SetLastError(0);
	if (kind == PRIVATE) {
		p->base = VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		return p->base;
	}
	section = section_new(pages, kind == SECTION_RESERVED ? SEC_RESERVE : SEC_COMMIT);
	if (!section)
		return false;
	p->base = MapViewOfFile(section, kind == WRITE_COPY ? FILE_MAP_COPY : FILE_MAP_WRITE, 0, 0, 0);
	if (p->base && kind == SECTION_RESERVED &&
	    !VirtualAlloc(p->base, pages * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE)) {
		error = GetLastError();
		UnmapViewOfFile(p->base);
		p->base = NULL;
		SetLastError(error);
	}
	error = GetLastError();
	CloseHandle(section); /* the view keeps it */
	SetLastError(error);
	p->sections = pages;
	return p->base;
}

static void promise_end(struct promise *p)
{
	if (p->kind == PRIVATE)
		VirtualFree(p->base, 0, MEM_RELEASE);
	else
		UnmapViewOfFile(p->base);
	*p = promises[--promise_count];
}

static void fill(struct promise *p)
{
	p->owner = next_owner++ & 0xffff;
	for (uint64_t page = 0; page < p->pages; page++) {
		pattern_fill(p->base, page, p->owner);
		if (page % 256 == 0)
			tap_alive();
	}
}

static void verify(const struct promise *p)
{
	uint64_t bad = p->owner ? pattern_wrong(p->base, 0, p->pages, p->owner) : 0;
	if (bad && wrong++ < 10)
		note("%llu of %llu pages of %s hold something else", (unsigned long long)bad, (unsigned long long)p->pages,
		     kind_names[p->kind]);
	tap_alive();
}

/* Refusals: the error, and that nothing changed: not the charge of any owner, nor memory. */
static void refusal_check(enum kind kind, DWORD error, const struct bs_memory *before)
{
	struct bs_memory after = memory_now();
	refusals[kind]++;
	differ("a refusal's error", error, ERROR_COMMITMENT_LIMIT, ERROR_COMMITMENT_LIMIT);
	differ("private charge after a refusal", after.commit_private, before->commit_private, before->commit_private);
	differ("sections' charge after a refusal", after.commit_sections, before->commit_sections, before->commit_sections);
	differ("page tables after a refusal", after.commit_page_tables, before->commit_page_tables, before->commit_page_tables);
	differ("handles after a refusal", after.handles, before->handles, before->handles);
	differ("refusals that were counted", after.commit_refused, before->commit_refused + 1, ~0ull);
}

static void promise_try(enum kind kind, uint64_t pages)
{
	struct bs_memory before = memory_now();
	struct promise p;
	if (promise_count == PROMISES_MAX)
		return;
	if (!promise_make(kind, pages, &p)) {
		refusal_check(kind, GetLastError(), &before);
		return;
	}
	grants[kind]++;
	promises[promise_count++] = p;
}

/* ---- the properties ---- */

static enum kind kind_any(void)
{
	return random_next() % KINDS;
}

/* Under lazy-writecopy the pages of a write-copy view are promised when they are written: so these stay few. */
static uint64_t pages_any(uint64_t room)
{
	uint64_t most = room / (4 + random_next() % 16);
	return 1 + random_next() % (most > 1 ? most : 1);
}

/* Decommits a part of private memory and commits it again: exactly those pages' charge goes and comes. */
static void recommit(struct promise *p)
{
	uint64_t first = random_next() % p->pages, count = 1 + random_next() % (p->pages - first);
	uint64_t before = memory_now().commit_private;
	VirtualFree(p->base + first * PAGE_BYTES, count * PAGE_BYTES, MEM_DECOMMIT);
	differ("decommitting gives back", before - memory_now().commit_private, count, count);
	if (!VirtualAlloc(p->base + first * PAGE_BYTES, count * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE) && wrong++ < 10)
		note("committing %llu pages again: error %lu", (unsigned long long)count, GetLastError());
	differ("committing again", memory_now().commit_private, before, before);
	if (p->owner)
		for (uint64_t page = first; page < first + count; page++)
			pattern_fill(p->base, page, p->owner);
}

/* Protections that give a write-copy promise back, or make one, and those that do not count. */
static void reprotect(struct promise *p)
{
	uint64_t before = memory_now().commit_private, given_back = 0;
	DWORD old;
	if (p->kind == WRITE_COPY && !p->owner && counts_at_once(WRITE_COPY))
		given_back = p->pages; /* none was written: read-only, none ever will be */
	if (!VirtualProtect(p->base, p->pages * PAGE_BYTES, PAGE_READONLY, &old) && wrong++ < 10)
		note("read-only: error %lu", GetLastError());
	differ("read-only", memory_now().commit_private, before - given_back, before - given_back);
	if (!VirtualProtect(p->base, p->pages * PAGE_BYTES, p->kind == WRITE_COPY ? PAGE_WRITECOPY : PAGE_READWRITE, &old) &&
	    wrong++ < 10)
		note("writable again: error %lu", GetLastError());
	differ("writable again", memory_now().commit_private, before, before);
}

/* No need to push anybody out: what others then have in the paging file stays there, and is no leak. */
static bool is_roomy(void)
{
	struct bs_memory m = memory_now();
	return memory_available(&m) > m.frames_total / 3;
}

static void test_sequence(void)
{
	for (unsigned int step = 0; step < STEPS; step++) {
		struct promise *p = promise_count ? &promises[random_next() % promise_count] : NULL;
		uint64_t room = room_now();
		switch (random_next() % 10) {
		case 0 ... 3:
			/* The working sets of the shell and of this program need little; but tables need some. */
			promise_try(kind_any(), pages_any(room > 512 ? room / 4 : 1));
			break;
		case 4:
			promise_try(kind_any(), room + 1 + random_next() % 1000);
			if (policy == BS_COMMIT_OVERCOMMIT && promise_count) {
				p = &promises[promise_count - 1];
				if (p->pages > room / 4)
					promise_end(p); /* granted, of course: not to be touched */
			}
			break;
		case 5:
			if (p && !p->owner && p->pages <= 256 && (counts_at_once(p->kind) || p->pages < room / 2) && is_roomy())
				fill(p);
			if (p)
				verify(p);
			break;
		case 6:
			if (p && p->kind == PRIVATE)
				recommit(p);
			break;
		case 7:
			if (p && !p->owner)
				reprotect(p);
			break;
		default:
			if (p && random_next() % 2)
				promise_end(p);
		}
		check_accounts();
		tap_alive();
	}
	while (promise_count)
		promise_end(&promises[0]);
	check_accounts();
	is(wrong, 0, "%u random steps: each charge is what was promised, and each refusal changes nothing", STEPS);
	for (int k = 0; k < KINDS; k++)
		note("%s: granted %llu times, refused %llu times", kind_names[k], (unsigned long long)grants[k],
		     (unsigned long long)refusals[k]);
}

/* To the limit, in random pieces of every kind, all of it touched; contents last. keep: pages of the limit not to be taken. */
static void test_full(uint64_t keep, uint64_t at_most)
{
	uint64_t total = 0, by_kind[KINDS] = { 0 }, misses = 0;
	wrong = 0;
	while (promise_count < PROMISES_MAX && misses < 40 && total < at_most) {
		uint64_t room = room_now(), pages;
		enum kind kind = kind_any();
		if (room < keep)
			break;
		if (kind == WRITE_COPY && policy == BS_COMMIT_LAZY_WRITECOPY)
			continue; /* not promised until it is written */
		pages = 1 + random_next() % (room > 4096 ? room / 8 : 512);
		unsigned int had = promise_count;
		promise_try(kind, pages);
		if (promise_count == had) {
			misses++;
			continue;
		}
		total += promises[had].pages;
		by_kind[kind] += promises[had].pages;
	}
	struct bs_memory m = memory_now();
	note("%llu pages: %llu private, %llu of sections, %llu of reserved sections, %llu write-copy; charge %llu of %llu, memory %llu, "
	     "paging files %llu", (unsigned long long)total, (unsigned long long)by_kind[PRIVATE], (unsigned long long)by_kind[SECTION],
	     (unsigned long long)by_kind[SECTION_RESERVED], (unsigned long long)by_kind[WRITE_COPY],
	     (unsigned long long)m.commit_charge, (unsigned long long)m.commit_limit, (unsigned long long)m.frames_total,
	     (unsigned long long)m.paging_file_pages);
	if (policy != BS_COMMIT_OVERCOMMIT)
		check_accounts();
	/* The pages that a write-copy view shows are promised twice: as the section's, and as its private copies. */
	for (unsigned int i = 0; i < promise_count; i++)
		fill(&promises[i]);
	for (unsigned int i = 0; i < promise_count; i++)
		verify(&promises[i]);
	if (policy != BS_COMMIT_OVERCOMMIT)
		check_accounts();
	while (promise_count)
		promise_end(&promises[0]);
	check_accounts();
	is(wrong, 0, "all that was granted, %llu pages, can be touched and holds what was written", (unsigned long long)total);
}

/* ---- lazy-writecopy: promised when written ---- */

static void test_lazy(void)
{
	uint64_t pages = 64, before;
	struct promise p;
	wrong = 0;
	if (policy != BS_COMMIT_LAZY_WRITECOPY)
		return;
	before = memory_now().commit_private;
	ok(promise_make(WRITE_COPY, pages, &p), "a write-copy view of 64 pages");
	is(memory_now().commit_private, before, "costs no private charge");
	for (uint64_t page = 0; page < pages; page += 2)
		pattern_fill(p.base, page, 1);
	is(memory_now().commit_private - before, pages / 2, "each page that is written does");
	promises[promise_count++] = p;
	promise_end(&promises[0]);
	is(memory_now().commit_private, before, "and all of it is given back");
}

/* ---- overcommit: what is refused is only the impossible; at exhaustion one is ended, and others go on ---- */

/* Touches all that there is, and more. Never returns from it. */
static int glutton(void)
{
	struct bs_memory m = memory_now();
	uint64_t pages = m.frames_total + m.paging_file_pages + 1024;
	char *p = VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!p)
		return 5;
	for (uint64_t page = 0; page < pages; page++) {
		p[page * PAGE_BYTES] = 1;
		if (page % 512 == 0) {
			printf("# ... %llu of %llu pages\n", (unsigned long long)page, (unsigned long long)pages);
			fflush(stdout);
		}
	}
	return 6;
}

static void test_exhaustion(void)
{
	char *mine;
	if (policy != BS_COMMIT_OVERCOMMIT)
		return;
	mine = VirtualAlloc(NULL, 64 * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t page = 0; page < 64; page++)
		pattern_fill(mine, page, 9);
	is(process_run("glutton", false), (uint32_t)STATUS_NO_MEMORY, "who touches more than there is is ended for want of memory");
	is(pattern_wrong(mine, 0, 64, 9), 0, "this process goes on, and its memory is as it was");
	VirtualFree(mine, 0, MEM_RELEASE);
	ok(VirtualAlloc(NULL, 1ull << 46, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) == NULL, "64 TiB are refused all the same");
}

/* The stack and the heap of this process grow to what they need before anything is measured. */
static void warm_up(void)
{
	volatile char deep[48 << 10];
	for (size_t i = sizeof(deep); i > 0; i -= 4096)
		deep[i - 1] = 1;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		promise_try(kind, 8);
		while (promise_count)
			promise_end(&promises[0]);
		grants[kind] = 0;
	}
}

static void sequences(void)
{
	start = memory_now();
	wrong = 0;
	test_sequence();
	test_lazy();
}

static void to_the_limit(void)
{
	struct bs_memory m = memory_now();
	if (policy == BS_COMMIT_OVERCOMMIT)
		test_full(0, (memory_available(&m) + m.paging_file_pages) / 3);
	else
		test_full(96, UINT64_MAX);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "glutton"))
		return glutton();
	random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	if (!random_state)
		random_state = (__builtin_ia32_rdtsc() ^ GetTickCount64()) % 1000000000 + 1;
	policy = memory_now().commit_policy;
	note("seed %llu, policy %llu; \"commit_properties %llu\" replays it", (unsigned long long)random_state,
	     (unsigned long long)policy, (unsigned long long)random_state);
	warm_up();
	sequences();
	leaks_none(sequences, 0);
	start = memory_now();
	for (int i = 0; i < 3; i++)
		to_the_limit();
	is(memory_now().commit_charge, start.commit_charge, "all charges are given back");
	test_exhaustion();
	memory_is_consistent();
	return tap_end();
}
