/* System calls for processes. Source: Windows documentation of these calls; abi/backstore.h for our own. */
#include "abi/nt_process.h"
#include "io/fat_path.h"
#include "lib/string.h"
#include "proc/file_object.h"
#include "proc/syscall.h"
#include "proc/thread.h"

#define BASE_PRIORITY_NORMAL 8
#define PROCESS_QUOTA_LIMITS 1
#define PROCESS_PAGE_PRIORITY 39
#define PROCESS_SET_INFORMATION_ 0x0200u

/* ---- creation and end ---- */

static u32 image_open(const struct bs_create_process *in, struct file **out)
{
	char nt_path[FILE_PATH_MAX];
	const char *path;
	bool console;
	u32 status = user_utf16(in->image_path, in->image_path_bytes, nt_path, sizeof(nt_path));

	if (!status)
		status = file_path_translate(nt_path, &path, &console);
	if (!status && console)
		status = STATUS_OBJECT_NAME_NOT_FOUND;
	if (!status)
		status = file_status_nt(file_open(path, out));
	if (status)
		return status;
	status = file_status_nt(file_run_check(*out));
	if (status)
		file_unref(*out);
	return status;
}

/* Handles and ids for the creator. Nothing remains if that fails. */
static u32 hand_over(struct process *p, struct user_thread *t, u64 to_process, u64 to_thread, u64 to_ids)
{
	u32 ids[2] = { p->id, t->thread.id };
	u64 process, thread;
	u32 status = handle_create(process_current(), &p->object, MAXIMUM_ALLOWED_ACCESS, 0, &process);

	if (status)
		return status;
	status = handle_create(process_current(), &t->object, MAXIMUM_ALLOWED_ACCESS, 0, &thread);
	if (!status && !(put_user_u64(to_process, process) && put_user_u64(to_thread, thread) &&
			 copy_to_user(to_ids, ids, sizeof(ids)))) {
		handle_close(process_current(), thread);
		status = STATUS_ACCESS_VIOLATION;
	}
	if (status)
		handle_close(process_current(), process);
	return status;
}

u32 process_launch(struct process *p, struct user_thread *t, u64 to_process, u64 to_thread, u64 to_ids)
{
	u32 status = hand_over(p, t, to_process, to_thread, to_ids);

	if (status)
		process_terminate(p, status);
	thread_start(&t->thread); /* in any case: a process that nobody got ends in its first thread */
	object_unref(&t->object);
	object_unref(&p->object);
	return status;
}

/* BsCreateProcess(struct bs_create_process *in, HANDLE *process, HANDLE *thread) */
u32 sys_BsCreateProcess(const u64 *a)
{
	struct bs_create_process in;
	struct process_start s;
	struct user_thread *t;
	struct process *p;
	u32 status;

	if (!copy_from_user(&in, a[0], sizeof(in)) ||
	    !user_probe(a[1], sizeof(u64)) || !user_probe(a[2], sizeof(u64)) ||
	    !user_probe(a[0] + offsetof(struct bs_create_process, process_id), 2 * sizeof(u32)))
		return STATUS_ACCESS_VIOLATION;
	if (in.flags & ~(BS_PROCESS_INHERIT_HANDLES | BS_PROCESS_SUSPENDED | BS_PROCESS_USE_HANDLES))
		return STATUS_INVALID_PARAMETER;
	s = (struct process_start){
		.parent = process_current(),
		.command_line = { in.command_line, in.command_line_bytes },
		.current_directory = { in.current_directory, in.current_directory_bytes },
		.environment = { in.environment, in.environment_bytes },
		.standard = { in.standard_input, in.standard_output, in.standard_error },
		.inherit = in.flags & BS_PROCESS_INHERIT_HANDLES,
		.suspended = in.flags & BS_PROCESS_SUSPENDED,
		.use_handles = in.flags & BS_PROCESS_USE_HANDLES,
	};
	status = image_open(&in, &s.image);
	if (status)
		return status;
	status = process_create(&s, &p, &t);
	file_unref(s.image);
	if (status)
		return status;
	return process_launch(p, t, a[1], a[2], a[0] + offsetof(struct bs_create_process, process_id));
}

