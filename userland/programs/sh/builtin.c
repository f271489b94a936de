/* The commands that the interpreter itself runs. */
#include "counters.h"
#include "process.h"
#include "sh.h"

static void help_programs(const char *directory)
{
	char pattern[MAX_PATH];
	WIN32_FIND_DATAA found;
	int column = 0;
	sprintf(pattern, "%s\\*", directory);
	HANDLE search = FindFirstFileA(pattern, &found);
	if (search == INVALID_HANDLE_VALUE)
		return;
	printf("Programs in %s (NAME -h tells how they are used):\n", directory);
	do {
		char *dot = strrchr(found.cFileName, '.');
		if (!dot || _stricmp(dot, ".exe"))
			continue;
		*dot = 0;
		column += printf("  %s", found.cFileName);
		if (column > 64) {
			printf("\n");
			column = 0;
		}
	} while (FindNextFileA(search, &found));
	FindClose(search);
	if (column)
		printf("\n");
}

static uint32_t do_help(char **words, int count)
{
	(void)words;
	(void)count;
	printf("PROGRAM [ARGUMENT]...   runs a program from here, C:\\bin or C:\\tests\n"
	       "A ; B    A && B    A &  one after the other; B only if A gave exit code 0; A in\n"
	       "                        the background\n"
	       "A | B                   A's output is B's input; B is no command built in here\n"
	       "A > FILE  A >> FILE     its output goes to a file: a new one, or behind its end;\n"
	       "A 2> FILE  A 2>&1       what it writes as errors, too; to where its output goes\n"
	       "\"...\"  '...'  $?  #     keep a word together; the last exit code; a comment\n"
	       "cd [DIRECTORY]  pwd     change or show the current directory (cd alone: C:\\)\n"
	       "echo [WORD]...          writes its words\n"
	       "time COMMAND            how long it took, and its page faults\n"
	       "jobs  wait              list the background jobs; wait until they have ended\n"
	       "kill PID|NAME|%%JOB...   end processes\n"
	       "exit [N]                end, with exit code N (else the last one)\n"
	       "Keys: arrows, Home, End, Ctrl-A/E line start and end, Ctrl-U/K/W erase before,\n"
	       "      behind, a word, Ctrl-L clear, Ctrl-C give up the line, Ctrl-D end\n");
	help_programs("C:\\bin");
	return 0;
}

static uint32_t do_cd(char **words, int count)
{
	if (count > 2) {
		fprintf(stderr, "sh: cd: one directory at a time\n");
		return TOOL_USAGE;
	}
	const char *directory = count == 2 ? words[1] : "C:\\";
	if (SetCurrentDirectoryA(directory)) {
		/* Programs that are given "D:name" find the drive's directory in the variable "=D:". */
		char now[MAX_PATH] = "", name[] = "=C:";
		if (GetCurrentDirectoryA(sizeof(now), now) && now[1] == ':') {
			name[1] = now[0];
			SetEnvironmentVariableA(name, now);
		}
		return 0;
	}
	char what[MAX_PATH + 8];
	snprintf(what, sizeof(what), "cd: %s", directory);
	return (uint32_t)tool_fail("sh", what, GetLastError());
}

static uint32_t do_pwd(char **words, int count)
{
	char directory[MAX_PATH] = "";
	(void)words;
	(void)count;
	GetCurrentDirectoryA(sizeof(directory), directory);
	printf("%s\n", directory);
	return 0;
}

static uint32_t do_echo(char **words, int count)
{
	for (int i = 1; i < count; i++)
		printf("%s%s", i > 1 ? " " : "", words[i]);
	printf("\n");
	return 0;
}

static uint32_t do_exit(char **words, int count)
{
	uint64_t code = shell.last_code;
	if (count > 2 || (count == 2 && (!tool_parse_number(words[1], &code) || code > UINT32_MAX))) {
		fprintf(stderr, "sh: exit: its argument is a number from 0 to 4294967295\n");
		return TOOL_USAGE;
	}
	shell.exit = true;
	return (uint32_t)code;
}

