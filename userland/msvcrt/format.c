/*
 * printf's engine, for bytes and UTF-16 alike: format and output are units, which are bytes or wchar_t. Source:
 * Microsoft C runtime library reference, "Format specification syntax: printf and wprintf functions", for msvcrt.dll.
 */
#include "format.h"

static unsigned int format_unit(const struct format *f)
{
	return f->wide ? *(const wchar_t *)f->at : *(const unsigned char *)f->at;
}

static void format_next(struct format *f)
{
	f->at = (const char *)f->at + (f->wide ? sizeof(wchar_t) : 1);
}

static bool format_take(struct format *f, unsigned int unit)
{
	if (format_unit(f) != unit)
		return false;
	format_next(f);
	return true;
}

static void stage_flush(struct output *out)
{
	if (!out->wide) {
		if (stream_write(out->stream, out->stage.bytes, (size_t)out->staged) < (size_t)out->staged)
			out->failed = true;
	} else {
		for (int i = 0; i < out->staged; i++)
			if (stream_put_wide(out->stage.units[i], out->stream) == WEOF)
				out->failed = true;
	}
	out->staged = 0;
}

void output_unit(struct output *out, unsigned int unit)
{
	out->count++;
	if (out->stream) {
		if (out->wide)
			out->stage.units[out->staged++] = (wchar_t)unit;
		else
			out->stage.bytes[out->staged++] = (char)unit;
		if (out->staged == (out->wide ? 128 : 256))
			stage_flush(out);
	} else if (out->room) {
		out->room--;
		if (out->wide)
			*(wchar_t *)out->to = (wchar_t)unit;
		else
			*(char *)out->to = (char)unit;
		out->to = (char *)out->to + (out->wide ? sizeof(wchar_t) : 1);
	}
}

static void output_fill(struct output *out, char c, long long count)
{
	for (; count > 0; count--)
		output_unit(out, (unsigned char)c);
}

void field_text(struct field *field, const char *text, long long count)
{
	if (count > 0)
		field->pieces[field->count++] = (struct piece){ text, 0, count };
}

void field_fill(struct field *field, char c, long long count)
{
	if (count > 0)
		field->pieces[field->count++] = (struct piece){ NULL, c, count };
}

/* The pieces with padding to the width: zeros stand between the prefix and the rest. */
static void field_write(struct output *out, const struct field *field)
{
	long long pad = field->width - (long long)strlen(field->prefix);

	for (int i = 0; i < field->count; i++)
		pad -= field->pieces[i].count;
	if (!field->left && !field->zero)
		output_fill(out, ' ', pad);
	for (const char *c = field->prefix; *c; c++)
		output_unit(out, (unsigned char)*c);
	if (!field->left && field->zero)
		output_fill(out, '0', pad);
	for (int i = 0; i < field->count; i++) {
		const struct piece *piece = &field->pieces[i];

		if (!piece->text)
			output_fill(out, piece->fill, piece->count);
		else
			for (long long j = 0; j < piece->count; j++)
				output_unit(out, (unsigned char)piece->text[j]);
	}
	if (field->left)
		output_fill(out, ' ', pad);
}

static void prefix_add(struct field *field, char c)
{
	size_t n = strlen(field->prefix);

	field->prefix[n] = c;
	field->prefix[n + 1] = 0;
}

void field_sign(struct field *field, bool negative)
{
	if (negative || field->plus || field->space)
		prefix_add(field, negative ? '-' : field->plus ? '+' : ' ');
}

