/* Conversion between narrow and wide text, code pages, and the simple string functions. */
#include "kernel32.h"

void *memory_get(SIZE_T size)
{
	void *memory = RtlAllocateHeap(peb_current()->process_heap, 0, size);

	if (!memory)
		SetLastError(ERROR_NOT_ENOUGH_MEMORY);
	return memory;
}

void memory_free(const void *memory)
{
	RtlFreeHeap(peb_current()->process_heap, 0, (void *)memory);
}

WCHAR *wide_from(const char *text)
{
	ULONG length = (ULONG)strlen(text), bytes;
	WCHAR *wide;

	RtlUTF8ToUnicodeN(NULL, 0, &bytes, text, length);
	wide = memory_get(bytes + sizeof(WCHAR));
	if (!wide)
		return NULL;
	RtlUTF8ToUnicodeN(wide, bytes, NULL, text, length);
	wide[bytes / sizeof(WCHAR)] = 0;
	return wide;
}

/* Text has at most as many units as bytes. */
WCHAR *wide_from_in(const char *text, WCHAR *buffer, ULONG units)
{
	ULONG length = (ULONG)strlen(text), bytes;

	if (length >= units)
		return wide_from(text);
	RtlUTF8ToUnicodeN(buffer, length * sizeof(WCHAR), &bytes, text, length);
	buffer[bytes / sizeof(WCHAR)] = 0;
	return buffer;
}

void memory_free_beside(const void *memory, const void *buffer)
{
	if (memory != buffer)
		memory_free(memory);
}

char *narrow_from(const WCHAR *text, ULONG units)
{
	ULONG bytes;
	char *narrow = memory_get(units + 1); /* enough for most text, which is ASCII */

	if (narrow && RtlUnicodeToUTF8N(narrow, units, &bytes, text, units * sizeof(WCHAR)) == STATUS_BUFFER_TOO_SMALL) {
		memory_free(narrow);
		RtlUnicodeToUTF8N(NULL, 0, &bytes, text, units * sizeof(WCHAR));
		narrow = memory_get(bytes + 1);
		if (narrow)
			RtlUnicodeToUTF8N(narrow, bytes, NULL, text, units * sizeof(WCHAR));
	}
	if (narrow)
		narrow[bytes] = 0;
	return narrow;
}

/* The usual way to return text: bytes without the end if it fits, else bytes needed with the end. */
DWORD narrow_result(const WCHAR *text, DWORD units, char *out, DWORD size)
{
	ULONG bytes;

	RtlUnicodeToUTF8N(NULL, 0, &bytes, text, units * sizeof(WCHAR));
	if (bytes + 1 > size)
		return bytes + 1;
	RtlUnicodeToUTF8N(out, bytes, NULL, text, units * sizeof(WCHAR));
	out[bytes] = 0;
	return bytes;
}

static BOOL code_page_known(UINT page)
{
	if (page == CP_ACP || page == CP_OEMCP || page == CP_THREAD_ACP || page == CP_UTF8)
		return TRUE;
	SetLastError(ERROR_INVALID_PARAMETER);
	return FALSE;
}

int WINAPI MultiByteToWideChar(UINT page, DWORD flags, LPCCH in, int in_size, LPWSTR out, int out_units)
{
	ULONG length = in_size < 0 && in ? (ULONG)strlen(in) + 1 : (ULONG)in_size, bytes;
	NTSTATUS status;

	if (!code_page_known(page))
		return 0;
	if (!in || !in_size || out_units < 0 || (out_units && !out)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return 0;
	}
	status = RtlUTF8ToUnicodeN(out_units ? out : NULL, (ULONG)out_units * sizeof(WCHAR), &bytes, in, length);
	if (status == STATUS_BUFFER_TOO_SMALL)
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	else if (status == STATUS_SOME_NOT_MAPPED && (flags & MB_ERR_INVALID_CHARS))
		SetLastError(ERROR_NO_UNICODE_TRANSLATION);
	else
		return (int)(bytes / sizeof(WCHAR));
	return 0;
}

