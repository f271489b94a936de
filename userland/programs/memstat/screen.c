/* The counters on one screen of 24 lines, in place: for a terminal that understands VT100 sequences. */
#include "memstat.h"

/* VT100: to the upper left corner; erase the rest of the line, of the screen. Nothing is erased first: it flickers less. */
#define HOME "\x1b[H"
#define LINE_END "\x1b[K"
#define SCREEN_END "\x1b[J"
#define LINES 24
#define HALF 39             /* columns of one of two cells of a line */

struct screen {
	char cells[LINES][2][HALF + 1];
};

static void cell(struct screen *s, int line, int side, const char *title, uint64_t pages)
{
	snprintf(s->cells[line][side], HALF + 1, "%-17s %9s %11s", title, tool_number(pages), tool_pages(pages));
}

static int fill_commit(struct screen *s, const struct bs_memory *m, int line)
{
	snprintf(s->cells[line++][0], HALF + 1, "COMMIT %-10.14s %9s %11s", commit_policy_name(m->commit_policy),
		 "pages", "size");
	cell(s, line++, 0, "limit", m->commit_limit);
	cell(s, line++, 0, "charge", m->commit_charge);
	cell(s, line++, 0, " private memory", m->commit_private);
	cell(s, line++, 0, " sections", m->commit_sections);
	cell(s, line++, 0, " AWE, large", m->commit_physical);
	cell(s, line++, 0, " clones", m->commit_clones);
	cell(s, line++, 0, " page tables", m->commit_page_tables);
	cell(s, line++, 0, " kernel", m->commit_kernel);
	cell(s, line++, 0, "highest so far", m->commit_peak);
	snprintf(s->cells[line++][0], HALF + 1, "%-17s %9s", "requests refused", tool_number(m->commit_refused));
	return line;
}

static int fill_frames(struct screen *s, const struct bs_memory *m, int line)
{
	snprintf(s->cells[line++][1], HALF + 1, "%-17s %9s %11s", "PAGE FRAMES", "pages", "size");
	cell(s, line++, 1, "all", m->frames_total);
	cell(s, line++, 1, " active", m->frames_active);
	cell(s, line++, 1, " AWE, large", m->frames_physical);
	cell(s, line++, 1, " modified", m->frames_modified);
	cell(s, line++, 1, " standby", m->frames_standby);
	cell(s, line++, 1, " free", m->frames_free);
	cell(s, line++, 1, " zeroed", m->frames_zeroed);
	cell(s, line++, 1, " in transition", m->frames_transition);
	cell(s, line++, 1, " kernel", m->frames_kernel);
	cell(s, line++, 1, "locked (VLock)", m->pages_locked);
	return line;
}

/* The events in two columns: total, and how many since the last time. */
static int fill_events(struct screen *s, const struct bs_memory *m, const struct bs_memory *before, int line)
{
	int events = 0, at = 0;
	for (size_t i = 0; i < counter_count; i++)
		events += counters[i].event.title != NULL;
	for (int side = 0; side < 2; side++)
		snprintf(s->cells[line][side], HALF + 1, "%-22s %8s %7s", side ? "" : "SINCE BOOT", "total",
			 before ? "now" : "");
	line++;
	int rows = (events + 1) / 2;
	for (size_t i = 0; i < counter_count; i++) {
		const struct counter *c = &counters[i];
		char change[24] = "";
		if (!c->event.title)
			continue;
		uint64_t now = counter_value(m, c);
		if (before && now > counter_value(before, c))
			sprintf(change, "+%llu", (unsigned long long)(now - counter_value(before, c)));
		snprintf(s->cells[line + at % rows][at / rows], HALF + 1, "%-22s %8llu %7s", c->event.short_title,
			 (unsigned long long)now, change);
		at++;
	}
	return line + rows;
}

void print_screen(const struct bs_memory *m, const struct bs_memory *before, uint64_t seconds)
{
	static struct screen s;
	int line = 1;
	memset(&s, 0, sizeof(s));
	int left = fill_commit(&s, m, line), right = fill_frames(&s, m, line);
	line = left > right ? left : right;
	int paging_line = line++;
	line = fill_events(&s, m, before, line);

	printf(HOME "memstat each %llu s; Ctrl-C ends. Up %.1f s, %llu processes, %llu threads, %llu handles" LINE_END,
	       (unsigned long long)seconds, (double)m->uptime_ns / 1e9, (unsigned long long)m->processes,
	       (unsigned long long)m->threads, (unsigned long long)m->handles);
	for (int i = 1; i < line && i < LINES; i++) {
		if (i == paging_line && m->paging_file_count)
			printf("\nPAGING FILES %llu, %s used of %s; %.40s", (unsigned long long)m->paging_file_count,
			       tool_pages(m->paging_file_used), tool_pages(m->paging_file_pages), stall_text(m, before));
		else if (i == paging_line)
			printf("\nPAGING FILES none; %.60s", stall_text(m, before));
		else
			printf("\n%-*s  %s", HALF, s.cells[i][0], s.cells[i][1]);
		printf(LINE_END);
	}
	printf(SCREEN_END);
	fflush(stdout);
}
