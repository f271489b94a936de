/* Times as text, in the locale "C". */
#include "msvcrt.h"

static const char day_names[7][10] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char month_names[12][10] = { "January", "February", "March", "April", "May", "June", "July", "August",
					  "September", "October", "November", "December" };

static bool time_valid(const struct tm *t)
{
#define WITHIN(value, least, most) ((value) >= (least) && (value) <= (most))
	bool valid = t && WITHIN(t->tm_sec, 0, 60) && WITHIN(t->tm_min, 0, 59) && WITHIN(t->tm_hour, 0, 23) &&
		     WITHIN(t->tm_mday, 1, 31) && WITHIN(t->tm_mon, 0, 11) && WITHIN(t->tm_year, -1900, 8099) &&
		     WITHIN(t->tm_wday, 0, 6) && WITHIN(t->tm_yday, 0, 365);
#undef WITHIN

	if (!valid)
		errno = EINVAL;
	return valid;
}

/* "Thu Jan 01 00:00:00 1970\n" */
char *__cdecl asctime(const struct tm *t)
{
	char *text = thread_data()->time_text;

	if (!time_valid(t))
		return NULL;
	sprintf(text, "%.3s %.3s %02d %02d:%02d:%02d %04d\n", day_names[t->tm_wday], month_names[t->tm_mon], t->tm_mday,
		t->tm_hour, t->tm_min, t->tm_sec, t->tm_year + 1900);
	return text;
}

wchar_t *__cdecl _wasctime(const struct tm *t)
{
	wchar_t *wide = thread_data()->wide_time_text;
	const char *text = asctime(t);

	if (!text)
		return NULL;
	for (int i = 0; i < 32; i++)
		wide[i] = (unsigned char)text[i];
	return wide;
}

wchar_t *__cdecl _wctime64(const __time64_t *time)
{
	struct tm *t = _localtime64(time);

	return t ? _wasctime(t) : NULL;
}

char *__cdecl _ctime64(const __time64_t *time)
{
	struct tm *t = _localtime64(time);

	return t ? asctime(t) : NULL;
}

char *__cdecl _ctime32(const __time32_t *time)
{
	struct tm *t = _localtime32(time);

	return t ? asctime(t) : NULL;
}

/* The number of the week, whose first day is first (0: Sunday). */
static int week(const struct tm *t, int first)
{
	return (t->tm_yday + 7 - (t->tm_wday - first + 7) % 7) / 7;
}

/* One conversion, in the locale "C"; plain: the # flag, no leading zeros or the long form. NULL: no such conversion. */
static const char *part_print(char text[64], const struct tm *t, unsigned int conversion, bool plain)
{
	int hour = t->tm_hour % 12 ? t->tm_hour % 12 : 12, year = t->tm_year + 1900;
#define NUMBER(width, value) (sprintf(text, "%0*d", plain ? 1 : (width), (value)), text)

	switch (conversion) {
	case 'a':
		return sprintf(text, "%.3s", day_names[t->tm_wday]), text;
	case 'A':
		return day_names[t->tm_wday];
	case 'b':
	case 'h':
		return sprintf(text, "%.3s", month_names[t->tm_mon]), text;
	case 'B':
		return month_names[t->tm_mon];
	case 'c':
		if (plain)
			sprintf(text, "%s, %s %02d, %d %02d:%02d:%02d", day_names[t->tm_wday], month_names[t->tm_mon],
				t->tm_mday, year, t->tm_hour, t->tm_min, t->tm_sec);
		else
			sprintf(text, "%02d/%02d/%02d %02d:%02d:%02d", t->tm_mon + 1, t->tm_mday, year % 100,
				t->tm_hour, t->tm_min, t->tm_sec);
		return text;
	case 'd':
		return NUMBER(2, t->tm_mday);
	case 'D':
	case 'x':
		if (plain && conversion == 'x')
			sprintf(text, "%s, %s %02d, %d", day_names[t->tm_wday], month_names[t->tm_mon],
				t->tm_mday, year);
		else
			sprintf(text, "%02d/%02d/%02d", t->tm_mon + 1, t->tm_mday, year % 100);
		return text;
	case 'F':
		return sprintf(text, "%04d-%02d-%02d", year, t->tm_mon + 1, t->tm_mday), text;
	case 'H':
		return NUMBER(2, t->tm_hour);
	case 'I':
		return NUMBER(2, hour);
	case 'j':
		return NUMBER(3, t->tm_yday + 1);
	case 'm':
		return NUMBER(2, t->tm_mon + 1);
	case 'M':
		return NUMBER(2, t->tm_min);
	case 'p':
		return t->tm_hour < 12 ? "AM" : "PM";
	case 'S':
		return NUMBER(2, t->tm_sec);
	case 'T':
	case 'X':
		return sprintf(text, "%02d:%02d:%02d", t->tm_hour, t->tm_min, t->tm_sec), text;
	case 'U':
		return NUMBER(2, week(t, 0));
	case 'w':
		return NUMBER(1, t->tm_wday);
	case 'W':
		return NUMBER(2, week(t, 1));
	case 'y':
		return NUMBER(2, year % 100);
	case 'Y':
		return NUMBER(4, year);
	case 'z':
		return "+0000";
	case 'Z':
		return "UTC";
	case '%':
		return "%";
	}
	return NULL;
#undef NUMBER
}

/* to and format are bytes or wide. Returns the units written without the end, 0 if they do not fit or on error. */
static size_t time_print(void *to, size_t room, bool wide, const void *format, const struct tm *t)
{
#define UNIT(i) (wide ? ((const wchar_t *)format)[i] : ((const unsigned char *)format)[i])
	size_t done = 0;
	char text[64];

	if (!to || !room || !time_valid(t))
		return 0;
	for (size_t i = 0; UNIT(i); i++) {
		const char *part = text;
		bool plain;

		text[0] = (char)UNIT(i);
		text[1] = 0;
		if (UNIT(i) == '%') {
			plain = UNIT(i + 1) == '#';
			i += 1 + plain;
			part = part_print(text, t, UNIT(i), plain);
			if (!part) {
				errno = EINVAL;
				return 0;
			}
		} else if (wide) {
			if (done + 1 < room)
				((wchar_t *)to)[done] = UNIT(i);
			done++;
			continue;
		}
		for (; *part; part++, done++) {
			if (done + 1 >= room)
				continue;
			if (wide)
				((wchar_t *)to)[done] = (unsigned char)*part;
			else
				((char *)to)[done] = *part;
		}
	}
	if (done >= room) {
		errno = ERANGE;
		done = 0;
	}
	if (wide)
		((wchar_t *)to)[done] = 0;
	else
		((char *)to)[done] = 0;
	return done;
#undef UNIT
}

size_t __cdecl strftime(char *to, size_t room, const char *format, const struct tm *t)
{
	return time_print(to, room, false, format, t);
}

size_t __cdecl wcsftime(wchar_t *to, size_t room, const wchar_t *format, const struct tm *t)
{
	return time_print(to, room, true, format, t);
}
