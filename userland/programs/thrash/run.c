/* Starts the processes, watches them, and says what became of them. */
#include "thrash.h"

#include "console.h"

struct board *board_open(const char *name, bool create)
{
	HANDLE section = create ? CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
						     sizeof(struct board), name)
				: OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name);
	return section ? MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

static HANDLE worker_start(const char *name, uint64_t number)
{
	char path[MAX_PATH], line[128];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	GetModuleFileNameA(NULL, path, sizeof(path));
	sprintf(line, "thrash --worker %s %llu", name, (unsigned long long)number);
	if (!CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p))
		return NULL;
	CloseHandle(p.hThread);
	return p.hProcess;
}

static bool has_ended(HANDLE process)
{
	return WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

struct crowd {
	struct board *board;
	HANDLE processes[WORKERS_MAX];
	uint64_t count;
	ULONGLONG told; /* when progress was told last */
};

/* A line each second: how many pages each process has written to first, or touched since. */
static void progress(struct crowd *c, const char *what)
{
	ULONGLONG now = GetTickCount64();
	if (now - c->told < 1000)
		return;
	c->told = now;
	printf("%s:", what);
	for (uint64_t i = 0; i < c->count; i++) {
		const struct worker *w = &c->board->workers[i];
		printf(" %s", tool_number(w->state < WORKER_FILLED ? w->filled : w->touched));
	}
	printf("\n");
	fflush(stdout);
}

/* Until all have come so far, or ended. False: it was told to stop. */
static bool crowd_wait(struct crowd *c, enum worker_state state, const char *what)
{
	for (bool all = false; !all;) {
		all = true;
		for (uint64_t i = 0; i < c->count; i++)
			all &= c->board->workers[i].state >= (uint32_t)state || has_ended(c->processes[i]);
		if (!all && console_wait(10))
			return false;
		progress(c, what);
	}
	return true;
}

static void crowd_end(struct crowd *c)
{
	for (uint64_t i = 0; i < c->count; i++) {
		TerminateProcess(c->processes[i], TOOL_FAILED);
		WaitForSingleObject(c->processes[i], INFINITE);
		CloseHandle(c->processes[i]);
	}
}

/* ---- what became of them ---- */

struct result {
	uint64_t pages, touched, wrong, stuck, ended, elapsed_ms;
};

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0.0;
}

static struct result result_sum(const struct crowd *c)
{
	struct result r = { 0 };
	for (uint64_t i = 0; i < c->count; i++) {
		const struct worker *w = &c->board->workers[i];
		r.pages += w->pages;
		r.touched += w->touched;
		r.wrong += w->wrong;
		r.ended += w->state != WORKER_DONE;
		r.stuck += w->state == WORKER_DONE && w->touched == 0;
		if (w->elapsed_ms > r.elapsed_ms)
			r.elapsed_ms = w->elapsed_ms;
	}
	return r;
}

static void print_workers(const struct crowd *c)
{
	printf("PROCESS       PAGES      TOUCHED   PER SECOND      WRITTEN\n");
	for (uint64_t i = 0; i < c->count; i++) {
		const struct worker *w = &c->board->workers[i];
		DWORD code = 0;
		GetExitCodeProcess(c->processes[i], &code);
		printf("%7llu %11s %12s %12s %12s", (unsigned long long)i + 1, tool_number(w->pages), tool_number(w->touched),
		       tool_number((uint64_t)(ratio(w->touched, w->elapsed_ms) * 1000)), tool_number(w->written));
		if (w->state != WORKER_DONE)
			printf("  ended early: %s", tool_exit_text(code));
		else if (w->touched == 0)
			printf("  no progress");
		if (w->wrong)
			printf("  %s WRONG, first page %s", tool_number(w->wrong), tool_number(w->wrong_page));
		printf("\n");
	}
}

static void print_counters(const struct bs_memory *b, const struct bs_memory *a, const struct result *r)
{
	uint64_t in = a->pages_swapped_in - b->pages_swapped_in, out = a->pages_swapped_out - b->pages_swapped_out;
	uint64_t read = a->swap_read_requests - b->swap_read_requests;
	uint64_t written = a->swap_write_requests - b->swap_write_requests;
	printf("%s pages touched in %.1f s: %s a second\n", tool_number(r->touched), (double)r->elapsed_ms / 1000,
	       tool_number((uint64_t)(ratio(r->touched, r->elapsed_ms) * 1000)));
	printf("%s faults, %s waited for a paging file\n", tool_number(a->faults - b->faults),
	       tool_number(a->faults_swap_in - b->faults_swap_in));
	printf("%s pages read, %.1f a request; %s pages written, %.1f a request\n", tool_number(in), ratio(in, read),
	       tool_number(out), ratio(out, written));
}

