/*
 * Time: seconds since 1970 in UTC, which is local time too, and their parts. Years are 1970 to 3000, as Microsoft's
 * are.
 */
#include "msvcrt.h"
#include <sys/timeb.h>
#include <sys/types.h>

#undef _timezone
#undef _daylight
#undef _dstbias
#undef _tzname

#define SECONDS_A_DAY 86400ll
#define LAST_SECOND 32535215999ll /* 3000-12-31 23:59:59 and the hours that a time zone may add */
#define EPOCH 116444736000000000ll /* 1970 as a FILETIME */

long _timezone, _dstbias;
int _daylight;
char *_tzname[2] = { "UTC", "UTC" };

long long time_from_file_time(const FILETIME *time)
{
	return (long long)(((uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime) - EPOCH) / 10000000;
}

static long long clock_hundred_ns(void)
{
	FILETIME now;

	GetSystemTimeAsFileTime(&now);
	return (long long)(((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) - EPOCH);
}

__time64_t __cdecl _time64(__time64_t *out)
{
	__time64_t now = clock_hundred_ns() / 10000000;

	if (out)
		*out = now;
	return now;
}

__time32_t __cdecl _time32(__time32_t *out)
{
	__time32_t now = (__time32_t)_time64(NULL);

	if (out)
		*out = now;
	return now;
}

void __cdecl _ftime64(struct __timeb64 *out)
{
	long long now = clock_hundred_ns();

	*out = (struct __timeb64){ .time = now / 10000000, .millitm = (unsigned short)(now / 10000 % 1000) };
}

static long long clock_begin START_DATA;

void clock_init(void)
{
	clock_begin = clock_hundred_ns();
}

/* Milliseconds since the library came up, not of processor time. */
clock_t __cdecl clock(void)
{
	return (clock_t)((clock_hundred_ns() - clock_begin) / 10000);
}

double __cdecl _difftime64(__time64_t a, __time64_t b)
{
	return (double)(a - b);
}

static bool is_leap(long long year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(long long year, int month)
{
	static const signed char days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && is_leap(year));
}

/* Days from 1970 to the first of January of a year. */
static long long year_begin(long long year)
{
	long long y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

bool time_split(long long seconds, struct tm *out)
{
	long long days = seconds / SECONDS_A_DAY, year;
	int rest = (int)(seconds % SECONDS_A_DAY);

	if (seconds < 0 || seconds > LAST_SECOND) {
		errno = EINVAL;
		return false;
	}
	*out = (struct tm){ .tm_sec = rest % 60, .tm_min = rest / 60 % 60, .tm_hour = rest / 3600 };
	out->tm_wday = (int)((days + 4) % 7); /* a Thursday */
	year = 1970 + days / 366;
	while (year_begin(year + 1) <= days)
		year++;
	days -= year_begin(year);
	out->tm_year = (int)year - 1900;
	out->tm_yday = (int)days;
	for (; days >= month_days(year, out->tm_mon); out->tm_mon++)
		days -= month_days(year, out->tm_mon);
	out->tm_mday = (int)days + 1;
	return true;
}

/* Takes parts that are out of their range, and puts them into it. Returns -1 for what can't be told. */
__time64_t __cdecl _mktime64(struct tm *time)
{
	long long year = time->tm_year + 1900ll + time->tm_mon / 12, month = time->tm_mon % 12, days, seconds;

	if (month < 0) {
		month += 12;
		year--;
	}
	if (year < 1969 || year > 3001)
		return error_set(EINVAL);
	days = year_begin(year) + time->tm_mday - 1;
	for (int i = 0; i < month; i++)
		days += month_days(year, i);
	seconds = days * SECONDS_A_DAY + time->tm_hour * 3600ll + time->tm_min * 60ll + time->tm_sec;
	return time_split(seconds, time) ? seconds : -1;
}

__time64_t __cdecl _mkgmtime64(struct tm *time)
{
	return _mktime64(time);
}

__time32_t __cdecl _mktime32(struct tm *time)
{
	__time64_t seconds = _mktime64(time);

	return seconds > INT_MAX ? error_set(EINVAL) : (__time32_t)seconds;
}

struct tm *__cdecl _gmtime64(const __time64_t *time)
{
	struct tm *out = &thread_data()->time;

	return time && time_split(*time, out) ? out : NULL;
}

struct tm *__cdecl _localtime64(const __time64_t *time)
{
	return _gmtime64(time);
}

struct tm *__cdecl _gmtime32(const __time32_t *time)
{
	__time64_t wide = *time;

	return _gmtime64(&wide);
}

struct tm *__cdecl _localtime32(const __time32_t *time)
{
	return _gmtime32(time);
}

errno_t __cdecl _gmtime64_s(struct tm *out, const __time64_t *time)
{
	if (!out || !time)
		return error_set(EINVAL), EINVAL;
	return time_split(*time, out) ? 0 : EINVAL;
}

errno_t __cdecl _localtime64_s(struct tm *out, const __time64_t *time)
{
	return _gmtime64_s(out, time);
}

void __cdecl _tzset(void)
{
	/* There is one time zone, and it is set. */
}
