/* All counters, and the tables that explain them. */
#include "memstat.h"

const struct counter counters[] = {
#define COUNTER(field) { #field, offsetof(struct bs_memory, field), { NULL, NULL } }
#define EVENT(field, title, short_title) { #field, offsetof(struct bs_memory, field), { title, short_title } }
	COUNTER(frames_total),
	COUNTER(frames_free),
	COUNTER(frames_zeroed),
	COUNTER(frames_standby),
	COUNTER(frames_modified),
	COUNTER(frames_active),
	COUNTER(frames_transition),
	COUNTER(frames_kernel),
	COUNTER(frames_physical),
	COUNTER(frame_highest),
	COUNTER(pages_locked),
	COUNTER(commit_charge),
	COUNTER(commit_limit),
	COUNTER(commit_peak),
	COUNTER(commit_private),
	COUNTER(commit_sections),
	COUNTER(commit_page_tables),
	COUNTER(commit_kernel),
	COUNTER(commit_physical),
	COUNTER(commit_clones),
	COUNTER(commit_refused),
	EVENT(faults, "page faults (one can be in several lines)", "page faults"),
	EVENT(faults_zero, "  zero on demand", " zero on demand"),
	EVENT(faults_section, "  section page made valid", " section page valid"),
	EVENT(faults_cow, "  copied on write", " copied on write"),
	EVENT(faults_cow_steal, "  write to the last reference, not copied", " last reference kept"),
	EVENT(faults_transition, "  found in memory, no I/O", " found in memory"),
	EVENT(faults_swap_in, "  read from a paging file", " read, paging file"),
	EVENT(faults_image_read, "  read from an image", " read, image"),
	EVENT(faults_guard, "  guard page", " guard page"),
	EVENT(pages_around, "pages made accessible with a neighbour", "pages with a neighbour"),
	EVENT(pages_swapped_out, "pages written to paging files", "pages paged out"),
	EVENT(swap_write_requests, "  in requests", " in requests"),
	EVENT(pages_swapped_in, "pages read from paging files", "pages paged in"),
	EVENT(swap_read_requests, "  in requests", " in requests"),
	EVENT(swap_errors, "paging file errors", "paging file errors"),
	EVENT(pages_image_read, "pages read from images", "pages from images"),
	EVENT(pages_file_read, "pages read from data files", "pages from data files"),
	EVENT(pages_trimmed, "pages trimmed from working sets", "pages trimmed"),
	EVENT(pages_discarded, "clean pages discarded for another use", "clean pages discarded"),
	EVENT(refaults_swap, "refaults (evicted too early), paging file", "refaults, paging file"),
	EVENT(refaults_image, "refaults (evicted too early), image", "refaults, image"),
	COUNTER(pages_file_written),
	COUNTER(file_read_requests),
	COUNTER(file_write_requests),
	COUNTER(file_write_errors),
	COUNTER(faults_returned),
	COUNTER(swap_ahead_pages),
	COUNTER(swap_ahead_used),
	COUNTER(swap_ahead_wasted),
	COUNTER(memory_stall_ns),
	COUNTER(memory_full_ns),
	COUNTER(memory_stall_percent),
	COUNTER(memory_full_percent),
	COUNTER(thrashing),
	COUNTER(thrash_episodes),
	COUNTER(reclaim_low),
	COUNTER(reclaim_high),
	COUNTER(paging_file_count),
	COUNTER(paging_file_pages),
	COUNTER(paging_file_used),
	COUNTER(commit_policy),
	COUNTER(processes),
	COUNTER(threads),
	COUNTER(handles),
	COUNTER(uptime_ns),
	COUNTER(boot_to_user_ns),
	COUNTER(frame_entry_bytes),
	COUNTER(pool_pages),
#undef COUNTER
#undef EVENT
};
const size_t counter_count = sizeof(counters) / sizeof(counters[0]);

/* A counter that the structure has and the table lacks would be a lie by omission. */
_Static_assert(sizeof(counters) / sizeof(counters[0]) == sizeof(struct bs_memory) / sizeof(uint64_t),
	       "each field of struct bs_memory has its line");

void print_raw(const struct bs_memory *m)
{
	for (size_t i = 0; i < counter_count; i++)
		printf("%s=%llu\n", counters[i].name, (unsigned long long)counter_value(m, &counters[i]));
}

static void print_share(const char *title, uint64_t pages, uint64_t whole)
{
	printf("  %-30s %10s %12s %5.1f %%\n", title, tool_number(pages), tool_pages(pages),
	       whole ? 100.0 * (double)pages / (double)whole : 0.0);
}

static void print_commit(const struct bs_memory *m)
{
	char title[64];
	sprintf(title, "COMMIT (%s)", commit_policy_name(m->commit_policy));
	printf("%-32s %10s %12s   of the limit\n", title, "pages", "size");
	print_share("limit", m->commit_limit, m->commit_limit);
	print_share("charge", m->commit_charge, m->commit_limit);
	print_share("  private memory", m->commit_private, m->commit_limit);
	print_share("  sections", m->commit_sections, m->commit_limit);
	print_share("  AWE and large pages", m->commit_physical, m->commit_limit);
	if (m->commit_clones || m->commit_policy == BS_COMMIT_LAZY_WRITECOPY)
		print_share("  shared with clones", m->commit_clones, m->commit_limit);
	print_share("  page tables", m->commit_page_tables, m->commit_limit);
	print_share("  kernel", m->commit_kernel, m->commit_limit);
	print_share("highest charge so far", m->commit_peak, m->commit_limit);
	printf("  %-30s %10s\n", "requests refused", tool_number(m->commit_refused));
}

