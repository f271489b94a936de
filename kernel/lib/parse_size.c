/* Sizes as people write them in boot options. */
#include "lib/string.h"

/* The digit's value, or base if c is none in this base. */
static u64 digit_value(char c, u64 base)
{
	int lower = ascii_lower((u8)c);
	u64 value = base;

	if (lower >= '0' && lower <= '9')
		value = (u64)(lower - '0');
	else if (lower >= 'a' && lower <= 'f')
		value = (u64)(lower - 'a' + 10);
	return value < base ? value : base;
}

static u32 unit_shift(char c)
{
	switch (ascii_lower((u8)c)) {
	case 'k': return 10;
	case 'm': return 20;
	case 'g': return 30;
	default: return 0;
	}
}

bool parse_size(const char *text, u64 *value)
{
	u64 base = 10, n = 0, digit;
	const char *first;
	u32 shift;

	if (text[0] == '0' && ascii_lower((u8)text[1]) == 'x') {
		base = 16;
		text += 2;
	}
	for (first = text; (digit = digit_value(*text, base)) < base; text++) {
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (text == first)
		return false;

	shift = unit_shift(*text);
	if (shift)
		text++;
	if (*text || n > ~0ull >> shift)
		return false;
	*value = n << shift;
	return true;
}
