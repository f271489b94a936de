/* Programs: running them, and which run in the background. */
#include "program.h"
#include "sh.h"
#include "tool.h"

#define JOBS_MAX 32
#define LINE_INPUT (ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT)

struct job {
	int number; /* 0: free */
	HANDLE process;
	DWORD id;
	char source[SH_LINE_MAX];
};

static struct job jobs[JOBS_MAX];
static uint64_t last_cpu_ns;

static int job_add(const PROCESS_INFORMATION *p, const char *source)
{
	int number = 1;
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].number >= number)
			number = jobs[i].number + 1;
	for (int i = 0; i < JOBS_MAX; i++)
		if (!jobs[i].number) {
			jobs[i].number = number;
			jobs[i].process = p->hProcess;
			jobs[i].id = p->dwProcessId;
			strcpy(jobs[i].source, source);
			return number;
		}
	return 0;
}

void jobs_report(void)
{
	for (int i = 0; i < JOBS_MAX; i++) {
		DWORD code = 0;
		if (!jobs[i].number || WaitForSingleObject(jobs[i].process, 0) != WAIT_OBJECT_0)
			continue;
		GetExitCodeProcess(jobs[i].process, &code);
		printf("[%d] ended: %s%s%s\n", jobs[i].number, jobs[i].source, code ? ": " : "",
		       code ? tool_exit_text(code) : "");
		CloseHandle(jobs[i].process);
		jobs[i].number = 0;
	}
}

void jobs_list(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].number)
			printf("[%d] process %lu: %s\n", jobs[i].number, jobs[i].id, jobs[i].source);
}

void jobs_wait(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].number)
			WaitForSingleObject(jobs[i].process, INFINITE);
	jobs_report();
}

HANDLE job_find(const char *text)
{
	uint64_t number;
	if (text[0] != '%' || !tool_parse_number(text + 1, &number) || number == 0)
		return NULL;
	for (int i = 0; i < JOBS_MAX; i++)
		if ((uint64_t)jobs[i].number == number)
			return jobs[i].process;
	return NULL;
}

uint64_t program_cpu_ns(void)
{
	return last_cpu_ns;
}

/* The process has ended, but the handle keeps its numbers. */
static uint64_t process_cpu_ns(DWORD id)
{
	struct bs_process p;
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++)
		if (p.id == id)
			return p.cpu_ns;
	return 0;
}

static uint32_t wait_foreground(const PROCESS_INFORMATION *p)
{
	DWORD code = 0;
	WaitForSingleObject(p->hProcess, INFINITE);
	GetExitCodeProcess(p->hProcess, &code);
	last_cpu_ns = process_cpu_ns(p->dwProcessId);
	CloseHandle(p->hProcess);
	return code;
}

/* The program gets whole lines, whatever the interpreter reads for itself. Returns the mode before. */
static DWORD line_input_set(void)
{
	DWORD mode = 0;
	GetConsoleMode(shell.input, &mode);
	SetConsoleMode(shell.input, LINE_INPUT);
	return mode;
}

uint32_t program_start(char **words, int count, bool no_input, PROCESS_INFORMATION *p)
{
	static char line[SH_LINE_MAX * 3];
	char path[MAX_PATH];
	STARTUPINFOA start = { .cb = sizeof(start) };

	if (!program_find(words[0], path)) {
		fprintf(stderr, "sh: %s: no such program or command; help lists them\n", words[0]);
		return SH_NOT_FOUND;
	}
	if (!program_line_make(line, sizeof(line), words, count)) {
		fprintf(stderr, "sh: %s: the command line is too long\n", words[0]);
		return SH_NOT_RUN;
	}
	fflush(stdout);
	if (no_input) { /* the keys are for the shell, and for what runs in front: this one finds no input */
		start.dwFlags = STARTF_USESTDHANDLES;
		start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
		start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
	}
	DWORD mode = line_input_set();
	bool done = CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, p);
	DWORD error = GetLastError();
	SetConsoleMode(shell.input, mode);
	if (!done) {
		tool_fail("sh", path, error);
		return SH_NOT_RUN;
	}
	CloseHandle(p->hThread);
	return 0;
}

uint32_t program_wait(const char *name, const char *source, bool background, const PROCESS_INFORMATION *p)
{
	if (background) {
		int number = job_add(p, source);
		if (number) {
			printf("[%d] process %lu\n", number, p->dwProcessId);
			return 0;
		}
		fprintf(stderr, "sh: %s: too many background jobs, waiting for this one\n", name);
	}
	DWORD mode = line_input_set();
	uint32_t code = wait_foreground(p);
	SetConsoleMode(shell.input, mode);
	return code;
}

uint32_t program_run(char **words, int count, const char *source, bool background)
{
	PROCESS_INFORMATION p;
	uint32_t code = program_start(words, count, background, &p);

	return code ? code : program_wait(words[0], source, background, &p);
}
