/* Asking until it is refused. */
#include "testlimit.h"

#define HELD_STEP 512u /* entries of the list of what is held; it is committed as it grows */

struct outcome plan_ask(const struct plan *plan, void ***held_out, bool progress)
{
	struct outcome o = { 0, 0 };
	uint64_t told = 0;
	void **held = VirtualAlloc(NULL, HELD_MAX * sizeof(void *), MEM_RESERVE, PAGE_READWRITE);
	*held_out = held;
	if (!held) {
		o.error = GetLastError();
		return o;
	}
	for (; o.got < plan->count && o.got < HELD_MAX; o.got++) {
		if (o.got % HELD_STEP == 0 &&
		    !VirtualAlloc(held + o.got, HELD_STEP * sizeof(void *), MEM_COMMIT, PAGE_READWRITE)) {
			o.error = GetLastError();
			break;
		}
		if (o.got && plan->pause)
			Sleep((DWORD)plan->pause * 1000);
		held[o.got] = plan->kind->request(plan);
		if (!held[o.got]) {
			o.error = GetLastError();
			break;
		}
		/* At 1, 2, 4, 8, ... requests; each, if they come slowly. */
		if (progress && (o.got + 1 >= told * 2 || plan->pause)) {
			told = o.got + 1;
			if (plan->size)
				printf("%s in %s requests\n", tool_size(told * plan->size), tool_number(told));
			else
				printf("%s\n", tool_number(told));
			fflush(stdout);
		}
	}
	return o;
}

void plan_give_back(const struct plan *plan, void **held, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		plan->kind->give_back(held[i], plan);
	if (held)
		VirtualFree(held, 0, MEM_RELEASE);
}

void print_state_title(void)
{
	printf("%-7s %12s %12s %12s %12s  %s\n", "", "COMMITTED", "OF LIMIT", "AVAILABLE", "LOCKED", "PAGING FILES");
}

void print_state(const char *when, const struct bs_memory *m)
{
	printf("%-7s %12s %12s %12s %12s  %s of %s\n", when, tool_pages(m->commit_charge), tool_pages(m->commit_limit),
	       tool_pages(memory_available(m)), tool_pages(m->pages_locked + m->frames_physical),
	       tool_pages(m->paging_file_used), tool_pages(m->paging_file_pages));
}

/*
 * By halves: whether one is granted can only be tried. The highest would leave nothing for page tables, which the memory
 * that is to be locked needs too.
 */
uint64_t working_set_raise(void)
{
	uint64_t low = 0, high = memory_now().frames_total;
	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;
		SIZE_T bytes = middle * PAGE_BYTES;
		if (SetProcessWorkingSetSize(GetCurrentProcess(), bytes, bytes + 64 * PAGE_BYTES))
			low = middle;
		else
			high = middle;
	}
	low -= low / 16;
	SIZE_T bytes = low * PAGE_BYTES;
	return SetProcessWorkingSetSize(GetCurrentProcess(), bytes, bytes + 64 * PAGE_BYTES) ? bytes : 0;
}
