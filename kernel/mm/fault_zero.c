/* Demand zero: the first touch of committed memory. The frame comes zeroed, by an idle CPU if one had time. */
#include "mm/event.h"
#include "mm/vspace.h"

HOT enum fault_result fault_zero(struct fault *f)
{
	u32 pfn = frame_alloc(FRAME_FOR_USER, true);
	struct frame *frame = &frames[pfn];

	if (unlikely(!pfn))
		return FAULT_WAIT_MEMORY;
	frame->word = f->word;
	frame->backing = word_zero(0); /* discarded before it was written, it is demand zero again */
	frame->shares = 1;
	frame->state = FRAME_ACTIVE;
	fault_map(f, pfn, f->prot & ~PROT_COPY, false, f->access & FAULT_WRITE);
	cpu_count(FAULTS_ZERO, 1);
	event(BS_EVENT_ZERO, FAULT_FIELDS(f));
	return FAULT_RESOLVED;
}
