/*
 * Between doubles and decimal numbers, exactly. A double is m * 2^e: for a negative e that is m * 5^-e / 10^-e, an
 * integer with a decimal point in it. The other way the quotient of two integers is made bit by bit, with a
 * remainder that says on which side of a tie it lies. The integers have 2700 bits at most; this is simple, not fast.
 */
#include "msvcrt.h"

#define LIMBS 128

struct big {
	int count; /* limbs in use; the last is not 0 */
	uint32_t limb[LIMBS];
};

static void big_multiply_add(struct big *b, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;

	for (int i = 0; i < b->count; i++) {
		carry += (uint64_t)b->limb[i] * factor;
		b->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry)
		b->limb[b->count++] = (uint32_t)carry;
}

static void big_multiply_power_of_5(struct big *b, int power)
{
	for (; power >= 13; power -= 13)
		big_multiply_add(b, 1220703125, 0); /* 5^13 */
	for (; power > 0; power--)
		big_multiply_add(b, 5, 0);
}

static void big_shift_left(struct big *b, int bits)
{
	int words = bits / 32;

	if (!b->count)
		return;
	memmove(b->limb + words, b->limb, (size_t)b->count * sizeof(b->limb[0]));
	memset(b->limb, 0, (size_t)words * sizeof(b->limb[0]));
	b->count += words;
	if (bits % 32)
		big_multiply_add(b, 1u << bits % 32, 0);
}

static int big_bits(const struct big *b)
{
	return b->count ? b->count * 32 - __builtin_clz(b->limb[b->count - 1]) : 0;
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->count != b->count)
		return a->count - b->count;
	for (int i = a->count; i-- > 0;)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] > b->limb[i] ? 1 : -1;
	return 0;
}

/* a must not be less than b. */
static void big_subtract(struct big *a, const struct big *b)
{
	int64_t borrow = 0;

	for (int i = 0; i < a->count; i++) {
		borrow += (int64_t)a->limb[i] - (i < b->count ? b->limb[i] : 0);
		a->limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
	while (a->count && !a->limb[a->count - 1])
		a->count--;
}

static uint32_t big_divide(struct big *b, uint32_t by)
{
	uint64_t rest = 0;

	for (int i = b->count; i-- > 0;) {
		rest = rest << 32 | b->limb[i];
		b->limb[i] = (uint32_t)(rest / by);
		rest %= by;
	}
	while (b->count && !b->limb[b->count - 1])
		b->count--;
	return (uint32_t)rest;
}

static void decimal_trim(struct decimal *d)
{
	while (d->count && d->digits[d->count - 1] == '0')
		d->count--;
	if (!d->count)
		d->point = 0;
}

/* All digits of a finite value; its sign is ignored. */
void decimal_from_double(struct decimal *out, double value)
{
	struct big big = { 0 };
	uint64_t bits;
	int exponent, at = DECIMAL_DIGITS;

	__builtin_memcpy(&bits, &value, 8);
	exponent = (int)(bits >> 52 & 0x7FF);
	bits &= (1ull << 52) - 1;
	out->count = out->point = 0;
	if (exponent)
		bits |= 1ull << 52;
	else
		exponent = 1;
	if (!bits)
		return;
	exponent += -1075 + __builtin_ctzll(bits);
	bits >>= __builtin_ctzll(bits);
	big.limb[0] = (uint32_t)bits;
	big.limb[1] = (uint32_t)(bits >> 32);
	big.count = big.limb[1] ? 2 : 1;
	if (exponent >= 0)
		big_shift_left(&big, exponent);
	else
		big_multiply_power_of_5(&big, -exponent);
	while (big.count) {
		uint32_t chunk = big_divide(&big, 1000000000);

		for (int i = 0; i < 9; i++, chunk /= 10)
			out->digits[--at] = (char)('0' + chunk % 10);
	}
	while (out->digits[at] == '0')
		at++;
	out->count = DECIMAL_DIGITS - at;
	memmove(out->digits, out->digits + at, (size_t)out->count);
	out->point = out->count + (exponent < 0 ? exponent : 0);
	decimal_trim(out);
}

/* To at most count digits (0 or less: to the unit in front of the first, or nothing), ties to even. */
void decimal_round(struct decimal *d, long long count)
{
	int n = (int)count;
	bool up;

	if (count >= d->count)
		return;
	if (count < 0) {
		d->count = d->point = 0;
		return;
	}
	up = d->digits[n] > '5' ||
	     (d->digits[n] == '5' && (d->count > n + 1 || (n && (d->digits[n - 1] - '0') % 2)));
	d->count = n;
	if (up) {
		while (d->count && d->digits[d->count - 1] == '9')
			d->count--;
		if (d->count) {
			d->digits[d->count - 1]++;
		} else {
			d->digits[d->count++] = '1';
			d->point++;
		}
	}
	decimal_trim(d);
}

/*
 * The double nearest to mantissa * 2^exponent, ties to even; inexact: the true mantissa is a little larger. *range
 * tells of overflow (the result is infinite) and of underflow (it has lost digits or is 0).
 */
double double_from_binary(uint64_t mantissa, bool inexact, long long exponent, bool *range)
{
	int shift = __builtin_clzll(mantissa), drop = 11;
	uint64_t kept, half, bits;
	double value;
	bool small;

	*range = false;
	mantissa <<= shift;
	exponent += 63 - shift; /* of the first bit */
	if (exponent > 1023) {
		*range = true;
		return __builtin_inf();
	}
	small = exponent < -1022;
	if (small)
		drop = exponent < -1022 - 64 ? 65 : (int)(drop - 1022 - exponent);
	if (drop > 64) {
		*range = true;
		return 0;
	}
	kept = drop == 64 ? 0 : mantissa >> drop;
	half = 1ull << (drop - 1);
	if ((mantissa & half) && ((mantissa & (half - 1)) || inexact || (kept & 1)))
		kept++;
	/* A carry out of the kept bits goes to the exponent, as it should. */
	bits = small ? kept : kept + ((uint64_t)(exponent + 1022) << 52);
	*range = bits >> 52 == 0x7FF || (small && (inexact || (mantissa & (half | (half - 1)))));
	__builtin_memcpy(&value, &bits, 8);
	return value;
}

/* inexact: further digits follow that are not all 0. */
double decimal_to_double(const struct decimal *d, bool inexact, bool *range)
{
	struct big over = { 0 }, under = { 1, { 1 } };
	int power = d->point - d->count, shift;
	uint64_t mantissa = 0;

	*range = false;
	if (!d->count)
		return 0;
	if (d->point > 310 || d->point < -330) {
		*range = true;
		return d->point > 0 ? __builtin_inf() : 0;
	}
	for (int i = 0; i < d->count; i++)
		big_multiply_add(&over, 10, (uint32_t)(d->digits[i] - '0'));
	big_multiply_power_of_5(power > 0 ? &over : &under, power > 0 ? power : -power);
	shift = big_bits(&over) - big_bits(&under);
	big_shift_left(shift > 0 ? &under : &over, shift > 0 ? shift : -shift);
	/* Now over / under is between 1/2 and 2: its first bit is the unit. */
	for (int i = 0; i < 64; i++) {
		mantissa <<= 1;
		if (big_compare(&over, &under) >= 0) {
			big_subtract(&over, &under);
			mantissa |= 1;
		}
		big_shift_left(&over, 1);
	}
	return double_from_binary(mantissa, inexact || over.count, (long long)power + shift - 63, range);
}
