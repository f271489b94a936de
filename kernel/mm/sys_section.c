/* System calls for sections. Source: Windows documentation of these calls. */
#include "image/known_dlls.h"
#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/sys_mm.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

/* SECTION_INHERIT */
#define VIEW_SHARE 1
#define VIEW_UNMAP 2

static struct section *section_of(struct object *o)
{
	return container_of(o, struct section, object);
}

/* The rights that a file's handle must have for a section of this protection. */
static u32 file_access_for(u32 prot, u32 attributes)
{
	u32 access = prot & PROT_EXECUTE ? FILE_EXECUTE_ : FILE_READ_DATA_;

	if (attributes == SEC_IMAGE)
		return access;
	if (prot & PROT_READ)
		access |= FILE_READ_DATA_;
	if ((prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE)
		access |= FILE_WRITE_DATA_;
	return access;
}

/* What NtCreateSection's arguments describe. An image's section is the file's, and shared: no caller can name it. */
static u32 section_make(const u64 *a, bool named, struct object **out)
{
	u32 attributes = (u32)a[5], status, prot;
	struct section *s;
	struct object *o;
	struct file *f;
	u64 size = 0;

	if (a[3] && !get_user_u64(a[3], &size))
		return STATUS_ACCESS_VIOLATION;
	status = section_check(attributes, (u32)a[4]);
	if (status)
		return status;
	if (a[6]) {
		check(prot_from_page((u32)a[4], &prot));
		status = handle_lookup(process_current(), a[6], &file_type, file_access_for(prot, attributes), &o);
		if (status)
			return status;
		f = file_object_of(o)->file;
		if (!f || f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
			status = STATUS_INVALID_FILE_FOR_SECTION;
		else if (attributes != SEC_IMAGE)
			status = section_create_data(f, size, (u32)a[4], attributes, &s);
		else
			status = named ? STATUS_OBJECT_NAME_INVALID : section_create_image(f, &s);
		object_unref(o);
	} else {
		status = attributes & SEC_IMAGE ? STATUS_INVALID_FILE_FOR_SECTION
						: section_create_anonymous(size, (u32)a[4], attributes, &s);
	}
	if (!status)
		*out = &s->object;
	return status;
}

/*
 * NtCreateSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, LARGE_INTEGER *size,
 * ULONG protect, ULONG attributes, HANDLE file)
 */
u32 sys_NtCreateSection(const u64 *a)
{
	return object_create_call(a, &section_type, section_make);
}

/* NtOpenSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes) */
u32 sys_NtOpenSection(const u64 *a)
{
	return object_open_call(a, &section_type);
}

/* NtExtendSection(HANDLE section, LARGE_INTEGER *size): sections of data files alone can grow, and the file with them */
u32 sys_NtExtendSection(const u64 *a)
{
	struct object *o;
	u32 status;
	u64 size;

	if (!user_probe(a[1], sizeof(u64)) || !get_user_u64(a[1], &size))
		return STATUS_ACCESS_VIOLATION;
	status = handle_lookup(process_current(), a[0], &section_type, SECTION_EXTEND_SIZE, &o);
	if (status)
		return status;
	status = section_extend(section_of(o), &size);
	object_unref(o);
	return status || put_user_u64(a[1], size) ? status : STATUS_ACCESS_VIOLATION;
}

/* ---- mapping ---- */

/* The rights that a section handle must have for a view of this protection. */
static u32 access_for(u32 prot)
{
	u32 access = prot & PROT_EXECUTE ? SECTION_MAP_EXECUTE : 0;

	if ((prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE)
		access |= SECTION_MAP_WRITE;
	else if (prot & PROT_READ || !access)
		access |= SECTION_MAP_READ;
	return access;
}

struct map_call {
	u64 section, process;       /* handles */
	u64 base_at, size_at, offset_at; /* of variables in user memory; offset_at may be 0 */
	u64 commit;                 /* bytes of a SEC_RESERVE section to commit */
	u32 type, protect;
	bool inherit;
	struct address_limits where;
};

static u32 map(const struct map_call *c, struct vspace *v, struct section *s, struct range *r, u64 offset)
{
	u32 type = c->type | (s->attributes & SEC_NO_CHANGE), status;

	status = view_map_section(v, s, &r->base, offset, &r->size, &c->where, type, c->protect, c->inherit);
	if (!NT_SUCCESS(status))
		return status;
	if (c->commit > r->size) {
		view_unmap(v, r->base, type & MEM_REPLACE_PLACEHOLDER);
		return STATUS_INVALID_PARAMETER_5;
	}
	if (c->commit && s->attributes & SEC_RESERVE) {
		u32 committed = section_commit_range(s, offset >> PAGE_SHIFT, DIV_UP(c->commit, PAGE_SIZE));

		if (committed) {
			view_unmap(v, r->base, type & MEM_REPLACE_PLACEHOLDER);
			return committed;
		}
	}
	return status == STATUS_IMAGE_NOT_AT_BASE && type & MEM_DIFFERENT_IMAGE_BASE_OK ? STATUS_SUCCESS : status;
}

/* What both calls have in common, with the flags checked. */
static u32 map_call(const struct map_call *c)
{
	struct process *p;
	struct object *o;
	struct range r;
	u64 offset = 0;
	u32 prot, status;

	if (!prot_from_page(c->protect, &prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (!get_range(c->base_at, c->size_at, &r) || (c->offset_at && !get_user_u64(c->offset_at, &offset)))
		return STATUS_ACCESS_VIOLATION;
	if (r.base >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_3;
	if (r.size > USER_HIGH - r.base)
		return STATUS_INVALID_PARAMETER_4;
	if (r.base && limits_given(&c->where))
		return STATUS_INVALID_PARAMETER;
	status = handle_lookup(process_current(), c->section, &section_type, access_for(prot), &o);
	if (status)
		return status;
	status = process_vspace_acquire(c->process, PROCESS_VM_OPERATION, &p);
	if (!status) {
		status = map(c, p->vspace, section_of(o), &r, offset);
		if (NT_SUCCESS(status) && !put_range(c->base_at, c->size_at, &r)) {
			view_unmap(p->vspace, r.base, c->type & MEM_REPLACE_PLACEHOLDER);
			status = STATUS_ACCESS_VIOLATION;
		}
		process_vspace_release(p);
	}
	object_unref(o);
	return status;
}

/*
 * NtMapViewOfSection(HANDLE section, HANDLE process, void **base, ULONG_PTR zero_bits, SIZE_T commit,
 * LARGE_INTEGER *offset, SIZE_T *size, SECTION_INHERIT inherit, ULONG type, ULONG protect)
 */
u32 sys_NtMapViewOfSection(const u64 *a)
{
	struct map_call c = { .section = a[0], .process = a[1], .base_at = a[2], .size_at = a[6], .offset_at = a[5],
			      .commit = a[4], .type = (u32)a[8], .protect = (u32)a[9],
			      .inherit = (u32)a[7] == VIEW_SHARE };
	u64 base;

	if (!limits_from_zero_bits(a[3], &c.where))
		return STATUS_INVALID_PARAMETER_4;
	if ((u32)a[7] != VIEW_SHARE && (u32)a[7] != VIEW_UNMAP)
		return STATUS_INVALID_PARAMETER_8;
	if (c.type & ~(MEM_RESERVE | MEM_TOP_DOWN | MEM_LARGE_PAGES | MEM_DIFFERENT_IMAGE_BASE_OK | SEC_NO_CHANGE))
		return STATUS_INVALID_PARAMETER_9;
	/* An address has to be one that zero_bits allows. */
	if (a[3] && get_user_u64(a[2], &base) && base) {
		if (base >= c.where.high)
			return STATUS_INVALID_PARAMETER_4;
		c.where = ANYWHERE;
	}
	return map_call(&c);
}

/*
 * NtMapViewOfSectionEx(HANDLE section, HANDLE process, void **base, LARGE_INTEGER *offset, SIZE_T *size, ULONG type,
 * ULONG protect, MEM_EXTENDED_PARAMETER *parameters, ULONG count): clones have the view too
 */
u32 sys_NtMapViewOfSectionEx(const u64 *a)
{
	struct map_call c = { .section = a[0], .process = a[1], .base_at = a[2], .size_at = a[4], .offset_at = a[3],
			      .type = (u32)a[5], .protect = (u32)a[6], .inherit = true };
	u32 status;

	if (c.type & ~(MEM_RESERVE | MEM_REPLACE_PLACEHOLDER | MEM_TOP_DOWN | MEM_LARGE_PAGES |
		       MEM_DIFFERENT_IMAGE_BASE_OK))
		return STATUS_INVALID_PARAMETER_6;
	status = limits_from_parameters(a[7], (u32)a[8], &c.where);
	return status ? status : map_call(&c);
}

static u32 unmap(u64 process, u64 address, bool preserve_placeholder)
{
	struct process *p;
	u32 status = process_vspace_acquire(process, PROCESS_VM_OPERATION, &p);

	if (status)
		return status;
	status = view_unmap(p->vspace, address, preserve_placeholder);
	process_vspace_release(p);
	return status;
}

/* NtUnmapViewOfSection(HANDLE process, void *address) */
u32 sys_NtUnmapViewOfSection(const u64 *a)
{
	return unmap(a[0], a[1], false);
}

/* NtUnmapViewOfSectionEx(HANDLE process, void *address, ULONG flags): no thread's priority is boosted */
u32 sys_NtUnmapViewOfSectionEx(const u64 *a)
{
	if ((u32)a[2] & ~(MEM_UNMAP_WITH_TRANSIENT_BOOST | MEM_PRESERVE_PLACEHOLDER))
		return STATUS_INVALID_PARAMETER;
	return unmap(a[0], a[1], (u32)a[2] & MEM_PRESERVE_PLACEHOLDER);
}

/* BsMapKnownDll(uint32_t index, void **base) */
u32 sys_BsMapKnownDll(const u64 *a)
{
	struct vspace *v = process_current()->vspace;
	struct section *s = known_dll((u32)a[0]);
	u64 base = 0, size = 0;
	u32 status;

	if (!s)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	status = view_map_section(v, s, &base, 0, &size, NULL, 0, PAGE_EXECUTE_READ, true);
	if (NT_SUCCESS(status) && !put_user_u64(a[1], base)) {
		view_unmap(v, base, false);
		status = STATUS_ACCESS_VIOLATION;
	}
	return status;
}

/* NtFlushVirtualMemory(HANDLE process, void **base, SIZE_T *size, IO_STATUS_BLOCK *io) */
u32 sys_NtFlushVirtualMemory(const u64 *a)
{
	return range_call(a, vspace_flush);
}

/* NtAreMappedFilesTheSame(void *first, void *second): addresses in this process */
u32 sys_NtAreMappedFilesTheSame(const u64 *a)
{
	return vspace_same_section(process_current()->vspace, a[0], a[1]);
}

/* ---- queries ---- */

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

#define QUERY_BASIC 0
#define QUERY_IMAGE 1
#define QUERY_RELOCATION 2

static u32 section_query(const struct section *s, u32 class, void *out, size_t size)
{
	struct nt_section_basic_information basic = {
		.attributes = (section_attributes(s) & ~SEC_NO_CHANGE) | (section_file(s) ? SEC_FILE : 0),
		.size = section_size(s),
	};
	u64 delta;

	if (class == QUERY_BASIC) {
		memcpy(out, &basic, size);
		return STATUS_SUCCESS;
	}
	if (!section_image(s))
		return STATUS_SECTION_NOT_IMAGE;
	if (class == QUERY_IMAGE) {
		section_image_information(s, out);
	} else {
		delta = section_image_base(s) - section_image(s)->preferred_base;
		memcpy(out, &delta, size);
	}
	return STATUS_SUCCESS;
}

/* NtQuerySection(HANDLE section, class, void *buffer, SIZE_T length, SIZE_T *returned) */
u32 sys_NtQuerySection(const u64 *a)
{
	static const size_t sizes[] = {
		[QUERY_BASIC] = sizeof(struct nt_section_basic_information),
		[QUERY_IMAGE] = sizeof(struct nt_section_image_information),
		[QUERY_RELOCATION] = sizeof(u64),
	};
	struct nt_section_image_information answer; /* the largest */
	u32 class = (u32)a[1], status;
	struct object *o;

	if (class >= ARRAY_SIZE(sizes))
		return STATUS_INVALID_INFO_CLASS;
	if (a[3] < sizes[class])
		return STATUS_INFO_LENGTH_MISMATCH;
	status = handle_lookup(process_current(), a[0], &section_type, SECTION_QUERY, &o);
	if (status)
		return status;
	status = section_query(section_of(o), class, &answer, sizes[class]);
	object_unref(o);
	if (!status && (!copy_to_user(a[2], &answer, sizes[class]) || (a[4] && !put_user_u64(a[4], sizes[class]))))
		status = STATUS_ACCESS_VIOLATION;
	return status;
}
