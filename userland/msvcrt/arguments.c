/*
 * The command line and what a program's start-up code asks for. Source of the rules for quotes and backslashes:
 * Microsoft C++ language documentation, "Parsing C command-line arguments".
 */
#include "msvcrt.h"

START_DATA char *_acmdln;
START_DATA wchar_t *_wcmdln;
START_DATA int __argc;
START_DATA char **__argv, **__initenv;
START_DATA wchar_t **__wargv, **__winitenv;

bool arguments_init(void)
{
	_acmdln = GetCommandLineA();
	_wcmdln = GetCommandLineW();
	return _acmdln && _wcmdln;
}

/* The program's name: quotes group, backslashes are ordinary. Returns what follows it. */
static const wchar_t *name_parse(const wchar_t *at, wchar_t **out)
{
	bool quoted = false;

	for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
		if (*at == '"')
			quoted = !quoted;
		else
			*(*out)++ = *at;
	}
	*(*out)++ = 0;
	return at;
}

/*
 * One argument. 2n backslashes and a quote are n backslashes and a quote that groups, 2n+1 are n and an ordinary
 * quote, backslashes before anything else are themselves; two quotes within quotes are one ordinary quote. *wild: it
 * has a * or ? outside quotes.
 */
static const wchar_t *argument_parse(const wchar_t *at, wchar_t **out, bool *wild)
{
	bool quoted = false;

	*wild = false;
	while (*at && (quoted || (*at != ' ' && *at != '\t'))) {
		size_t slashes = 0;

		while (at[slashes] == '\\')
			slashes++;
		at += slashes;
		if (*at == '"') {
			bool ordinary = slashes % 2;

			slashes /= 2;
			if (!ordinary && quoted && at[1] == '"') {
				ordinary = true;
				at++;
			}
			for (; slashes; slashes--)
				*(*out)++ = '\\';
			if (ordinary)
				*(*out)++ = '"';
			else
				quoted = !quoted;
			at++;
			continue;
		}
		if (!slashes) {
			*wild |= !quoted && (*at == '*' || *at == '?');
			*(*out)++ = *at++;
		}
		for (; slashes; slashes--)
			*(*out)++ = '\\';
	}
	*(*out)++ = 0;
	return at;
}

struct argument_list {
	wchar_t **at; /* ends with NULL */
	int count, room;
};

static bool list_add(struct argument_list *list, wchar_t *argument)
{
	if (list->count + 2 > list->room) {
		int room = list->room ? list->room * 2 : 16;
		wchar_t **larger = realloc(list->at, (size_t)room * sizeof(*larger));

		if (!larger)
			return false;
		list->at = larger;
		list->room = room;
	}
	list->at[list->count++] = argument;
	list->at[list->count] = NULL;
	return true;
}

/* Adds the files that pattern names, with its directory in front of each; the pattern itself if there are none. */
static bool wildcard_add(struct argument_list *list, wchar_t *pattern)
{
	size_t directory = wcslen(pattern);
	WIN32_FIND_DATAW found;
	HANDLE find = FindFirstFileW(pattern, &found);
	bool ok = true, none = true;

	while (directory && !wcschr(L"\\/:", pattern[directory - 1]))
		directory--;
	for (BOOL more = find != INVALID_HANDLE_VALUE; more && ok; more = FindNextFileW(find, &found)) {
		wchar_t *name;

		if (!wcscmp(found.cFileName, L".") || !wcscmp(found.cFileName, L".."))
			continue;
		none = false;
		name = malloc((directory + wcslen(found.cFileName) + 1) * sizeof(*name));
		ok = name && list_add(list, name);
		if (name) {
			memcpy(name, pattern, directory * sizeof(*name));
			wcscpy(name + directory, found.cFileName);
		}
	}
	if (find != INVALID_HANDLE_VALUE)
		FindClose(find);
	return ok && (!none || list_add(list, pattern));
}

/* The command line as an array; NULL: no memory. */
static wchar_t **command_line_split(bool wildcards, int *count)
{
	size_t units = wcslen(_wcmdln) + 1;
	struct argument_list list = { 0 };
	/* Each argument adds its end, and every second unit at most can begin one. */
	wchar_t *out = malloc((units + units / 2 + 2) * sizeof(*out));
	const wchar_t *at = _wcmdln;

	if (!out || !list_add(&list, out))
		return NULL;
	at = name_parse(at, &out);
	for (;;) {
		wchar_t *argument = out;
		bool wild;

		while (*at == ' ' || *at == '\t')
			at++;
		if (!*at)
			break;
		at = argument_parse(at, &out, &wild);
		if (!(wild && wildcards ? wildcard_add(&list, argument) : list_add(&list, argument)))
			return NULL;
	}
	*count = list.count;
	return list.at;
}

static char **arguments_narrow(wchar_t **wide, int count)
{
	size_t size = ((size_t)count + 1) * sizeof(char *), used = size;
	char **list;

	for (int i = 0; i < count; i++)
		size += wcslen(wide[i]) * 3 + 1;
	list = malloc(size);
	if (!list)
		return NULL;
	for (int i = 0; i < count; i++) {
		list[i] = path_narrow(wide[i], (char *)list + used, size - used);
		if (!list[i])
			return NULL;
		used += strlen(list[i]) + 1;
	}
	list[count] = NULL;
	return list;
}

static void arguments_prepare(bool wildcards)
{
	if (!__argv) {
		__wargv = command_line_split(wildcards, &__argc);
		__argv = __wargv ? arguments_narrow(__wargv, __argc) : NULL;
	}
	if (!__argv)
		_amsg_exit(8);
	__initenv = _environ;
	__winitenv = _wenviron;
}

/*
 * What main's caller asks for first. wildcards: * and ? in arguments stand for files. info->newmode, the other
 * option, concerns operator new only.
 */
int __cdecl __getmainargs(int *argc, char ***argv, char ***environment, int wildcards, void *info)
{
	(void)info;
	arguments_prepare(wildcards);
	*argc = __argc;
	*argv = __argv;
	*environment = _environ;
	return 0;
}

int __cdecl __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int wildcards, void *info)
{
	(void)info;
	if (!environment_wide())
		_amsg_exit(9);
	arguments_prepare(wildcards);
	*argc = __argc;
	*argv = __wargv;
	*environment = _wenviron;
	return 0;
}

/*
 * 1: a program on the console, 2: one with windows. Here errors of both go to standard error, so nothing depends on
 * it.
 */
void __cdecl __set_app_type(int type)
{
	(void)type;
}

/* Calls the functions of a table; empty entries are skipped. */
void __cdecl _initterm(void (__cdecl **from)(void), void (__cdecl **to)(void))
{
	for (; from < to; from++)
		if (*from)
			(*from)();
}

/* As above with functions that can fail: the first result that is not 0 ends it and is returned. */
int __cdecl _initterm_e(int (__cdecl **from)(void), int (__cdecl **to)(void))
{
	int result = 0;

	for (; from < to && !result; from++)
		if (*from)
			result = (*from)();
	return result;
}
