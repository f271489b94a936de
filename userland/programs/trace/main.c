/* trace: shows what the pager does, while it does it. The kernel's side is in mm/event.c; docs/events.md. */
#include "console.h"
#include "process.h"
#include "program.h"
#include "trace.h"

static const char usage[] =
	"usage: trace [OPTION]... [-- PROGRAM [ARGUMENT]...]\n"
	"A line for each event of the pager: of PROGRAM from its start to its end, else\n"
	"of all processes but trace itself, until Ctrl-C.\n"
	"  -e KIND,KIND  these kinds only; -e list names them\n"
	"  -p PID|NAME   this process only (trims, faults, reads: what is done for it)\n"
	"  -n COUNT      ends after so many events\n"
	"  -t SECONDS    ends after so many seconds\n"
	"  -a            trace itself too\n"
	"  -b EVENTS     how many are kept for each CPU until they are shown (4096)\n"
	"  -c            comma-separated values, times in ns\n"
	"  -s            at the end: how often what, by process; -q: nothing else\n"
	"  -o FILE       to a file\n"
	"The columns: seconds since the start, CPU, process, event, then the address and\n"
	"r, w, x: read, written, executed (with ': by the kernel, for the program),\n"
	"paging file:slot, pages. Exit code: PROGRAM's, or 0.\n";

#define SECONDS_MAX 86400
#define BATCH 256
#define LOOK_MS 50 /* how often it looks whether it is to end */

struct arguments {
	struct show show;
	uint64_t mask, entries, count, seconds;
	const char *process, *file;
	bool summary, all;
	char **program; /* NULL: none */
	int program_words;
};

static int wrong(const char *problem, const char *word)
{
	return tool_usage(usage, "trace", problem, word);
}

static bool number(const char *text, uint64_t max, uint64_t *out)
{
	return text && tool_parse_number(text, out) && *out >= 1 && *out <= max;
}

/* TOOL_OK, or what wrong() returned. */
static int parse(int argc, char **argv, struct arguments *a)
{
	for (int i = 1; i < argc; i++) {
		char option = argv[i][0] == '-' && strlen(argv[i]) == 2 ? argv[i][1] : 0;
		char *value = i + 1 < argc ? argv[i + 1] : NULL;
		const char *bad;
		if (option == '-') {
			if (!value)
				return wrong("-- wants a program", NULL);
			a->program = argv + i + 1;
			a->program_words = argc - i - 1;
			break;
		}
		switch (option) {
		case 'a':
			a->all = true;
			continue;
		case 'c':
			a->show.csv = true;
			continue;
		case 's':
			a->summary = true;
			continue;
		case 'q':
			a->summary = a->show.quiet = true;
			continue;
		case 'e':
			bad = value ? kinds_parse(value, &a->mask) : "";
			if (bad)
				return wrong("-e wants kinds of events (-e list names them)", *bad ? bad : NULL);
			break;
		case 'p':
			if (!value)
				return wrong("-p wants a process", NULL);
			a->process = value;
			break;
		case 'n':
			if (!number(value, UINT64_MAX, &a->count))
				return wrong("-n wants a number of events", value);
			break;
		case 't':
			if (!number(value, SECONDS_MAX, &a->seconds))
				return wrong("-t wants seconds, 86400 at most", value);
			break;
		case 'b':
			if (!number(value, BS_TRACE_ENTRIES_MAX, &a->entries))
				return wrong("-b wants a number of events, 65536 at most", value);
			break;
		case 'o':
			if (!value)
				return wrong("-o wants a file", NULL);
			a->file = value;
			break;
		default:
			return wrong("unknown option", argv[i]);
		}
		i++;
	}
	if (a->program && a->process)
		return wrong("-p or -- PROGRAM, not both", NULL);
	return TOOL_OK;
}

/* The program, not yet running. Somebody who sits there gives Ctrl-C to trace: then the program has no input. */
static int program_start(const struct arguments *a, bool terminal, PROCESS_INFORMATION *p)
{
	static char line[4096];
	char path[MAX_PATH];
	STARTUPINFOA start = { .cb = sizeof(start) };
	if (terminal) {
		start.dwFlags = STARTF_USESTDHANDLES;
		start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
		start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
	}
	if (!program_find(a->program[0], path)) {
		fprintf(stderr, "trace: %s: no such program\n", a->program[0]);
		return TOOL_FAILED;
	}
	if (!program_line_make(line, sizeof(line), a->program, a->program_words)) {
		fprintf(stderr, "trace: %s: the command line is too long\n", a->program[0]);
		return TOOL_FAILED;
	}
	if (!CreateProcessA(path, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &start, p))
		return tool_fail("trace", path, GetLastError());
	return TOOL_OK;
}

static uint64_t now_ns(void)
{
	LARGE_INTEGER now;
	QueryPerformanceCounter(&now);
	return (uint64_t)now.QuadPart * 100;
}

