/* System calls for threads. Source: Windows documentation of these calls. */
#include "abi/nt_process.h"
#include "proc/syscall.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define PROCESS_CREATE_THREAD_ 0x0002u
#define THREAD_TERMINATE_ 0x0001u
#define THREAD_SUSPEND_RESUME_ 0x0002u
#define THREAD_QUERY_INFORMATION_ 0x0040u
#define THREAD_QUERY_LIMITED_INFORMATION_ 0x0800u
#define THREAD_SET_INFORMATION_ 0x0020u
#define THREAD_SET_LIMITED_INFORMATION_ 0x0400u
#define THREAD_PAGE_PRIORITY 24
#define CREATE_SUSPENDED_ 1u

static u32 thread_lookup(u64 handle, u32 access, struct user_thread **t)
{
	struct object *o;
	u32 status = handle_lookup(process_current(), handle, &thread_type, access, &o);

	if (!status)
		*t = user_thread_from(o);
	return status;
}

/*
 * NtCreateThreadEx(HANDLE *thread, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, HANDLE process, void *start,
 * void *parameter, ULONG flags, SIZE_T zero_bits, SIZE_T stack_commit, SIZE_T stack_reserve, void *attribute_list).
 * flags: 1 = suspended; zero_bits and attribute_list must be 0.
 */
u32 sys_NtCreateThreadEx(const u64 *a)
{
	struct user_thread *t;
	struct process *p;
	char name[4];
	u32 attributes, status;

	if (!user_probe(a[0], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	if (name[0] || (u32)a[6] & ~CREATE_SUSPENDED_)
		return STATUS_INVALID_PARAMETER;
	if (a[7] || a[10])
		return STATUS_NOT_SUPPORTED;
	status = process_vspace_acquire(a[3], PROCESS_CREATE_THREAD_, &p);
	if (status)
		return status;
	status = user_thread_create(p, a[4], a[5], a[8], a[9], (u32)a[6] & CREATE_SUSPENDED_, &t);
	process_vspace_release(p);
	if (status)
		return status;
	status = handle_create_for_user(&t->object, (u32)a[1], attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, a[0]);
	if (status)
		user_thread_terminate(t, status);
	thread_start(&t->thread); /* in any case: a thread that nobody got ends at once */
	object_unref(&t->object);
	return status;
}

/* NtTerminateThread(HANDLE thread, NTSTATUS status): 0 = the current one, which goes on to its end on the way out */
u32 sys_NtTerminateThread(const u64 *a)
{
	struct user_thread *t;
	u32 status = thread_lookup(a[0] ? a[0] : NT_CURRENT_THREAD, THREAD_TERMINATE_, &t);

	if (status)
		return status;
	user_thread_terminate(t, (u32)a[1]);
	object_unref(&t->object);
	return STATUS_SUCCESS;
}

/* NtResumeThread(HANDLE thread, ULONG *previous) */
u32 sys_NtResumeThread(const u64 *a)
{
	struct user_thread *t;
	u32 status, before;

	if (a[1] && !user_probe(a[1], sizeof(u32)))
		return STATUS_ACCESS_VIOLATION;
	status = thread_lookup(a[0], THREAD_SUSPEND_RESUME_, &t);
	if (status)
		return status;
	before = user_thread_resume(t);
	object_unref(&t->object);
	return a[1] && !put_user_u32(a[1], before) ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
}

/*
 * NtQueryInformationThread(HANDLE thread, class, void *buffer, ULONG size, ULONG *returned): ThreadBasicInformation (0),
 * ThreadPagePriority (24)
 */
u32 sys_NtQueryInformationThread(const u64 *a)
{
	struct nt_thread_basic_information b = {
		.affinity = (1ull << cpu_count) - 1,
		.priority = 8,
		.base_priority = 8,
	};
	struct user_thread *t;
	u32 status = thread_lookup(a[0], THREAD_QUERY_LIMITED_INFORMATION_, &t);

	if (status == STATUS_ACCESS_DENIED)
		status = thread_lookup(a[0], THREAD_QUERY_INFORMATION_, &t);
	if (status)
		return status;
	if ((u32)a[1] == 0) {
		b.exit_status = t->object.signaled ? t->exit_status : STATUS_PENDING;
		b.teb = t->teb;
		b.client_id = (struct nt_client_id){ t->thread.process->id, t->thread.id };
		status = user_return(a[2], (u32)a[3], a[4], &b, sizeof(b));
	} else if ((u32)a[1] == THREAD_PAGE_PRIORITY) {
		u32 priority = t->thread.page_priority;

		status = user_return(a[2], (u32)a[3], a[4], &priority, sizeof(priority));
	} else {
		status = STATUS_INVALID_INFO_CLASS;
	}
	object_unref(&t->object);
	return status;
}

/* NtSetInformationThread(HANDLE thread, class, void *buffer, ULONG size): ThreadPagePriority (24), 1 to 5 */
u32 sys_NtSetInformationThread(const u64 *a)
{
	struct user_thread *t;
	u8 priority;
	u32 status;

	if ((u32)a[1] != THREAD_PAGE_PRIORITY)
		return STATUS_INVALID_INFO_CLASS;
	status = page_priority_from_user(a[2], (u32)a[3], &priority);
	if (status)
		return status;
	status = thread_lookup(a[0], THREAD_SET_LIMITED_INFORMATION_, &t);
	if (status == STATUS_ACCESS_DENIED)
		status = thread_lookup(a[0], THREAD_SET_INFORMATION_, &t);
	if (status)
		return status;
	t->thread.page_priority = priority;
	object_unref(&t->object);
	return STATUS_SUCCESS;
}

/* NtDelayExecution(BOOLEAN alertable, LARGE_INTEGER *interval) */
u32 sys_NtDelayExecution(const u64 *a)
{
	u64 deadline;

	if (!a[1] || !timeout_from_user(a[1], &deadline))
		return STATUS_ACCESS_VIOLATION;
	if (clock_ns() >= deadline)
		yield();
	else
		sleep_until(deadline);
	return STATUS_SUCCESS;
}

/* NtYieldExecution() */
u32 sys_NtYieldExecution(const u64 *a)
{
	(void)a;
	yield();
	return STATUS_SUCCESS;
}
