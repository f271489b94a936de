/*
 * System calls for time and for the system as a whole. Source: Windows documentation of these calls; abi/backstore.h.
 */
#include "abi/nt_process.h"
#include "io/console.h"
#include "io/fat_path.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "options.h"
#include "proc/file_object.h"
#include "proc/syscall.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define TIMER_RESOLUTION 100000 /* of sleeps: 10 ms in units of 100 ns */

/* NtQueryPerformanceCounter(LARGE_INTEGER *counter, LARGE_INTEGER *frequency): units of 100 ns */
u32 sys_NtQueryPerformanceCounter(const u64 *a)
{
	if (!put_user_u64(a[0], clock_ns() / 100) || (a[1] && !put_user_u64(a[1], TIME_UNITS_PER_SECOND)))
		return STATUS_ACCESS_VIOLATION;
	return STATUS_SUCCESS;
}

/* NtQuerySystemTime(LARGE_INTEGER *time) */
u32 sys_NtQuerySystemTime(const u64 *a)
{
	return put_user_u64(a[0], time_now()) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* NtShutdownSystem(SHUTDOWN_ACTION action): all actions end the machine */
u32 sys_NtShutdownSystem(const u64 *a)
{
	if ((u32)a[0] > 2)
		return STATUS_INVALID_PARAMETER;
	files_end();
	machine_exit(0);
}

/* ---- NtQuerySystemInformation ---- */

static u32 query_basic(const u64 *a)
{
	struct nt_system_basic_information b = {
		.timer_resolution = TIMER_RESOLUTION,
		.page_size = PAGE_SIZE,
		.lowest_page = 1,
		.granularity = GRANULARITY,
		.minimum_address = USER_LOW,
		.maximum_address = USER_HIGH - 1,
		.affinity = (1ull << cpu_count) - 1,
		.processors = (u8)cpu_count,
	};
	struct bs_memory m;

	mm_query(&m);
	b.physical_pages = (u32)MIN(m.frames_total, UINT32_MAX);
	b.highest_page = (u32)m.frame_highest;
	return user_return(a[1], (u32)a[2], a[3], &b, sizeof(b));
}

/* Newer Windows' structure is longer: who asks for it gets it. */
static u32 query_performance(const u64 *a)
{
	struct nt_system_performance_information s = { 0 };
	u32 size = (u32)a[2] < sizeof(s) ? SYSTEM_PERFORMANCE_SIZE : sizeof(s);
	struct bs_memory m;

	if ((u32)a[2] < size)
		return STATUS_INFO_LENGTH_MISMATCH;
	mm_query(&m);
	s.available_pages = (u32)(m.frames_free + m.frames_zeroed + m.frames_standby);
	s.committed_pages = (u32)m.commit_charge;
	s.commit_limit = (u32)m.commit_limit;
	s.peak_commitment = (u32)m.commit_peak;
	s.page_faults = (u32)m.faults;
	s.copy_on_write_faults = (u32)m.faults_cow;
	s.transition_faults = (u32)m.faults_transition;
	s.demand_zero_faults = (u32)m.faults_zero;
	s.pages_read = (u32)(m.pages_swapped_in + m.pages_image_read);
	s.page_reads = (u32)(m.swap_read_requests + m.faults_image_read);
	s.pages_written = (u32)m.pages_swapped_out;
	s.page_writes = (u32)m.swap_write_requests;
	s.nonpaged_pool_pages = (u32)m.pool_pages;
	s.resident_available_pages = (i64)(m.frames_free + m.frames_zeroed + m.frames_standby + m.frames_active);
	s.shared_committed_pages = m.commit_sections;
	return user_return(a[1], size, a[3], &s, size);
}

static void process_entry(struct process *p, struct nt_system_process *e)
{
	struct bs_process b;

	process_query(p, &b);
	memset(e, 0, sizeof(*e));
	process_memory_query(p, &e->memory);
	e->private_working_set = e->memory.working_set;
	e->thread_peak = b.threads;
	e->kernel_time = b.cpu_ns / 100; /* user and kernel time are not told apart */
	e->base_priority = 8;
	e->id = p->id;
	e->parent_id = p->parent_id;
	e->handle_count = b.handles;
}

/* One entry for each thread, at most max. Returns how many there are. */
static u32 thread_entries(struct process *p, struct nt_system_thread *e, u32 max)
{
	struct user_thread *t;
	u32 n = 0;

	mutex_lock(&p->lock);
	list_for_each(&p->threads, t, process_link) {
		if (n < max) {
			memset(&e[n], 0, sizeof(e[n]));
			e[n].kernel_time = thread_cpu_ns(&t->thread) / 100;
			e[n].start_address = t->start;
			e[n].client_id = (struct nt_client_id){ p->id, t->thread.id };
			e[n].priority = e[n].base_priority = 8;
			e[n].state = t->thread.state == THREAD_RUNNING ? 2 : t->thread.state == THREAD_READY ? 1 : 5;
		}
		n++;
	}
	mutex_unlock(&p->lock);
	return n;
}

/*
 * The entry of p, its threads and its name, as they lie at user address at, in the 64 KiB at buffer: so more threads
 * than fit there are left out. Returns the bytes, a multiple of 8.
 */
static u32 process_record(struct process *p, u64 at, u8 *buffer)
{
	struct nt_system_process *e = (struct nt_system_process *)buffer;
	u32 name_max = sizeof(p->name) * sizeof(u16);
	u32 threads_max = (u32)(KMALLOC_MAX - sizeof(*e) - name_max) / sizeof(struct nt_system_thread);
	u32 size;
	int units;

	process_entry(p, e);
	e->thread_count = MIN(thread_entries(p, (struct nt_system_thread *)(e + 1), threads_max), threads_max);
	size = (u32)(sizeof(*e) + e->thread_count * sizeof(struct nt_system_thread));
	memset(buffer + size, 0, name_max);
	units = utf8_to_utf16(p->name, strlen(p->name), (u16 *)(buffer + size), sizeof(p->name) - 1);
	if (units > 0)
		e->name = (struct nt_unicode_string){
			.length = (u16)(units * 2),
			.maximum_length = (u16)(units * 2 + 2),
			.buffer = at + size,
		};
	return (u32)ALIGN_UP(size + MAX(units, 0) * 2 + 2, 8);
}

static u32 query_processes(const u64 *a)
{
	u8 *record = kmalloc(KMALLOC_MAX);
	u64 length = (u32)a[2], total = 0, previous = 0;
	u32 status = STATUS_SUCCESS, size;
	struct process *p = NULL;

	if (!record)
		return STATUS_INSUFFICIENT_RESOURCES;
	while ((p = process_next(p))) {
		size = process_record(p, a[1] + total, record);
		if (total + size > length) {
			status = STATUS_INFO_LENGTH_MISMATCH; /* goes on: the caller wants to know the whole length */
		} else if (!copy_to_user(a[1] + total, record, size) ||
			   (total && !put_user_u32(a[1] + previous, (u32)(total - previous)))) {
			status = STATUS_ACCESS_VIOLATION;
			object_unref(&p->object);
			break;
		}
		previous = total;
		total += size;
	}
	kfree(record);
	if (status != STATUS_ACCESS_VIOLATION && a[3] && !put_user_u32(a[3], (u32)total))
		status = STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS class, void *buffer, ULONG size, ULONG *returned) */
u32 sys_NtQuerySystemInformation(const u64 *a)
{
	switch ((u32)a[0]) {
	case 0: /* SystemBasicInformation */
		return query_basic(a);
	case 2: /* SystemPerformanceInformation */
		return query_performance(a);
	case 5: /* SystemProcessInformation */
		return query_processes(a);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

/* ---- options ---- */

/* False: there is no such option. */
static bool option_text(const char *name, char *text, size_t size)
{
	if (!strcmp(name, "swap"))
		mm_options_describe_swap(text, size);
	else if (!strcmp(name, "commit"))
		strlcpy(text, commit_policy_names[options.commit], size);
	else if (!strcmp(name, "mem"))
		ksnprintf(text, size, "%lu", options.memory_limit);
	else if (!strcmp(name, "run"))
		strlcpy(text, options.run[0] ? options.run : "sh", size);
	else if (!strcmp(name, "check"))
		strlcpy(text, options.check_exit ? "exit" : options.check_call ? "call" : "off", size);
	else if (!strcmp(name, "aslr"))
		strlcpy(text, options.aslr ? "on" : "off", size);
	else if (!strcmp(name, "replace"))
		strlcpy(text, replace_policy_names[options.replace], size);
	else if (!strcmp(name, "cpus"))
		ksnprintf(text, size, "%u", cpu_count);
	else if (!strcmp(name, "script"))
		strlcpy(text, console_is_script() ? "1" : "0", size);
	else if (!strcmp(name, "build"))
#ifdef DEBUG
		strlcpy(text, "debug", size);
#else
		strlcpy(text, "release", size);
#endif
	else
		return false;
	return true;
}

/* BsQueryOption(const char *name, char *value, uint64_t size): the value with its 0 */
u32 sys_BsQueryOption(const u64 *a)
{
	char name[16], text[sizeof(options.run)];
	size_t size;

	if (!copy_string_from_user(name, a[0], sizeof(name)))
		return STATUS_INVALID_PARAMETER;
	if (!option_text(name, text, sizeof(text)))
		return STATUS_OBJECT_NAME_NOT_FOUND;
	size = strlen(text) + 1;
	if (size > a[2])
		return STATUS_BUFFER_TOO_SMALL;
	return copy_to_user(a[1], text, size) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
