/* See tap.h. Also what the kernel's sources want of lib/debug.h. */
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/debug.h"
#include "tap.h"

static u64 seed, random_state;
static int cases, failures;
static char directory[4096];
static jmp_buf case_end;
static bool in_case;

jmp_buf *tap_panic_target;
enum log_level log_limit = LOG_WARNING;

void tap_begin(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	setvbuf(stdout, NULL, _IOLBF, 0); /* nothing gets lost if a sanitizer ends the program */
	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
	if (argc > 1) {
		char *end;

		seed = strtoull(argv[1], &end, 0);
		if (argc > 2 || end == argv[1] || *end) {
			fprintf(stderr, "usage: %s [seed]\n", argv[0]);
			exit(2);
		}
	} else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		perror("getrandom");
		exit(2);
	}
	random_state = seed;
	printf("# seed 0x%llx\n", (unsigned long long)seed);
}

void tap_case(const char *name, void (*test)(void))
{
	volatile bool passed = false;

	in_case = true;
	random_state = seed; /* each case has the same numbers whatever the others used */
	if (setjmp(case_end) == 0) {
		test();
		passed = true;
	}
	in_case = false;
	cases++;
	failures += !passed;
	printf("%sok %d - %s\n", passed ? "" : "not ", cases, name);
}

int tap_end(void)
{
	printf("1..%d\n", cases);
	fflush(stdout);
	if (failures)
		_exit(1); /* what the failed ones left allocated is not worth the leak sanitizer's report */
	return 0;
}

static void note(const char *fmt, va_list ap)
{
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
}

/* A fuzzer's target has no cases: it ends with the input that did it. */
static noreturn void case_fail(void)
{
	if (!in_case) {
		fflush(stdout);
		abort();
	}
	longjmp(case_end, 1);
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("# %s:%d:\n", file, line);
	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
	case_fail();
}

void tap_equal(const char *file, int line, const char *a_text, u64 a, const char *b_text, u64 b)
{
	if (a != b)
		tap_fail(file, line, "expected %s == %s, but 0x%llx != 0x%llx", a_text, b_text, (unsigned long long)a,
			 (unsigned long long)b);
}

void tap_text(const char *file, int line, const char *a_text, const char *a, const char *b_text, const char *b)
{
	if (strcmp(a, b) != 0)
		tap_fail(file, line, "expected %s == %s, but \"%s\" != \"%s\"", a_text, b_text, a, b);
}

u64 tap_random(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u64 tap_below(u64 n)
{
	return tap_random() % n;
}

u64 tap_between(u64 low, u64 high)
{
	return low + tap_below(high - low + 1);
}

bool tap_one_in(u64 n)
{
	return tap_below(n) == 0;
}

u8 *tap_file(const char *name, size_t *size)
{
	char path[sizeof(directory) + 256];
	struct stat status;
	u8 *bytes;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%.255s", directory, name);
	f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &status) != 0)
		tap_fail(__FILE__, __LINE__, "cannot open %s", path);
	*size = (size_t)status.st_size;
	bytes = malloc(*size);
	if (fread(bytes, 1, *size, f) != *size)
		tap_fail(__FILE__, __LINE__, "cannot read %s", path);
	fclose(f);
	return bytes;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	if (tap_panic_target)
		longjmp(*tap_panic_target, 1);
	va_start(ap, fmt);
	printf("# panic:\n");
	note(fmt, ap);
	va_end(ap);
	case_fail();
}

void klog(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_limit)
		return;
	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
}

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(fmt, ap);
	va_end(ap);
}
