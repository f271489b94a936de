/* Functions on the parts of a double: exact ones, in integers and SSE2. */
#include "msvcrt.h"
#include <math.h>

#undef _chgsign
#undef _copysign
#undef _finite
#undef _fpclass
#undef _isnan

#undef _HUGE
#define SIGN (1ull << 63)

double _HUGE = __builtin_inf(); /* HUGE_VAL of programs that do not know a better one */

static uint64_t bits_of(double x)
{
	uint64_t bits;

	__builtin_memcpy(&bits, &x, 8);
	return bits;
}

static double double_of(uint64_t bits)
{
	double x;

	__builtin_memcpy(&x, &bits, 8);
	return x;
}

static int exponent_of(double x)
{
	return (int)(bits_of(x) >> 52 & 0x7FF);
}

double __cdecl fabs(double x)
{
	return double_of(bits_of(x) & ~SIGN);
}

double __cdecl _copysign(double x, double sign)
{
	return double_of((bits_of(x) & ~SIGN) | (bits_of(sign) & SIGN));
}

double __cdecl _chgsign(double x)
{
	return double_of(bits_of(x) ^ SIGN);
}

int __cdecl _isnan(double x)
{
	return x != x;
}

int __cdecl _finite(double x)
{
	return exponent_of(x) != 0x7FF;
}

/* One of the _FPCLASS_* of float.h, which are single bits. */
int __cdecl _fpclass(double x)
{
	uint64_t bits = bits_of(x), fraction = bits & ((1ull << 52) - 1);
	bool negative = bits & SIGN;

	if (exponent_of(x) == 0x7FF && fraction)
		return fraction >> 51 ? 2 : 1; /* quiet, signalling */
	if (exponent_of(x) == 0x7FF)
		return negative ? 4 : 0x200;
	if (exponent_of(x))
		return negative ? 8 : 0x100;
	if (fraction)
		return negative ? 0x10 : 0x80;
	return negative ? 0x20 : 0x40;
}

double __cdecl sqrt(double x)
{
	if (x < 0) {
		errno = EDOM;
		return -__builtin_nan("");
	}
	__asm__("sqrtsd %0, %0" : "+x"(x));
	return x;
}

/* Towards zero. From 2^52 on all are integers. */
static double truncate(double x)
{
	return exponent_of(x) >= 1023 + 52 ? x : _copysign((double)(long long)x, x);
}

double __cdecl floor(double x)
{
	double whole = truncate(x);

	return whole > x ? whole - 1 : whole;
}

double __cdecl ceil(double x)
{
	double whole = truncate(x);

	return whole < x ? _copysign(whole + 1, x) : whole;
}

double __cdecl modf(double x, double *whole)
{
	*whole = truncate(x);
	return _copysign(exponent_of(x) == 0x7FF && x == x ? 0 : x - *whole, x);
}

/* x less a multiple of y, with the sign of x. fprem is exact, and may need several steps. */
double __cdecl fmod(double x, double y)
{
	long double rest = x, divisor = y;
	unsigned short status;

	if (x != x || y != y)
		return x + y;
	if (!_finite(x) || y == 0) {
		errno = EDOM;
		return -__builtin_nan("");
	}
	do
		__asm__("fprem\n\tfnstsw %1" : "+t"(rest), "=a"(status) : "u"(divisor));
	while (status & 0x400);
	return _copysign((double)rest, x);
}

/* The fraction in 1/2 to 1 with *power such that x is fraction * 2^*power. */
double __cdecl frexp(double x, int *power)
{
	*power = 0;
	if (x == 0 || !_finite(x))
		return x;
	if (!exponent_of(x)) {
		x *= 0x1p64;
		*power = -64;
	}
	*power += exponent_of(x) - 1022;
	return double_of((bits_of(x) & ~(0x7FFull << 52)) | 1022ull << 52);
}

double __cdecl ldexp(double x, int power)
{
	long double scaled = x;
	double result;

	if (x == 0 || !_finite(x))
		return x;
	if (power > 5000 || power < -5000)
		power = power > 0 ? 5000 : -5000;
	__asm__("fscale" : "+t"(scaled) : "u"((long double)power));
	result = (double)scaled;
	if (!_finite(result))
		errno = ERANGE;
	return result;
}

double __cdecl _scalb(double x, long power)
{
	return ldexp(x, power);
}

double __cdecl _logb(double x)
{
	int power;

	if (x != x || x == 0)
		return x != x ? x : -__builtin_inf();
	if (!_finite(x))
		return __builtin_inf();
	frexp(x, &power);
	return power - 1;
}

/* The next double after x on the way to y. */
double __cdecl _nextafter(double x, double y)
{
	uint64_t bits = bits_of(x);

	if (x != x || y != y)
		return x + y;
	if (x == y)
		return y;
	if (x == 0)
		return _copysign(0x1p-1074, y);
	return double_of((x < y) == (x > 0) ? bits + 1 : bits - 1);
}

/* The x64 library has the functions for float too. */
#define FLOAT1(name, function) \
	float __cdecl name(float x) { return (float)function(x); }
#define FLOAT2(name, function) \
	float __cdecl name(float x, float y) { return (float)function(x, y); }

FLOAT1(sinf, sin)
FLOAT1(cosf, cos)
FLOAT1(tanf, tan)
FLOAT1(asinf, asin)
FLOAT1(acosf, acos)
FLOAT1(atanf, atan)
FLOAT1(sinhf, sinh)
FLOAT1(coshf, cosh)
FLOAT1(tanhf, tanh)
FLOAT1(expf, exp)
FLOAT1(logf, log)
FLOAT1(log10f, log10)
FLOAT1(sqrtf, sqrt)
FLOAT1(floorf, floor)
FLOAT1(ceilf, ceil)
FLOAT2(powf, pow)
FLOAT2(fmodf, fmod)
FLOAT2(atan2f, atan2)

float __cdecl modff(float x, float *whole)
{
	double integer;
	float fraction = (float)modf(x, &integer);

	*whole = (float)integer;
	return fraction;
}
