/* What printf's engine keeps while it works on one conversion. */
#ifndef MSVCRT_FORMAT_H
#define MSVCRT_FORMAT_H

#include "msvcrt.h"

struct format {
	const void *at;     /* the next unit */
	bool wide;
	va_list arguments;
};

struct piece {
	const char *text;   /* NULL: fill, count times */
	char fill;
	long long count;
};

struct field {
	bool left, plus, space, alternate, zero; /* the flags - + ' ' # 0 */
	bool narrow_text, wide_text;             /* h, l */
	int width;
	int precision;                           /* -1: none given */
	int size;                                /* of an integer, in bytes */
	char prefix[4];                          /* sign, 0x */
	int count;
	struct piece pieces[8];
	struct decimal *decimal;                 /* this and text are what pieces point to */
	char text[24];
};

void field_text(struct field *field, const char *text, long long count);
void field_fill(struct field *field, char c, long long count);
void field_sign(struct field *field, bool negative);
void output_unit(struct output *out, unsigned int unit);

/* format_double.c: adds the pieces of a floating-point number; conversion is one of eEfFgGaA. */
void field_double(struct field *field, char conversion, double value);

#endif
