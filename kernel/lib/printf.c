/* Formatted printing into a buffer. Source: ISO C11, 7.21.6.1 "The fprintf function", without floating point. */
#include <limits.h>

#include "lib/string.h"

struct out {
	char *buffer;
	size_t size;
	size_t length; /* of the whole text, whether it fits or not */
};

struct spec {
	bool left, zero, plus, space, alternate;
	size_t width;
	bool precise;
	size_t precision; /* if precise */
	enum { SIZE_CHAR, SIZE_SHORT, SIZE_INT, SIZE_LONG } size; /* long long, size_t, intmax_t are long here */
	char conversion;
};

static void out_bytes(struct out *o, const char *s, size_t n)
{
	if (o->length < o->size)
		memcpy(o->buffer + o->length, s, MIN(n, o->size - o->length));
	o->length += n;
}

static void out_fill(struct out *o, char c, size_t n)
{
	if (o->length < o->size)
		memset(o->buffer + o->length, c, MIN(n, o->size - o->length));
	o->length += n;
}

/* Decimal digits, at most INT_MAX. */
static const char *number_parse(const char *fmt, size_t *value)
{
	size_t n = 0;

	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		n = MIN(n * 10 + (size_t)(*fmt - '0'), (size_t)INT_MAX);
	*value = n;
	return fmt;
}

static const char *flags_parse(const char *fmt, struct spec *s)
{
	for (;; fmt++) {
		switch (*fmt) {
		case '-': s->left = true; break;
		case '0': s->zero = true; break;
		case '+': s->plus = true; break;
		case ' ': s->space = true; break;
		case '#': s->alternate = true; break;
		default: return fmt;
		}
	}
}

static const char *size_parse(const char *fmt, struct spec *s)
{
	s->size = SIZE_INT;
	if (fmt[0] == 'h') {
		s->size = fmt[1] == 'h' ? SIZE_CHAR : SIZE_SHORT;
		return fmt + (fmt[1] == 'h' ? 2 : 1);
	}
	if (fmt[0] == 'l' || fmt[0] == 'z' || fmt[0] == 'j' || fmt[0] == 't') {
		s->size = SIZE_LONG;
		return fmt + (fmt[0] == 'l' && fmt[1] == 'l' ? 2 : 1);
	}
	return fmt;
}

static i64 argument_signed(const struct spec *s, va_list *ap)
{
	i64 value = s->size == SIZE_LONG ? va_arg(*ap, i64) : va_arg(*ap, int);

	if (s->size == SIZE_CHAR)
		return (i8)value;
	return s->size == SIZE_SHORT ? (i16)value : value;
}

static u64 argument_unsigned(const struct spec *s, va_list *ap)
{
	u64 value = s->size == SIZE_LONG ? va_arg(*ap, u64) : va_arg(*ap, unsigned int);

	if (s->size == SIZE_CHAR)
		return (u8)value;
	return s->size == SIZE_SHORT ? (u16)value : value;
}

static void print_text(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t pad = s->width > n ? s->width - n : 0;

	if (!s->left)
		out_fill(o, ' ', pad);
	out_bytes(o, text, n);
	if (s->left)
		out_fill(o, ' ', pad);
}

/* prefix: the sign, or 0x. Zeros of precision and of the 0 flag go between it and the digits. */
static void print_number(struct out *o, const struct spec *s, const char *prefix, u64 value, u32 base)
{
	const char *letters = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[22]; /* 64 bits in octal */
	size_t n = 0, zeros = 0, pad, prefix_length = strlen(prefix);

	for (; value; value /= base)
		digits[sizeof(digits) - ++n] = letters[value % base];
	if (s->precise)
		zeros = s->precision > n ? s->precision - n : 0;
	else if (n == 0)
		zeros = 1;
	if (s->conversion == 'o' && s->alternate && zeros == 0)
		zeros = 1;

	pad = prefix_length + zeros + n;
	pad = s->width > pad ? s->width - pad : 0;
	if (s->zero && !s->left && !s->precise) {
		zeros += pad;
		pad = 0;
	}
	if (!s->left)
		out_fill(o, ' ', pad);
	out_bytes(o, prefix, prefix_length);
	out_fill(o, '0', zeros);
	out_bytes(o, digits + sizeof(digits) - n, n);
	if (s->left)
		out_fill(o, ' ', pad);
}

