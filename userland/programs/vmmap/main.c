/*
 * vmmap: where each range, and on request each page, of a process is backed. After the Sysinternals tool of that name.
 */
#include "vmmap.h"

static const char usage[] = "usage: vmmap PID|NAME\n"
			    "       vmmap PID|NAME ADDRESS [PAGES]\n"
			    "Shows the address space of a process (ps lists them): each range with its kind and "
			    "protection, and how much of it,\n"
			    "in KiB, is backed where. With an ADDRESS (hexadecimal): each page from there on (16).\n"
			    "  ZERO      zero on demand: never written\n"
			    "  MEMORY    in memory alone\n"
			    "  PAGING    in a paging file\n"
			    "  IMAGE     in its image file, unmodified\n"
			    "  FILE      in its data file\n"
			    "  RESIDENT  how much of all that is in memory now\n"
			    "Protection: r read, w write, c write makes a private copy, x execute, +g guard page.\n";

static uint64_t kib(uint64_t pages)
{
	return pages * 4;
}

static uint64_t counts_committed(const struct backing_counts *c)
{
	uint64_t sum = 0;
	for (int i = BS_NOTHING + 1; i <= BS_DATA_FILE; i++)
		sum += c->pages[i];
	return sum;
}

/* A column in KiB; nothing for 0, so that the eye finds what is there. */
static void print_column(uint64_t pages)
{
	if (pages)
		printf(" %8llu", (unsigned long long)kib(pages));
	else
		printf(" %8s", "-");
}

static void print_counts(const struct backing_counts *c)
{
	print_column(counts_committed(c));
	print_column(c->pages[BS_ZERO]);
	print_column(c->pages[BS_MEMORY]);
	print_column(c->pages[BS_PAGING_FILE]);
	print_column(c->pages[BS_IMAGE]);
	print_column(c->pages[BS_DATA_FILE]);
	print_column(c->resident);
}

static void counts_add(struct backing_counts *to, const struct backing_counts *from)
{
	for (int i = 0; i <= BS_DATA_FILE; i++)
		to->pages[i] += from->pages[i];
	to->resident += from->resident;
}

static int print_map(HANDLE process)
{
	struct map map;
	struct backing_counts totals[RANGE_KINDS] = { 0 }, all = { 0 };
	uint64_t sizes[RANGE_KINDS] = { 0 }, size = 0, allocation = ~0ull;

	if (!map_read(process, &map))
		return tool_fail("vmmap", "the address space", GetLastError());
	printf("%-16s %11s %-8s %-5s %8s %8s %8s %8s %8s %8s %8s  %s\n", "ADDRESS", "SIZE KiB", "KIND", "PROT",
	       "COMMIT", "ZERO", "MEMORY", "PAGING", "IMAGE", "FILE", "RESIDENT", "NAME");
	for (size_t i = 0; i < map.count; i++) {
		const struct range *r = &map.ranges[i];
		char name[MAX_PATH];
		printf("%016llx %11llu %-8s %-5s", (unsigned long long)r->base, (unsigned long long)r->size / 1024,
		       range_kind_text(r->kind), r->state == MEM_RESERVE ? "res" : tool_protection(r->protect));
		print_counts(&r->counts);
		if (r->allocation != allocation && (r->kind == RANGE_IMAGE || r->kind == RANGE_MAPPED) &&
		    map_file_name(process, r->base, name, sizeof(name)))
			printf("  %s", name);
		printf("\n");
		allocation = r->allocation;
		counts_add(&totals[r->kind], &r->counts);
		counts_add(&all, &r->counts);
		sizes[r->kind] += r->size;
		size += r->size;
	}
	printf("\nTOTAL\n");
	for (int kind = 0; kind < RANGE_KINDS; kind++) {
		if (!sizes[kind])
			continue;
		printf("%-16s %11llu %-8s %-5s", "", (unsigned long long)sizes[kind] / 1024, range_kind_text(kind), "");
		print_counts(&totals[kind]);
		printf("\n");
	}
	printf("%-16s %11llu %-8s %-5s", "", (unsigned long long)size / 1024, "all", "");
	print_counts(&all);
	printf("\n");
	free(map.ranges);
	return TOOL_OK;
}

static void print_page(uint64_t address, const struct bs_page *p)
{
	static const char *const backings[] = {
		[BS_NOTHING] = "nothing: not committed", [BS_ZERO] = "zero on demand", [BS_MEMORY] = "memory alone",
		[BS_PAGING_FILE] = "paging file", [BS_IMAGE] = "image file", [BS_DATA_FILE] = "data file",
	};
	char where[64];
	const char *backing = p->backing <= BS_DATA_FILE ? backings[p->backing] : "?";
	if (p->backing == BS_PAGING_FILE)
		sprintf(where, "%s %u, slot %llu", backing, p->file, (unsigned long long)p->offset);
	else if (p->backing == BS_IMAGE || p->backing == BS_DATA_FILE)
		sprintf(where, "%s, byte 0x%llx", backing, (unsigned long long)p->offset);
	else
		strcpy(where, backing);
	printf("%016llx %-5s %-32s", (unsigned long long)address, tool_protection(p->protect), where);
	if (p->flags & BS_RESIDENT)
		printf(" frame 0x%llx%s", (unsigned long long)p->frame,
		       p->flags & BS_VALID ? "" : " (not in the page table)");
	printf("%s%s%s%s\n", p->flags & BS_DIRTY ? ", modified" : "", p->flags & BS_SHARED ? ", section" : "",
	       p->flags & BS_ACCESSED ? ", accessed" : "",
	       p->flags & BS_WRITE_COPY ? ", copied at the first write" : "");
}

static int print_pages(HANDLE process, uint64_t address, uint64_t count)
{
	address &= ~(PAGE_BYTES - 1);
	for (uint64_t i = 0; i < count; i++, address += PAGE_BYTES) {
		struct bs_page p;
		if (BsQueryBacking(process, (void *)address, 1, &p) != 0)
			return tool_fail("vmmap", "that address", ERROR_INVALID_PARAMETER);
		print_page(address, &p);
	}
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	uint64_t address = 0, count = 16;
	char *end;
	uint32_t id;
	if (argc < 2 || argc > 4 || tool_wants_help(argc, argv))
		return tool_usage(usage, "vmmap", tool_wants_help(argc, argv) ? NULL : "which process?", NULL);
	if (argc > 2) {
		address = strtoull(argv[2], &end, 16);
		if (*end || end == argv[2])
			return tool_usage(usage, "vmmap", "not a hexadecimal address", argv[2]);
	}
	if (argc > 3 && (!tool_parse_number(argv[3], &count) || count == 0))
		return tool_usage(usage, "vmmap", "not a number of pages", argv[3]);
	HANDLE process = process_open("vmmap", argv[1], PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, &id);
	if (!process)
		return TOOL_FAILED;
	int result = argc > 2 ? print_pages(process, address, count) : print_map(process);
	CloseHandle(process);
	return result;
}
