/*
 * vmmap: where each range, and on request each page, of a process is backed, and why. After the Sysinternals tool of
 * that name.
 */
#include "vmmap.h"

static const char usage[] =
	"usage: vmmap [PID|NAME] [-s] [-f]\n"
	"       vmmap [PID|NAME] -p ADDRESS [PAGES]\n"
	"Shows the address space of a process (ps lists them; without one: vmmap's own).\n"
	"  -s   the sums by type alone, not each range\n"
	"  -f   free ranges too\n"
	"  -p   the page at ADDRESS (hexadecimal), or PAGES from there on: where each is\n"
	"       backed, and why\n"
	"Sizes are in KiB. Columns, COMMIT = ZERO + MEMORY + PAGING + FILE:\n"
	"  COMMIT   promised         ZERO     zero on demand: nothing written yet\n"
	"  MEMORY   in memory alone  PAGING   in a paging file\n"
	"  FILE     in its image or data file\n"
	"  WS       working set: in memory and in this process's page table\n"
	"  CHARGED  counts against the commit limit for this process alone\n"
	"  PRIV.WS  that part of WS which is private; the rest is SHAREABLE, and SHARED\n"
	"           is what of that other page tables have now\n"
	"  LOCKED   by VirtualLock, or never paged\n"
	"Types: section (backed by paging files), mapped (data file), image, heap, stack,\n"
	"TEB/PEB, AWE (physical pages), large (large pages), private (the rest).\n"
	"Protection: r read, w write, c write makes a private copy, x execute; res\n"
	"reserved; +g guard page, +n not cached, +w write-combined.\n";

/* A column of this width in KiB; "-" for 0, so that the eye finds what is there. */
static void print_column(int width, uint64_t pages)
{
	if (pages)
		printf(" %*llu", width - 1, (unsigned long long)pages * (PAGE_BYTES / 1024));
	else
		printf(" %*s", width - 1, "-");
}

static void print_backing(const struct range_counts *c)
{
	print_column(8, c->committed);
	print_column(7, c->backing[BS_ZERO]);
	print_column(7, c->backing[BS_MEMORY]);
	print_column(7, c->backing[BS_PAGING_FILE]);
	print_column(7, c->backing[BS_IMAGE] + c->backing[BS_DATA_FILE]);
}

static void print_ranges(HANDLE process, const struct map *map, bool free_too)
{
	uint64_t allocation = ~0ull;
	printf("ADDRESS          SIZE TYPE    PROT   COMMIT   ZERO MEMORY PAGING   FILE      WS\n");
	for (size_t i = 0; i < map->count; i++) {
		const struct range *r = &map->ranges[i];
		char name[MAX_PATH];
		if (r->kind == RANGE_FREE && !free_too)
			continue;
		if (r->allocation != allocation && (r->kind == RANGE_IMAGE || r->kind == RANGE_MAPPED) &&
		    process_file_name(process, r->base, name, sizeof(name)))
			printf("%s:\n", name);
		allocation = r->allocation;
		printf("%-12llx %8llu %-7s %-5s", (unsigned long long)r->base, (unsigned long long)r->size / 1024,
		       range_kind_text(r->kind),
		       r->kind == RANGE_FREE	  ? ""
		       : r->state == MEM_RESERVE ? "res"
						  : tool_protection(r->protect));
		if (r->state == MEM_COMMIT) {
			print_backing(&r->counts);
			print_column(8, r->counts.working_set);
		}
		printf("\n");
	}
	printf("\n");
}

struct totals {
	struct range_counts counts[RANGE_KINDS], all;
	uint64_t bytes[RANGE_KINDS], all_bytes;
};

static void totals_make(const struct map *map, struct totals *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < map->count; i++) {
		const struct range *r = &map->ranges[i];
		t->bytes[r->kind] += r->size;
		range_counts_add(&t->counts[r->kind], &r->counts);
		if (r->kind == RANGE_FREE)
			continue;
		t->all_bytes += r->size;
		range_counts_add(&t->all, &r->counts);
	}
}

static void print_backing_row(const char *title, uint64_t bytes, const struct range_counts *c)
{
	printf("%-8s %13llu", title, (unsigned long long)bytes / 1024);
	print_backing(c);
	printf("\n");
}

static void print_set_row(const char *title, const struct range_counts *c)
{
	printf("%-8s", title);
	print_column(10, c->charged);
	print_column(10, c->working_set);
	print_column(10, c->set_private);
	print_column(10, c->set_shareable);
	print_column(10, c->set_shared);
	print_column(10, c->locked);
	printf("\n");
}

static void print_totals(const struct totals *t)
{
	printf("TYPE              SIZE   COMMIT   ZERO MEMORY PAGING   FILE\n");
	for (int kind = 0; kind < RANGE_FREE; kind++)
		if (t->bytes[kind])
			print_backing_row(range_kind_text(kind), t->bytes[kind], &t->counts[kind]);
	print_backing_row("all", t->all_bytes, &t->all);
	printf("%-8s %13llu\n", "free", (unsigned long long)t->bytes[RANGE_FREE] / 1024);
	printf("\nTYPE       CHARGED        WS   PRIV.WS SHAREABLE    SHARED    LOCKED\n");
	for (int kind = 0; kind < RANGE_FREE; kind++)
		if (t->counts[kind].committed)
			print_set_row(range_kind_text(kind), &t->counts[kind]);
	print_set_row("all", &t->all);
}

