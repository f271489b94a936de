/* The clone of a process. Source: abi/backstore.h; Windows documents no fork, but its native interface has one. */
#include "proc/syscall.h"
#include "proc/thread.h"

/* BsCloneProcess(uint32_t flags, HANDLE *process, HANDLE *thread, uint32_t ids[2]) */
u32 sys_BsCloneProcess(const u64 *a)
{
	struct user_thread *t;
	struct process *p;
	u32 status;

	if ((u32)a[0] & ~(BS_CLONE_SUSPENDED | BS_CLONE_INHERIT_HANDLES))
		return STATUS_INVALID_PARAMETER;
	if (!user_probe(a[1], sizeof(u64)) || !user_probe(a[2], sizeof(u64)) || !user_probe(a[3], 2 * sizeof(u32)))
		return STATUS_ACCESS_VIOLATION;
	status = process_clone((u32)a[0], &p, &t);
	return status ? status : process_launch(p, t, a[1], a[2], a[3]);
}
