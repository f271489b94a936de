/* What refused a request, with the numbers that say why. */
#include "testlimit.h"
#include <stdarg.h>

#define SMALL_PAGES 64 /* more than the tables and stacks that go with a request */

/* The largest free range of this process's addresses, in bytes. */
static uint64_t largest_free(void)
{
	MEMORY_BASIC_INFORMATION info;
	uint64_t largest = 0;
	for (char *at = NULL; VirtualQuery(at, &info, sizeof(info)) == sizeof(info);
	     at = (char *)info.BaseAddress + info.RegionSize)
		if (info.State == MEM_FREE && info.RegionSize > largest)
			largest = info.RegionSize;
	return largest;
}

static uint64_t own_locked(void)
{
	struct bs_process p;
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++)
		if (p.id == GetCurrentProcessId())
			return p.locked;
	return 0;
}

static void say(const char *format, ...)
{
	static char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tool_wrap("", "", text);
}

static void explain_commit(const struct plan *plan, const struct bs_memory *m)
{
	uint64_t left = m->commit_limit > m->commit_charge ? m->commit_limit - m->commit_charge : 0;
	if (plan->size)
		say("It asked for %s, and %s were left below the limit.", tool_size(plan->size), tool_pages(left));
	else
		say("%s were left below the limit.", tool_pages(left));
	if (left > plan->size / PAGE_BYTES + SMALL_PAGES)
		say("That was enough. But what must stay in memory has a limit of its own, a part of memory: %s of "
		    "page tables and %s of the kernel are charged, and %s are physical or locked; minimum working "
		    "sets count too.",
		    tool_pages(m->commit_page_tables), tool_pages(m->commit_kernel),
		    tool_pages(m->frames_physical + m->pages_locked));
	say("Requests that were refused since the machine started: %s.", tool_number(m->commit_refused));
}

static void explain_quota(const struct plan *plan)
{
	SIZE_T minimum = 0, maximum = 0;
	GetProcessWorkingSetSize(GetCurrentProcess(), &minimum, &maximum);
	say("A process may lock its minimum working set, less a few pages: that is %s, and %s are locked.%s",
	    tool_size(minimum), tool_pages(own_locked()), plan->working_set ? "" : " -w raises the minimum first.");
}

static void explain_memory(const struct plan *plan, const struct bs_memory *m)
{
	const char *available = tool_pages(memory_available(m));
	switch (plan->kind->letter) {
	case 'r':
		say("It asked for %s, and the largest free range of addresses is %s.", tool_size(plan->size),
		    tool_size(largest_free()));
		break;
	case 'l':
		say("A large page is %s of memory in a row, for ever. %s are available: not in one piece, or wanted "
		    "for what can't be paged out either.",
		    tool_size(GetLargePageMinimum()), available);
		break;
	case 'a':
	case 'v':
		say("It asked for %s, and %s of memory are available. Some must be left for what can be paged out.",
		    tool_size(plan->size), available);
		break;
	default:
		say("The kernel has %s in its pool, %s in all; %s are available.", tool_pages(m->pool_pages),
		    tool_pages(m->frames_kernel), available);
	}
}

int refusal_explain(const struct plan *plan, const struct outcome *o, const struct bs_memory *held)
{
	const struct tool_text *t = TOOL_FIND(tool_errors, o->error);
	if (!o->error) {
		printf("nothing was refused%s\n", o->got == HELD_MAX ? "; that is as many as it can hold" : "");
		return TOOL_OK;
	}
	say("request %s was refused: %s (%s, %lu)", tool_number(o->got + 1), t ? t->meaning : "see the number",
	    t ? t->name : "error", o->error);
	switch (o->error) {
	case ERROR_COMMITMENT_LIMIT:
		explain_commit(plan, held);
		return TOOL_OK;
	case ERROR_WORKING_SET_QUOTA:
		explain_quota(plan);
		return TOOL_OK;
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_OUTOFMEMORY:
	case ERROR_NO_SYSTEM_RESOURCES:
	case ERROR_NOT_ENOUGH_QUOTA:
		explain_memory(plan, held);
		return TOOL_OK;
	}
	return TOOL_FAILED;
}
