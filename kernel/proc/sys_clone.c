/* The clone of a process. Source: abi/backstore.h; Windows documentation of processes has no fork, its native interface does. */
#include "proc/syscall.h"

u32 sys_BsCloneProcess(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}