static uint32_t do_jobs(char **words, int count)
{
	(void)words;
	(void)count;
	jobs_list();
	return 0;
}

static uint32_t do_wait(char **words, int count)
{
	(void)words;
	(void)count;
	jobs_wait();
	return 0;
}

static uint32_t do_kill(char **words, int count)
{
	uint32_t result = 0, id;
	if (count < 2) {
		fprintf(stderr, "sh: kill: which process? kill PID|NAME|%%JOB...\n");
		return TOOL_USAGE;
	}
	for (int i = 1; i < count; i++) {
		HANDLE job = job_find(words[i]);
		if (!job && words[i][0] == '%') {
			fprintf(stderr, "sh: kill: %s: there is no such job; jobs lists them\n", words[i]);
			result = TOOL_FAILED;
			continue;
		}
		HANDLE process = job ? job : process_open("sh: kill", words[i], PROCESS_TERMINATE, &id);
		if (!process || !TerminateProcess(process, 1)) {
			if (process)
				tool_fail("sh: kill", words[i], GetLastError());
			result = TOOL_FAILED;
		}
		if (process && !job)
			CloseHandle(process);
	}
	return result;
}

static uint32_t do_time(char **words, int count);

static const struct builtin {
	const char *name;
	uint32_t (*run)(char **words, int count);
} builtins[] = {
	{ "cd", do_cd },     { "echo", do_echo }, { "exit", do_exit }, { "help", do_help }, { "jobs", do_jobs },
	{ "kill", do_kill }, { "pwd", do_pwd },   { "time", do_time }, { "wait", do_wait },
};

static uint32_t do_time(char **words, int count)
{
	LARGE_INTEGER start, end, frequency;
	uint32_t code = 0;
	if (count < 2) {
		fprintf(stderr, "sh: time: which command?\n");
		return TOOL_USAGE;
	}
	bool program = true;
	struct bs_memory before = memory_now();
	QueryPerformanceFrequency(&frequency);
	QueryPerformanceCounter(&start);
	if (builtin_run(words + 1, count - 1, &code))
		program = false;
	else
		code = program_run(words + 1, count - 1, "", false);
	QueryPerformanceCounter(&end);
	struct bs_memory after = memory_now();
	char text[512], processor[48] = "";
	if (program)
		sprintf(processor, ", processor %.3f s", (double)program_cpu_ns() / 1e9);
	snprintf(text, sizeof(text),
		 "time: %.3f s%s; page faults %s (zero %s, copied %s, no I/O %s); pages read from paging files %s, "
		 "from images %s; pages written %s",
		 (double)(end.QuadPart - start.QuadPart) / (double)frequency.QuadPart, processor,
		 tool_number(after.faults - before.faults), tool_number(after.faults_zero - before.faults_zero),
		 tool_number(after.faults_cow - before.faults_cow),
		 tool_number(after.faults_transition - before.faults_transition),
		 tool_number(after.pages_swapped_in - before.pages_swapped_in),
		 tool_number(after.pages_image_read - before.pages_image_read),
		 tool_number(after.pages_swapped_out - before.pages_swapped_out));
	tool_wrap("", "  ", text);
	return code;
}

static const struct builtin *find(char **words, int count)
{
	/* The program of this name knows options; what the shell knows better is its jobs. */
	if (!_stricmp(words[0], "kill") && count > 1 && words[1][0] == '-')
		return NULL;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (!_stricmp(words[0], builtins[i].name))
			return &builtins[i];
	return NULL;
}

bool builtin_is(char **words, int count)
{
	return find(words, count) != NULL;
}

bool builtin_run(char **words, int count, uint32_t *code)
{
	const struct builtin *builtin = find(words, count);
	if (builtin)
		*code = builtin->run(words, count);
	return builtin != NULL;
}
