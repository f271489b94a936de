/*
 * Elementary functions on the x87, whose 64-bit mantissas leave room for the result to be rounded to a double well.
 * What has no result is reported as Microsoft documents for _matherr: the program's handler first, else errno.
 */
#include "msvcrt.h"
#include <math.h>

#undef __setusermatherr

#define LN2 0.693147180559945309417232121458L
#define PI 3.14159265358979323846264338327950288L

static int (__cdecl *math_handler)(struct _exception *);

void __cdecl __setusermatherr(int (__cdecl *handler)(struct _exception *))
{
	math_handler = handler;
}

static double math_error(int type, const char *name, double a, double b, double result)
{
	struct _exception error = { type, name, a, b, result };

	if (!math_handler || !math_handler(&error))
		errno = type == _DOMAIN ? EDOM : ERANGE;
	return error.retval;
}

static double nan_result(const char *name, double a, double b)
{
	return a != a || b != b ? a + b : math_error(_DOMAIN, name, a, b, -__builtin_nan(""));
}

static double infinity(double like)
{
	return like < 0 ? -__builtin_inf() : __builtin_inf();
}

static long double x87_log2(long double x)
{
	__asm__("fyl2x" : "+t"(x) : "u"(1.0L) : "st(1)");
	return x;
}

/* y * 2^integer(power) without loss. */
static long double x87_scale(long double x, long double power)
{
	__asm__("fscale" : "+t"(x) : "u"(power));
	return x;
}

static long double x87_round(long double x)
{
	__asm__("frndint" : "+t"(x));
	return x;
}

/* 2^x - 1 for |x| <= 1. */
static long double x87_power_of_2_less_1(long double x)
{
	__asm__("f2xm1" : "+t"(x));
	return x;
}

static long double power_of_2(long double x)
{
	long double whole = x87_round(x);

	return x87_scale(x87_power_of_2_less_1(x - whole) + 1, whole);
}

/* ln 2 in two parts: the product of the first, of 32 bits, with a small integer is exact. */
#define LN2_HIGH 0.693147180369123816490L
#define LN2_LOW (LN2 - LN2_HIGH)

static long double exp_extended(long double x)
{
	long double whole = x87_round(x / LN2);

	return x87_scale(x87_power_of_2_less_1(((x - whole * LN2_HIGH) - whole * LN2_LOW) / LN2) + 1, whole);
}

/* e^x - 1 for |x| < 0.6 */
static long double exp_less_1(long double x)
{
	return x87_power_of_2_less_1(x / LN2);
}

double __cdecl exp(double x)
{
	if (x != x)
		return x;
	if (x > 709.8)
		return x > 1e300 ? x : math_error(_OVERFLOW, "exp", x, 0, __builtin_inf());
	if (x < -746)
		return 0;
	return (double)exp_extended(x);
}

static double logarithm(const char *name, double x, long double unit)
{
	if (x == 0)
		return math_error(_SING, name, x, 0, -__builtin_inf());
	if (!(x >= 0))
		return nan_result(name, x, 0);
	if (x == __builtin_inf())
		return x;
	__asm__("" : "+m"(unit));
	return (double)(x87_log2(x) * unit);
}

double __cdecl log(double x)
{
	return logarithm("log", x, LN2);
}

double __cdecl log10(double x)
{
	return logarithm("log10", x, 0.301029995663981195213738894724L);
}

static bool is_integer(double x)
{
	return x == floor(x);
}

static bool is_odd(double x)
{
	return is_integer(x) && fabs(x) < 0x1p53 && ((long long)x & 1);
}

/* |x|^y: integer powers that are small are products, all others 2^(y log2 x). */
static long double power_positive(long double x, double y)
{
	long double product = 1, log2 = x87_log2(x), high;

	if (is_integer(y) && fabs(y) <= 64) {
		for (unsigned int n = (unsigned int)fabs(y); n; n >>= 1, x *= x)
			if (n & 1)
				product *= x;
		return y < 0 ? 1 / product : product;
	}
	log2 *= y;
	if (log2 > 16384 || log2 < -16384)
		return log2 > 0 ? __builtin_inf() : 0;
	high = x87_round(log2);
	return x87_scale(power_of_2(log2 - high), high);
}

