/* sh: reads commands from the console, a file or its arguments, and runs them. */
#include "sh.h"
#include "tool.h"
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

static const char usage[] = "usage: sh [-c COMMANDS... | FILE]\n"
			    "Runs COMMANDS, the lines of FILE, or what is typed. help lists what is built in.\n"
			    "Exit code: that of the last command.\n";

struct shell shell;

/* One of the standard descriptors, while it stands for something else: programs and commands alike get it. */
struct redirection {
	int fd, saved; /* saved -1: it is as it was */
};

static void redirect(struct redirection *r, int fd, int to)
{
	fflush(stdout);
	*r = (struct redirection){ fd, _dup(fd) };
	_dup2(to, fd);
}

static void restore(struct redirection *r)
{
	if (r->saved < 0)
		return;
	fflush(stdout);
	_dup2(r->saved, r->fd);
	_close(r->saved);
	r->saved = -1;
}

static bool redirect_to_file(struct redirection *r, int fd, const char *path, bool append)
{
	int file = _open(path, _O_WRONLY | _O_CREAT | _O_BINARY | (append ? _O_APPEND : _O_TRUNC), _S_IREAD | _S_IWRITE);
	if (file < 0) {
		tool_fail("sh", path, _doserrno);
		return false;
	}
	/* A program knows nothing of _O_APPEND: its handle begins at the end. */
	_lseek(file, 0, SEEK_END);
	redirect(r, fd, file);
	_close(file);
	return true;
}

/*
 * Runs, or in a pipe (in, out: descriptors, or -1) only starts, one command. started NULL: it is not in a pipe. Else it holds the
 * process afterwards, or NULL: the command was built in, or could not be started.
 */
static uint32_t command_run(struct command *c, int in, int out, PROCESS_INFORMATION *started)
{
	struct redirection r[4] = { { 0, -1 }, { 0, -1 }, { 0, -1 }, { 0, -1 } };
	bool background = c->end == COMMAND_BACKGROUND;
	uint32_t code = SH_NOT_RUN;
	if (in >= 0) {
		redirect(&r[0], 0, in);
		shell.input = (HANDLE)_get_osfhandle(r[0].saved); /* the keys' */
	}
	if (out >= 0)
		redirect(&r[1], 1, out);
	if ((!c->output || redirect_to_file(&r[2], 1, c->output, c->append)) &&
	    (!c->errors || redirect_to_file(&r[3], 2, c->errors, c->errors_append))) {
		if (c->errors_to_output)
			redirect(&r[3], 2, 1);
		if ((background && !started) || !builtin_run(c->words, c->count, &code))
			code = started ? program_start(c->words, c->count, background && in < 0, started) :
					 program_run(c->words, c->count, c->source, background);
	}
	for (int i = 3; i >= 0; i--)
		restore(&r[i]);
	shell.input = GetStdHandle(STD_INPUT_HANDLE); /* other handles of the same console */
	shell.output = GetStdHandle(STD_OUTPUT_HANDLE);
	return code;
}

static int pipe_end_open(HANDLE end, int flags)
{
	int fd = _open_osfhandle((intptr_t)end, flags | _O_BINARY);
	if (fd < 0)
		CloseHandle(end);
	return fd;
}

/*
 * Commands with | between them. The last one is started first: who reads is there before something is written. The exit code is
 * the last one's; all are waited for, unless they are in the background.
 */
static uint32_t pipe_run(struct command *commands, int count)
{
	PROCESS_INFORMATION processes[SH_PIPES_MAX] = { 0 };
	bool background = commands[count - 1].end == COMMAND_BACKGROUND;
	uint32_t code = 0;
	int out = -1, in = -1;
	for (int i = 1; i < count; i++)
		if (builtin_is(commands[i].words, commands[i].count)) {
			fprintf(stderr, "sh: %s: it is built in, and reads nothing: only the first command of a pipe can be that\n",
				commands[i].words[0]);
			return SH_NOT_RUN;
		}
	for (int i = count - 1; i >= 0; i--) {
		HANDLE ends[2];
		int next = -1;
		in = -1;
		if (i > 0) {
			if (!CreatePipe(&ends[0], &ends[1], NULL, 65536)) {
				code = (uint32_t)tool_fail("sh", "a pipe", GetLastError());
				break;
			}
			in = pipe_end_open(ends[0], _O_RDONLY);
			next = pipe_end_open(ends[1], _O_WRONLY);
		}
		if (background)
			commands[i].end = COMMAND_BACKGROUND;
		uint32_t result = command_run(&commands[i], in, out, &processes[i]);
		if (i == count - 1)
			code = result;
		if (in >= 0)
			_close(in);
		if (out >= 0)
			_close(out);
		out = next;
	}
	if (out >= 0)
		_close(out);
	for (int i = 0; i < count; i++) {
		if (!processes[i].hProcess)
			continue;
		uint32_t result = program_wait(commands[i].words[0], commands[i].source, background, &processes[i]);
		if (i == count - 1)
			code = result;
	}
	return code;
}

