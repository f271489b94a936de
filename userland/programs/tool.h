/* What the programs have in common: sizes and numbers as people write them, errors that say what to do. */
#ifndef TOOL_H
#define TOOL_H

#include "backstore.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exit codes of all programs. */
enum tool_exit { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

struct tool_text {
	unsigned long code;
	const char *name, *meaning, *advice;
};

/* The errors that users of these programs meet. advice may be NULL. */
static const struct tool_text tool_errors[] = {
	{ ERROR_INVALID_FUNCTION, "ERROR_INVALID_FUNCTION", "this file or device can't do that", NULL },
	{ ERROR_FILE_NOT_FOUND, "ERROR_FILE_NOT_FOUND", "there is no such file", "ls shows what is there" },
	{ ERROR_PATH_NOT_FOUND, "ERROR_PATH_NOT_FOUND", "a directory of the path does not exist",
	  "ls shows what is there" },
	{ ERROR_ACCESS_DENIED, "ERROR_ACCESS_DENIED", "access denied",
	  "it may be read-only, mapped, or a program that runs" },
	{ ERROR_INVALID_HANDLE, "ERROR_INVALID_HANDLE", "the handle is not valid", NULL },
	{ ERROR_NOT_ENOUGH_MEMORY, "ERROR_NOT_ENOUGH_MEMORY", "no memory", "memstat shows who holds it" },
	{ ERROR_BAD_FORMAT, "ERROR_BAD_FORMAT", "not a program for this machine", NULL },
	{ ERROR_OUTOFMEMORY, "ERROR_OUTOFMEMORY", "no memory", "memstat shows who holds it" },
	{ ERROR_WRITE_PROTECT, "ERROR_WRITE_PROTECT", "the volume can only be read", NULL },
	{ ERROR_NOT_SAME_DEVICE, "ERROR_NOT_SAME_DEVICE", "that is another volume", NULL },
	{ ERROR_NOT_READY, "ERROR_NOT_READY", "the disk is not there", "it was taken out" },
	{ ERROR_CRC, "ERROR_CRC", "what was read is not what was written", NULL },
	{ ERROR_BAD_LENGTH, "ERROR_BAD_LENGTH", "a length is wrong", NULL },
	{ ERROR_SHARING_VIOLATION, "ERROR_SHARING_VIOLATION", "the file is in use", NULL },
	{ ERROR_LOCK_VIOLATION, "ERROR_LOCK_VIOLATION", "another program has locked this part of the file", NULL },
	{ ERROR_FILE_EXISTS, "ERROR_FILE_EXISTS", "it exists already", NULL },
	{ ERROR_ALREADY_EXISTS, "ERROR_ALREADY_EXISTS", "it exists already", NULL },
	{ ERROR_DIR_NOT_EMPTY, "ERROR_DIR_NOT_EMPTY", "the directory is not empty", "rm -r removes what is in it too" },
	{ ERROR_DISK_FULL, "ERROR_DISK_FULL", "the disk is full", "df shows how much there is" },
	{ ERROR_DISK_CORRUPT, "ERROR_DISK_CORRUPT", "the volume is damaged", "\"make fsck\" on the host checks it" },
	{ ERROR_NOT_SUPPORTED, "ERROR_NOT_SUPPORTED", "not supported", NULL },
	{ ERROR_INVALID_PARAMETER, "ERROR_INVALID_PARAMETER", "a parameter is wrong", NULL },
	{ ERROR_INVALID_NAME, "ERROR_INVALID_NAME", "the name is not valid",
	  "none of * ? \" < > | may be in one, and no file fits if it is a pattern" },
	{ ERROR_MOD_NOT_FOUND, "ERROR_MOD_NOT_FOUND", "a DLL that it needs is missing", NULL },
	{ ERROR_PROC_NOT_FOUND, "ERROR_PROC_NOT_FOUND", "a DLL has no such function", NULL },
	{ ERROR_FILENAME_EXCED_RANGE, "ERROR_FILENAME_EXCED_RANGE", "the name is too long", NULL },
	{ ERROR_DIRECTORY, "ERROR_DIRECTORY", "not a directory", NULL },
	{ ERROR_NO_MORE_ITEMS, "ERROR_NO_MORE_ITEMS", "that was the last one", NULL },
	{ ERROR_BAD_EXE_FORMAT, "ERROR_BAD_EXE_FORMAT", "not a program for this machine, or damaged", NULL },
	{ ERROR_CALL_NOT_IMPLEMENTED, "ERROR_CALL_NOT_IMPLEMENTED", "this kernel can't do that", NULL },
	{ ERROR_INVALID_ADDRESS, "ERROR_INVALID_ADDRESS", "the address is not free", NULL },
	{ ERROR_PRIVILEGE_NOT_HELD, "ERROR_PRIVILEGE_NOT_HELD", "a privilege is missing", NULL },
	{ ERROR_SWAPERROR, "ERROR_SWAPERROR", "a page could not be read", NULL },
	{ ERROR_FILE_INVALID, "ERROR_FILE_INVALID", "its disk was changed, or it is empty", NULL },
	{ ERROR_IO_DEVICE, "ERROR_IO_DEVICE", "the disk reports an error", NULL },
	{ ERROR_USER_MAPPED_FILE, "ERROR_USER_MAPPED_FILE", "a program has mapped it", NULL },
	{ ERROR_NO_SYSTEM_RESOURCES, "ERROR_NO_SYSTEM_RESOURCES", "the kernel has no memory for it",
	  "memstat shows who holds it" },
	{ ERROR_WORKING_SET_QUOTA, "ERROR_WORKING_SET_QUOTA", "the working set's quota does not allow it", NULL },
	{ ERROR_NOT_ENOUGH_QUOTA, "ERROR_NOT_ENOUGH_QUOTA", "a quota does not allow it", NULL },
	{ ERROR_COMMITMENT_LIMIT, "ERROR_COMMITMENT_LIMIT", "the commit limit is reached",
	  "memstat shows who holds the charge; a larger paging file raises the limit" },
};

/* Exit codes that are status codes of the system: what ended a program. */
static const struct tool_text tool_statuses[] = {
	{ 0x80000001, "STATUS_GUARD_PAGE_VIOLATION", "guard page touched", NULL },
	{ 0x80000002, "STATUS_DATATYPE_MISALIGNMENT", "misaligned data", NULL },
	{ 0x80000003, "STATUS_BREAKPOINT", "breakpoint", NULL },
	{ 0x80000004, "STATUS_SINGLE_STEP", "single step", NULL },
	{ 0xC0000005, "STATUS_ACCESS_VIOLATION", "access violation", NULL },
	{ 0xC0000006, "STATUS_IN_PAGE_ERROR", "in-page error", NULL },
	{ 0xC0000017, "STATUS_NO_MEMORY", "no memory", NULL },
	{ 0xC000001D, "STATUS_ILLEGAL_INSTRUCTION", "illegal instruction", NULL },
	{ 0xC0000025, "STATUS_NONCONTINUABLE_EXCEPTION", "exception that can't be continued", NULL },
	{ 0xC0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO", "division by zero", NULL },
	{ 0xC0000095, "STATUS_INTEGER_OVERFLOW", "integer overflow", NULL },
	{ 0xC0000096, "STATUS_PRIVILEGED_INSTRUCTION", "privileged instruction", NULL },
	{ 0xC00000FD, "STATUS_STACK_OVERFLOW", "stack overflow", NULL },
	{ 0xC000012D, "STATUS_COMMITMENT_LIMIT", "commit limit reached", NULL },
	{ 0xC0000135, "STATUS_DLL_NOT_FOUND", "a DLL is missing", NULL },
	{ 0xC0000138, "STATUS_ORDINAL_NOT_FOUND", "a DLL lacks an ordinal", NULL },
	{ 0xC0000139, "STATUS_ENTRYPOINT_NOT_FOUND", "a DLL lacks a function", NULL },
	{ 0xC000013A, "STATUS_CONTROL_C_EXIT", "ended by Ctrl-C", NULL },
	{ 0xC0000142, "STATUS_DLL_INIT_FAILED", "a DLL did not start", NULL },
	{ 0xC0000374, "STATUS_HEAP_CORRUPTION", "heap corruption", NULL },
	{ 0xC0000409, "STATUS_STACK_BUFFER_OVERRUN", "abnormal end", NULL },
};

static inline const struct tool_text *tool_find(const struct tool_text *list, size_t count, unsigned long code)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].code == code)
			return &list[i];
	return NULL;
}

