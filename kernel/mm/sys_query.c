/* System calls that ask about memory. Source: Windows documentation of NtQueryVirtualMemory; abi/backstore.h for our own. */
#include "io/fat_path.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/sys_mm.h"
#include "mm/vspace.h"
#include "options.h"

static u32 query_file_name(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *needed)
{
	struct {
		struct nt_unicode_string head;
		u16 text[FILE_PATH_MAX];
	} *out = kzalloc(sizeof(*out));
	char *path = kmalloc(FILE_PATH_MAX + 16);
	u32 status = STATUS_INSUFFICIENT_RESOURCES;

	if (out && path)
		status = vspace_query_file(v, address, path, FILE_PATH_MAX + 16);
	if (status == STATUS_SUCCESS) {
		int units = utf8_to_utf16(path, strlen(path), out->text, ARRAY_SIZE(out->text) - 1);

		units = MAX(units, 0);
		out->head.length = units * 2;
		out->head.maximum_length = units * 2 + 2;
		out->head.buffer = buffer + sizeof(out->head);
		*needed = sizeof(out->head) + units * 2 + 2;
		if (length < *needed)
			status = STATUS_BUFFER_OVERFLOW;
		else if (!copy_to_user(buffer, out, *needed))
			status = STATUS_ACCESS_VIOLATION;
	}
	kfree(path);
	kfree(out);
	return status;
}

/* NtQueryVirtualMemory(HANDLE process, void *address, class, void *buffer, SIZE_T length, SIZE_T *returned): classes 0 and 2 */
u32 sys_NtQueryVirtualMemory(const u64 *a)
{
	struct nt_memory_basic_information basic;
	struct process *p;
	u64 needed = 0;
	u32 status;

	if ((u32)a[2] != 0 && (u32)a[2] != 2)
		return STATUS_INVALID_INFO_CLASS;
	if ((u32)a[2] == 0 && a[4] < sizeof(basic))
		return STATUS_INFO_LENGTH_MISMATCH;
	status = process_vspace_acquire(a[0], PROCESS_QUERY_LIMITED_INFORMATION, &p);
	if (status)
		return status;
	if ((u32)a[2] == 0) {
		status = vspace_query(p->vspace, a[1], &basic);
		needed = sizeof(basic);
		if (status == STATUS_SUCCESS && !copy_to_user(a[3], &basic, sizeof(basic)))
			status = STATUS_ACCESS_VIOLATION;
	} else {
		status = query_file_name(p->vspace, a[1], a[3], a[4], &needed);
	}
	process_vspace_release(p);
	if (needed && a[5] && !put_user_u64(a[5], needed))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* ---- our own ---- */

/* BsQueryBacking(HANDLE process, void *address, uint64_t pages, struct bs_page *out) */
u32 sys_BsQueryBacking(const u64 *a)
{
	enum { PART = 128 };
	struct bs_page *pages;
	struct process *p;
	u32 status;

	if (a[2] > USER_HIGH >> PAGE_SHIFT)
		return STATUS_INVALID_PARAMETER;
	status = process_vspace_acquire(a[0], PROCESS_QUERY_LIMITED_INFORMATION, &p);
	if (status)
		return status;
	pages = kmalloc(PART * sizeof(*pages));
	if (!pages)
		status = STATUS_INSUFFICIENT_RESOURCES;
	for (u64 done = 0; !status && done < a[2]; done += PART) {
		u64 n = MIN((u64)PART, a[2] - done);

		status = vspace_query_backing(p->vspace, a[1] + done * PAGE_SIZE, n, pages);
		if (!status && !copy_to_user(a[3] + done * sizeof(*pages), pages, n * sizeof(*pages)))
			status = STATUS_ACCESS_VIOLATION;
	}
	kfree(pages);
	process_vspace_release(p);
	return status;
}

/* BsQueryMemory(struct bs_memory *out) */
u32 sys_BsQueryMemory(const u64 *a)
{
	struct bs_memory m;

	mm_query(&m);
	m.processes = process_count();
	m.threads = thread_count();
	m.handles = handle_count_all();
	m.boot_to_user_ns = (process_first_user_tsc - clock_jump_tsc()) / MAX(clock_tsc_hz() / 1000000, 1ull) * 1000;
	return copy_to_user(a[0], &m, sizeof(m)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* BsQueryPagingFile(uint64_t number, struct bs_paging_file *out) */
u32 sys_BsQueryPagingFile(const u64 *a)
{
	struct bs_paging_file f;
	u32 status = swap_query(a[0], &f);

	if (status)
		return status;
	return copy_to_user(a[1], &f, sizeof(f)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* BsCheckMemory(): only where option check= or a debug build allows it, as everybody stands still meanwhile */
u32 sys_BsCheckMemory(const u64 *a)
{
	(void)a;
#ifndef DEBUG
	if (!options.check_call)
		return STATUS_ACCESS_DENIED;
#endif
	return mm_check() ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

u32 sys_BsQueryFrames(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}