/* UTF-8 can hold all of Unicode: there is no default character, and asking for one is an error as on Windows. */
int WINAPI WideCharToMultiByte(UINT page, DWORD flags, LPCWCH in, int in_units, LPSTR out, int out_size,
			       LPCCH default_char, LPBOOL used_default)
{
	ULONG units = in_units < 0 && in ? (ULONG)wcslen(in) + 1 : (ULONG)in_units, bytes;
	NTSTATUS status;

	if (!code_page_known(page))
		return 0;
	if (!in || !in_units || out_size < 0 || (out_size && !out) ||
	    (page == CP_UTF8 && (default_char || used_default))) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return 0;
	}
	status = RtlUnicodeToUTF8N(out_size ? out : NULL, (ULONG)out_size, &bytes, in, units * sizeof(WCHAR));
	if (used_default)
		*used_default = status == STATUS_SOME_NOT_MAPPED;
	if (status == STATUS_BUFFER_TOO_SMALL)
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	else if (status == STATUS_SOME_NOT_MAPPED && (flags & WC_ERR_INVALID_CHARS))
		SetLastError(ERROR_NO_UNICODE_TRANSLATION);
	else
		return (int)bytes;
	return 0;
}

/* UTF-8 has no lead bytes in the sense of this function: Windows answers FALSE for it, too. */
BOOL WINAPI IsDBCSLeadByteEx(UINT page, BYTE byte)
{
	(void)byte;
	code_page_known(page);
	return FALSE;
}

BOOL WINAPI IsDBCSLeadByte(BYTE byte)
{
	return IsDBCSLeadByteEx(CP_ACP, byte);
}

UINT WINAPI GetACP(void)
{
	return CP_UTF8;
}

UINT WINAPI GetOEMCP(void)
{
	return CP_UTF8;
}

BOOL WINAPI IsValidCodePage(UINT page)
{
	return page == CP_UTF8;
}

BOOL WINAPI GetCPInfo(UINT page, LPCPINFO info)
{
	if (!code_page_known(page))
		return FALSE;
	memset(info, 0, sizeof(*info));
	info->MaxCharSize = 4;
	info->DefaultChar[0] = '?';
	return TRUE;
}

int WINAPI lstrlenA(LPCSTR s)
{
	return s ? (int)strlen(s) : 0;
}

int WINAPI lstrlenW(LPCWSTR s)
{
	return s ? (int)wcslen(s) : 0;
}

LPSTR WINAPI lstrcpyA(LPSTR to, LPCSTR from)
{
	return memcpy(to, from, strlen(from) + 1);
}

LPWSTR WINAPI lstrcpyW(LPWSTR to, LPCWSTR from)
{
	return memcpy(to, from, (wcslen(from) + 1) * sizeof(WCHAR));
}

LPSTR WINAPI lstrcatA(LPSTR to, LPCSTR from)
{
	lstrcpyA(to + strlen(to), from);
	return to;
}

LPWSTR WINAPI lstrcatW(LPWSTR to, LPCWSTR from)
{
	lstrcpyW(to + wcslen(to), from);
	return to;
}

/* At most size - 1 characters, and always an end. */
LPSTR WINAPI lstrcpynA(LPSTR to, LPCSTR from, int size)
{
	int i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	if (size > 0)
		to[i] = 0;
	return to;
}

LPWSTR WINAPI lstrcpynW(LPWSTR to, LPCWSTR from, int units)
{
	int i = 0;

	for (; i + 1 < units && from[i]; i++)
		to[i] = from[i];
	if (units > 0)
		to[i] = 0;
	return to;
}

int WINAPI lstrcmpiA(LPCSTR a, LPCSTR b)
{
	return _stricmp(a, b);
}

int WINAPI lstrcmpiW(LPCWSTR a, LPCWSTR b)
{
	return _wcsicmp(a, b);
}