/* NtOpenProcess(HANDLE *process, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, CLIENT_ID *id) */
u32 sys_NtOpenProcess(const u64 *a)
{
	struct nt_client_id id;
	struct process *p;
	u32 attributes, status;
	char name[4];

	if (!user_probe(a[0], sizeof(u64)) || !copy_from_user(&id, a[3], sizeof(id)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	if (name[0])
		return STATUS_INVALID_PARAMETER_MIX;
	p = id.process == (u32)id.process ? process_by_id((u32)id.process) : NULL;
	if (!p)
		return STATUS_INVALID_CID;
	status = handle_create_for_user(&p->object, (u32)a[1], attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, a[0]);
	object_unref(&p->object);
	return status;
}

/* All threads of the current process but the current one. */
static void terminate_others(u32 status)
{
	struct process *p = process_current();
	struct user_thread *t;

	mutex_lock(&p->lock);
	list_for_each(&p->threads, t, process_link) {
		if (t == user_thread_current())
			continue;
		if (!t->exit_set && !p->ending) {
			t->exit_set = true;
			t->exit_status = status;
		}
		thread_set_ending(&t->thread);
	}
	mutex_unlock(&p->lock);
}

/* NtTerminateProcess(HANDLE process, NTSTATUS status): 0 = all threads of this process but the caller */
u32 sys_NtTerminateProcess(const u64 *a)
{
	struct object *o;
	struct process *p;
	u32 status;
	bool gone;

	if (!a[0]) {
		terminate_others((u32)a[1]);
		return STATUS_SUCCESS;
	}
	status = handle_lookup(process_current(), a[0], &process_type, PROCESS_TERMINATE, &o);
	if (status)
		return status;
	p = container_of(o, struct process, object);
	gone = p->ended;
	process_terminate(p, (u32)a[1]);
	object_unref(o);
	return gone ? STATUS_PROCESS_IS_TERMINATING : STATUS_SUCCESS; /* the current process goes on to its end */
}

/* ---- queries ---- */

/* PROCESS_QUERY_INFORMATION includes the right to the limited part of it. */
static u32 query_lookup(u64 handle, struct process **p)
{
	struct object *o;
	u32 status = handle_lookup(process_current(), handle, &process_type, PROCESS_QUERY_LIMITED_INFORMATION, &o);

	if (status == STATUS_ACCESS_DENIED)
		status = handle_lookup(process_current(), handle, &process_type, PROCESS_QUERY_INFORMATION, &o);
	if (!status)
		*p = container_of(o, struct process, object);
	return status;
}

static u64 virtual_size(struct vspace *v)
{
	struct tree_node *n;
	u64 size = 0;

	mutex_lock(&v->lock);
	for (n = tree_first(&v->views); n; n = tree_next(n))
		size += n->end - n->start;
	mutex_unlock(&v->lock);
	return size;
}

void process_memory_query(struct process *p, struct nt_vm_counters *out)
{
	struct bs_process b;

	process_query(p, &b);
	memset(out, 0, sizeof(*out));
	if (process_vspace_enter(p)) {
		out->virtual_size = out->peak_virtual_size = virtual_size(p->vspace);
		process_vspace_leave(p);
	}
	out->page_faults = (u32)b.faults;
	out->working_set = b.working_set * PAGE_SIZE;
	out->peak_working_set = b.working_set_peak * PAGE_SIZE;
	out->pagefile_usage = out->peak_pagefile_usage = out->private_usage = b.private_commit * PAGE_SIZE;
}

static u32 query_basic(struct process *p, const u64 *a)
{
	struct nt_process_basic_information b = {
		.exit_status = p->ended ? p->exit_status : STATUS_PENDING,
		.peb = p->peb,
		.affinity = (1ull << cpu_count) - 1,
		.base_priority = BASE_PRIORITY_NORMAL,
		.id = p->id,
		.parent_id = p->parent_id,
	};

	return user_return(a[2], (u32)a[3], a[4], &b, sizeof(b));
}

static u32 query_memory(struct process *p, const u64 *a)
{
	struct nt_vm_counters c;

	process_memory_query(p, &c);
	return user_return(a[2], (u32)a[3], a[4], &c, (u32)a[3] == VM_COUNTERS_SIZE ? VM_COUNTERS_SIZE : sizeof(c));
}

/* QUOTA_LIMITS, or QUOTA_LIMITS_EX, as the size says. There are no quotas but the working set's. */
static u32 query_quota(struct process *p, const u64 *a)
{
	struct nt_quota_limits_ex q = { .limits = { ~0ull, ~0ull, 0, 0, ~0ull, ~0ull } };
	u32 flags;

	if (!process_vspace_enter(p))
		return STATUS_PROCESS_IS_TERMINATING;
	q.limits.minimum_working_set = p->vspace->working_set_min * PAGE_SIZE;
	q.limits.maximum_working_set = p->vspace->working_set_max * PAGE_SIZE;
	flags = p->vspace->working_set_flags;
	process_vspace_leave(p);
	q.flags = flags;
	if (!(flags & QUOTA_LIMITS_HARDWS_MIN_ENABLE))
		q.flags |= QUOTA_LIMITS_HARDWS_MIN_DISABLE;
	if (!(flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE))
		q.flags |= QUOTA_LIMITS_HARDWS_MAX_DISABLE;
	return user_return(a[2], (u32)a[3], a[4], &q, (u32)a[3] == sizeof(q.limits) ? sizeof(q.limits) : sizeof(q));
}

/* A UNICODE_STRING and behind it the path of the program, with prefix before the volume's path. */
static u32 query_path(struct process *p, const u64 *a, const char *prefix)
{
	struct {
		struct nt_unicode_string string;
		u16 text[FILE_PATH_MAX + 8];
	} out;
	char path[FILE_PATH_MAX + 8], name[FILE_FULL_PATH_MAX];
	u32 size;
	int units;

	if (!process_vspace_enter(p)) /* the image goes with the address space */
		return STATUS_PROCESS_IS_TERMINATING;
	file_path(section_file(p->image), name);
	ksnprintf(path, sizeof(path), "%s%s", prefix, name);
	process_vspace_leave(p);
	units = utf8_to_utf16(path, strlen(path), out.text, ARRAY_SIZE(out.text) - 1);
	if (units < 0)
		return STATUS_OBJECT_NAME_INVALID;
	out.text[units] = 0;
	out.string = (struct nt_unicode_string){ .length = (u16)(units * 2), .maximum_length = (u16)(units * 2 + 2),
						 .buffer = a[2] + sizeof(out.string) };
	size = (u32)sizeof(out.string) + (u32)units * 2 + 2;
	return user_return(a[2], MIN((u32)a[3], size), a[4], &out, size);
}

static u32 query_handles(struct process *p, const u64 *a)
{
	u32 n = p->handle_used;

	return user_return(a[2], (u32)a[3], a[4], &n, sizeof(n));
}

/* The drives' letters. All but the system volume can be taken out. Source: struct PROCESS_DEVICEMAP_INFORMATION (ntddk.h). */
static u32 query_device_map(const u64 *a)
{
	struct {
		u32 letters;
		u8 types[32];
	} out = { .letters = volume_letters() };

	for (u32 i = 0; i < 26; i++)
		if (out.letters & 1u << i)
			out.types[i] = 'A' + i == VOLUME_LETTER_FIRST ? DRIVE_FIXED_ : DRIVE_REMOVABLE_;
	return user_return(a[2], (u32)a[3], a[4], &out, sizeof(out));
}

static u32 query_page_priority(struct process *p, const u64 *a)
{
	u32 priority;

	if (!process_vspace_enter(p))
		return STATUS_PROCESS_IS_TERMINATING;
	priority = p->vspace->page_priority;
	process_vspace_leave(p);
	return user_return(a[2], (u32)a[3], a[4], &priority, sizeof(priority));
}

/* NtQueryInformationProcess(HANDLE process, PROCESSINFOCLASS class, void *buffer, ULONG size, ULONG *returned) */
u32 sys_NtQueryInformationProcess(const u64 *a)
{
	struct process *p;
	u32 status = query_lookup(a[0], &p);

	if (status)
		return status;
	switch ((u32)a[1]) {
	case 0: /* ProcessBasicInformation */
		status = query_basic(p, a);
		break;
	case PROCESS_QUOTA_LIMITS:
		status = query_quota(p, a);
		break;
	case 3: /* ProcessVmCounters */
		status = query_memory(p, a);
		break;
	case 20: /* ProcessHandleCount */
		status = query_handles(p, a);
		break;
	case 27: /* ProcessImageFileName */
		status = query_path(p, a, "\\??\\");
		break;
	case 23: /* ProcessDeviceMap */
		status = query_device_map(a);
		break;
	case PROCESS_PAGE_PRIORITY:
		status = query_page_priority(p, a);
		break;
	case 43: /* ProcessImageFileNameWin32 */
		status = query_path(p, a, "");
		break;
	default:
		status = STATUS_INVALID_INFO_CLASS;
		break;
	}
	object_unref(&p->object);
	return status;
}

/* Both sizes ~0 empty the working set, as SetProcessWorkingSetSize documents it; else they are its limits, in bytes. */
static u32 set_working_set(struct vspace *v, const struct nt_quota_limits_ex *q)
{
	u64 min = q->limits.minimum_working_set, max = q->limits.maximum_working_set;

	if (min == ~0ull && max == ~0ull) {
		vspace_empty(v);
		return STATUS_SUCCESS;
	}
	if (!min || !max)
		return STATUS_INVALID_PARAMETER;
	return vspace_working_set_limit(v, DIV_UP(min, PAGE_SIZE), max / PAGE_SIZE, q->flags);
}

static u32 set_quota(const u64 *a)
{
	struct nt_quota_limits_ex q = { 0 };
	u32 size = (u32)a[3], status;
	struct process *p;

	if (size != sizeof(q) && size != sizeof(q.limits))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (!copy_from_user(&q, a[2], size))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_SET_QUOTA, &p);
	if (status)
		return status;
	status = set_working_set(p->vspace, &q);
	process_vspace_release(p);
	return status;
}

u32 page_priority_from_user(u64 at, u32 size, u8 *priority)
{
	u32 value;

	if (size != sizeof(value))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (!copy_from_user(&value, at, sizeof(value)))
		return STATUS_ACCESS_VIOLATION;
	if (value < MEMORY_PRIORITY_VERY_LOW || value > MEMORY_PRIORITY_NORMAL)
		return STATUS_INVALID_PARAMETER;
	*priority = (u8)value;
	return STATUS_SUCCESS;
}

static u32 set_page_priority(const u64 *a)
{
	struct process *p;
	u8 priority;
	u32 status = page_priority_from_user(a[2], (u32)a[3], &priority);

	if (!status)
		status = process_vspace_acquire(a[0], PROCESS_SET_INFORMATION_, &p);
	if (status)
		return status;
	p->vspace->page_priority = priority;
	process_vspace_release(p);
	return STATUS_SUCCESS;
}

/*
 * NtSetInformationProcess(HANDLE process, PROCESSINFOCLASS class, void *buffer, ULONG size): ProcessQuotaLimits (1), of
 * which the working-set limits are the only ones that exist; ProcessPagePriority (39), 1 to 5.
 */
u32 sys_NtSetInformationProcess(const u64 *a)
{
	switch ((u32)a[1]) {
	case PROCESS_QUOTA_LIMITS:
		return set_quota(a);
	case PROCESS_PAGE_PRIORITY:
		return set_page_priority(a);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

/* BsQueryProcess(uint64_t index, struct bs_process *out) */
u32 sys_BsQueryProcess(const u64 *a)
{
	struct bs_process out;
	struct process *p = process_next(NULL);
	u64 i;

	for (i = 0; p && i < a[0]; i++)
		p = process_next(p);
	if (!p)
		return STATUS_NO_MORE_ENTRIES;
	process_query(p, &out);
	object_unref(&p->object);
	return copy_to_user(a[1], &out, sizeof(out)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
