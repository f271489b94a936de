/* Chance, calls, touching, and the report of what went wrong. */
#include "random.h"
#include "call_raw.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

volatile LONG stop;
bool trace;

/* ---- chance: splitmix64, so that neighbouring seeds give streams that have nothing in common ---- */

uint64_t chance_next(struct chance *c)
{
	uint64_t x = c->state += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

void chance_start(struct chance *c, uint64_t seed, uint64_t stream)
{
	c->state = seed;
	c->state = chance_next(c) ^ stream * 0xd6e8feb86659fd93ull;
}

/* ---- calls ---- */

static const struct {
	const char *name;
	unsigned int arguments;
} calls[SYSCALL_NUMBER_MAX] = {
#define CALL_ENTRY(number, name, arguments) [number] = { #name, arguments },
	SYSCALLS(CALL_ENTRY)
};

const char *call_name(unsigned int number)
{
	return number < SYSCALL_NUMBER_MAX ? calls[number].name : NULL;
}

unsigned int call_arguments(unsigned int number)
{
	return calls[number].arguments;
}

uint32_t call_make(struct worker *w, unsigned int number, const uint64_t *a)
{
	uint32_t status;
	w->number = number;
	memcpy(w->arguments, a, sizeof(w->arguments));
	status = call_raw(number, a);
	if (trace)
		line("# thread %u, operation %llu: %s [%s] gave 0x%08x", w->thread, (unsigned long long)w->operation,
		     call_name(number), w->about, status);
	return status;
}

/* ---- touching ---- */

extern const char touch_load_at[], touch_store_at[], touch_failed[];

__asm__(".text\n"
	".globl touch_load, touch_store, touch_load_at, touch_store_at, touch_failed\n"
	"touch_load:\n"
	"touch_load_at:\n"
	"	movq (%rcx), %rax\n"
	"	movq %rax, (%rdx)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"touch_store:\n"
	"touch_store_at:\n"
	"	movq %rdx, (%rcx)\n"
	"	xorl %eax, %eax\n"
	"touch_failed:\n"
	"	ret\n");

static LONG WINAPI touch_handler(EXCEPTION_POINTERS *e)
{
	CONTEXT *c = e->ContextRecord;
	if (c->Rip != (DWORD64)touch_load_at && c->Rip != (DWORD64)touch_store_at)
		return EXCEPTION_CONTINUE_SEARCH;
	c->Rax = e->ExceptionRecord->ExceptionCode;
	c->Rip = (DWORD64)touch_failed;
	return EXCEPTION_CONTINUE_EXECUTION;
}

void touch_init(void)
{
	AddVectoredExceptionHandler(1, touch_handler);
}

/* ---- reports ---- */

void line(const char *format, ...)
{
	char text[900];
	DWORD written;
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	if (n < 0 || n > (int)sizeof(text) - 2)
		n = (int)strlen(text);
	text[n++] = '\n';
	WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, (DWORD)n, &written, NULL);
}

void about(struct worker *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(w->about, sizeof(w->about), format, args);
	va_end(args);
	if (trace)
		line("# thread %u, operation %llu: %s", w->thread, (unsigned long long)w->operation, w->about);
}

void failure(struct worker *w, const char *format, ...)
{
	char what[400], call[300];
	va_list args;
	if (w->failed)
		return;
	w->failed = true;
	InterlockedExchange(&stop, 1);
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	int n = snprintf(call, sizeof(call), "%s(", call_name(w->number));
	for (unsigned int i = 0; i < call_arguments(w->number) && n < (int)sizeof(call) - 24; i++)
		n += snprintf(call + n, sizeof(call) - (size_t)n, "%s0x%llx", i ? ", " : "",
			      (unsigned long long)w->arguments[i]);
	snprintf(call + n, sizeof(call) - (size_t)n, ")");
	line("# memory_random: seed %llu, process %u, thread %u, operation %llu: %s [%s]: %s",
	     (unsigned long long)w->seed, w->process, w->thread, (unsigned long long)w->operation, call, w->about, what);
}

/* Refusals that every call that makes something may give. */
static bool is_refusal(uint32_t status)
{
	return status == (uint32_t)STATUS_COMMITMENT_LIMIT || status == (uint32_t)STATUS_NO_MEMORY ||
	       status == (uint32_t)STATUS_INSUFFICIENT_RESOURCES;
}

bool as_expected(struct worker *w, const struct expected *e, uint32_t got)
{
	char list[STATUSES_MAX * 12] = "success";
	int n = 0;
	if (!e->count && succeeded(got))
		return true;
	if (is_refusal(got)) {
		w->refusals++;
		return false;
	}
	for (unsigned int i = 0; i < e->count; i++) {
		if (e->status[i] == got)
			return false;
		n += snprintf(list + n, sizeof(list) - (size_t)n, "%s0x%08x", i ? "|" : "", e->status[i]);
	}
	failure(w, "got 0x%08x, expected %s", got, list);
	return false;
}
