/* Characters to and from the console itself, past streams and redirection. */
#include "msvcrt.h"
#include <conio.h>

static HANDLE console_open(const wchar_t *name, DWORD access)
{
	return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

/* The next key, without waiting for the end of a line and without echo; EOF: there is no console. */
int __cdecl _getch(void)
{
	HANDLE in = console_open(L"CONIN$", GENERIC_READ | GENERIC_WRITE);
	DWORD mode, done = 0;
	unsigned char key;
	BOOL ok;

	if (in == INVALID_HANDLE_VALUE)
		return EOF;
	ok = GetConsoleMode(in, &mode) && SetConsoleMode(in, mode & ~(DWORD)(ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT));
	if (ok) {
		ok = ReadFile(in, &key, 1, &done, NULL);
		SetConsoleMode(in, mode);
	}
	CloseHandle(in);
	return ok && done ? key : EOF;
}

int __cdecl _cputs(const char *text)
{
	HANDLE out = console_open(L"CONOUT$", GENERIC_READ | GENERIC_WRITE);
	DWORD done = 0, size = (DWORD)strlen(text);
	BOOL ok;

	if (out == INVALID_HANDLE_VALUE)
		return -1;
	ok = WriteFile(out, text, size, &done, NULL);
	CloseHandle(out);
	return ok && done == size ? 0 : -1;
}

int __cdecl _putch(int c)
{
	char text[2] = { (char)c, 0 };

	return _cputs(text) ? EOF : (unsigned char)c;
}

int __cdecl _getche(void)
{
	int c = _getch();

	if (c != EOF)
		_putch(c);
	return c;
}
