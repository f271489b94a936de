/* Clocks and calendars. File times are in units of 100 ns since 1601; local time is UTC. */
#include "kernel32.h"

#define TICKS_PER_SECOND 10000000ll
#define TICKS_PER_DAY (86400 * TICKS_PER_SECOND)

WINBOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *counter)
{
	return status_result(NtQueryPerformanceCounter(counter, NULL));
}

WINBOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *frequency)
{
	LARGE_INTEGER counter;

	return status_result(NtQueryPerformanceCounter(&counter, frequency));
}

/* Milliseconds since the system started. */
ULONGLONG WINAPI GetTickCount64(VOID)
{
	LARGE_INTEGER counter, frequency;

	if (!NT_SUCCESS(NtQueryPerformanceCounter(&counter, &frequency)))
		return 0;
	return (ULONGLONG)(counter.QuadPart / frequency.QuadPart * 1000 +
			   counter.QuadPart % frequency.QuadPart * 1000 / frequency.QuadPart);
}

DWORD WINAPI GetTickCount(VOID)
{
	return (DWORD)GetTickCount64();
}

VOID WINAPI GetSystemTimeAsFileTime(LPFILETIME out)
{
	LARGE_INTEGER time = { .QuadPart = 0 };

	NtQuerySystemTime(&time);
	out->dwLowDateTime = time.LowPart;
	out->dwHighDateTime = (DWORD)time.HighPart;
}

static LONGLONG ticks_of(const FILETIME *time)
{
	return (LONGLONG)((ULONGLONG)time->dwHighDateTime << 32 | time->dwLowDateTime);
}

/* The Gregorian calendar, in years that begin in March, so that the day that may be missing comes last. */
WINBOOL WINAPI FileTimeToSystemTime(const FILETIME *time, LPSYSTEMTIME out)
{
	LONGLONG ticks = ticks_of(time), days = ticks / TICKS_PER_DAY, rest = ticks % TICKS_PER_DAY;
	LONGLONG day = days + 584694; /* from 1 March of the year 0 */
	LONGLONG era, year, month;

	if (ticks < 0) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	out->wDayOfWeek = (WORD)((days + 1) % 7); /* 1 January 1601 was a Monday */
	era = day / 146097;
	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	out->wDay = (WORD)(day - (153 * month + 2) / 5 + 1);
	out->wMonth = (WORD)(month < 10 ? month + 3 : month - 9);
	out->wYear = (WORD)(era * 400 + year + (out->wMonth <= 2));
	out->wHour = (WORD)(rest / (3600 * TICKS_PER_SECOND));
	out->wMinute = (WORD)(rest / (60 * TICKS_PER_SECOND) % 60);
	out->wSecond = (WORD)(rest / TICKS_PER_SECOND % 60);
	out->wMilliseconds = (WORD)(rest / 10000 % 1000);
	return TRUE;
}

WINBOOL WINAPI SystemTimeToFileTime(const SYSTEMTIME *time, LPFILETIME out)
{
	static const BYTE month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	LONGLONG year = time->wYear, month = time->wMonth, days, ticks;
	BOOL leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1601 || year > 30827 || month < 1 || month > 12 || time->wDay < 1 ||
	    time->wDay > month_days[month - 1] || (month == 2 && time->wDay == 29 && !leap) || time->wHour > 23 ||
	    time->wMinute > 59 || time->wSecond > 59 || time->wMilliseconds > 999) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (month <= 2) {
		year--;
		month += 12;
	}
	days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + time->wDay - 1 - 584694;
	ticks = days * TICKS_PER_DAY + time->wMilliseconds * 10000ll +
		(time->wHour * 3600ll + time->wMinute * 60 + time->wSecond) * TICKS_PER_SECOND;
	out->dwLowDateTime = (DWORD)ticks;
	out->dwHighDateTime = (DWORD)(ticks >> 32);
	return TRUE;
}

VOID WINAPI GetSystemTime(LPSYSTEMTIME out)
{
	FILETIME now;

	GetSystemTimeAsFileTime(&now);
	FileTimeToSystemTime(&now, out);
}

VOID WINAPI GetLocalTime(LPSYSTEMTIME out)
{
	GetSystemTime(out);
}

WINBOOL WINAPI FileTimeToLocalFileTime(const FILETIME *time, LPFILETIME out)
{
	*out = *time;
	return TRUE;
}

WINBOOL WINAPI LocalFileTimeToFileTime(const FILETIME *time, LPFILETIME out)
{
	*out = *time;
	return TRUE;
}

LONG WINAPI CompareFileTime(const FILETIME *a, const FILETIME *b)
{
	ULONGLONG x = (ULONGLONG)ticks_of(a), y = (ULONGLONG)ticks_of(b);

	return (x > y) - (x < y);
}

DWORD WINAPI GetTimeZoneInformation(LPTIME_ZONE_INFORMATION out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->StandardName, L"UTC", sizeof(L"UTC"));
	memcpy(out->DaylightName, L"UTC", sizeof(L"UTC"));
	return TIME_ZONE_ID_UNKNOWN;
}
