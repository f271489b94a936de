/*
 * The environment: an array of bytes, made from the process's environment block at the start, and one of UTF-16, made of it
 * when it is first needed, as Microsoft's library has it. Changes go to both and to the block, so that child processes inherit
 * them.
 */
#include "msvcrt.h"

START_DATA char **_environ;
START_DATA wchar_t **_wenviron;
START_DATA static size_t entries; /* in both arrays, which have one more for NULL */

/* The narrow texts of the start are pieces of one block, which stays; all others have blocks of their own. */
static struct {
	char *first, *end;
} start START_DATA;

static void narrow_free(char *text)
{
	if (text < start.first || text >= start.end)
		free(text);
}

static char *text_narrow(const wchar_t *text)
{
	size_t size = wcslen(text) * 3 + 1;
	char *out = malloc(size);

	return out ? path_narrow(text, out, size) : NULL;
}

/* Both arrays with room for count entries. On failure they are as they were. */
static bool arrays_resize(size_t count)
{
	char **narrow = realloc(_environ, (count + 1) * sizeof(*narrow));
	wchar_t **wide;

	if (!narrow)
		return false;
	_environ = narrow;
	wide = realloc(_wenviron, (count + 1) * sizeof(*wide));
	if (!wide)
		return false;
	_wenviron = wide;
	return true;
}

/* Adds text, which becomes the environment's. */
static bool entry_add(wchar_t *text)
{
	char *narrow = text_narrow(text);

	if (!narrow || !arrays_resize(entries + 1)) {
		free(narrow);
		return false;
	}
	_environ[entries] = narrow;
	_wenviron[entries++] = text;
	_environ[entries] = NULL;
	_wenviron[entries] = NULL;
	return true;
}

bool environment_init(void)
{
	char *at = GetEnvironmentStrings();
	size_t room = 0;

	start.first = at;
	for (; at && *at; at += strlen(at) + 1) {
		if (*at == '=') /* the current directory of a drive, no variable */
			continue;
		if (entries == room) {
			char **more = realloc(_environ, ((room += 32) + 1) * sizeof(*more));

			if (!more)
				return false;
			_environ = more;
		}
		_environ[entries++] = at;
	}
	if (!at || (!_environ && !(_environ = malloc(sizeof(*_environ)))))
		return false;
	start.end = at + 1;
	_environ[entries] = NULL;
	return true;
}

static wchar_t *text_wide(const char *text)
{
	size_t units = strlen(text) + 1; /* at most */
	wchar_t *wide = malloc(units * sizeof(*wide));

	if (wide)
		MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, (int)units);
	return wide;
}

/* Both arrays are there. LOCK_ENVIRONMENT is held. */
static bool wide_make(void)
{
	size_t n = 0;
	wchar_t **wide;

	if (_wenviron)
		return true;
	wide = malloc((entries + 1) * sizeof(*wide));
	while (wide && n < entries && (wide[n] = text_wide(_environ[n])))
		n++;
	if (!wide || n < entries) {
		while (wide && n)
			free(wide[--n]);
		free(wide);
		return false;
	}
	wide[n] = NULL;
	_wenviron = wide;
	return true;
}

bool environment_wide(void)
{
	bool made;

	_lock(LOCK_ENVIRONMENT);
	made = wide_make();
	_unlock(LOCK_ENVIRONMENT);
	return made;
}

static bool entry_is(const wchar_t *entry, const wchar_t *name, size_t length)
{
	return !_wcsnicmp(entry, name, length) && entry[length] == '=';
}

static size_t entry_find(const wchar_t *name, size_t length)
{
	size_t i = 0;

	while (i < entries && !entry_is(_wenviron[i], name, length))
		i++;
	return i;
}

/* The value of a variable, or NULL. Names have no case. Valid until the variable is changed. */
wchar_t *__cdecl _wgetenv(const wchar_t *name)
{
	size_t length = wcslen(name), i;
	wchar_t *value = NULL;

	_lock(LOCK_ENVIRONMENT);
	i = wide_make() ? entry_find(name, length) : entries;
	if (i < entries)
		value = _wenviron[i] + length + 1;
	_unlock(LOCK_ENVIRONMENT);
	return value;
}

char *__cdecl getenv(const char *name)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(name, buffer);
	char *value = NULL;
	size_t i;

	if (!wide)
		return NULL;
	_lock(LOCK_ENVIRONMENT);
	i = wide_make() ? entry_find(wide, wcslen(wide)) : entries;
	if (i < entries)
		value = strchr(_environ[i], '=') + 1;
	_unlock(LOCK_ENVIRONMENT);
	return value;
}

/* "NAME=value" sets a variable, "NAME=" removes it. */
static int entry_put(const wchar_t *text)
{
	const wchar_t *equals = wcschr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : 0, i;
	wchar_t *copy;
	bool ok;

	if (!length)
		return error_set(EINVAL);
	if (!wide_make())
		return -1;
	i = entry_find(text, length);
	if (i < entries) {
		narrow_free(_environ[i]);
		free(_wenviron[i]);
		entries--;
		memmove(_environ + i, _environ + i + 1, (entries - i + 1) * sizeof(*_environ));
		memmove(_wenviron + i, _wenviron + i + 1, (entries - i + 1) * sizeof(*_wenviron));
	}
	copy = _wcsdup(text);
	if (!copy)
		return -1;
	copy[length] = 0;
	ok = SetEnvironmentVariableW(copy, equals[1] ? copy + length + 1 : NULL) || !equals[1];
	copy[length] = '=';
	if (!ok)
		error_set_windows();
	if (ok && equals[1] && entry_add(copy))
		return 0;
	free(copy);
	return ok && !equals[1] ? 0 : -1;
}

int __cdecl _wputenv(const wchar_t *text)
{
	int result;

	_lock(LOCK_ENVIRONMENT);
	result = entry_put(text);
	_unlock(LOCK_ENVIRONMENT);
	return result;
}

int __cdecl _putenv(const char *text)
{
	size_t size = strlen(text) + 1;
	wchar_t *wide = malloc(size * sizeof(wchar_t));
	int result = -1;

	if (!wide)
		return -1;
	if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, (int)size))
		result = _wputenv(wide);
	else
		error_set(EILSEQ);
	free(wide);
	return result;
}

/* An empty value removes the variable. */
int __cdecl _putenv_s(const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = malloc(size);
	int result;

	if (!text)
		return ENOMEM;
	strcpy(text, name);
	strcat(text, "=");
	strcat(text, value);
	result = _putenv(text) ? errno : 0;
	free(text);
	return result;
}