void shell_run_line(const char *line)
{
	static struct command commands[SH_PIPES_MAX];
	const char *error = NULL;
	bool skip = false;
	int count = 0;
	while (!shell.exit && command_parse(&line, &commands[count], &error)) {
		enum command_end end = commands[count++].end;
		if (end == COMMAND_PIPE) {
			if (count < SH_PIPES_MAX)
				continue;
			error = "too many commands in one pipe";
			break;
		}
		if (!skip) {
			uint32_t code = count > 1 ? pipe_run(commands, count) : command_run(&commands[0], -1, -1, NULL);
			shell.last_code = code;
			if (code && !shell.exit && code != SH_NOT_FOUND && code != SH_NOT_RUN)
				printf("%s\n", tool_exit_text(code));
		}
		count = 0;
		skip = end == COMMAND_AND && shell.last_code != 0;
	}
	if (!error && count)
		error = "a command is missing behind |";
	if (!shell.exit && error) {
		fprintf(stderr, "sh: %s\n", error);
		shell.last_code = TOOL_USAGE;
	}
}

int shell_run_file(const char *path)
{
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	if (file == INVALID_HANDLE_VALUE) {
		tool_fail("sh", path, GetLastError());
		return SH_NOT_FOUND;
	}
	DWORD size = GetFileSize(file, NULL), count = 0;
	char *text = size < 1 << 20 ? malloc(size + 1) : NULL;
	if (!text || !ReadFile(file, text, size, &count, NULL)) {
		fprintf(stderr, "sh: %s: %s\n", path, text ? "it can't be read" : "it is too large (more than 1 MiB)");
		return SH_NOT_RUN;
	}
	CloseHandle(file);
	text[count] = 0;
	for (char *line = text, *next; *line && !shell.exit; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		if (strlen(line) >= SH_LINE_MAX) {
			fprintf(stderr, "sh: %s: a line is longer than %d bytes\n", path, SH_LINE_MAX - 1);
			shell.last_code = TOOL_USAGE;
			break;
		}
		shell_run_line(line);
	}
	free(text);
	return (int)shell.last_code;
}

static void prompt_make(char *prompt, size_t size)
{
	char directory[MAX_PATH] = "?";
	GetCurrentDirectoryA(sizeof(directory), directory);
	snprintf(prompt, size, "%s> ", directory);
}

static int run_console(void)
{
	static char line[SH_LINE_MAX];
	char prompt[MAX_PATH + 4];
	DWORD mode = 0;
	GetConsoleMode(shell.input, &mode);
	SetConsoleMode(shell.input, 0);
	while (!shell.exit) {
		jobs_report();
		fflush(stdout);
		prompt_make(prompt, sizeof(prompt));
		enum line_result result = shell.script ? line_read(line) : line_edit(prompt, line);
		if (result == LINE_END)
			break;
		if (result == LINE_CANCELLED)
			continue;
		if (shell.script) {
			printf("%s%s\n", prompt, line);
			fflush(stdout);
		}
		shell_run_line(line);
	}
	if (!shell.exit && !shell.script)
		printf("\n");
	SetConsoleMode(shell.input, mode);
	return (int)shell.last_code;
}

/*
 * The words with blanks between them: commands need not be one word, so that a boot option without quotes can hold
 * them.
 */
static bool words_join(char *line, char **words, int count)
{
	size_t length = 0;
	for (int i = 0; i < count; i++) {
		if (length + strlen(words[i]) + 2 > SH_LINE_MAX)
			return false;
		length += (size_t)sprintf(line + length, "%s%s", i ? " " : "", words[i]);
	}
	return true;
}

int main(int argc, char **argv)
{
	char value[8] = "";
	shell.input = GetStdHandle(STD_INPUT_HANDLE);
	shell.output = GetStdHandle(STD_OUTPUT_HANDLE);
	shell.script = BsQueryOption("script", value, sizeof(value)) == 0 && !strcmp(value, "1");
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "sh", NULL, NULL);
	if (argc > 1 && !strcmp(argv[1], "-c")) {
		static char line[SH_LINE_MAX];
		if (argc == 2)
			return tool_usage(usage, "sh", "-c wants commands", NULL);
		if (!words_join(line, argv + 2, argc - 2))
			return tool_usage(usage, "sh", "the commands are too long", NULL);
		shell_run_line(line);
	} else if (argc == 2 && argv[1][0] != '-') {
		shell_run_file(argv[1]);
	} else if (argc > 1) {
		return tool_usage(usage, "sh", "unknown option", argv[1]);
	} else {
		run_console();
	}
	fflush(stdout);
	return (int)shell.last_code;
}