static void print_signed(struct out *o, const struct spec *s, i64 value)
{
	const char *sign = value < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

	print_number(o, s, sign, value < 0 ? -(u64)value : (u64)value, 10);
}

static void print_hex(struct out *o, const struct spec *s, u64 value)
{
	const char *prefix = !s->alternate || !value ? "" : s->conversion == 'X' ? "0X" : "0x";

	print_number(o, s, prefix, value, 16);
}

static void print_string(struct out *o, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	print_text(o, s, text, s->precise ? strnlen(text, s->precision) : strlen(text));
}

static const char *width_parse(const char *fmt, struct spec *s, va_list *ap)
{
	i64 width;

	if (*fmt != '*')
		return number_parse(fmt, &s->width);
	width = va_arg(*ap, int);
	if (width < 0)
		s->left = true;
	s->width = (size_t)(width < 0 ? -width : width);
	return fmt + 1;
}

static const char *precision_parse(const char *fmt, struct spec *s, va_list *ap)
{
	int precision;

	if (*fmt != '.')
		return fmt;
	fmt++;
	s->precise = true;
	if (*fmt != '*')
		return number_parse(fmt, &s->precision);
	precision = va_arg(*ap, int);
	s->precise = precision >= 0;
	s->precision = s->precise ? (size_t)precision : 0;
	return fmt + 1;
}

/* fmt is behind the %; returns what follows the conversion. */
static const char *print_one(struct out *o, const char *fmt, va_list *ap)
{
	const char *begin = fmt;
	struct spec s = { 0 };
	char c;

	fmt = flags_parse(fmt, &s);
	fmt = width_parse(fmt, &s, ap);
	fmt = precision_parse(fmt, &s, ap);
	fmt = size_parse(fmt, &s);
	s.conversion = *fmt;

	switch (s.conversion) {
	case 'd':
	case 'i':
		print_signed(o, &s, argument_signed(&s, ap));
		break;
	case 'u':
		print_number(o, &s, "", argument_unsigned(&s, ap), 10);
		break;
	case 'o':
		print_number(o, &s, "", argument_unsigned(&s, ap), 8);
		break;
	case 'x':
	case 'X':
		print_hex(o, &s, argument_unsigned(&s, ap));
		break;
	case 'p':
		print_number(o, &s, "0x", (u64)va_arg(*ap, void *), 16);
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		print_text(o, &s, &c, 1);
		break;
	case 's':
		print_string(o, &s, va_arg(*ap, const char *));
		break;
	case '%':
		out_bytes(o, "%", 1);
		break;
	default: /* nothing that we know: show it as it was written */
		out_bytes(o, "%", 1);
		out_bytes(o, begin, (size_t)(fmt - begin));
		return fmt;
	}
	return fmt + 1;
}

int kvsnprintf(char *buffer, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buffer, size, 0 };
	va_list arguments;

	va_copy(arguments, ap); /* a va_list parameter is an array that decayed: its address has the wrong type */
	while (*fmt) {
		const char *end = fmt;

		while (*end && *end != '%')
			end++;
		out_bytes(&o, fmt, (size_t)(end - fmt));
		fmt = *end ? print_one(&o, end + 1, &arguments) : end;
	}
	va_end(arguments);
	if (size > 0)
		buffer[MIN(o.length, size - 1)] = 0;
	return (int)MIN(o.length, (size_t)INT_MAX);
}

int ksnprintf(char *buffer, size_t size, const char *fmt, ...)
{
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = kvsnprintf(buffer, size, fmt, ap);
	va_end(ap);
	return length;
}
