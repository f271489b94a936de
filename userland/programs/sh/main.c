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

/* Runs one command. Its output, if it goes to a file, is this program's meanwhile: programs and commands alike get it. */
static uint32_t command_run(struct command *c)
{
	bool background = c->end == COMMAND_BACKGROUND;
	uint32_t code = SH_NOT_RUN;
	int saved = -1;
	fflush(stdout);
	if (c->output) {
		int file = _open(c->output, _O_WRONLY | _O_CREAT | _O_BINARY | (c->append ? _O_APPEND : _O_TRUNC), _S_IREAD | _S_IWRITE);
		if (file < 0) {
			tool_fail("sh", c->output, _doserrno);
			return SH_NOT_RUN;
		}
		/* A program knows nothing of _O_APPEND: its handle begins at the end. */
		_lseek(file, 0, SEEK_END);
		saved = _dup(1);
		_dup2(file, 1);
		_close(file);
	}
	if (background || !builtin_run(c->words, c->count, &code))
		code = program_run(c->words, c->count, c->source, background);
	fflush(stdout);
	if (saved >= 0) {
		_dup2(saved, 1);
		_close(saved);
		shell.output = GetStdHandle(STD_OUTPUT_HANDLE); /* another handle of the same console */
	}
	return code;
}

void shell_run_line(const char *line)
{
	static struct command command;
	const char *error = NULL;
	bool skip = false;
	while (!shell.exit && command_parse(&line, &command, &error)) {
		if (!skip) {
			uint32_t code = command_run(&command);
			shell.last_code = code;
			if (code && !shell.exit && code != SH_NOT_FOUND && code != SH_NOT_RUN)
				printf("%s\n", tool_exit_text(code));
		}
		skip = command.end == COMMAND_AND && shell.last_code != 0;
	}
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
