/* System calls for memory: arguments in, statuses out; the work is done by the functions of mm.h. Source: Windows documentation of these calls. */
#include "io/fat_path.h"
#include "io/file.h"
#include "image/pe.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/vspace.h"
#include "options.h"
#include "proc/file_object.h"
#include "proc/process.h"
#include "proc/syscall.h"

#define NAME_BYTES 512
#define FILE_EXECUTE_ 0x20u

/* A pointer and a size in user memory, as many calls take and give them. */
struct range {
	u64 base, size;
};

static bool get_range(u64 base_at, u64 size_at, struct range *r)
{
	return get_user_u64(base_at, &r->base) && get_user_u64(size_at, &r->size) && user_probe(base_at, 8) &&
	       user_probe(size_at, 8);
}

static bool put_range(u64 base_at, u64 size_at, const struct range *r)
{
	return put_user_u64(base_at, r->base) && put_user_u64(size_at, r->size);
}

/* The highest address that zero_bits allows: a count of high bits of 32, or a mask; 0 = any. False: no such value. */
static bool highest_from_zero_bits(u64 zero_bits, u64 *highest)
{
	*highest = 0;
	if (!zero_bits)
		return true;
	if (zero_bits >= 1ull << 47)
		return false;
	if (zero_bits > 32)
		*highest = 1ull << (64 - __builtin_clzll(zero_bits)); /* all bits under the mask's highest one */
	else if (zero_bits <= 21)
		*highest = 1ull << (32 - zero_bits);
	return *highest != 0;
}

/* NtAllocateVirtualMemory(HANDLE process, void **base, ULONG_PTR zero_bits, SIZE_T *size, ULONG type, ULONG protect) */
u32 sys_NtAllocateVirtualMemory(const u64 *a)
{
	struct process *p;
	struct range r;
	u64 highest;
	u32 status;

	if (!highest_from_zero_bits(a[2], &highest))
		return STATUS_INVALID_PARAMETER_3;
	if (!get_range(a[1], a[3], &r))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_allocate(p->vspace, &r.base, &r.size, highest, (u32)a[4], (u32)a[5]);
	process_vspace_release(p);
	if (status == STATUS_SUCCESS && !put_range(a[1], a[3], &r))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtFreeVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG type) */
