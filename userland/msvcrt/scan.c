/*
 * scanf's engine, for bytes and UTF-16 alike. Source: Microsoft C runtime library reference, "Format specification
 * fields: scanf and wscanf functions".
 */
#include "msvcrt.h"

struct scan {
	struct input *in;
	const void *format;          /* the next unit */
	va_list arguments;
	bool store, narrow_text, wide_text, is_long, width_given;
	int size;                    /* of an integer, in bytes */
	long long width;             /* units that may still be taken */
};

static unsigned int format_unit(const struct scan *s)
{
	return s->in->wide ? *(const wchar_t *)s->format : *(const unsigned char *)s->format;
}

static void format_next(struct scan *s)
{
	s->format = (const char *)s->format + (s->in->wide ? sizeof(wchar_t) : 1);
}

static bool format_take(struct scan *s, unsigned int unit)
{
	if (format_unit(s) != unit)
		return false;
	format_next(s);
	return true;
}

/* The next unit, or -1 at the end. */
static int input_get(struct input *in)
{
	int c;

	if (in->stream && in->wide) {
		wint_t wide = stream_get_wide(in->stream);

		c = wide == WEOF ? -1 : wide;
	} else if (in->stream) {
		c = stream_get(in->stream);
	} else if (!in->left) {
		return -1;
	} else {
		c = in->wide ? *(const wchar_t *)in->at : *(const unsigned char *)in->at;
		if (!c)
			return -1;
		in->at = (const char *)in->at + (in->wide ? sizeof(wchar_t) : 1);
		in->left--;
	}
	in->count += c >= 0;
	return c;
}

static void input_unget(struct input *in, int c)
{
	if (c < 0)
		return;
	in->count--;
	if (in->stream && in->wide) {
		stream_unget_wide((wint_t)c, in->stream);
	} else if (in->stream) {
		stream_unget(c, in->stream);
	} else {
		in->at = (const char *)in->at - (in->wide ? sizeof(wchar_t) : 1);
		in->left++;
	}
}

/* The next unit of a field, or -1 at the end or when the width is used up. */
static int field_get(struct scan *s)
{
	int c;

	if (!s->width)
		return -1;
	c = input_get(s->in);
	if (c >= 0)
		s->width--;
	return c;
}

static void field_unget(struct scan *s, int c)
{
	if (c >= 0)
		s->width++;
	input_unget(s->in, c);
}

static bool is_space(int c)
{
	return c == ' ' || (c >= 9 && c <= 13);
}

/* Returns the unit behind white space, which is left in the input. */
static int space_skip(struct scan *s)
{
	int c;

	do
		c = input_get(s->in);
	while (is_space(c));
	input_unget(s->in, c);
	return c;
}

