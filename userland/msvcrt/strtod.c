/*
 * Floating-point numbers as text: decimal, hexadecimal, infinity and nan, as in C99, "The strtod, strtof, and strtold
 * functions". The result is the nearest double.
 */
#include "msvcrt.h"

#undef strtod

#define EXPONENT_LIMIT 100000000 /* beyond all that can matter, with room for addition */

struct reader {
	struct number_source *source;
	int unit;         /* the next one, as a lower-case letter */
	long long taken;  /* units in front of it */
};

static void advance(struct reader *r)
{
	r->taken++;
	if (r->source->left > 0) {
		r->source->left--;
		r->unit = r->source->next(r->source);
	} else {
		r->unit = -2; /* not asked for: nothing to give back */
	}
}

static bool letter_is(const struct reader *r, int letter)
{
	return letter_lower(r->unit) == letter;
}

static bool digit_is(const struct reader *r)
{
	return r->unit >= '0' && r->unit <= '9';
}

/* Takes as many letters of word as there are. Returns how many. */
static int word_read(struct reader *r, const char *word)
{
	int n = 0;

	for (; word[n] && letter_is(r, word[n]); n++)
		advance(r);
	return n;
}

/* An exponent behind its letter, which is taken; *used counts it only if it has digits. */
static long long exponent_read(struct reader *r, long long *used)
{
	long long value = 0;
	bool negative;

	advance(r);
	negative = r->unit == '-';
	if (r->unit == '-' || r->unit == '+')
		advance(r);
	for (; digit_is(r); advance(r), *used = r->taken)
		if (value < EXPONENT_LIMIT)
			value = value * 10 + r->unit - '0';
	return negative ? -value : value;
}

static int hex_digit(const struct reader *r)
{
	int c = letter_lower(r->unit);

	return digit_is(r) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind "0x". */
static void hexadecimal_read(struct reader *r, struct number *number)
{
	uint64_t mantissa = 0;
	long long exponent = 0;
	bool inexact = false, fraction = false, digits = false;

	for (;; advance(r)) {
		int digit = hex_digit(r);

		if (r->unit == '.' && !fraction) {
			fraction = true;
			if (digits)
				number->used = r->taken + 1;
			continue;
		}
		if (digit < 0)
			break;
		digits = true;
		number->used = r->taken + 1;
		if (mantissa >> 60) {
			inexact |= digit > 0;
			exponent += fraction ? 0 : 4;
		} else {
			mantissa = mantissa << 4 | (uint64_t)digit;
			exponent -= fraction ? 4 : 0;
		}
	}
	if (!digits)
		return;
	if (letter_is(r, 'p'))
		exponent += exponent_read(r, &number->used);
	if (mantissa)
		number->value = double_from_binary(mantissa, inexact, exponent, &number->range);
}

static void decimal_read(struct reader *r, struct number *number, bool zero)
{
	struct decimal d;
	bool inexact = false, fraction = false;
	long long point = 0;

	d.count = 0;
	number->valid = zero; /* "0" has been taken already */
	for (;; advance(r)) {
		if (r->unit == '.' && !fraction) {
			fraction = true;
			if (number->valid)
				number->used = r->taken + 1;
			continue;
		}
		if (!digit_is(r))
			break;
		number->valid = true;
		number->used = r->taken + 1;
		if (!d.count && r->unit == '0') {
			point -= fraction;
			continue;
		}
		point += !fraction;
		if (d.count < DECIMAL_DIGITS)
			d.digits[d.count++] = (char)r->unit;
		else
			inexact |= r->unit != '0';
	}
	if (!number->valid)
		return;
	if (letter_is(r, 'e'))
		point += exponent_read(r, &number->used);
	d.point = (int)(point > EXPONENT_LIMIT ? EXPONENT_LIMIT : point < -EXPONENT_LIMIT ? -EXPONENT_LIMIT : point);
	number->value = decimal_to_double(&d, inexact, &number->range);
}

/*
 * Reads a number whose first unit is first. What was taken beyond the number's own units (after "1e+", say) is
 * source-specific: number->used says how many belong to it, number->last what was taken last.
 */
void number_read(struct number *number, struct number_source *source, int first)
{
	struct reader r = { source, first, 0 };
	bool negative = first == '-', zero;
	int n;

	*number = (struct number){ 0 };
	if (first == '-' || first == '+')
		advance(&r);
	if (letter_is(&r, 'i')) {
		n = word_read(&r, "infinity");
		number->valid = n >= 3;
		number->used = n == 8 ? r.taken : r.taken - n + 3;
		number->value = __builtin_inf();
	} else if (letter_is(&r, 'n')) {
		number->valid = word_read(&r, "nan") == 3;
		number->used = r.taken;
		number->value = __builtin_nan("");
	} else {
		zero = r.unit == '0';
		if (zero) {
			advance(&r);
			number->used = r.taken;
		}
		if (zero && letter_is(&r, 'x')) {
			number->valid = true;
			advance(&r);
			hexadecimal_read(&r, number);
		} else {
			decimal_read(&r, number, zero);
		}
	}
	if (!number->valid)
		number->used = 0;
	if (negative && number->valid)
		number->value = -number->value;
	number->last = r.unit;
	number->taken = r.taken;
}

static int next_byte(struct number_source *source)
{
	const unsigned char **at = (const unsigned char **)&source->at;

	return *++*at;
}

static int next_unit(struct number_source *source)
{
	const wchar_t **at = (const wchar_t **)&source->at;

	return *++*at;
}

static double number_finish(const struct number *number)
{
	if (number->range)
		errno = ERANGE;
	return number->value;
}

double __cdecl strtod(const char *text, char **end)
{
	struct number_source source = { .next = next_byte, .left = LLONG_MAX };
	struct number number;
	const char *from = text;

	while (*from == ' ' || (*from >= 9 && *from <= 13))
		from++;
	source.at = from;
	number_read(&number, &source, *(const unsigned char *)from);
	if (end)
		*end = (char *)(number.valid ? from + number.used : text);
	return number_finish(&number);
}

double __cdecl wcstod(const wchar_t *text, wchar_t **end)
{
	struct number_source source = { .next = next_unit, .left = LLONG_MAX };
	struct number number;
	const wchar_t *from = text;

	while (*from == ' ' || (*from >= 9 && *from <= 13))
		from++;
	source.at = from;
	number_read(&number, &source, *from);
	if (end)
		*end = (wchar_t *)(number.valid ? from + number.used : text);
	return number_finish(&number);
}

double __cdecl atof(const char *text)
{
	return strtod(text, NULL);
}

double __cdecl _wtof(const wchar_t *text)
{
	return wcstod(text, NULL);
}
