/* memstat: what the memory manager counts, as tables or as name=value lines. */
#include "counters.h"
#include "tool.h"

static const char usage[] =
	"usage: memstat [-t SECONDS [COUNT]] [-r]\n"
	"Shows the commit charge and its limit, page frames by state, paging files, faults, and reads and writes.\n"
	"  -t SECONDS [COUNT]  again every SECONDS, with what changed since; COUNT times, else until Ctrl-C\n"
	"  -r                  raw: a name=value line for each counter, for scripts (sizes in pages of 4,096 bytes)\n";

/* Counters that only grow are shown with their growth since the last time. */
static const struct row {
	const char *name, *title;
	size_t offset;
} rows[] = {
#define ROW(field, title) { #field, title, offsetof(struct bs_memory, field) }
	ROW(frames_total, NULL),
	ROW(frames_free, NULL),
	ROW(frames_zeroed, NULL),
	ROW(frames_standby, NULL),
	ROW(frames_modified, NULL),
	ROW(frames_active, NULL),
	ROW(frames_transition, NULL),
	ROW(frames_kernel, NULL),
	ROW(commit_charge, NULL),
	ROW(commit_limit, NULL),
	ROW(commit_peak, NULL),
	ROW(commit_private, NULL),
	ROW(commit_sections, NULL),
	ROW(commit_page_tables, NULL),
	ROW(commit_kernel, NULL),
	ROW(commit_refused, NULL),
	ROW(faults, "page faults"),
	ROW(faults_zero, "  zero on demand"),
	ROW(faults_section, "  section page made valid"),
	ROW(faults_cow, "  copied on write"),
	ROW(faults_cow_steal, "  write to the last reference, not copied"),
	ROW(faults_transition, "  found in memory, no I/O"),
	ROW(faults_swap_in, "  read from a paging file"),
	ROW(faults_image_read, "  read from an image"),
	ROW(faults_guard, "  guard page"),
	ROW(pages_swapped_out, "pages written to paging files"),
	ROW(swap_write_requests, "  in requests"),
	ROW(pages_swapped_in, "pages read from paging files"),
	ROW(swap_read_requests, "  in requests"),
	ROW(swap_errors, "paging file errors"),
	ROW(pages_image_read, "pages read from images"),
	ROW(pages_file_read, "pages read from data files"),
	ROW(pages_trimmed, "pages trimmed from working sets"),
	ROW(pages_discarded, "clean pages discarded for another use"),
	ROW(paging_file_count, NULL),
	ROW(paging_file_pages, NULL),
	ROW(paging_file_used, NULL),
	ROW(commit_policy, NULL),
	ROW(processes, NULL),
	ROW(threads, NULL),
	ROW(handles, NULL),
	ROW(uptime_ns, NULL),
	ROW(boot_to_user_ns, NULL),
	ROW(frame_entry_bytes, NULL),
	ROW(pool_pages, NULL),
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static uint64_t row_value(const struct bs_memory *m, const struct row *row)
{
	return *(const uint64_t *)((const char *)m + row->offset);
}

static void print_raw(const struct bs_memory *m)
{
	for (size_t i = 0; i < ROWS; i++)
		printf("%s=%llu\n", rows[i].name, (unsigned long long)row_value(m, &rows[i]));
}

static void print_share(const char *title, uint64_t pages, uint64_t whole)
{
	printf("  %-24s %10s %12s %5.1f %%\n", title, tool_number(pages), tool_pages(pages),
	       whole ? 100.0 * (double)pages / (double)whole : 0.0);
}

static void print_commit(const struct bs_memory *m)
{
	printf("COMMIT (%s)                  pages         size   of the limit\n",
	       m->commit_policy ? "overcommit" : "strict");
	print_share("limit", m->commit_limit, m->commit_limit);
	print_share("charge", m->commit_charge, m->commit_limit);
	print_share("  private memory", m->commit_private, m->commit_limit);
	print_share("  sections", m->commit_sections, m->commit_limit);
	print_share("  page tables", m->commit_page_tables, m->commit_limit);
	print_share("  kernel", m->commit_kernel, m->commit_limit);
	print_share("highest charge so far", m->commit_peak, m->commit_limit);
	printf("  %-24s %10s\n", "requests refused", tool_number(m->commit_refused));
}

static void print_frames(const struct bs_memory *m)
{
	printf("\nPAGE FRAMES                     pages         size   of memory\n");
	print_share("all", m->frames_total, m->frames_total);
	print_share("  active", m->frames_active, m->frames_total);
	print_share("  modified, not in use", m->frames_modified, m->frames_total);
	print_share("  standby", m->frames_standby, m->frames_total);
	print_share("  free", m->frames_free, m->frames_total);
	print_share("  zeroed", m->frames_zeroed, m->frames_total);
	print_share("  in transition (I/O)", m->frames_transition, m->frames_total);
	print_share("  kernel", m->frames_kernel, m->frames_total);
	printf("  %-24s %10s %12s\n", "available", tool_number(memory_available(m)), tool_pages(memory_available(m)));
}

static void print_paging_files(const struct bs_memory *m)
{
	struct bs_paging_file f;
	if (m->paging_file_count == 0) {
		printf("\nPAGING FILES: none; memory is the only backing of private memory and anonymous sections\n");
		return;
	}
	printf("\nPAGING FILES  %-8s %10s %10s %10s %4s %10s %8s %10s %8s %6s\n", "device", "size", "used", "peak",
	       "bad", "written", "requests", "read", "requests", "errors");
	for (uint64_t i = 0; BsQueryPagingFile(i, &f) == 0; i++)
		printf("  %10llu  %-8s %10s %10s %10s %4llu %10s %8s %10s %8s %6llu\n", (unsigned long long)i, f.name,
		       tool_pages(f.pages), tool_pages(f.used), tool_pages(f.peak), (unsigned long long)f.bad,
		       tool_pages(f.pages_written), tool_number(f.write_requests), tool_pages(f.pages_read),
		       tool_number(f.read_requests), (unsigned long long)f.errors);
}

static void print_events(const struct bs_memory *m, const struct bs_memory *before)
{
	printf("\nSINCE BOOT (%.1f s)%*s", (double)m->uptime_ns / 1e9, 33, "");
	printf("%s\n", before ? "total         now" : "total");
	for (size_t i = 0; i < ROWS; i++) {
		if (!rows[i].title)
			continue;
		uint64_t now = row_value(m, &rows[i]);
		printf("  %-42s %12s", rows[i].title, tool_number(now));
		if (before && now > row_value(before, &rows[i]))
			printf("  %+10lld", (long long)(now - row_value(before, &rows[i])));
		printf("\n");
	}
}

static void print_all(const struct bs_memory *m, const struct bs_memory *before)
{
	print_commit(m);
	print_frames(m);
	print_paging_files(m);
	print_events(m, before);
	printf("\n%llu processes, %llu threads, %llu handles; kernel pool %s\n", (unsigned long long)m->processes,
	       (unsigned long long)m->threads, (unsigned long long)m->handles, tool_pages(m->pool_pages));
}

int main(int argc, char **argv)
{
	bool raw = false;
	uint64_t seconds = 0, count = 1;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "memstat", NULL, NULL);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-r")) {
			raw = true;
		} else if (!strcmp(argv[i], "-t")) {
			if (i + 1 >= argc || !tool_parse_number(argv[i + 1], &seconds) || seconds == 0 ||
			    seconds > 86400)
				return tool_usage(usage, "memstat", "-t wants a number of seconds from 1 to 86400",
						  i + 1 < argc ? argv[i + 1] : NULL);
			i++;
			count = UINT64_MAX;
			if (i + 1 < argc && tool_parse_number(argv[i + 1], &count))
				i++;
		} else {
			return tool_usage(usage, "memstat", "unknown option", argv[i]);
		}
	}
	struct bs_memory before = { 0 };
	for (uint64_t i = 0; i < count; i++) {
		struct bs_memory now = memory_now();
		if (i > 0)
			printf("\n");
		if (raw)
			print_raw(&now);
		else
			print_all(&now, i > 0 ? &before : NULL);
		fflush(stdout);
		before = now;
		if (i + 1 < count)
			Sleep((DWORD)seconds * 1000);
	}
	return TOOL_OK;
}
