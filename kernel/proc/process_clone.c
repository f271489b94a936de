/*
 * The copy of a process: its memory by copy-on-write (mm/clone.c), its handles if that is asked for, and of its threads the
 * one that asks. As with a new process, nobody knows it before it is complete.
 */
#include "lib/debug.h"
#include "lib/string.h"
#include "proc/thread.h"

static struct process *process_alike(struct process *parent)
{
	struct process *p = process_alloc();

	if (!p)
		return NULL;
	p->parent_id = parent->id;
	strlcpy(p->name, parent->name, sizeof(p->name));
	p->peb = parent->peb;
	p->ntdll_base = parent->ntdll_base;
	p->image = parent->image;
	section_ref(p->image);
	return p;
}

u32 process_clone(u32 flags, struct process **out, struct user_thread **thread)
{
	struct process *parent = process_current(), *p = process_alike(parent);
	u32 status = STATUS_SUCCESS;

	if (!p)
		return STATUS_INSUFFICIENT_RESOURCES;
	p->vspace = vspace_create(p->id);
	if (!p->vspace)
		status = STATUS_COMMITMENT_LIMIT;
	if (!status)
		status = vspace_clone(parent->vspace, p->vspace);
	if (!status && flags & BS_CLONE_INHERIT_HANDLES)
		status = handle_inherit(parent, p, true, NULL, 0);
	if (!status)
		status = user_thread_clone(p, STATUS_PROCESS_CLONED, flags & BS_CLONE_SUSPENDED, thread);
	return process_complete(p, status, out);
}
