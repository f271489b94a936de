/* Integers: from text, to text, arithmetic, pseudo-random ones. long has 32 bits. */
#include "msvcrt.h"
#include <ctype.h>

/*
 * Text in UTF-16 or bytes. The magnitude, with *negative, *overflow (more than 64 bits) and *end, the index of what
 * follows, 0 if there is no number.
 */
static uint64_t parse(const void *text, bool wide, int base, bool *negative, bool *overflow, size_t *end)
{
	const unsigned char *bytes = text;
	const wchar_t *units = text;
#define UNIT(i) (wide ? units[i] : bytes[i])
	size_t i = 0, digits;
	uint64_t value = 0;

	*negative = *overflow = false;
	*end = 0;
	if (base < 0 || base == 1 || base > 36) {
		errno = EINVAL;
		return 0;
	}
	while (UNIT(i) == ' ' || (UNIT(i) >= 9 && UNIT(i) <= 13))
		i++;
	if (UNIT(i) == '-' || UNIT(i) == '+')
		*negative = UNIT(i++) == '-';
	if ((base == 0 || base == 16) && UNIT(i) == '0' && letter_lower(UNIT(i + 1)) == 'x' && UNIT(i + 2) < 128 &&
	    isxdigit(UNIT(i + 2))) {
		i += 2;
		base = 16;
	}
	if (!base)
		base = UNIT(i) == '0' ? 8 : 10;
	for (digits = i;; i++) {
		int c = letter_lower(UNIT(i));
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			*overflow = true;
	}
	if (i > digits)
		*end = i;
	return value;
#undef UNIT
}

/* Clamped to least..most; errno is ERANGE then. */
static int64_t parse_signed(const void *text, bool wide, void **end, int base, int64_t least, int64_t most)
{
	bool negative, overflow;
	size_t used;
	uint64_t value = parse(text, wide, base, &negative, &overflow, &used);

	if (end)
		*end = (char *)text + used * (wide ? sizeof(wchar_t) : 1);
	if (overflow || value > (uint64_t)most + negative) {
		errno = ERANGE;
		return negative ? least : most;
	}
	return negative ? (int64_t)-value : (int64_t)value;
}

static uint64_t parse_unsigned(const void *text, bool wide, void **end, int base, uint64_t most)
{
	bool negative, overflow;
	size_t used;
	uint64_t value = parse(text, wide, base, &negative, &overflow, &used);

	if (end)
		*end = (char *)text + used * (wide ? sizeof(wchar_t) : 1);
	if (overflow || value > most) {
		errno = ERANGE;
		return most;
	}
	return negative ? -value & most : value;
}

long __cdecl strtol(const char *text, char **end, int base)
{
	return (long)parse_signed(text, false, (void **)end, base, LONG_MIN, LONG_MAX);
}

unsigned long __cdecl strtoul(const char *text, char **end, int base)
{
	return (unsigned long)parse_unsigned(text, false, (void **)end, base, ULONG_MAX);
}

__int64 __cdecl _strtoi64(const char *text, char **end, int base)
{
	return parse_signed(text, false, (void **)end, base, LLONG_MIN, LLONG_MAX);
}

unsigned __int64 __cdecl _strtoui64(const char *text, char **end, int base)
{
	return parse_unsigned(text, false, (void **)end, base, ULLONG_MAX);
}

long __cdecl wcstol(const wchar_t *text, wchar_t **end, int base)
{
	return (long)parse_signed(text, true, (void **)end, base, LONG_MIN, LONG_MAX);
}

unsigned long __cdecl wcstoul(const wchar_t *text, wchar_t **end, int base)
{
	return (unsigned long)parse_unsigned(text, true, (void **)end, base, ULONG_MAX);
}

__int64 __cdecl _wcstoi64(const wchar_t *text, wchar_t **end, int base)
{
	return parse_signed(text, true, (void **)end, base, LLONG_MIN, LLONG_MAX);
}

unsigned __int64 __cdecl _wcstoui64(const wchar_t *text, wchar_t **end, int base)
{
	return parse_unsigned(text, true, (void **)end, base, ULLONG_MAX);
}

