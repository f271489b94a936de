/*
 * sh: the command interpreter. main.c where commands come from; line.c editing; parse.c words; run.c programs and jobs.
 */
#ifndef SH_H
#define SH_H

#include "backstore.h"
#include <stdbool.h>
#include <stdint.h>

#define SH_LINE_MAX 1024 /* bytes of a command line */
#define SH_WORDS_MAX 64
#define SH_PIPES_MAX 8 /* commands with | between them */

/* Exit codes of the interpreter's own. */
#define SH_NOT_RUN 126   /* a program was found and could not be started */
#define SH_NOT_FOUND 127

struct shell {
	HANDLE input, output;
	bool script;         /* the console's input is a text that ends: echo what is read from it */
	bool exit;           /* the exit command was given */
	uint32_t last_code;  /* exit code of the last command */
};
extern struct shell shell;

/* Runs all commands of a line, in order; sets shell.last_code. */
void shell_run_line(const char *line);
int shell_run_file(const char *path);

/* line.c */
enum line_result { LINE_READ, LINE_CANCELLED, LINE_END };
/* Reads one line with editing and history; raw console input. line gets SH_LINE_MAX bytes, without the newline. */
enum line_result line_edit(const char *prompt, char *line);
/* Reads one line as it is. */
enum line_result line_read(char *line);

/* parse.c */
enum command_end { COMMAND_LAST, COMMAND_THEN, COMMAND_AND, COMMAND_BACKGROUND, COMMAND_PIPE };
struct command {
	char *words[SH_WORDS_MAX + 1];
	int count;
	const char *output;         /* a file that its output goes to, or NULL */
	bool append;                /* behind what that has */
	const char *errors;         /* the same for what it writes as errors */
	bool errors_append, errors_to_output;
	enum command_end end;       /* what stands behind it: nothing, ; && & or | */
	char text[SH_LINE_MAX * 2]; /* the words' bytes */
	char source[SH_LINE_MAX];   /* as it was written */
};
/*
 * Takes the next command from *line and moves *line behind it. False at the end of the line, or, with *error set to
 * what is wrong, if it can't be understood.
 */
bool command_parse(const char **line, struct command *c, const char **error);

/* run.c */
/*
 * Starts the program of words (words[0] is its name) and waits, unless it is a background job. Returns the exit code.
 */
uint32_t program_run(char **words, int count, const char *source, bool background);
/* Starts it; 0, or the exit code if it could not be. no_input: it finds an input that is not there. */
uint32_t program_start(char **words, int count, bool no_input, PROCESS_INFORMATION *p);
/* The exit code, when it has ended, or 0, if it is to be a background job; its handles are closed. */
uint32_t program_wait(const char *name, const char *source, bool background, const PROCESS_INFORMATION *p);
/* The process number of the last program that program_run waited for, and the processor time that it took. */
uint64_t program_cpu_ns(void);
void jobs_report(void);             /* a line for each job that has ended since the last call */
void jobs_list(void);
void jobs_wait(void);               /* until all have ended */
HANDLE job_find(const char *text);  /* "%2"; NULL if there is none */

/* builtin.c */
bool builtin_is(char **words, int count);
/* Runs words as a built-in command. False: it is not one. */
bool builtin_run(char **words, int count, uint32_t *code);

#endif