/* What the kernel counts for the process, to compare. */
static void print_process(uint32_t id, const struct totals *t)
{
	struct bs_process p;
	char text[512];
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++) {
		if (p.id != id)
			continue;
		snprintf(text, sizeof(text),
			 "%s, process %u: %llu KiB charged, %llu KiB of it for AWE; %llu KiB in the working set (%llu "
			 "at most), %llu KiB of page tables, %llu KiB locked by VirtualLock.%s",
			 p.name, p.id, (unsigned long long)p.private_commit * 4,
			 (unsigned long long)(p.physical - t->counts[RANGE_LARGE].committed) * 4,
			 (unsigned long long)p.working_set * 4, (unsigned long long)p.working_set_peak * 4,
			 (unsigned long long)p.page_tables * 4, (unsigned long long)p.locked * 4,
			 id == GetCurrentProcessId() ? " (vmmap grows while it looks at itself.)" : "");
		printf("\n");
		tool_wrap("", "", text);
	}
}

static int print_map(HANDLE process, uint32_t id, bool ranges, bool free_too)
{
	struct map map;
	struct totals totals;
	if (!map_read(process, &map))
		return tool_fail("vmmap", "the address space", GetLastError());
	if (ranges)
		print_ranges(process, &map, free_too);
	totals_make(&map, &totals);
	print_totals(&totals);
	print_process(id, &totals);
	free(map.ranges);
	return TOOL_OK;
}

static void print_page(void *argument, uint64_t address, const struct bs_page *p)
{
	struct backing_text t;
	char first[32], rest[32], text[512];
	(void)argument;
	backing_explain(p, &t);
	sprintf(first, "%-12llx %-5s  ", (unsigned long long)address, t.protect);
	sprintf(rest, "%*s", (int)strlen(first), "");
	snprintf(text, sizeof(text), "%s: %s%s%s%s", t.place, t.why, t.notes[0] ? " (" : "", t.notes,
		 t.notes[0] ? ")" : "");
	tool_wrap(first, rest, text);
}

/* What the page belongs to. */
static void print_place(HANDLE process, uint64_t address)
{
	MEMORY_BASIC_INFORMATION info;
	char name[MAX_PATH];
	if (VirtualQueryEx(process, (void *)address, &info, sizeof(info)) != sizeof(info) || info.State == MEM_FREE)
		return;
	uint64_t base = (uint64_t)info.AllocationBase;
	printf("%llx is byte 0x%llx of ", (unsigned long long)address, (unsigned long long)(address - base));
	if (info.Type == MEM_PRIVATE)
		printf("private memory at %llx\n", (unsigned long long)base);
	else if (process_file_name(process, address, name, sizeof(name)))
		printf("a view of %s at %llx\n", name, (unsigned long long)base);
	else
		printf("a view of an anonymous section at %llx\n", (unsigned long long)base);
}

static int print_pages(HANDLE process, uint64_t address, uint64_t count)
{
	print_place(process, address);
	if (!backing_walk(process, address & ~(PAGE_BYTES - 1), count, print_page, NULL))
		return tool_fail("vmmap", "an address that programs can't have", ERROR_INVALID_PARAMETER);
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	const char *who = NULL;
	uint64_t address = 0, count = 1;
	bool sums = false, free_too = false, pages = false;
	uint32_t id = GetCurrentProcessId();
	HANDLE process = GetCurrentProcess();

	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "vmmap", NULL, NULL);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-s")) {
			sums = true;
		} else if (!strcmp(argv[i], "-f")) {
			free_too = true;
		} else if (!strcmp(argv[i], "-p")) {
			if (i + 1 >= argc || !tool_parse_hexadecimal(argv[i + 1], &address))
				return tool_usage(usage, "vmmap", "-p wants a hexadecimal address",
						  i + 1 < argc ? argv[i + 1] : NULL);
			i++;
			pages = true;
			if (i + 1 < argc && tool_parse_number(argv[i + 1], &count))
				i++;
			if (count == 0 || count > 1 << 20)
				return tool_usage(usage, "vmmap", "PAGES is a number from 1 to 1048576", argv[i]);
		} else if (argv[i][0] == '-') {
			return tool_usage(usage, "vmmap", "unknown option", argv[i]);
		} else if (who) {
			return tool_usage(usage, "vmmap", "one process at a time", argv[i]);
		} else {
			who = argv[i];
		}
	}
	if (pages && (sums || free_too))
		return tool_usage(usage, "vmmap", "-p does not go with -s or -f", NULL);
	if (who)
		process = process_open("vmmap", who, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, &id);
	if (!process)
		return TOOL_FAILED;
	int result = pages ? print_pages(process, address, count) : print_map(process, id, !sums, free_too);
	if (who)
		CloseHandle(process);
	return result;
}
