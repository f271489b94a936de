/* System calls that ask about memory. Source: Windows documentation of NtQueryVirtualMemory; abi/backstore.h for ours. */
#include "io/fat_path.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
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

/* Of the answers that are one structure. */
static u32 answer(u64 buffer, const void *data, size_t size, u64 *returned)
{
	*returned = size;
	return copy_to_user(buffer, data, size) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

static u32 query_basic(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	struct nt_memory_basic_information info;
	u32 status = vspace_query(v, address, &info);

	(void)length;
	return status ? status : answer(buffer, &info, sizeof(info), returned);
}

static u32 query_region(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	struct nt_memory_region_information info;
	u32 status = vspace_query_region(v, address, &info);

	/* Older Windows' structure ends before commit_size, or before the fields behind it. */
	return status ? status : answer(buffer, &info, MIN(ALIGN_DOWN(length, 8), sizeof(info)), returned);
}

static u32 query_image(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	struct nt_memory_image_information info;
	u32 status = vspace_query_image(v, address, &info);

	(void)length;
	return status ? status : answer(buffer, &info, sizeof(info), returned);
}

static u32 query_shared_commit(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	u64 bytes = vspace_shared_commit(v);

	(void)address;
	(void)length;
	return answer(buffer, &bytes, sizeof(bytes), returned);
}

/* Long answers are made and copied in pieces of this many bytes. */
#define PIECE 2048u

/* A count, and a quadword for each page. Not room for all: STATUS_INFO_LENGTH_MISMATCH, and only the count. */
static u32 query_working_set(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	u64 room = length / sizeof(u64) - 1, done = 0, at = 0, *entries;
	u32 status = STATUS_SUCCESS, n;

	(void)address;
	if (room < v->resident)
		return put_user_u64(buffer, v->resident) ? STATUS_INFO_LENGTH_MISMATCH : STATUS_ACCESS_VIOLATION;
	entries = kmalloc(PIECE);
	if (!entries)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (!status && (n = vspace_working_set(v, &at, entries, PIECE / sizeof(u64)))) {
		if (n > room - done) /* it has grown meanwhile */
			status = STATUS_INFO_LENGTH_MISMATCH;
		else if (!copy_to_user(buffer + (1 + done) * sizeof(u64), entries, n * sizeof(u64)))
			status = STATUS_ACCESS_VIOLATION;
		done += n;
	}
	kfree(entries);
	if (status == STATUS_INFO_LENGTH_MISMATCH)
		done = MAX(done, v->resident);
	if (status != STATUS_ACCESS_VIOLATION && !put_user_u64(buffer, done))
		status = STATUS_ACCESS_VIOLATION;
	*returned = (1 + done) * sizeof(u64);
	return status;
}

/* An array of addresses, whose attributes are filled in. */
static u32 query_working_set_ex(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned)
{
	struct nt_memory_working_set_ex *entries = kmalloc(PIECE);
	u64 count = length / sizeof(*entries), done = 0;
	u32 status = entries ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;

	(void)address;
	while (!status && done < count) {
		u32 n = MIN(count - done, PIECE / sizeof(*entries));
		u64 at = buffer + done * sizeof(*entries);

		if (!copy_from_user(entries, at, n * sizeof(*entries))) {
			status = STATUS_ACCESS_VIOLATION;
			break;
		}
		vspace_working_set_ex(v, entries, n);
		if (!copy_to_user(at, entries, n * sizeof(*entries)))
			status = STATUS_ACCESS_VIOLATION;
		done += n;
	}
	kfree(entries);
	*returned = done * sizeof(*entries);
	return status;
}

/* NtQueryVirtualMemory(HANDLE process, void *address, class, void *buffer, SIZE_T length, SIZE_T *returned) */
u32 sys_NtQueryVirtualMemory(const u64 *a)
{
	static const struct {
		u32 (*query)(struct vspace *v, u64 address, u64 buffer, u64 length, u64 *returned);
		u32 length, access; /* length: at least */
	} classes[] = {
		[MEMORY_BASIC_INFORMATION_CLASS] = { query_basic, sizeof(struct nt_memory_basic_information), 0 },
		[MEMORY_WORKING_SET_CLASS] = { query_working_set, sizeof(u64), PROCESS_VM_READ },
		[MEMORY_MAPPED_FILENAME_CLASS] = { query_file_name, sizeof(struct nt_unicode_string), 0 },
		[MEMORY_REGION_CLASS] = { query_region, offsetof(struct nt_memory_region_information, commit_size), 0 },
		[MEMORY_WORKING_SET_EX_CLASS] = { query_working_set_ex, sizeof(struct nt_memory_working_set_ex), 0 },
		[MEMORY_SHARED_COMMIT_CLASS] = { query_shared_commit, sizeof(u64), 0 },
		[MEMORY_IMAGE_CLASS] = { query_image, sizeof(struct nt_memory_image_information), 0 },
		[MEMORY_REGION_EX_CLASS] = { query_region, sizeof(struct nt_memory_region_information), 0 },
	};
	u32 class = (u32)a[2], status;
	struct process *p;
	u64 returned = 0;

	if (class >= ARRAY_SIZE(classes))
		return STATUS_INVALID_INFO_CLASS;
	if (a[4] < classes[class].length)
		return STATUS_INFO_LENGTH_MISMATCH;
	if (a[5] && !user_probe(a[5], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_QUERY_INFORMATION | classes[class].access, &p);
	if (status)
		return status;
	status = classes[class].query(p->vspace, a[1], a[3], a[4], &returned);
	process_vspace_release(p);
	if (returned && a[5] && !put_user_u64(a[5], returned))
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

/* BsSetReclaim(uint64_t low, uint64_t high) */
u32 sys_BsSetReclaim(const u64 *a)
{
	if (!reclaim_set(a[0], a[1]))
		return STATUS_INVALID_PARAMETER;
	trimmer_wake(); /* it wakes the writer */
	return STATUS_SUCCESS;
}

/*
 * NtSetSystemInformation(SYSTEM_INFORMATION_CLASS class, void *buffer, ULONG length), of which there is only
 * SystemMemoryListInformation with the commands that make standby pages leave memory, all or those of the lowest priority.
 */
u32 sys_NtSetSystemInformation(const u64 *a)
{
	u32 command;

	if ((u32)a[0] != SYSTEM_MEMORY_LIST_CLASS)
		return STATUS_INVALID_INFO_CLASS;
	if ((u32)a[2] != sizeof(command))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (!copy_from_user(&command, a[1], sizeof(command)))
		return STATUS_ACCESS_VIOLATION;
	if (command != MEMORY_PURGE_STANDBY_LIST && command != MEMORY_PURGE_LOW_PRIORITY_STANDBY_LIST)
		return STATUS_INVALID_PARAMETER;
	frames_purge(command == MEMORY_PURGE_STANDBY_LIST ? PRIORITIES - 1 : PRIORITY_LOWEST);
	return STATUS_SUCCESS;
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

/* BsQueryFrames(uint64_t first, uint64_t count, struct bs_frame *out): entries behind the highest frame stay as they are */
u32 sys_BsQueryFrames(const u64 *a)
{
	u64 end = frame_highest() + 1, count, done = 0;
	u32 status = STATUS_SUCCESS;
	struct bs_frame *piece;

	if (!a[1])
		return STATUS_INVALID_PARAMETER;
	if (a[0] >= end)
		return STATUS_NO_MORE_ENTRIES;
	piece = kmalloc(PIECE);
	if (!piece)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (count = MIN(a[1], end - a[0]); !status && done < count;) {
		u64 n = MIN(count - done, PIECE / sizeof(*piece));

		frames_query(a[0] + done, n, piece);
		if (!copy_to_user(a[2] + done * sizeof(*piece), piece, n * sizeof(*piece)))
			status = STATUS_ACCESS_VIOLATION;
		done += n;
	}
	kfree(piece);
	return status;
}
