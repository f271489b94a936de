/*
 * The command line and what a program's start-up code asks for. Source of the rules for quotes and backslashes:
 * Microsoft C++ language documentation, "Parsing C command-line arguments".
 */
#include "msvcrt.h"

char *_acmdln;
wchar_t *_wcmdln;
int __argc;
char **__argv, **__initenv;
wchar_t **__wargv, **__winitenv;

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
 * One argument. 2n backslashes and a quote are n backslashes and a quote that groups, 2n+1 are n and an ordinary quote,
 * backslashes before anything else are themselves; two quotes within quotes are one ordinary quote.
 */
static const wchar_t *argument_parse(const wchar_t *at, wchar_t **out)
{
	bool quoted = false;

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
		if (!slashes)
			*(*out)++ = *at++;
		for (; slashes; slashes--)
			*(*out)++ = '\\';
	}
	*(*out)++ = 0;
	return at;
}

/* The command line as an array that ends with NULL; the texts lie behind the array in the same block. */
static wchar_t **command_line_split(int *count)
{
	size_t units = wcslen(_wcmdln) + 1;
	/* Every second unit can begin an argument, and each argument adds a terminator. */
	wchar_t **list = malloc((units / 2 + 3) * sizeof(*list) + (units + units / 2 + 3) * sizeof(wchar_t));
	const wchar_t *at = _wcmdln;
	wchar_t *out;

	if (!list)
		return NULL;
	out = (wchar_t *)(list + units / 2 + 3);
	list[0] = out;
	at = name_parse(at, &out);
	for (*count = 1;; ++*count) {
		while (*at == ' ' || *at == '\t')
			at++;
		if (!*at)
			break;
		list[*count] = out;
		at = argument_parse(at, &out);
	}
	list[*count] = NULL;
	return list;
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

static int arguments_prepare(void)
{
	if (!__argv) {
		__wargv = command_line_split(&__argc);
		__argv = __wargv ? arguments_narrow(__wargv, __argc) : NULL;
	}
	if (!__argv)
		_amsg_exit(8);
	__initenv = _environ;
	__winitenv = _wenviron;
	return 0;
}

/*
 * What main's caller asks for first. wildcards (expand * and ? in arguments) is not done: arguments come as they are
 * written. info->newmode, the other option, concerns operator new only.
 */
int __cdecl __getmainargs(int *argc, char ***argv, char ***environment, int wildcards, void *info)
{
	(void)wildcards;
	(void)info;
	arguments_prepare();
	*argc = __argc;
	*argv = __argv;
	*environment = _environ;
	return 0;
}

int __cdecl __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int wildcards, void *info)
{
	(void)wildcards;
	(void)info;
	arguments_prepare();
	*argc = __argc;
	*argv = __wargv;
	*environment = _wenviron;
	return 0;
}

/* 1: a program on the console, 2: one with windows. Here errors of both go to standard error, so nothing depends on it. */
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