static void integer_write(struct output *out, struct field *field, unsigned int conversion, uint64_t value)
{
	const char *symbols = conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned int base = conversion == 'o' ? 8 : conversion == 'x' || conversion == 'X' ? 16 : 10;
	char digits[24];
	int at = sizeof(digits);

	if (conversion == 'd' || conversion == 'i') {
		field_sign(field, (int64_t)value < 0);
		if ((int64_t)value < 0)
			value = -value;
	} else if (base == 16 && field->alternate && value) {
		prefix_add(field, '0');
		prefix_add(field, (char)conversion);
	}
	for (; value; value /= base)
		digits[--at] = symbols[value % base];
	if (field->precision >= 0)
		field->zero = false;
	else
		field->precision = 1;
	if (base == 8 && field->alternate && field->precision <= (int)sizeof(digits) - at)
		field->precision = (int)sizeof(digits) - at + 1;
	field_fill(field, '0', field->precision - ((long long)sizeof(digits) - at));
	field_text(field, digits + at, (long long)sizeof(digits) - at);
	field_write(out, field);
}

/*
 * A string, wide or not, to out or (NULL) only counted, as at most limit units of the output; *bad: a character has no
 * form there.
 */
static long long string_convert(struct output *out, bool to_wide, const void *text, bool from_wide, long long left,
				long long limit, bool *bad)
{
	const wchar_t *wide = text;
	const char *bytes = text;
	long long count = 0;

	while (count < limit && left && (from_wide ? *wide : (unsigned char)*bytes)) {
		unsigned int units[4];
		int n = 1, used;

		if (from_wide == to_wide) {
			units[0] = from_wide ? *wide++ : (unsigned char)*bytes++;
			left--;
		} else if (from_wide) {
			const wchar_t pair[3] = { wide[0], left > 1 ? wide[1] : 0, 0 }, *at = pair;
			char encoded[4];

			n = wide_to_bytes(&at, encoded);
			wide += at - pair;
			left -= at - pair;
			for (int i = 0; i < n; i++)
				units[i] = (unsigned char)encoded[i];
		} else {
			wchar_t decoded[2];

			used = bytes_to_wide(bytes, strnlen(bytes, left < 4 ? (size_t)left : 4), decoded, &n);
			if (used < 0)
				n = -1;
			bytes += used;
			left -= used;
			units[0] = decoded[0];
			units[1] = decoded[1];
		}
		if (n < 0) {
			errno = EILSEQ;
			*bad = true;
			break;
		}
		if (count + n > limit)
			break;
		for (int i = 0; out && i < n; i++)
			output_unit(out, units[i]);
		count += n;
	}
	return count;
}

/* left: how much of text there is, if it may lack an end. */
static void string_write(struct output *out, const struct field *field, const void *text, bool wide, long long left)
{
	long long limit = field->precision >= 0 ? field->precision : LLONG_MAX, pad;

	pad = field->width - string_convert(NULL, out->wide, text, wide, left, limit, &out->failed);
	if (!field->left)
		output_fill(out, field->zero ? '0' : ' ', pad);
	string_convert(out, out->wide, text, wide, left, limit, &out->failed);
	if (field->left)
		output_fill(out, ' ', pad);
}

static void character_write(struct output *out, struct field *field, unsigned int c, bool wide)
{
	wchar_t unit = (wchar_t)c;
	char byte = (char)c;

	field->precision = -1;
	if (c) {
		string_write(out, field, wide ? (const void *)&unit : &byte, wide, 1);
		return;
	}
	field_fill(field, 0, 1);
	field_write(out, field);
}

static void flags_parse(struct format *f, struct field *field)
{
	for (;; format_next(f)) {
		switch (format_unit(f)) {
		case '-':
			field->left = true;
			break;
		case '+':
			field->plus = true;
			break;
		case ' ':
			field->space = true;
			break;
		case '#':
			field->alternate = true;
			break;
		case '0':
			field->zero = true;
			break;
		default:
			return;
		}
	}
}

/* A number or * (an argument). */
static int number_parse(struct format *f)
{
	long long value = 0;

	if (format_take(f, '*'))
		return va_arg(f->arguments, int);
	for (; format_unit(f) >= '0' && format_unit(f) <= '9'; format_next(f))
		if (value < INT_MAX / 16)
			value = value * 10 + format_unit(f) - '0';
	return (int)value;
}

