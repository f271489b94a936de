/*
 * commit=overcommit refuses nothing; so memory may run out. So it may when a paging file fails, with what was promised on
 * the strength of its slots. Then the process with the most memory is ended, private or in its
 * working set, whichever is more. Victim and reason are printed; everybody else goes on.
 */
#include "mm/event.h"
#include "mm/reclaim.h"
#include "mm/vspace.h"
#include "proc/process.h"

void victim_kill(void)
{
	static u32 last; /* one trimmer */
	struct process *p;
	struct vspace *v;
	u64 most = 0;
	u32 id = 0;

	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link) {
		if (v->process_id == last) {
			id = last; /* still on its way out: its memory is coming */
			break;
		}
		if (MAX(v->private_charge, v->resident) + v->physical > most) {
			most = MAX(v->private_charge, v->resident) + v->physical;
			id = v->process_id;
		}
	}
	mutex_unlock(&vspaces_lock);
	if (!id || id == last)
		return;
	p = process_by_id(id);
	if (!p)
		return;
	last = id;
	kprintf("backstore: out of memory: process %u (%s) is ended: it has the most memory, %llu KiB (%s)\n",
		id, p->name, (unsigned long long)most * 4,
		commit_totals.overcommit ? "commit=overcommit; memory and paging files are full"
					 : "the paging file failed, and memory is full");
	event(BS_EVENT_KILL, .process = id, .count = (u32)most);
	process_terminate(p, STATUS_NO_MEMORY);
	object_unref(&p->object);
}
