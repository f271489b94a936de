/* What the programs that change files have in common. */
#ifndef FILE_TOOL_H
#define FILE_TOOL_H

#include "tool.h"

int _dowildcard = -1; /* the C library replaces * and ? in arguments by the names that fit */

/*
 * The whole of a program whose arguments are names, at least one: each is changed; false: the last error says why not.
 * allowed, set: see tool_options.
 */
static inline int file_change_each(const char *program, const char *usage, const char *allowed, unsigned int *set, int argc,
				   char **argv, bool (*change)(const char *path))
{
	int result = TOOL_OK, i;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, program, NULL, NULL);
	i = tool_options(program, usage, allowed, argc, argv, set);
	if (!i)
		return TOOL_USAGE;
	if (i == argc)
		return tool_usage(usage, program, "a name is needed", NULL);
	for (; i < argc; i++)
		if (!change(argv[i]))
			result |= tool_fail(program, argv[i], GetLastError());
	return result;
}

static inline bool file_is_directory(const char *path)
{
	DWORD attributes = GetFileAttributesA(path);
	return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* Whether both name the same file; or, if below is set, path something below directory. By the names alone. */
static inline bool file_same(const char *directory, const char *path, bool below)
{
	char a[MAX_PATH], b[MAX_PATH];
	if (!GetFullPathNameA(directory, MAX_PATH, a, NULL) || !GetFullPathNameA(path, MAX_PATH, b, NULL))
		return false;
	size_t length = strlen(a);
	return below ? !_strnicmp(a, b, length) && b[length] == '\\' : !_stricmp(a, b);
}

/* Of what leads from one name to another: the first if it is not there, else it may be about either. Returns TOOL_FAILED. */
static inline int file_fail_two(const char *program, const char *from, const char *to, DWORD error)
{
	char both[2 * MAX_PATH + 8];
	snprintf(both, sizeof(both), "%s to %s", from, to);
	return tool_fail(program, GetFileAttributesA(from) == INVALID_FILE_ATTRIBUTES ? from : both, error);
}

/* INVALID_HANDLE_VALUE: it can't be read, which has been said. */
static inline HANDLE file_open_to_read(const char *program, const char *path)
{
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
				  0, NULL);
	DWORD error = GetLastError();
	if (file != INVALID_HANDLE_VALUE)
		return file;
	if (file_is_directory(path))
		fprintf(stderr, "%s: %s is a directory; ls shows what is in it\n", program, path);
	else
		tool_fail(program, path, error);
	return file;
}

static inline const char *file_last_part(const char *path)
{
	const char *last = path;
	for (; *path; path++)
		if ((*path == '\\' || *path == '/' || *path == ':') && path[1])
			last = path + 1;
	return last;
}

/* directory\name in to (MAX_PATH bytes); false, with a message, if that is too long. */
static inline bool file_path_join(const char *program, char *to, const char *directory, const char *name)
{
	size_t length = strlen(directory);
	const char *between = length && strchr("\\/:", directory[length - 1]) ? "" : "\\";
	if (snprintf(to, MAX_PATH, "%s%s%s", directory, between, name) < MAX_PATH)
		return true;
	tool_fail(program, directory, ERROR_FILENAME_EXCED_RANGE);
	return false;
}

/* Calls each for all that is in a directory, "." and ".." aside; stops when it fails. Returns an exit code. */
static inline int file_each_in(const char *program, const char *directory, int (*each)(const char *path, void *context),
			       void *context)
{
	char path[MAX_PATH];
	WIN32_FIND_DATAA found;
	int result = TOOL_OK;
	if (!file_path_join(program, path, directory, "*"))
		return TOOL_FAILED;
	HANDLE search = FindFirstFileA(path, &found);
	if (search == INVALID_HANDLE_VALUE)
		return GetLastError() == ERROR_FILE_NOT_FOUND ? TOOL_OK : tool_fail(program, directory, GetLastError());
	do {
		if (!strcmp(found.cFileName, ".") || !strcmp(found.cFileName, ".."))
			continue;
		result |= file_path_join(program, path, directory, found.cFileName) ? each(path, context) : TOOL_FAILED;
	} while (FindNextFileA(search, &found));
	FindClose(search);
	return result;
}

#endif
