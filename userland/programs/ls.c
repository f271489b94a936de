/* ls: lists directories. */
#include "tool.h"

int _dowildcard = -1; /* the C library replaces * and ? in arguments by the names that fit */

static const char usage[] = "usage: ls [-l] [PATH]...\n"
			    "Lists directories (the current one if no PATH is given) and files.\n"
			    "  -l   one a line, with size in bytes, time of the last change, attributes\n"
			    "Attributes: d directory, r read-only, h hidden, s system, a archive.\n";

#define WIDTH 80 /* columns of the terminal */

struct entry {
	char name[MAX_PATH];
	uint64_t size;
	DWORD attributes;
	FILETIME changed;
};

struct list {
	struct entry *entries;
	size_t count, room;
};

static void list_add(struct list *l, const WIN32_FIND_DATAA *found)
{
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->entries = realloc(l->entries, l->room * sizeof(l->entries[0]));
		if (!l->entries)
			exit(tool_fail("ls", "the list of names", ERROR_NOT_ENOUGH_MEMORY));
	}
	struct entry *e = &l->entries[l->count++];
	strncpy(e->name, found->cFileName, sizeof(e->name) - 1);
	e->name[sizeof(e->name) - 1] = 0;
	e->size = (uint64_t)found->nFileSizeHigh << 32 | found->nFileSizeLow;
	e->attributes = found->dwFileAttributes;
	e->changed = found->ftLastWriteTime;
}

/* Directories first, then by name without regard to case. */
static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int x_dir = (x->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0,
	    y_dir = (y->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
	return x_dir != y_dir ? y_dir - x_dir : _stricmp(x->name, y->name);
}

static void print_long(const struct list *l)
{
	uint64_t bytes = 0, files = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct entry *e = &l->entries[i];
		bool directory = e->attributes & FILE_ATTRIBUTE_DIRECTORY;
		SYSTEMTIME t = { 0 };
		FileTimeToSystemTime(&e->changed, &t);
		printf("%c%c%c%c%c  %04u-%02u-%02u %02u:%02u  ", directory ? 'd' : '-',
		       e->attributes & FILE_ATTRIBUTE_READONLY ? 'r' : '-',
		       e->attributes & FILE_ATTRIBUTE_HIDDEN ? 'h' : '-',
		       e->attributes & FILE_ATTRIBUTE_SYSTEM ? 's' : '-',
		       e->attributes & FILE_ATTRIBUTE_ARCHIVE ? 'a' : '-', t.wYear, t.wMonth, t.wDay, t.wHour,
		       t.wMinute);
		printf("%14s  %s%s\n", directory ? "" : tool_number(e->size), e->name, directory ? "\\" : "");
		bytes += e->size;
		files += !directory;
	}
	printf("%s files, %s bytes\n", tool_number(files), tool_number(bytes));
}

/* In columns, sorted down each column. */
static void print_short(const struct list *l)
{
	size_t longest = 0;
	for (size_t i = 0; i < l->count; i++)
		if (strlen(l->entries[i].name) > longest)
			longest = strlen(l->entries[i].name);
	size_t width = longest + 3, columns = WIDTH / width ? WIDTH / width : 1;
	size_t rows = (l->count + columns - 1) / columns;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < l->count; i += rows) {
			const struct entry *e = &l->entries[i];
			bool directory = e->attributes & FILE_ATTRIBUTE_DIRECTORY, last = i + rows >= l->count;
			printf("%s%s", e->name, directory ? "\\" : "");
			if (!last)
				printf("%*s", (int)(width - strlen(e->name) - directory), "");
		}
		printf("\n");
	}
}

static int list_path(const char *path, bool details, bool title)
{
	char pattern[MAX_PATH + 3];
	struct list list = { 0 };
	WIN32_FIND_DATAA found;

	DWORD attributes = GetFileAttributesA(path);
	if (attributes == INVALID_FILE_ATTRIBUTES)
		return tool_fail("ls", path, GetLastError());
	if (strlen(path) >= MAX_PATH)
		return tool_fail("ls", path, ERROR_INVALID_NAME);
	strcpy(pattern, path);
	if (attributes & FILE_ATTRIBUTE_DIRECTORY) {
		char last = path[strlen(path) - 1];
		strcat(pattern, last == '\\' || last == '/' || last == ':' ? "*" : "\\*");
	}
	HANDLE search = FindFirstFileA(pattern, &found);
	if (search == INVALID_HANDLE_VALUE && GetLastError() != ERROR_FILE_NOT_FOUND)
		return tool_fail("ls", path, GetLastError());
	if (search != INVALID_HANDLE_VALUE) {
		do
			if (strcmp(found.cFileName, ".") && strcmp(found.cFileName, ".."))
				list_add(&list, &found);
		while (FindNextFileA(search, &found));
		DWORD error = GetLastError();
		FindClose(search);
		if (error != ERROR_NO_MORE_FILES)
			return tool_fail("ls", path, error);
	}
	qsort(list.entries, list.count, sizeof(list.entries[0]), entry_compare);
	if (title)
		printf("%s:\n", path);
	if (details)
		print_long(&list);
	else
		print_short(&list);
	free(list.entries);
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	bool details = false;
	int first = 1, result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "ls", NULL, NULL);
	for (; first < argc && argv[first][0] == '-'; first++) {
		if (strcmp(argv[first], "-l"))
			return tool_usage(usage, "ls", "unknown option", argv[first]);
		details = true;
	}
	if (first == argc)
		return list_path(".", details, false);
	for (int i = first; i < argc; i++)
		result |= list_path(argv[i], details, argc - first > 1);
	return result;
}
