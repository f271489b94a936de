/* Step 6: what is different without a paging file. */
#include "tour.h"

static void without(const struct bs_memory *m)
{
	say_title("Step 6. No paging file: what was different");
	say("All steps did the same as they would with a paging file: sections were shared, memory was promised, "
	    "written and "
	    "read back.");
	statement(m->paging_file_pages == 0 && m->pages_swapped_out == 0 && m->pages_swapped_in == 0,
		  "Since the machine started, %s pages were written to paging files and %s were read.",
		  tool_number(m->pages_swapped_out), tool_number(m->pages_swapped_in));
	statement(m->commit_limit <= m->frames_total,
		  "What can be promised is memory alone: the limit is %s of %s pages.", tool_number(m->commit_limit),
		  tool_number(m->frames_total));
	say("So memory ran out where the limit said so, at a request that a program can handle, and never later. Clean "
	    "pages "
	    "of images and files could still be discarded: %s times so far. To compare: make run SWAP=64M RUN=tour",
	    tool_number(m->pages_discarded));
}

static void with(const struct bs_memory *m)
{
	uint64_t alone = m->commit_limit - m->paging_file_pages;
	say_title("Step 6. What would be different without a paging file");
	statement(m->commit_limit > m->paging_file_pages && alone <= m->frames_total,
		  "The limit would be memory alone: %s instead of %s.", tool_pages(alone), tool_pages(m->commit_limit));
	say("The %s pages that went to the paging file since the machine started (%s came back) would have stayed in "
	    "memory, and "
	    "requests for more would have been refused earlier. Nothing else changes: to see it, make run SWAP=none "
	    "RUN=tour",
	    tool_number(m->pages_swapped_out), tool_number(m->pages_swapped_in));
	statement(m->swap_errors == 0, "The paging file made no errors: %s.", tool_number(m->swap_errors));
}

void step_no_paging_file(void)
{
	struct bs_memory now = memory_now();
	if (tour.paging_file)
		with(&now);
	else
		without(&now);
}