u32 sys_NtFreeVirtualMemory(const u64 *a)
{
	struct process *p;
	struct range r;
	u32 status;

	if (!get_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_free(p->vspace, &r.base, &r.size, (u32)a[3]);
	process_vspace_release(p);
	/* The variables may have been in what was freed: that is the caller's affair. */
	if (status == STATUS_SUCCESS)
		put_range(a[1], a[2], &r);
	return status;
}

/* NtProtectVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG protect, ULONG *old) */
u32 sys_NtProtectVirtualMemory(const u64 *a)
{
	struct process *p;
	struct range r;
	u32 status, old = 0;

	if (!get_range(a[1], a[2], &r) || !user_probe(a[4], 4))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_protect(p->vspace, &r.base, &r.size, (u32)a[3], &old);
	process_vspace_release(p);
	if (status == STATUS_SUCCESS) {
		put_range(a[1], a[2], &r);
		put_user_u32(a[4], old);
	}
	return status;
}

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

/* Between another process's memory and the caller's, in pieces through kernel memory. */
static u32 copy_memory(const u64 *a, bool write)
{
	u64 done = 0, n = a[3];
	struct process *p;
	char *piece;
	u32 status = process_vspace_acquire(a[0], write ? PROCESS_VM_WRITE | PROCESS_VM_OPERATION : PROCESS_VM_READ, &p);

	if (status)
		return status;
	piece = kmalloc(PAGE_SIZE);
	if (!piece)
		status = STATUS_INSUFFICIENT_RESOURCES;
	while (status == STATUS_SUCCESS && done < n) {
		size_t part = MIN(n - done, PAGE_SIZE), moved = 0;

		if (write && !copy_from_user(piece, a[2] + done, part)) {
			status = STATUS_ACCESS_VIOLATION;
			break;
		}
		status = write ? vspace_write(p->vspace, a[1] + done, piece, part, &moved)
			       : vspace_read(p->vspace, a[1] + done, piece, part, &moved);
		if (!write && moved && !copy_to_user(a[2] + done, piece, moved)) {
			status = STATUS_ACCESS_VIOLATION;
			break;
		}
		done += moved;
		if (status != STATUS_SUCCESS)
			status = STATUS_PARTIAL_COPY;
	}
	kfree(piece);
	process_vspace_release(p);
	if (a[4] && !put_user_u64(a[4], done))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtReadVirtualMemory(HANDLE process, const void *from, void *to, SIZE_T n, SIZE_T *done) */
u32 sys_NtReadVirtualMemory(const u64 *a)
{
	return copy_memory(a, false);
}

/* NtWriteVirtualMemory(HANDLE process, void *to, const void *from, SIZE_T n, SIZE_T *done) */
u32 sys_NtWriteVirtualMemory(const u64 *a)
{
	return copy_memory(a, true);
}

/* ---- sections ---- */

static struct section *section_of(struct object *o)
{
	return container_of(o, struct section, object);
}

static u32 section_open(const char *name, u32 access, u32 flags, u64 to)
{
	struct object *o = object_name_lookup(name);
	u32 status;

	if (!o)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	status = o->type == &section_type ? handle_create_for_user(o, access, flags, to) : STATUS_OBJECT_TYPE_MISMATCH;
	object_unref(o);
	return status;
}

/* The section that NtCreateSection's arguments describe, without name and handle. */
static u32 section_make(const u64 *a, struct section **out)
{
	u32 attributes = (u32)a[5], status, prot;
	struct object *o;
	struct file *f;
	u64 size = 0;

	if (a[3] && !get_user_u64(a[3], &size))
		return STATUS_ACCESS_VIOLATION;
	if (!a[6]) {
		if (attributes & SEC_IMAGE)
			return STATUS_INVALID_FILE_FOR_SECTION;
		return section_create_anonymous(size, (u32)a[4], attributes, out);
	}
	if (!prot_from_page((u32)a[4], &prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	status = handle_lookup(process_current(), a[6], &file_type, prot & PROT_EXECUTE ? FILE_EXECUTE_ : FILE_READ_DATA_, &o);
	if (status)
		return status;
	f = file_object_of(o)->file;
	if (!f || f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		status = STATUS_INVALID_FILE_FOR_SECTION;
	else if (attributes != SEC_IMAGE)
		status = STATUS_NOT_SUPPORTED; /* data files are not mapped yet: the volume is read-only */
	else
		status = section_create_image(f, out);
	object_unref(o);
	return status;
}

/*
 * NtCreateSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, LARGE_INTEGER *size, ULONG protect,
 * ULONG attributes, HANDLE file)
 */
u32 sys_NtCreateSection(const u64 *a)
{
	char name[NAME_BYTES];
	u32 attributes, flags, status;
	struct section *s;
	u64 handle;

	if (!user_probe(a[0], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	flags = attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0;
	for (;;) {
		if (name[0] && attributes & OBJ_OPENIF) {
			status = section_open(name, (u32)a[1], flags, a[0]);
			if (status != STATUS_OBJECT_NAME_NOT_FOUND)
				return status ? status : STATUS_OBJECT_NAME_EXISTS;
		}
		status = section_make(a, &s);
		if (status)
			return status;
		status = handle_create(process_current(), &s->object, (u32)a[1], flags, &handle);
		if (!status) {
			/* An image's section is the file's, and shared: it has no name of one caller's. */
			if (name[0])
				status = s->attributes & SEC_IMAGE ? STATUS_OBJECT_NAME_INVALID
								   : object_name_insert(&s->object, name);
			if (!status && !put_user_u64(a[0], handle))
				status = STATUS_ACCESS_VIOLATION;
			if (status)
				handle_close(process_current(), handle);
		}
		section_unref(s);
		if (status != STATUS_OBJECT_NAME_COLLISION || !(attributes & OBJ_OPENIF))
			return status;
	}
}

/* NtOpenSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes) */
u32 sys_NtOpenSection(const u64 *a)
{
	char name[NAME_BYTES];
	u32 attributes, status;

	if (!user_probe(a[0], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	if (!name[0])
		return STATUS_OBJECT_PATH_SYNTAX_BAD;
	return section_open(name, (u32)a[1], attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, a[0]);
}

/* The rights that a section handle must have for a view of this protection. */
static u32 access_for(u32 protect)
{
	u32 prot;

	if (!prot_from_page(protect, &prot))
		return 0;
	return ((prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE ? SECTION_MAP_WRITE : SECTION_MAP_READ) |
	       (prot & PROT_EXECUTE ? SECTION_MAP_EXECUTE : 0);
}

/*
 * NtMapViewOfSection(HANDLE section, HANDLE process, void **base, ULONG_PTR zero_bits, SIZE_T commit, LARGE_INTEGER *offset,
 * SIZE_T *size, SECTION_INHERIT inherit, ULONG type, ULONG protect)
 */
u32 sys_NtMapViewOfSection(const u64 *a)
{
	u64 offset = 0, highest;
	struct process *p;
	struct object *o;
	struct range r;
	u32 status;

	if (!highest_from_zero_bits(a[3], &highest))
		return STATUS_INVALID_PARAMETER_4;
	if (!get_range(a[2], a[6], &r) || (a[5] && !get_user_u64(a[5], &offset)))
		return STATUS_ACCESS_VIOLATION;
	if ((u32)a[7] != 1 && (u32)a[7] != 2)
		return STATUS_INVALID_PARAMETER_8;
	if ((u32)a[8] & ~(MEM_RESERVE | MEM_TOP_DOWN))
		return STATUS_INVALID_PARAMETER_9;
	status = handle_lookup(process_current(), a[0], &section_type, access_for((u32)a[9]), &o);
	if (status)
		return status;
	status = process_vspace_acquire(a[1], PROCESS_VM_OPERATION, &p);
	if (!status) {
		status = view_map_section(p->vspace, section_of(o), &r.base, offset, &r.size, highest, (u32)a[8], (u32)a[9]);
		if (NT_SUCCESS(status) && !put_range(a[2], a[6], &r)) {
			view_unmap(p->vspace, r.base);
			status = STATUS_ACCESS_VIOLATION;
		}
		process_vspace_release(p);
	}
	object_unref(o);
	return status;
}

/* NtUnmapViewOfSection(HANDLE process, void *address) */
u32 sys_NtUnmapViewOfSection(const u64 *a)
{
	struct process *p;
	u32 status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);

	if (status)
		return status;
	status = view_unmap(p->vspace, a[1]);
	process_vspace_release(p);
	return status;
}

static void section_image_information(const struct section *s, struct nt_section_image_information *out)
{
	const struct pe_image *pe = section_image(s);

	memset(out, 0, sizeof(*out));
	out->transfer_address = pe->entry_rva ? section_image_base(s) + pe->entry_rva : 0;
	out->maximum_stack_size = pe->stack_reserve;
	out->committed_stack_size = pe->stack_commit;
	out->subsystem_type = pe->subsystem;
	out->os_major = pe->os_major;
	out->os_minor = pe->os_minor;
	out->image_characteristics = pe->characteristics;
	out->dll_characteristics = pe->dll_characteristics;
	out->machine = pe->machine;
	for (u32 i = 0; i < pe->segment_count; i++)
		out->image_contains_code |= pe->segments[i].execute;
	out->image_file_size = s->file->size;
	out->checksum = pe->checksum;
}

/* NtQuerySection(HANDLE section, class, void *buffer, SIZE_T length, SIZE_T *returned): classes 0 and 1 */
u32 sys_NtQuerySection(const u64 *a)
{
	struct nt_section_basic_information basic = { 0 };
	struct nt_section_image_information image;
	const void *data = &basic;
	size_t size = sizeof(basic);
	struct section *s;
	struct object *o;
	u32 status;

	if ((u32)a[1] > 1)
		return STATUS_INVALID_INFO_CLASS;
	if (a[3] < ((u32)a[1] ? sizeof(image) : sizeof(basic)))
		return STATUS_INFO_LENGTH_MISMATCH;
	status = handle_lookup(process_current(), a[0], &section_type, SECTION_QUERY, &o);
	if (status)
		return status;
	s = section_of(o);
	if ((u32)a[1] == 0) {
		basic.attributes = section_attributes(s);
		basic.size = section_size(s);
	} else if (section_image(s)) {
		section_image_information(s, &image);
		data = &image;
		size = sizeof(image);
	} else {
		status = STATUS_SECTION_NOT_IMAGE;
	}
	if (!status && (!copy_to_user(a[2], data, size) || (a[4] && !put_user_u64(a[4], size))))
		status = STATUS_ACCESS_VIOLATION;
	object_unref(o);
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
