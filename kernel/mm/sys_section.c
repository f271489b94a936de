/* System calls for sections. Source: Windows documentation of these calls. */
#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/sys_mm.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

#define NAME_BYTES 512
#define FILE_EXECUTE_ 0x20u

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
	struct address_limits where;
	u64 offset = 0;
	struct process *p;
	struct object *o;
	struct range r;
	u32 status;

	if (!limits_from_zero_bits(a[3], &where))
		return STATUS_INVALID_PARAMETER_4;
	if (!get_range(a[2], a[6], &r) || (a[5] && !get_user_u64(a[5], &offset)))
		return STATUS_ACCESS_VIOLATION;
	if ((u32)a[7] != 1 && (u32)a[7] != 2)
		return STATUS_INVALID_PARAMETER_8;
	if ((u32)a[8] & ~(MEM_RESERVE | MEM_TOP_DOWN | MEM_LARGE_PAGES))
		return STATUS_INVALID_PARAMETER_9;
	status = handle_lookup(process_current(), a[0], &section_type, access_for((u32)a[9]), &o);
	if (status)
		return status;
	status = process_vspace_acquire(a[1], PROCESS_VM_OPERATION, &p);
	if (!status) {
		status = view_map_section(p->vspace, section_of(o), &r.base, offset, &r.size, &where, (u32)a[8], (u32)a[9],
					  (u32)a[7] == 1);
		if (NT_SUCCESS(status) && !put_range(a[2], a[6], &r)) {
			view_unmap(p->vspace, r.base, false);
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
	status = view_unmap(p->vspace, a[1], false);
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


u32 sys_NtMapViewOfSectionEx(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtUnmapViewOfSectionEx(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtExtendSection(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtFlushVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtAreMappedFilesTheSame(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}