static void print_frames(const struct bs_memory *m)
{
	printf("\n%-32s %10s %12s   of memory\n", "PAGE FRAMES", "pages", "size");
	print_share("all", m->frames_total, m->frames_total);
	print_share("  active", m->frames_active, m->frames_total);
	print_share("  AWE and large pages", m->frames_physical, m->frames_total);
	print_share("  modified, not in use", m->frames_modified, m->frames_total);
	print_share("  standby", m->frames_standby, m->frames_total);
	print_share("  free", m->frames_free, m->frames_total);
	print_share("  zeroed", m->frames_zeroed, m->frames_total);
	print_share("  in transition (I/O)", m->frames_transition, m->frames_total);
	print_share("  kernel", m->frames_kernel, m->frames_total);
	print_share("available (standby to zeroed)", memory_available(m), m->frames_total);
	print_share("locked by VirtualLock", m->pages_locked, m->frames_total);
}

/* Of the time since before, or, without it, of what the kernel looks back on. */
const char *stall_text(const struct bs_memory *m, const struct bs_memory *before)
{
	static char text[128];
	double some = (double)m->memory_stall_percent, full = (double)m->memory_full_percent, seconds = 4;
	uint64_t returned = 0, evicted = 0;
	if (before && m->uptime_ns > before->uptime_ns) {
		seconds = (double)(m->uptime_ns - before->uptime_ns) / 1e9;
		some = (double)(m->memory_stall_ns - before->memory_stall_ns) / seconds / 1e7;
		full = (double)(m->memory_full_ns - before->memory_full_ns) / seconds / 1e7;
		returned = m->faults_returned - before->faults_returned;
		evicted = m->pages_discarded - before->pages_discarded;
	}
	if (before ? full >= FULL_PERCENT && returned >= PAGES_MANY && evicted >= PAGES_MANY : m->thrashing)
		snprintf(text, sizeof(text),
			 "thrashing: %.0f %% of the last %.0f s everybody waited for pages that had been in memory before",
			 full, seconds);
	else
		snprintf(text, sizeof(text), "memory stall %.0f %% of the last %.0f s", some, seconds);
	return text;
}

static void print_reclaim(const struct bs_memory *m, const struct bs_memory *before)
{
	char policy[16] = "?";
	BsQueryOption("replace", policy, sizeof(policy));
	printf("\nRECLAIM (%s) begins below %s available, ends at %s\n", policy, tool_pages(m->reclaim_low),
	       tool_pages(m->reclaim_high));
	tool_wrap("  ", "  ", stall_text(m, before));
}

static void print_paging_files(const struct bs_memory *m)
{
	struct bs_paging_file f;
	if (m->paging_file_count == 0) {
		printf("\nPAGING FILES: none; memory is the only backing of private memory and anonymous\nsections\n");
		return;
	}
	printf("\n%-14s %9s %9s %9s %9s %6s %9s %6s\n", "PAGING FILES", "size", "used", "peak", "written", "times",
	       "read", "times");
	for (uint64_t i = 0; BsQueryPagingFile(i, &f) == 0; i++) {
		printf("  %2llu  %-8s %9s %9s %9s %9s %6s %9s %6s\n", (unsigned long long)f.number, f.name,
		       tool_pages(f.pages), tool_pages(f.used), tool_pages(f.peak), tool_pages(f.pages_written),
		       tool_number(f.write_requests), tool_pages(f.pages_read), tool_number(f.read_requests));
		if (f.bad || f.errors)
			printf("      %s bad slots, %s errors\n", tool_number(f.bad), tool_number(f.errors));
	}
}

static void print_events(const struct bs_memory *m, const struct bs_memory *before)
{
	char title[64];
	sprintf(title, "SINCE BOOT (%.1f s)", (double)m->uptime_ns / 1e9);
	printf("\n%-44s %12s%s\n", title, "total", before ? "         now" : "");
	for (size_t i = 0; i < counter_count; i++) {
		const struct counter *c = &counters[i];
		if (!c->event.title)
			continue;
		uint64_t now = counter_value(m, c);
		printf("  %-42s %12s", c->event.title, tool_number(now));
		if (before && now > counter_value(before, c))
			printf("  %+10lld", (long long)(now - counter_value(before, c)));
		printf("\n");
	}
}

void print_tables(const struct bs_memory *m, const struct bs_memory *before)
{
	print_commit(m);
	print_frames(m);
	print_reclaim(m, before);
	print_paging_files(m);
	print_events(m, before);
	printf("\n%llu processes, %llu threads, %llu handles; kernel pool %s\n", (unsigned long long)m->processes,
	       (unsigned long long)m->threads, (unsigned long long)m->handles, tool_pages(m->pool_pages));
}