#define TOOL_FIND(list, code) tool_find(list, sizeof(list) / sizeof(list[0]), code)

/* One of several buffers in turn, so that a few results can be used in one printf. Not for threads. */
static inline char *tool_buffer(void)
{
	static char buffers[16][32];
	static unsigned int next;
	return buffers[next++ % 16];
}

/* "12,345" */
static inline const char *tool_number(uint64_t n)
{
	char digits[24];
	int length = sprintf(digits, "%llu", (unsigned long long)n);
	char *text = tool_buffer(), *to = text;
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = 0;
	return text;
}

/* "512 B", "12.5 MiB" */
static inline const char *tool_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths = bytes * 10;
	unsigned int unit = 0;
	if (bytes > UINT64_MAX / 10)
		for (tenths = bytes / 1024 * 10, unit = 1; tenths >= 10240; unit++)
			tenths /= 1024;
	else
		for (; tenths >= 10240; unit++)
			tenths /= 1024;
	char *text = tool_buffer();
	if (unit == 0 || tenths % 10 == 0)
		sprintf(text, "%llu %s", (unsigned long long)(tenths / 10), units[unit]);
	else
		sprintf(text, "%llu.%llu %s", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10),
			units[unit]);
	return text;
}

static inline const char *tool_pages(uint64_t pages)
{
	return tool_size(pages * 4096);
}

