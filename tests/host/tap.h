/*
 * Unit tests on the host that print TAP (Test Anything Protocol). A program is a list of test cases:
 *
 *	static void insert_keeps_order(void)
 *	{
 *		expect(...);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		tap_begin(argc, argv);
 *		tap_run(insert_keeps_order);
 *		return tap_end();
 *	}
 *
 * The first expectation that fails ends its test case. The program's optional argument is the seed of tap_random: it is
 * printed, and the same seed gives the same run. The kernel's panic ends a test case too, as a failure, unless it was
 * expected with expect_panic.
 */
#ifndef TESTS_HOST_TAP_H
#define TESTS_HOST_TAP_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/types.h"

void tap_begin(int argc, char **argv);
void tap_case(const char *name, void (*test)(void));
int tap_end(void); /* the plan; returns the exit code: 0 if all passed */

#define tap_run(test) tap_case(#test, test)

/* A comment line, for what helps to understand a failure. */
void tap_note(const char *fmt, ...) printf_like(1, 2);

/* Numbers from the seed (splitmix64): any; less than n > 0; low to high inclusive; true once in n. */
u64 tap_random(void);
u64 tap_below(u64 n);
u64 tap_between(u64 low, u64 high);
bool tap_one_in(u64 n);

/*
 * The whole of a file in the program's own directory, where the makefile puts what it builds for the tests; malloc'ed,
 * exactly as large as the file. Fails the test case if there is none.
 */
u8 *tap_file(const char *name, size_t *size);

noreturn void tap_fail(const char *file, int line, const char *fmt, ...) printf_like(3, 4);

#define expect(e) ((e) ? (void)0 : tap_fail(__FILE__, __LINE__, "expected %s", #e))

/* Integers, compared as 64 bits. */
#define expect_equal(a, b) tap_equal(__FILE__, __LINE__, #a, (u64)(a), #b, (u64)(b))
#define expect_text(a, b) tap_text(__FILE__, __LINE__, #a, a, #b, b)

void tap_equal(const char *file, int line, const char *a_text, u64 a, const char *b_text, u64 b);
void tap_text(const char *file, int line, const char *a_text, const char *a, const char *b_text, const char *b);

/* The statement must panic. */
#define expect_panic(statement)                                                                                        \
	do {                                                                                                           \
		jmp_buf here;                                                                                          \
		tap_panic_target = &here;                                                                              \
		if (setjmp(here) == 0) {                                                                               \
			statement;                                                                                     \
			tap_panic_target = NULL;                                                                       \
			tap_fail(__FILE__, __LINE__, "expected a panic from %s", #statement);                          \
		}                                                                                                      \
		tap_panic_target = NULL;                                                                               \
	} while (0)

extern jmp_buf *tap_panic_target;

#endif
