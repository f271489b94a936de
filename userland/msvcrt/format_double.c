/*
 * Floating-point numbers for printf: exact digits, correctly rounded (ties to even). As in msvcrt.dll exponents have
 * three digits at least, and what is not a finite number is written 1.#INF, 1.#QNAN, 1.#SNAN or -1.#IND.
 */
#include "format.h"

static void point_add(struct field *field, long long digits_behind)
{
	if (digits_behind > 0 || field->alternate)
		field_text(field, ".", 1);
}

/* Pieces for digits from to to (positions in the decimal, which may lie outside its digits and are 0 there). */
static void digits_add(struct field *field, long long from, long long to)
{
	const struct decimal *d = field->decimal;

	if (from < 0) {
		field_fill(field, '0', (to < 0 ? to : 0) - from);
		from = 0;
	}
	if (from < to && from < d->count) {
		long long end = to < d->count ? to : d->count;

		field_text(field, d->digits + from, end - from);
		from = end;
	}
	field_fill(field, '0', to - from);
}

static void fixed_add(struct field *field, long long precision)
{
	const struct decimal *d = field->decimal;

	if (d->point <= 0)
		field_text(field, "0", 1);
	else
		digits_add(field, 0, d->point);
	point_add(field, precision);
	digits_add(field, d->point, d->point + precision);
}

/* e+012: the letter, the sign, at least so many digits. */
static void exponent_add(struct field *field, char letter, int exponent, int least)
{
	char *end = field->text + sizeof(field->text), *at = end;
	unsigned int value = (unsigned int)(exponent < 0 ? -exponent : exponent);

	for (; value || end - at < least; value /= 10)
		*--at = (char)('0' + value % 10);
	*--at = exponent < 0 ? '-' : '+';
	*--at = letter;
	field_text(field, at, end - at);
}

static void scientific_add(struct field *field, long long precision, char letter)
{
	digits_add(field, 0, 1);
	point_add(field, precision);
	digits_add(field, 1, 1 + precision);
	exponent_add(field, letter, field->decimal->count ? field->decimal->point - 1 : 0, 3);
}

static void general_add(struct field *field, char conversion)
{
	struct decimal *d = field->decimal;
	long long precision = field->precision < 0 ? 6 : field->precision ? field->precision : 1;
	long long exponent;

	decimal_round(d, precision);
	exponent = d->count ? d->point - 1 : 0;
	if (exponent < -4 || exponent >= precision) {
		scientific_add(field, (field->alternate ? precision : d->count) - 1, conversion == 'g' ? 'e' : 'E');
		return;
	}
	precision = field->alternate ? precision - 1 - exponent : d->count - d->point;
	if (!d->count)
		precision = field->alternate ? precision : 0;
	fixed_add(field, precision < 0 ? 0 : precision);
}

static void hexadecimal_add(struct field *field, uint64_t bits, char conversion)
{
	const char *symbols = conversion == 'a' ? "0123456789abcdef" : "0123456789ABCDEF";
	int biased = (int)(bits >> 52 & 0x7FF), digits = field->precision < 0 ? 13 : field->precision;
	int exponent = biased ? biased - 1023 : -1022;
	uint64_t mantissa = bits & ((1ull << 52) - 1);
	int shown = digits < 13 ? digits : 13, drop = 52 - 4 * shown;
	uint64_t half = drop ? 1ull << (drop - 1) : 0;

	if (biased)
		mantissa |= 1ull << 52;
	else if (!mantissa)
		exponent = 0;
	if ((mantissa & half) && ((mantissa & (half - 1)) || (mantissa >> drop & 1)))
		mantissa += half;
	mantissa >>= drop;
	for (int i = 0; i <= shown; i++)
		field->decimal->digits[i] = symbols[mantissa >> 4 * (shown - i) & 15];
	strcat(field->prefix, conversion == 'a' ? "0x" : "0X");
	field_text(field, field->decimal->digits, 1);
	point_add(field, digits);
	field_text(field, field->decimal->digits + 1, shown);
	field_fill(field, '0', digits - shown);
	exponent_add(field, conversion == 'a' ? 'p' : 'P', exponent, 1);
}

static void special_add(struct field *field, uint64_t bits, char conversion)
{
	uint64_t fraction = bits & ((1ull << 52) - 1), quiet = 1ull << 51;
	const char *text = !fraction ? "1.#INF" : bits >> 63 && fraction == quiet ? "1.#IND" :
			   fraction & quiet ? "1.#QNAN" : "1.#SNAN";
	long long length = (long long)strlen(text);

	field_text(field, text, length);
	if (letter_lower(conversion) == 'g')
		return;
	field_fill(field, '0', (field->precision < 0 ? 6 : field->precision) - (length - 2));
	if (letter_lower(conversion) == 'e')
		exponent_add(field, conversion, 0, 3);
}

void field_double(struct field *field, char conversion, double value)
{
	long long precision = field->precision < 0 ? 6 : field->precision;
	uint64_t bits;

	__builtin_memcpy(&bits, &value, 8);
	field_sign(field, bits >> 63);
	if ((bits >> 52 & 0x7FF) == 0x7FF) {
		special_add(field, bits, conversion);
		return;
	}
	if (letter_lower(conversion) == 'a') {
		hexadecimal_add(field, bits, conversion);
		return;
	}
	decimal_from_double(field->decimal, value);
	switch (conversion) {
	case 'f':
	case 'F':
		decimal_round(field->decimal, field->decimal->point + precision);
		fixed_add(field, precision);
		break;
	case 'e':
	case 'E':
		decimal_round(field->decimal, 1 + precision);
		scientific_add(field, precision, conversion);
		break;
	default:
		general_add(field, conversion);
	}
}
