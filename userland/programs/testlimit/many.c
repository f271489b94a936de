/*
 * The same in several processes at once. They share a section with the one that started them: each leaves there what it
 * got, and keeps that until all have been refused, so that the numbers are those of one moment.
 */
#include "testlimit.h"

#define PROCESSES_MAX 64

enum part_state { PART_ASKING, PART_DONE };

struct part {
	volatile uint32_t state; /* enum part_state */
	struct outcome outcome;
};

struct board {
	volatile uint32_t go;      /* all are there: begin */
	volatile uint32_t release; /* all may give back what they have */
	struct part parts[PROCESSES_MAX];
};

static struct board *board_open(const char *name, bool create)
{
	HANDLE section = create ? CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
						     sizeof(struct board), name)
				: OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name);
	return section ? MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

int many_part(const struct plan *plan, const char *name, uint64_t number)
{
	struct board *board = board_open(name, false);
	void **held;
	if (!board || number >= PROCESSES_MAX)
		return tool_fail("testlimit", name, GetLastError());
	struct part *part = &board->parts[number];
	while (!board->go)
		Sleep(1);
	part->outcome = plan_ask(plan, &held, false);
	part->state = PART_DONE;
	while (!board->release)
		Sleep(20);
	plan_give_back(plan, held, part->outcome.got);
	return TOOL_OK;
}

/* The words of the command line, each in quotes: none of them has one inside. */
static bool line_make(char *line, size_t size, char **words, int count, const char *name, uint64_t number)
{
	size_t length = (size_t)snprintf(line, size, "testlimit --part \"%s\" %llu", name, (unsigned long long)number);
	for (int i = 0; i < count; i++) {
		if (length + strlen(words[i]) + 4 > size)
			return false;
		length += (size_t)sprintf(line + length, " \"%s\"", words[i]);
	}
	return true;
}

static HANDLE part_start(char **words, int count, const char *name, uint64_t number, DWORD *id)
{
	char path[MAX_PATH], line[512];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	if (!line_make(line, sizeof(line), words, count, name, number)) {
		SetLastError(ERROR_BAD_LENGTH);
		return NULL;
	}
	GetModuleFileNameA(NULL, path, sizeof(path));
	if (!CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p))
		return NULL;
	CloseHandle(p.hThread);
	*id = p.dwProcessId;
	return p.hProcess;
}

static void part_wait(HANDLE process, const struct part *part)
{
	while (part->state != PART_DONE && WaitForSingleObject(process, 20) == WAIT_TIMEOUT)
		;
}

/* Its row of the table; what it got is added to *got. */
static void part_print(const struct plan *plan, DWORD id, HANDLE process, const struct part *part, uint64_t *got)
{
	const struct tool_text *t = TOOL_FIND(tool_errors, part->outcome.error);
	DWORD code = 0;
	printf("%7lu ", id);
	if (part->state != PART_DONE) {
		GetExitCodeProcess(process, &code);
		printf("%35s  ended before it was refused: %s\n", "", tool_exit_text(code));
		return;
	}
	printf("%12s %12s ", tool_number(part->outcome.got),
	       plan->size ? tool_size(part->outcome.got * plan->size) : "");
	if (t)
		printf("%8lu  %s\n", part->outcome.error, t->meaning);
	else
		printf("%8lu  %s\n", part->outcome.error, part->outcome.error ? "" : "nothing was refused");
	*got += part->outcome.got;
}

int many_run(const struct plan *plan, uint64_t count, char **words, int word_count)
{
	HANDLE processes[PROCESSES_MAX];
	DWORD ids[PROCESSES_MAX];
	char name[32];
	uint64_t started = 0, got = 0;
	int result = TOOL_OK;
	sprintf(name, "Testlimit-%lu", GetCurrentProcessId());
	struct board *board = board_open(name, true);
	if (!board)
		return tool_fail("testlimit", "the section that the processes share", GetLastError());
	struct bs_memory before = memory_now();
	print_state_title();
	print_state("before", &before);
	fflush(stdout);
	for (; started < count; started++) {
		processes[started] = part_start(words, word_count, name, started, &ids[started]);
		if (!processes[started]) {
			char what[48];
			sprintf(what, "process %llu of %llu", (unsigned long long)started + 1,
				(unsigned long long)count);
			result = tool_fail("testlimit", what, GetLastError());
			break;
		}
	}
	board->go = 1;
	for (uint64_t i = 0; i < started; i++)
		part_wait(processes[i], &board->parts[i]);
	struct bs_memory now = memory_now();
	print_state("held", &now);
	printf("PROCESS     REQUESTS         SIZE    ERROR\n");
	for (uint64_t i = 0; i < started; i++)
		part_print(plan, ids[i], processes[i], &board->parts[i], &got);
	printf("%7s %12s %12s  %s\n", "all", tool_number(got), plan->size ? tool_size(got * plan->size) : "",
	       plan->kind->what);
	fflush(stdout);
	Sleep((DWORD)plan->keep * 1000);
	board->release = 1;
	for (uint64_t i = 0; i < started; i++) {
		WaitForSingleObject(processes[i], INFINITE);
		CloseHandle(processes[i]);
	}
	struct bs_memory after = memory_now();
	print_state("after", &after);
	return result;
}
