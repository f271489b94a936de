/* Classes of characters. Bytes above 127 have none in the locale "C"; the first 256 of UTF-16 have Latin-1's. */
#include "msvcrt.h"
#include <ctype.h>
#include <wctype.h>

#undef _pctype
#undef _pwctype
#undef iswalpha
#undef iswupper
#undef iswlower
#undef iswdigit
#undef iswxdigit
#undef iswspace
#undef iswpunct
#undef iswalnum
#undef iswprint
#undef iswgraph
#undef iswcntrl
#undef iswascii
#undef isleadbyte
#undef __isascii
#undef __toascii
#undef __iscsymf
#undef __iscsym
#undef _tolower
#undef _toupper
#undef is_wctype

#define LETTER 0x100 /* what _ALPHA has beside _UPPER and _LOWER */
#define AT(c) ((c) + 1)

/* Index -1 (EOF) to 127. */
#define ASCII \
	[AT(0) ... AT(8)] = _CONTROL, [AT(9) ... AT(13)] = _SPACE | _CONTROL, [AT(14) ... AT(31)] = _CONTROL, \
	[AT(' ')] = _SPACE | _BLANK, [AT('!') ... AT('/')] = _PUNCT, [AT('0') ... AT('9')] = _DIGIT | _HEX, \
	[AT(':') ... AT('@')] = _PUNCT, [AT('A') ... AT('F')] = _UPPER | LETTER | _HEX, \
	[AT('G') ... AT('Z')] = _UPPER | LETTER, [AT('[') ... AT('`')] = _PUNCT, \
	[AT('a') ... AT('f')] = _LOWER | LETTER | _HEX, [AT('g') ... AT('z')] = _LOWER | LETTER, \
	[AT('{') ... AT('~')] = _PUNCT, [AT(127)] = _CONTROL

static const unsigned short byte_classes[257] = { ASCII };
static const unsigned short wide_classes[257] = {
	ASCII, [AT(0x80) ... AT(0x9F)] = _CONTROL, [AT(0xA0)] = _SPACE | _BLANK, [AT(0xA1) ... AT(0xBF)] = _PUNCT,
	[AT(0xC0) ... AT(0xD6)] = _UPPER | LETTER, [AT(0xD7)] = _PUNCT, [AT(0xD8) ... AT(0xDE)] = _UPPER | LETTER,
	[AT(0xDF) ... AT(0xF6)] = _LOWER | LETTER, [AT(0xF7)] = _PUNCT, [AT(0xF8) ... AT(0xFF)] = _LOWER | LETTER,
};
const unsigned short *_pctype = byte_classes + 1;
const unsigned short *_pwctype = wide_classes + 1;

int __cdecl _isctype(int c, int class)
{
	return c >= -1 && c <= 255 ? _pctype[c] & class : 0;
}

/* What is above Latin-1 counts as a letter, except for private use, surrogates and non-characters. */
int __cdecl iswctype(wint_t c, wctype_t class)
{
	if (c == WEOF)
		return 0;
	if (c < 256)
		return _pwctype[c] & class;
	if (c < 0x2000 || (c >= 0x2C00 && c < 0xD800 && c != 0x3000) || (c >= 0xF900 && c < 0xFE00))
		return LETTER & class;
	return 0;
}

int __cdecl is_wctype(wint_t c, wctype_t class)
{
	return iswctype(c, class);
}

#define CLASS(name, wide_name, class) \
	int __cdecl name(int c) { return _isctype(c, class); } \
	int __cdecl wide_name(wint_t c) { return iswctype(c, class); }

CLASS(isalpha, iswalpha, _ALPHA)
CLASS(isupper, iswupper, _UPPER)
CLASS(islower, iswlower, _LOWER)
CLASS(isdigit, iswdigit, _DIGIT)
CLASS(isxdigit, iswxdigit, _HEX)
CLASS(isspace, iswspace, _SPACE)
CLASS(ispunct, iswpunct, _PUNCT)
CLASS(isalnum, iswalnum, _ALPHA | _DIGIT)
CLASS(isprint, iswprint, _BLANK | _PUNCT | _ALPHA | _DIGIT)
CLASS(isgraph, iswgraph, _PUNCT | _ALPHA | _DIGIT)
CLASS(iscntrl, iswcntrl, _CONTROL)

int __cdecl iswascii(wint_t c)
{
	return c < 128;
}

int __cdecl __isascii(int c)
{
	return (unsigned int)c < 128;
}

int __cdecl __toascii(int c)
{
	return c & 127;
}

/* Can a C name begin, or go on, with c? */
int __cdecl __iscsymf(int c)
{
	return isalpha(c) || c == '_';
}

int __cdecl __iscsym(int c)
{
	return isalnum(c) || c == '_';
}

/* There is no code page here in which isleadbyte would be true: UTF-8 is not double-byte. */
int __cdecl isleadbyte(int c)
{
	(void)c;
	return 0;
}

int __cdecl tolower(int c)
{
	return letter_lower(c);
}

int __cdecl toupper(int c)
{
	return letter_upper(c);
}

/* For callers that know that c is a letter of the other case. */
int __cdecl _tolower(int c)
{
	return c - 'A' + 'a';
}

int __cdecl _toupper(int c)
{
	return c - 'a' + 'A';
}

wint_t __cdecl towlower(wint_t c)
{
	return (wint_t)letter_lower(c);
}

wint_t __cdecl towupper(wint_t c)
{
	return (wint_t)letter_upper(c);
}
