/* The floating-point environment: on x64 the control functions concern SSE2, as Microsoft documents for _controlfp. */
#include "msvcrt.h"

/* Values of mingw-w64's float.h, which gcc's own hides. */
enum {
	EM_INEXACT = 1, EM_UNDERFLOW = 2, EM_OVERFLOW = 4, EM_ZERODIVIDE = 8, EM_INVALID = 0x10, EM_DENORMAL = 0x80000,
	MCW_RC = 0x300, MCW_DN = 0x3000000, DN_FLUSH = 0x1000000,
};

#define ROUND_SHIFT 13           /* of MXCSR; 0 nearest, 1 down, 2 up, 3 chop, as in the control word from bit 8 on */
#define FLUSH (1u << 15 | 1u << 6)
#define DEFAULT_MXCSR 0x1F80u

/* Exceptions, in the order of MXCSR's bits. */
static const unsigned int exceptions[6] = {
	EM_INVALID, EM_DENORMAL, EM_ZERODIVIDE, EM_OVERFLOW, EM_UNDERFLOW, EM_INEXACT,
};

static unsigned int mxcsr_get(void)
{
	return __builtin_ia32_stmxcsr();
}

static unsigned int exceptions_from(unsigned int bits)
{
	unsigned int value = 0;

	for (int i = 0; i < 6; i++)
		if (bits & 1u << i)
			value |= exceptions[i];
	return value;
}

static unsigned int control_get(unsigned int mxcsr)
{
	return exceptions_from(mxcsr >> 7) | (mxcsr >> ROUND_SHIFT & 3) << 8 | (mxcsr & 1u << 15 ? DN_FLUSH : 0);
}

/* Sets the bits of the control word that mask has. Returns the control word after that. */
unsigned int __cdecl _control87(unsigned int value, unsigned int mask)
{
	unsigned int mxcsr = mxcsr_get(), wanted = (control_get(mxcsr) & ~mask) | (value & mask);

	mxcsr &= ~(63u << 7 | 3u << ROUND_SHIFT | FLUSH);
	for (int i = 0; i < 6; i++)
		if (wanted & exceptions[i])
			mxcsr |= 1u << (7 + i);
	mxcsr |= (wanted & MCW_RC) >> 8 << ROUND_SHIFT;
	if ((wanted & MCW_DN) == DN_FLUSH)
		mxcsr |= FLUSH;
	__builtin_ia32_ldmxcsr(mxcsr);
	return control_get(mxcsr);
}

/* As above, but the mask of denormals is left alone. */
unsigned int __cdecl _controlfp(unsigned int value, unsigned int mask)
{
	return _control87(value, mask & ~(unsigned int)EM_DENORMAL);
}

unsigned int __cdecl _statusfp(void)
{
	return exceptions_from(mxcsr_get());
}

/* Returns the status before. */
unsigned int __cdecl _clearfp(void)
{
	unsigned int mxcsr = mxcsr_get();

	__builtin_ia32_ldmxcsr(mxcsr & ~63u);
	return exceptions_from(mxcsr);
}

void __cdecl _fpreset(void)
{
	__asm__ volatile("fninit");
	__builtin_ia32_ldmxcsr(DEFAULT_MXCSR);
}