/* Reads "64K", "1.5M", "2G", "1T" or a plain number of bytes. False: not a size, or more than 64 bits. */
static inline bool tool_parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGTPE";
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	uint64_t whole = strtoull(text, &end, 10), fraction = 0, scale = 1;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++)
			if (scale < 1000000) {
				fraction = fraction * 10 + (uint64_t)(*end - '0');
				scale *= 10;
			}
	unsigned int shift = 0;
	if (*end) {
		const char *unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (!unit)
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
		if (*end == 'i')
			end++;
		if (*end == 'B' || *end == 'b')
			end++;
	}
	if (*end || whole > (UINT64_MAX >> shift))
		return false;
	*out = (whole << shift) + (fraction << (shift > 40 ? 40 : shift)) / scale;
	return true;
}

static inline bool tool_parse_number(const char *text, uint64_t *out)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	*out = strtoull(text, &end, 0);
	return *end == 0;
}

/* With or without 0x. */
static inline bool tool_parse_hexadecimal(const char *text, uint64_t *out)
{
	char *end;
	*out = strtoull(text, &end, 16);
	return *end == 0 && end != text && *text != '-' && *text != '+';
}

/* "PROGRAM: what: the meaning of the error (its name and number); what to do". Returns TOOL_FAILED. */
static inline int tool_fail(const char *program, const char *what, unsigned long error)
{
	const struct tool_text *t = TOOL_FIND(tool_errors, error);
	fflush(stdout);
	if (t)
		fprintf(stderr, "%s: %s: %s (%s, %lu)%s%s\n", program, what, t->meaning, t->name, error,
			t->advice ? "; " : "", t->advice ? t->advice : "");
	else
		fprintf(stderr, "%s: %s: error %lu\n", program, what, error);
	return TOOL_FAILED;
}

/* What an exit code says: "exit code 3", "access violation (0xC0000005)". */
static inline const char *tool_exit_text(unsigned long code)
{
	static char text[96];
	const struct tool_text *t = TOOL_FIND(tool_statuses, code);
	if (t)
		sprintf(text, "%s (0x%08lX)", t->meaning, code);
	else if (code >= 0x80000000ul)
		sprintf(text, "exit code 0x%08lX", code);
	else
		sprintf(text, "exit code %lu", code);
	return text;
}

/* The usage text and, if problem is not NULL, what was wrong before it. Returns the exit code. */
static inline int tool_usage(const char *usage, const char *program, const char *problem, const char *word)
{
	if (!problem) {
		fputs(usage, stdout);
		return TOOL_OK;
	}
	fprintf(stderr, "%s: %s%s%s\n%s", program, problem, word ? ": " : "", word ? word : "", usage);
	return TOOL_USAGE;
}

/* PAGE_* as "rw-", "r-x", "rc-" (write-copy), with "+g" for a guard page, "+n" not cached, "+w" write-combined. */
static inline const char *tool_protection(uint32_t protect)
{
	static const struct {
		uint32_t value;
		const char *text;
	} names[] = {
		{ PAGE_NOACCESS, "---" }, { PAGE_READONLY, "r--" }, { PAGE_READWRITE, "rw-" },
		{ PAGE_WRITECOPY, "rc-" }, { PAGE_EXECUTE, "--x" }, { PAGE_EXECUTE_READ, "r-x" },
		{ PAGE_EXECUTE_READWRITE, "rwx" }, { PAGE_EXECUTE_WRITECOPY, "rcx" },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].value == (protect & 0xff)) {
			char *text = tool_buffer();
			sprintf(text, "%s%s", names[i].text,
				protect & PAGE_GUARD		? "+g"
				: protect & PAGE_NOCACHE	? "+n"
				: protect & PAGE_WRITECOMBINE ? "+w"
							      : "");
			return text;
		}
	return "";
}

#define TOOL_COLUMNS 80 /* of the terminal; nobody tells its size */

/* Writes text in lines of the terminal; the first begins with first, the others with rest (both of the same length). */
static inline void tool_wrap(const char *first, const char *rest, const char *text)
{
	const char *indent = first;
	size_t room = TOOL_COLUMNS - 1 - strlen(first);
	while (*text) {
		size_t length = strlen(text);
		if (length > room) {
			length = room;
			while (length > 0 && text[length] != ' ')
				length--;
			if (length == 0)
				length = room;
		}
		printf("%s%.*s\n", indent, (int)length, text);
		text += length;
		while (*text == ' ')
			text++;
		indent = rest;
	}
}

/* Whether the program was asked for its usage: its only argument is -h, --help or /?. */
static inline bool tool_wants_help(int argc, char **argv)
{
	return argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "/?"));
}

/*
 * Takes options of one letter: *set gets bit i for letter i of allowed. Returns the index of the first argument behind them,
 * which "--" may end; 0: one is not allowed, and the usage has been printed.
 */
static inline int tool_options(const char *program, const char *usage, const char *allowed, int argc, char **argv,
			       unsigned int *set)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--"))
			return i + 1;
		for (const char *c = argv[i] + 1; *c; c++) {
			const char *at = strchr(allowed, *c);
			if (!at) {
				tool_usage(usage, program, "there is no such option", argv[i]);
				return 0;
			}
			*set |= 1u << (at - allowed);
		}
	}
	return i;
}

#endif