/* Sets the size of an integer in bytes; h and l (or w) also choose the kind of text. */
static void size_parse(struct format *f, struct field *field)
{
	for (;;) {
		if (format_take(f, 'h')) {
			field->size = field->size == 2 ? 1 : 2;
			field->narrow_text = true;
		} else if (format_take(f, 'l')) {
			field->size = field->wide_text ? 8 : 4;
			field->wide_text = true;
		} else if (format_take(f, 'w')) {
			field->wide_text = true;
		} else if (format_take(f, 'L') || format_take(f, 'j') || format_take(f, 'z') || format_take(f, 't')) {
			field->size = 8;
		} else if (format_take(f, 'I')) {
			const void *at = f->at;

			field->size = 8;
			if (format_take(f, '3') && format_take(f, '2')) {
				field->size = 4;
				continue;
			}
			f->at = at;
			if (!format_take(f, '6') || !format_take(f, '4'))
				f->at = at;
		} else {
			return;
		}
	}
}

static uint64_t integer_argument(struct format *f, const struct field *field, bool is_signed)
{
	uint64_t value = va_arg(f->arguments, uint64_t);
	int unused = 64 - 8 * field->size;

	return is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value << unused >> unused;
}

static void count_store(void *to, const struct field *field, long long count)
{
	memcpy(to, &count, (size_t)field->size);
}

/* Text is as wide as the function for c and s, the other kind for C and S, unless h or l says it. */
static bool text_is_wide(const struct output *out, const struct field *field, unsigned int conversion)
{
	if (field->narrow_text || field->wide_text)
		return field->wide_text;
	return out->wide == (conversion == 'c' || conversion == 's');
}

static void conversion_write(struct output *out, struct format *f, struct field *field, unsigned int conversion)
{
	bool wide = text_is_wide(out, field, conversion);
	const void *text;

	switch (conversion) {
	case 'd':
	case 'i':
		integer_write(out, field, conversion, integer_argument(f, field, true));
		break;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		integer_write(out, field, conversion, integer_argument(f, field, false));
		break;
	case 'p':
		field->precision = 16;
		field->alternate = false;
		integer_write(out, field, 'X', va_arg(f->arguments, uint64_t));
		break;
	case 'c':
	case 'C':
		character_write(out, field, (unsigned int)va_arg(f->arguments, int), wide);
		break;
	case 's':
	case 'S':
		text = va_arg(f->arguments, const void *);
		string_write(out, field, text ? text : "(null)", text && wide, LLONG_MAX);
		break;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		field_double(field, (char)conversion, va_arg(f->arguments, double));
		field_write(out, field);
		break;
	case 'n':
		count_store(va_arg(f->arguments, void *), field, out->count);
		break;
	default:
		output_unit(out, conversion); /* %% too */
	}
}

int format_write(struct output *out, const void *format, va_list arguments)
{
	struct format f = { .at = format, .wide = out->wide };
	struct decimal decimal; /* large, and rarely needed: not cleared for each field */

	va_copy(f.arguments, arguments);
	for (unsigned int unit; (unit = format_unit(&f)) != 0;) {
		struct field field = { .precision = -1, .size = 4, .decimal = &decimal };

		format_next(&f);
		if (unit != '%') {
			output_unit(out, unit);
			continue;
		}
		flags_parse(&f, &field);
		field.width = number_parse(&f);
		if (field.width < 0) {
			field.left = true;
			field.width = -field.width;
		}
		if (format_take(&f, '.'))
			field.precision = number_parse(&f);
		size_parse(&f, &field);
		unit = format_unit(&f);
		if (!unit)
			break;
		format_next(&f);
		conversion_write(out, &f, &field, unit);
	}
	va_end(f.arguments);
	if (out->stream && out->staged)
		stage_flush(out);
	return out->failed || out->count > INT_MAX ? -1 : (int)out->count;
}