static int digit_value(int c)
{
	c = letter_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static bool integer_scan(struct scan *s, unsigned int conversion)
{
	int base = conversion == 'o' ? 8 : conversion == 'x' || conversion == 'X' || conversion == 'p' ? 16 : 10;
	int c = field_get(s);
	bool negative = c == '-', digits = false;
	uint64_t value = 0;

	if (c == '-' || c == '+')
		c = field_get(s);
	if (c == '0' && (base == 16 || conversion == 'i')) {
		digits = true;
		c = field_get(s);
		if (letter_lower(c) == 'x') {
			base = 16;
			c = field_get(s);
		} else if (conversion == 'i') {
			base = 8;
		}
	}
	for (; digit_value(c) < base; c = field_get(s)) {
		value = value * (uint64_t)base + (uint64_t)digit_value(c);
		digits = true;
	}
	field_unget(s, c);
	if (!digits)
		return false;
	if (negative)
		value = -value;
	if (s->store)
		memcpy(va_arg(s->arguments, void *), &value, conversion == 'p' ? 8 : (size_t)s->size);
	return true;
}

static int number_next(struct number_source *source)
{
	return input_get(source->context);
}

static bool float_scan(struct scan *s)
{
	struct number_source source = { .next = number_next, .context = s->in, .left = s->width - 1 };
	struct number number;
	int c = input_get(s->in);

	number_read(&number, &source, c);
	if (number.last >= 0)
		input_unget(s->in, number.last);
	/* What was taken must be a number as a whole: "1e+" is none. */
	if (!number.valid || number.used != number.taken)
		return false;
	if (s->store && s->is_long)
		*va_arg(s->arguments, double *) = number.value;
	else if (s->store)
		*va_arg(s->arguments, float *) = (float)number.value;
	return true;
}

/* The set of [...]: units up to its end; a leading ^ inverts, a-b is a range, ] can stand first. */
struct scan_set {
	const void *from, *to;
	bool inverted;
};

static bool set_parse(struct scan *s, struct scan_set *set)
{
	set->inverted = format_take(s, '^');
	set->from = s->format;
	format_take(s, ']');
	while (format_unit(s) && format_unit(s) != ']')
		format_next(s);
	set->to = s->format;
	return format_take(s, ']');
}

static bool set_has(const struct scan *s, const struct scan_set *set, int c)
{
	size_t count = (size_t)((const char *)set->to - (const char *)set->from) / (s->in->wide ? sizeof(wchar_t) : 1);
#define UNIT(i) (s->in->wide ? ((const wchar_t *)set->from)[i] : ((const unsigned char *)set->from)[i])

	for (size_t i = 0; i < count; i++) {
		int low = UNIT(i), high = low;

		if (i + 2 < count && UNIT(i + 1) == '-') {
			high = UNIT(i + 2);
			i += 2;
			if (high < low) {
				int swap = high;

				high = low;
				low = swap;
			}
		}
		if (c >= low && c <= high)
			return !set->inverted;
	}
	return set->inverted;
#undef UNIT
}

/* Text is as wide as the function for c, s and [, the other kind for C and S, unless h or l says it. */
static bool text_is_wide(const struct scan *s, unsigned int conversion)
{
	if (s->narrow_text || s->wide_text)
		return s->wide_text;
	return s->in->wide == (conversion != 'C' && conversion != 'S');
}

/* Stores one unit of the input as text of the other or the same kind. Returns where the next goes. */
static char *text_store(struct scan *s, char *to, bool wide, int c)
{
	wchar_t text[2] = { (wchar_t)c, 0 }, pair[2];
	const wchar_t *at = text;
	int units;

	if (s->in->wide == wide) {
		memcpy(to, &c, wide ? sizeof(wchar_t) : 1);
		return to + (wide ? sizeof(wchar_t) : 1);
	}
	if (!wide) {
		units = wide_to_bytes(&at, to);
		return to + (units > 0 ? units : 0);
	}
	/* A character of several bytes: its other bytes come from the input too. */
	for (int size = 0, used; size < 4; c = input_get(s->in)) {
		char *bytes = (char *)text;

		bytes[size++] = (char)c;
		used = bytes_to_wide(bytes, (size_t)size, pair, &units);
		if (used == -2)
			continue;
		if (used > 0) {
			memcpy(to, pair, (size_t)units * sizeof(wchar_t));
			to += (size_t)units * sizeof(wchar_t);
		}
		break;
	}
	return to;
}

/* set is NULL for c and s. */
static bool text_scan(struct scan *s, unsigned int conversion, const struct scan_set *set)
{
	bool wide = text_is_wide(s, conversion), characters = conversion == 'c' || conversion == 'C';
	char *to = s->store ? va_arg(s->arguments, char *) : NULL;
	long long count = 0, wanted = s->width;
	int c;

	if (characters && !s->width_given)
		wanted = s->width = 1;
	while ((c = field_get(s)) >= 0) {
		if (!characters && (set ? !set_has(s, set, c) : is_space(c))) {
			field_unget(s, c);
			break;
		}
		count++;
		if (to)
			to = text_store(s, to, wide, c);
	}
	if (!count || (characters && count < wanted))
		return false;
	if (to && !characters)
		memset(to, 0, wide ? sizeof(wchar_t) : 1);
	return true;
}

static void modifiers_parse(struct scan *s)
{
	s->store = !format_take(s, '*');
	s->narrow_text = s->wide_text = s->is_long = s->width_given = false;
	s->size = 4;
	s->width = 0;
	for (; format_unit(s) >= '0' && format_unit(s) <= '9'; format_next(s)) {
		s->width_given = true;
		if (s->width < INT_MAX)
			s->width = s->width * 10 + format_unit(s) - '0';
	}
	if (!s->width)
		s->width = LLONG_MAX;
	for (;;) {
		if (format_take(s, 'h')) {
			s->size = s->size == 2 ? 1 : 2;
			s->narrow_text = true;
		} else if (format_take(s, 'l')) {
			s->size = s->is_long ? 8 : 4;
			s->is_long = s->wide_text = true;
		} else if (format_take(s, 'w')) {
			s->wide_text = true;
		} else if (format_take(s, 'L') || format_take(s, 'j') || format_take(s, 'z') || format_take(s, 't')) {
			s->size = 8;
			s->is_long = true;
		} else if (format_take(s, 'I')) {
			const void *at = s->format;

			s->size = 8;
			if (format_take(s, '3') && format_take(s, '2')) {
				s->size = 4;
				continue;
			}
			s->format = at;
			if (!format_take(s, '6') || !format_take(s, '4'))
				s->format = at;
		} else {
			return;
		}
	}
}

/* 1: a field, 0: the input does not match, -1: its end came first. */
static int conversion_scan(struct scan *s, unsigned int conversion)
{
	struct scan_set set;
	int c;

	if (conversion == 'n') {
		if (s->store)
			memcpy(va_arg(s->arguments, void *), &s->in->count, (size_t)s->size);
		return 1;
	}
	if (conversion == '[' && !set_parse(s, &set))
		return 0;
	if (conversion != 'c' && conversion != 'C' && conversion != '[') {
		c = space_skip(s);
	} else {
		c = input_get(s->in);
		input_unget(s->in, c);
	}
	if (c < 0)
		return -1;
	switch (conversion) {
	case 'd':
	case 'i':
	case 'u':
	case 'o':
	case 'x':
	case 'X':
	case 'p':
		return integer_scan(s, conversion);
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		return float_scan(s);
	case 'c':
	case 'C':
	case 's':
	case 'S':
		return text_scan(s, conversion, NULL);
	case '[':
		return text_scan(s, conversion, &set);
	case '%':
		return input_get(s->in) == '%';
	}
	return 0;
}

int scan_read(struct input *in, const void *format, va_list arguments)
{
	struct scan s = { .in = in, .format = format };
	int stored = 0, result = 1, c;

	va_copy(s.arguments, arguments);
	for (unsigned int unit; result > 0 && (unit = format_unit(&s)) != 0;) {
		format_next(&s);
		if (is_space((int)unit)) {
			space_skip(&s);
		} else if (unit != '%') {
			c = input_get(in);
			if (c != (int)unit) {
				input_unget(in, c);
				result = c < 0 ? -1 : 0;
			}
		} else {
			modifiers_parse(&s);
			unit = format_unit(&s);
			if (!unit)
				break;
			format_next(&s);
			result = conversion_scan(&s, unit);
			stored += result > 0 && s.store && unit != 'n' && unit != '%';
		}
	}
	va_end(s.arguments);
	return result < 0 && !stored ? EOF : stored;
}

static int memory_scan(const void *text, size_t left, bool wide, const void *format, va_list arguments)
{
	struct input in = { .at = text, .left = left, .wide = wide };

	return scan_read(&in, format, arguments);
}

static int stream_scan(FILE *stream, bool wide, const void *format, va_list arguments)
{
	struct input in = { .stream = stream, .wide = wide };
	int result;

	stream_lock(stream);
	result = scan_read(&in, format, arguments);
	stream_unlock(stream);
	return result;
}

#define VARIADIC(call) \
	{ \
		va_list arguments; \
		int result; \
		va_start(arguments, format); \
		result = call; \
		va_end(arguments); \
		return result; \
	}

int __cdecl scanf(const char *format, ...)
VARIADIC(stream_scan(stdin, false, format, arguments))

int __cdecl fscanf(FILE *stream, const char *format, ...)
VARIADIC(stream_scan(stream, false, format, arguments))

int __cdecl sscanf(const char *text, const char *format, ...)
VARIADIC(memory_scan(text, SIZE_MAX, false, format, arguments))

int __cdecl _snscanf(const char *text, size_t size, const char *format, ...)
VARIADIC(memory_scan(text, size, false, format, arguments))

int __cdecl wscanf(const wchar_t *format, ...)
VARIADIC(stream_scan(stdin, true, format, arguments))

int __cdecl fwscanf(FILE *stream, const wchar_t *format, ...)
VARIADIC(stream_scan(stream, true, format, arguments))

int __cdecl swscanf(const wchar_t *text, const wchar_t *format, ...)
VARIADIC(memory_scan(text, SIZE_MAX, true, format, arguments))

int __cdecl _snwscanf(const wchar_t *text, size_t size, const wchar_t *format, ...)
VARIADIC(memory_scan(text, size, true, format, arguments))