/* For scripts: name=value lines. */
static void print_raw(const struct plan *plan, const struct bs_memory *b, const struct bs_memory *a, const struct result *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} lines[] = {
		{ "pages_wanted", plan->pages }, { "pages_committed", r->pages }, { "touched", r->touched },
		{ "elapsed_ms", r->elapsed_ms }, { "wrong", r->wrong }, { "no_progress", r->stuck }, { "ended_early", r->ended },
		{ "faults", a->faults - b->faults }, { "swap_in_faults", a->faults_swap_in - b->faults_swap_in },
		{ "transition_faults", a->faults_transition - b->faults_transition },
		{ "pages_in", a->pages_swapped_in - b->pages_swapped_in },
		{ "read_requests", a->swap_read_requests - b->swap_read_requests },
		{ "pages_out", a->pages_swapped_out - b->pages_swapped_out },
		{ "write_requests", a->swap_write_requests - b->swap_write_requests },
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		printf("%s=%llu\n", lines[i].name, (unsigned long long)lines[i].value);
}

static int judge(const struct crowd *c, const struct result *r)
{
	if (r->wrong || r->stuck || r->ended || r->pages == 0) {
		printf("FAILED: %s\n", r->wrong	  ? "a page did not hold what was written to it" :
				       r->ended	  ? "a process ended early" :
				       r->pages == 0 ? "nothing could be committed" : "a process made no progress");
		return TOOL_FAILED;
	}
	printf("%s made progress, and each page held what was written to it\n",
	       c->count > 1 ? "every process" : "the process");
	return TOOL_OK;
}

#define COMMIT_SPARE 192ull /* pages for each process that stay uncommitted: page tables, stacks, those who look */

/* What each process may commit, so that none goes without when there is not enough for all. */
static uint64_t share_of_each(const struct plan *plan)
{
	struct bs_memory m = memory_now();
	uint64_t used = m.commit_charge + (COMMIT_SPARE + plan->pages / plan->processes / 1024) * plan->processes;
	if (m.commit_policy == BS_COMMIT_OVERCOMMIT)
		return UINT64_MAX;
	return used < m.commit_limit ? (m.commit_limit - used) / plan->processes : 0;
}

/* The three phases; false: it was told to stop. */
static bool phases(struct crowd *c, const struct plan *plan, struct bs_memory *before, struct bs_memory *after)
{
	uint64_t refused = plan->pages / plan->processes * plan->processes;
	c->board->share = share_of_each(plan);
	c->board->commit = 1;
	if (!crowd_wait(c, WORKER_COMMITTED, "committing"))
		return false;
	for (uint64_t i = 0; i < c->count; i++)
		refused -= c->board->workers[i].pages;
	if (refused)
		printf("refused by the commit limit: %s of %s pages; going on with the others\n", tool_number(refused),
		       tool_number(plan->pages));
	c->board->fill = 1;
	if (!crowd_wait(c, WORKER_FILLED, "written to first"))
		return false;
	*before = memory_now();
	c->board->go = 1;
	if (!crowd_wait(c, WORKER_DONE, "touched"))
		return false;
	*after = memory_now();
	return true;
}

int thrash_run(const struct plan *plan)
{
	struct crowd c = { .told = GetTickCount64() };
	struct bs_memory before = memory_now(), after = before;
	char name[32];
	sprintf(name, "Thrash-%lu", GetCurrentProcessId());
	if (console_is_terminal() && !console_keys_watch())
		return tool_fail("thrash", "a thread that waits for Ctrl-C", GetLastError());
	c.board = board_open(name, true);
	if (!c.board)
		return tool_fail("thrash", "the section that the processes share", GetLastError());
	c.board->plan = *plan;
	c.board->parent = GetCurrentProcessId();
	printf("%s pages (%s, %.0f %% of memory) in %llu process%s\n", tool_number(plan->pages), tool_pages(plan->pages),
	       100 * ratio(plan->pages, before.frames_total), (unsigned long long)plan->processes,
	       plan->processes == 1 ? "" : "es");
	fflush(stdout);
	for (; c.count < plan->processes; c.count++) {
		c.processes[c.count] = worker_start(name, c.count);
		if (!c.processes[c.count]) {
			tool_fail("thrash", "starting a process", GetLastError());
			crowd_end(&c);
			return TOOL_FAILED;
		}
	}
	bool done = phases(&c, plan, &before, &after);
	struct result r = result_sum(&c);
	int result = TOOL_FAILED;
	if (done) {
		for (uint64_t i = 0; i < c.count; i++)
			WaitForSingleObject(c.processes[i], INFINITE);
		print_workers(&c);
		print_counters(&before, &after, &r);
		if (plan->raw)
			print_raw(plan, &before, &after, &r);
		result = judge(&c, &r);
	}
	crowd_end(&c);
	return result;
}