double __cdecl pow(double x, double y)
{
	bool negative = (x < 0 || (x == 0 && __builtin_signbit(x))) && is_odd(y);
	double result;

	if (y == 0 || x == 1)
		return 1;
	if (x != x || y != y)
		return x + y;
	if (fabs(y) == __builtin_inf()) {
		if (fabs(x) == 1)
			return 1;
		return (fabs(x) > 1) == (y > 0) ? __builtin_inf() : 0;
	}
	if (x == 0 && y < 0)
		return math_error(_SING, "pow", x, y, negative ? -__builtin_inf() : __builtin_inf());
	if (x == 0 || fabs(x) == __builtin_inf()) {
		result = (x == 0) == (y > 0) ? 0 : __builtin_inf();
		return negative ? -result : result;
	}
	if (x < 0 && !is_integer(y))
		return nan_result("pow", x, y);
	result = (double)power_positive(fabs(x), y);
	if (result == __builtin_inf())
		return math_error(_OVERFLOW, "pow", x, y, infinity(negative ? -1 : 1));
	return negative ? -result : result;
}

/*
 * x as an angle that fsin, fcos and fptan take well: small ones as they are, others less whole turns. The remainder by
 * 2 pi in extended precision loses what x has beyond 64 bits of pi, as the processor's own reduction does.
 */
static long double angle(double x)
{
	long double reduced = x, turn = 2 * PI;
	unsigned short status;

	if (fabs(x) < 0x1p62)
		return reduced;
	do
		__asm__("fprem1\n\tfnstsw %1" : "+t"(reduced), "=a"(status) : "u"(turn));
	while (status & 0x400);
	return reduced;
}

double __cdecl sin(double x)
{
	long double a;

	if (!(fabs(x) < __builtin_inf()))
		return nan_result("sin", x, 0);
	a = angle(x);
	__asm__("fsin" : "+t"(a));
	return (double)a;
}

double __cdecl cos(double x)
{
	long double a;

	if (!(fabs(x) < __builtin_inf()))
		return nan_result("cos", x, 0);
	a = angle(x);
	__asm__("fcos" : "+t"(a));
	return (double)a;
}

double __cdecl tan(double x)
{
	long double a;

	if (!(fabs(x) < __builtin_inf()))
		return nan_result("tan", x, 0);
	a = angle(x);
	__asm__("fptan\n\tfstp %%st(0)" : "+t"(a) : : "st(7)");
	return (double)a;
}

static long double x87_arctangent(long double y, long double x)
{
	__asm__("fpatan" : "+t"(x) : "u"(y) : "st(1)");
	return x;
}

double __cdecl atan2(double y, double x)
{
	return x != x || y != y ? x + y : (double)x87_arctangent(y, x);
}

double __cdecl atan(double x)
{
	return (double)x87_arctangent(x, 1);
}

static long double square_root(long double x)
{
	__asm__("fsqrt" : "+t"(x));
	return x;
}

double __cdecl asin(double x)
{
	if (!(fabs(x) <= 1))
		return nan_result("asin", x, 0);
	return (double)x87_arctangent(x, square_root((1.0L - x) * (1.0L + x)));
}

double __cdecl acos(double x)
{
	if (!(fabs(x) <= 1))
		return nan_result("acos", x, 0);
	return (double)x87_arctangent(square_root((1.0L - x) * (1.0L + x)), x);
}

double __cdecl sinh(double x)
{
	long double e;
	double result;

	if (fabs(x) < 0.5) {
		e = exp_less_1(x);
		return x == 0 ? x : (double)((e + e / (e + 1)) / 2);
	}
	if (!(fabs(x) < __builtin_inf()))
		return x;
	e = exp_extended(fabs(x) > 720 ? 720 : fabs(x));
	result = (double)((e - 1 / e) / 2);
	if (result == __builtin_inf())
		return math_error(_OVERFLOW, "sinh", x, 0, infinity(x));
	return x < 0 ? -result : result;
}

double __cdecl cosh(double x)
{
	long double e;
	double result;

	if (!(fabs(x) < __builtin_inf()))
		return fabs(x);
	e = exp_extended(fabs(x) > 720 ? 720 : fabs(x));
	result = (double)((e + 1 / e) / 2);
	return result == __builtin_inf() ? math_error(_OVERFLOW, "cosh", x, 0, result) : result;
}

double __cdecl tanh(double x)
{
	long double e;

	if (fabs(x) < 0.25) {
		e = exp_less_1(2 * x);
		return x == 0 ? x : (double)(e / (e + 2));
	}
	if (fabs(x) > 22)
		return x > 0 ? 1 : -1;
	e = exp_extended(2 * (long double)x);
	return x != x ? x : (double)((e - 1) / (e + 1));
}

double __cdecl _hypot(double x, double y)
{
	long double result = square_root((long double)x * x + (long double)y * y);

	if (fabs(x) == __builtin_inf() || fabs(y) == __builtin_inf())
		return __builtin_inf();
	if ((double)result == __builtin_inf())
		return math_error(_OVERFLOW, "_hypot", x, y, __builtin_inf());
	return (double)result;
}