/* Which process the trace is of. TOOL_OK, or it has been said what is wrong. */
static int process_choose(const struct arguments *a, const PROCESS_INFORMATION *started, uint32_t *id, uint64_t *mask)
{
	bool ambiguous;
	*mask = a->mask;
	*id = started ? started->dwProcessId : 0;
	if (a->process) {
		*id = process_find(a->process, &ambiguous);
		if (*id == 0) {
			fprintf(stderr, "trace: %s: %s; ps lists the processes\n", a->process,
				ambiguous ? "several processes have this name, use the number" : "there is no such process");
			return TOOL_FAILED;
		}
	} else if (!started && !a->all) {
		*id = GetCurrentProcessId();
		*mask |= BS_TRACE_EXCEPT;
	}
	return TOOL_OK;
}

static int open_failed(const struct arguments *a, NTSTATUS status)
{
	if (status != STATUS_INVALID_CID)
		return tool_fail("trace", "the memory for events", RtlNtStatusToDosError(status));
	fprintf(stderr, "trace: %s: there is no such process; ps lists them\n", a->process);
	return TOOL_FAILED;
}

static bool is_signaled(HANDLE object)
{
	return object && WaitForSingleObject(object, 0) == WAIT_OBJECT_0;
}

/* Reads until it is told to end, or process (NULL: none) has ended, and shows all that was before that. */
static int follow(const struct arguments *a, HANDLE trace, HANDLE process)
{
	static struct bs_event events[BATCH];
	uint64_t shown = 0, lost = 0, all_lost = 0, end_ns = a->seconds ? a->show.start_ns + a->seconds * 1000000000ull : ~0ull;
	bool over = false, later = false;
	show_begin(&a->show);
	while (shown < a->count && !later) {
		if (!over && (is_signaled(process) || is_signaled(console_stop) || now_ns() >= end_ns)) {
			over = true;
			end_ns = now_ns() < end_ns ? now_ns() : end_ns;
		}
		LARGE_INTEGER wait = { .QuadPart = over ? 0 : -LOOK_MS * 10000 };
		uint64_t got = 0, want = a->count - shown < BATCH ? a->count - shown : BATCH;
		NTSTATUS status = BsTraceRead(trace, events, want, &got, &lost, &wait);
		if (status < 0)
			return tool_fail("trace", "reading events", RtlNtStatusToDosError(status));
		show_lost(&a->show, lost);
		all_lost += lost;
		for (uint64_t i = 0; i < got && !later; i++) {
			later = events[i].time_ns > end_ns;
			if (!later)
				show_event(&a->show, &events[i]);
		}
		fflush(a->show.out);
		shown += got;
		later = later || (over && got < want);
	}
	if (a->summary)
		show_summary(&a->show, all_lost);
	return TOOL_OK;
}

static int run(struct arguments *a)
{
	PROCESS_INFORMATION p = { 0 };
	bool terminal = console_is_terminal();
	HANDLE trace = NULL;
	DWORD code = 0;
	uint32_t id;
	uint64_t mask;
	if (terminal && !console_keys_watch())
		return tool_fail("trace", "a thread that waits for Ctrl-C", GetLastError());
	int result = a->program ? program_start(a, terminal, &p) : TOOL_OK;
	if (result == TOOL_OK)
		result = process_choose(a, a->program ? &p : NULL, &id, &mask);
	if (result == TOOL_OK) {
		NTSTATUS status = BsTraceOpen(mask, id, a->entries, &trace);
		a->show.start_ns = now_ns();
		if (status != 0)
			result = open_failed(a, status);
	}
	if (a->program && result != TOOL_OK && p.hProcess)
		TerminateProcess(p.hProcess, TOOL_FAILED);
	if (result != TOOL_OK)
		return result;
	if (a->program) {
		show_name(id);
		ResumeThread(p.hThread);
	}
	result = follow(a, trace, p.hProcess);
	CloseHandle(trace);
	if (!a->program)
		return result;
	/* After -n or -t it goes on. */
	HANDLE ends[] = { p.hProcess, console_stop };
	if (WaitForMultipleObjects(console_stop ? 2 : 1, ends, FALSE, INFINITE) != WAIT_OBJECT_0)
		TerminateProcess(p.hProcess, (UINT)STATUS_CONTROL_C_EXIT);
	WaitForSingleObject(p.hProcess, INFINITE);
	GetExitCodeProcess(p.hProcess, &code);
	if (code)
		fprintf(stderr, "trace: %s: %s\n", a->program[0], tool_exit_text(code));
	return result ? result : (int)code;
}

int main(int argc, char **argv)
{
	static struct arguments a = { .mask = BS_EVENT_ALL, .count = UINT64_MAX };
	a.show.out = stdout;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "trace", NULL, NULL);
	if (argc == 3 && !strcmp(argv[1], "-e") && !strcmp(argv[2], "list")) {
		kinds_list();
		return TOOL_OK;
	}
	int result = parse(argc, argv, &a);
	if (result != TOOL_OK)
		return result;
	if (a.file && !(a.show.out = fopen(a.file, "w")))
		return tool_fail("trace", a.file, GetLastError());
	result = run(&a);
	if (a.file && (ferror(a.show.out) || fclose(a.show.out)))
		result = tool_fail("trace", a.file, GetLastError());
	return result;
}
