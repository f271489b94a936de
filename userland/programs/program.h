/* Starting programs: where they are looked for, and how their command line is written. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "backstore.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static inline bool program_is_file(const char *path)
{
	DWORD attributes = GetFileAttributesA(path);
	return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* directory\name or directory\name.exe, whichever is a file; directory NULL: the name alone. */
static inline bool program_try(const char *directory, const char *name, char *path)
{
	if ((directory ? strlen(directory) : 0) + strlen(name) + 6 > MAX_PATH)
		return false;
	sprintf(path, "%s%s%s", directory ? directory : "", directory ? "\\" : "", name);
	const char *dot = strrchr(name, '.');
	if (dot && !strpbrk(dot, "\\/") && program_is_file(path))
		return true;
	strcat(path, ".exe");
	return program_is_file(path);
}

/* The file that a program's name means: path has room for MAX_PATH. False: there is none. */
static inline bool program_find(const char *name, char *path)
{
	static const char *const search_path[] = { ".", "C:\\bin", "C:\\tests" };
	if (strpbrk(name, "\\/:"))
		return program_try(NULL, name, path);
	for (size_t i = 0; i < sizeof(search_path) / sizeof(search_path[0]); i++)
		if (program_try(search_path[i], name, path))
			return true;
	return false;
}

/*
 * Adds a word to a command line so that the C start-up code gets the same word back. Source: Microsoft C language
 * documentation, "Parsing C command-line arguments". Returns the new end, or NULL if there is no room.
 */
static inline char *program_word_quote(char *to, const char *limit, const char *word)
{
	if (to + 2 * strlen(word) + 4 > limit)
		return NULL;
	bool quotes = !*word || strpbrk(word, " \t\"");
	if (quotes)
		*to++ = '"';
	for (const char *at = word;; at++) {
		int backslashes = 0;
		for (; *at == '\\'; at++)
			backslashes++;
		/* Backslashes count double before a quote, and nowhere else. */
		if (*at == '"' || (!*at && quotes))
			backslashes *= 2;
		memset(to, '\\', (size_t)backslashes);
		to += backslashes;
		if (!*at)
			break;
		if (*at == '"')
			*to++ = '\\';
		*to++ = *at;
	}
	if (quotes)
		*to++ = '"';
	*to = 0;
	return to;
}

/* False: there is no room. */
static inline bool program_line_make(char *line, size_t size, char **words, int count)
{
	char *to = line;
	for (int i = 0; i < count; i++) {
		if (i > 0)
			*to++ = ' ';
		to = program_word_quote(to, line + size, words[i]);
		if (!to)
			return false;
	}
	return true;
}

#endif