int __cdecl atoi(const char *text)
{
	return strtol(text, NULL, 10);
}

long __cdecl atol(const char *text)
{
	return strtol(text, NULL, 10);
}

__int64 __cdecl _atoi64(const char *text)
{
	return _strtoi64(text, NULL, 10);
}

int __cdecl _wtoi(const wchar_t *text)
{
	return wcstol(text, NULL, 10);
}

long __cdecl _wtol(const wchar_t *text)
{
	return wcstol(text, NULL, 10);
}

__int64 __cdecl _wtoi64(const wchar_t *text)
{
	return _wcstoi64(text, NULL, 10);
}

/* value in base 2 to 36, lower case, with a minus sign if negative. Needs up to 66 bytes. */
static char *print(uint64_t value, bool negative, char *to, int base)
{
	char *at = to, *first;

	if (base < 2 || base > 36) {
		errno = EINVAL;
		*to = 0;
		return to;
	}
	if (negative) {
		*at++ = '-';
		value = -value;
	}
	first = at;
	do {
		unsigned int digit = (unsigned int)(value % (uint64_t)base);

		*at++ = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
		value /= (uint64_t)base;
	} while (value);
	*at = 0;
	_strrev(first);
	return to;
}

static wchar_t *print_wide(uint64_t value, bool negative, wchar_t *to, int base)
{
	char text[68];
	size_t i = 0;

	print(value, negative, text, base);
	do
		to[i] = (unsigned char)text[i];
	while (text[i++]);
	return to;
}

/* Only base 10 has a sign; in the others a negative number is its two's complement. */
#define PRINT(name, wide_name, type, unsigned_type, signed_one) \
	char *__cdecl name(type value, char *to, int base) \
	{ \
		__int64 number = (__int64)value; \
		bool negative = (signed_one) && base == 10 && number < 0; \
		return print(negative ? (uint64_t)number : (unsigned_type)value, negative, to, base); \
	} \
	wchar_t *__cdecl wide_name(type value, wchar_t *to, int base) \
	{ \
		__int64 number = (__int64)value; \
		bool negative = (signed_one) && base == 10 && number < 0; \
		return print_wide(negative ? (uint64_t)number : (unsigned_type)value, negative, to, base); \
	}

PRINT(_itoa, _itow, int, unsigned int, true)
PRINT(_ltoa, _ltow, long, unsigned long, true)
PRINT(_ultoa, _ultow, unsigned long, unsigned long, false)
PRINT(_i64toa, _i64tow, __int64, unsigned __int64, true)
PRINT(_ui64toa, _ui64tow, unsigned __int64, unsigned __int64, false)

/* _rotl, _lrotl and so on, which the compiler has functions of its own for: msvcrt.def gives these their names. */
uint32_t __cdecl rotate_left_32(uint32_t value, int bits)
{
	return value << (bits & 31) | value >> (-bits & 31);
}

uint32_t __cdecl rotate_right_32(uint32_t value, int bits)
{
	return rotate_left_32(value, -bits);
}

uint64_t __cdecl rotate_left_64(uint64_t value, int bits)
{
	return value << (bits & 63) | value >> (-bits & 63);
}

uint64_t __cdecl rotate_right_64(uint64_t value, int bits)
{
	return rotate_left_64(value, -bits);
}

int __cdecl abs(int value)
{
	return value < 0 ? -value : value;
}

long __cdecl labs(long value)
{
	return value < 0 ? -value : value;
}

__int64 __cdecl _abs64(__int64 value)
{
	return value < 0 ? -value : value;
}

div_t __cdecl div(int a, int b)
{
	return (div_t){ a / b, a % b };
}

ldiv_t __cdecl ldiv(long a, long b)
{
	return (ldiv_t){ a / b, a % b };
}

/* 0 to RAND_MAX (32767); each thread has a sequence of its own, which begins as after srand(1). */
int __cdecl rand(void)
{
	struct thread_data *data = thread_data();

	data->random = data->random * 214013 + 2531011;
	return data->random >> 16 & RAND_MAX;
}

void __cdecl srand(unsigned int seed)
{
	thread_data()->random = seed;
}
