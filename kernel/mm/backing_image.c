/*
 * Image sections: the pages of a PE file, each segment with its own protection, read and relocated when they are touched.
 * A file has one image section while anybody uses it, so that all processes share its clean pages; its base is chosen once
 * (ASLR). Source: PE Format specification; Windows documentation of CreateFileMapping (SEC_IMAGE).
 */
#include "image/known_dlls.h"
#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/pool.h"
#include "mm/vspace.h"
#include "options.h"
#include "proc/file_object.h"

struct image {
	struct pe_image pe;
	u64 base;              /* where it is mapped when that is free */
	u64 delta;             /* base - preferred base: added to every relocated value */
	u8 *relocations;       /* the relocation directory, or NULL */
	void *bound;           /* what its pages get of import tables that are filled in (image/bind.h), or NULL */
	size_t bound_size;     /* bytes */
	u32 segment_last;      /* of pe.segments: a hint */
	u32 base_field;        /* offset of OptionalHeader.ImageBase in the file */
	u32 changes;           /* the file's image_changes, when its headers were read */
};

/* The one that was found last is looked at first. */
static const struct pe_segment *segment_of(const struct section *s, u64 index)
{
	struct image *image = s->image;
	const struct pe_segment *g = &image->pe.segments[__atomic_load_n(&image->segment_last, __ATOMIC_RELAXED)];

	if (image->pe.segment_count && index - (g->rva >> PAGE_SHIFT) < g->pages)
		return g;
	if (image->pe.segment_count && g + 1 < image->pe.segments + image->pe.segment_count &&
	    index - (g[1].rva >> PAGE_SHIFT) < g[1].pages)
		g++; /* they are gone through in order, too */
	else
		g = pe_segment_at(&image->pe, index << PAGE_SHIFT);
	if (g)
		__atomic_store_n(&image->segment_last, (u32)(g - image->pe.segments), __ATOMIC_RELAXED);
	return g;
}

/* Bytes of the file that page index shows; 0: it is all zeros. */
static u64 file_bytes(const struct pe_segment *g, u64 index)
{
	u64 offset = (index << PAGE_SHIFT) - g->rva;

	return offset < g->file_bytes ? MIN(g->file_bytes - offset, PAGE_SIZE) : 0;
}

static word_t initial(const struct section *s, u64 index)
{
	const struct pe_segment *g = segment_of(s, index);

	return g && file_bytes(g, index) ? word_make(WORD_BACKING, 0) : word_zero(0);
}

u32 image_segment_prot(const struct pe_segment *g)
{
	u32 p = 0;

	if (g->read)
		p |= PROT_READ;
	if (g->execute)
		p |= PROT_EXECUTE;
	if (g->write)
		p |= PROT_READ | PROT_WRITE | (g->shared ? 0 : PROT_COPY);
	return p;
}

static u32 prot(const struct section *s, u64 index)
{
	const struct pe_segment *g = segment_of(s, index);

	return g ? image_segment_prot(g) : PROT_NONE;
}

static void alike(const struct section *s, u64 index, u64 *first, u64 *end)
{
	const struct pe_segment *g = segment_of(s, index);

	*first = g ? g->rva >> PAGE_SHIFT : index;
	*end = *first + (g ? g->pages : 1);
}

static u64 offset(const struct section *s, u64 index)
{
	const struct pe_segment *g = segment_of(s, index);

	return g ? g->file_offset + (index << PAGE_SHIFT) - g->rva : 0;
}

static u32 run(const struct section *s, u64 index, u32 max)
{
	const struct pe_segment *g = segment_of(s, index);
	u32 n = 1;

	while (n < max && index + n < s->pages && segment_of(s, index + n) == g && file_bytes(g, index + n))
		n++;
	return n;
}

/* The 8 bytes of the file at rva, before relocation, for values that cross from one page to the next. */
static enum file_status raw_bytes(struct section *s, u64 rva, u8 *to)
{
	const struct pe_segment *g = pe_segment_at(&s->image->pe, rva);
	u64 at, got = 0;

	memset(to, 0, 8);
	if (!g || rva - g->rva >= g->file_bytes)
		return FILE_OK;
	at = rva - g->rva;
	return file_read(s->file, g->file_offset + at, to, MIN(8, g->file_bytes - at), &got);
}

/* What the pager changes in a page that comes from the file. */
static enum file_status relocate_and_bind(struct section *s, u64 index, u8 *page)
{
	struct image *image = s->image;
	enum file_status status = FILE_OK;
	u32 rva = index << PAGE_SHIFT;
	u8 before[8];

	if (!index) /* the header tells the loader where the pages were relocated to */
		memcpy(page + image->base_field, &image->base, sizeof(image->base));
	if (image->delta && image->relocations) {
		if (pe_page_crosses(image->relocations, image->pe.relocation_size, rva))
			status = raw_bytes(s, rva - 8, before);
		if (status == FILE_OK)
			pe_relocate_page(image->relocations, image->pe.relocation_size, rva, page, image->delta, before);
	}
	bind_page(image->bound, image->bound_size, rva, page);
	return status;
}

/*
 * What the file has there now. If it may change while it is an image, its lock keeps it still; what was written to it and is
 * only in memory goes to the disk first. Pages that a shorter file has no more can't be read.
 */
static enum file_status file_pages_now(struct file *f, u64 at, u64 limit, const u64 *phys, u32 count)
{
	enum file_status status;

	if (likely(options.image_lock == IMAGE_LOCK_NT))
		return file_read_pages(f, at, limit, phys, count);
	status = file_cache_flush_range(f, at, (u64)count * PAGE_SIZE, false);
	if (status != FILE_OK)
		return status;
	mutex_lock(&f->lock);
	status = at + (u64)(count - 1) * PAGE_SIZE < f->size ? file_read_pages(f, at, limit, phys, count) : FILE_TOO_SHORT;
	mutex_unlock(&f->lock);
	return status;
}

static u32 read(struct section *s, u64 index, const u32 *pfns, u32 count)
{
	const struct pe_segment *g = segment_of(s, index);
	enum file_status status;
	u64 phys[16];

	assert(count <= ARRAY_SIZE(phys));
	for (u32 i = 0; i < count; i++)
		phys[i] = (u64)pfns[i] << PAGE_SHIFT;
	status = file_pages_now(s->file, offset(s, index), (u64)g->file_offset + g->file_bytes, phys, count);
	for (u32 i = 0; i < count && status == FILE_OK; i++)
		status = relocate_and_bind(s, index + i, phys_to_virt(phys[i]));
	return file_status_nt(status);
}

static void image_free(struct image *image)
{
	if (image) {
		kfree(image->relocations);
		kfree(image->bound);
	}
	kfree(image);
}

static void destroy(struct section *s)
{
	mutex_lock(&sections_lock);
	if (s->file->image_section == s)
		s->file->image_section = NULL;
	mutex_unlock(&sections_lock);
	file_image_end(s->file);
	file_unref(s->file);
	image_free(s->image);
}

const struct backing backing_image = {
	.name = "image",
	.use = BS_USE_IMAGE,
	.cluster = 8,
	.initial = initial,
	.prot = prot,
	.alike = alike,
	.read = read,
	.run = run,
	.offset = offset,
	.destroy = destroy,
};

/* ---- making one ---- */

/* Source: the descriptions of these values in [MS-ERREF], section 2.3.1. */
static u32 status_of(enum pe_error e)
{
	switch (e) {
	case PE_OK:
		return STATUS_SUCCESS;
	case PE_NOT_MZ:
		return STATUS_INVALID_IMAGE_NOT_MZ;
	case PE_DOS:
		return STATUS_INVALID_IMAGE_PROTECT;
	case PE_NE:
		return STATUS_INVALID_IMAGE_NE_FORMAT;
	case PE_WINDOWS_16:
		return STATUS_INVALID_IMAGE_WIN_16;
	case PE_WINDOWS_32:
		return STATUS_INVALID_IMAGE_WIN_32;
	case PE_LE:
		return STATUS_INVALID_IMAGE_LE_FORMAT;
	default:
		return STATUS_INVALID_IMAGE_FORMAT;
	}
}

static u64 random_bits(void)
{
	u64 x = clock_boot_unix_seconds() * 0x9e3779b97f4a7c15ull + tsc_read();

	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 29;
}

/* The place at at or lower where pages of bytes lie under one page table, if one is enough for them. */
static u64 under_one_table(u64 at, u64 bytes)
{
	u64 last = at + bytes - 1;

	if (bytes > TABLE_SPAN || at / TABLE_SPAN == last / TABLE_SPAN)
		return at;
	return ALIGN_DOWN(ALIGN_DOWN(last, TABLE_SPAN) - bytes, GRANULARITY);
}

/*
 * ASLR: one place for each image, for as long as its section lives: DLLs side by side downwards from a random start in the
 * upper part of an area, so that they are at the same place in all processes; EXEs at random places in its lower part. What
 * fits under one page table lies under one: each table more is one more to make and to walk for each process.
 *
 * The area is what the image allows. Windows keeps what was linked below 4 GiB there, since its code may count on that, with
 * 8 bits of entropy for EXEs and 14 for DLLs (Johnson and Miller, "Exploit Mitigation Improvements in Windows 8"). What was
 * linked higher, but does not say HIGH_ENTROPY_VA, gets as little from us, higher up. The others lie in one of 60 GiB, another
 * one in each boot, and share a page directory there.
 */
enum { AREA_BELOW_4G, AREA_LOW_ENTROPY, AREA_HIGH_ENTROPY, AREA_COUNT };

struct area {
	u64 start, exe_places; /* EXEs begin at one of so many multiples of GRANULARITY from start on */
	u64 dll_start, dll_end;
	u64 dll_top;           /* the next DLL ends here, or below. Under sections_lock */
};

static struct area areas[AREA_COUNT];

static void areas_set(void)
{
	u64 low = random_bits(), high = random_bits(), start = 0x7ff000000000ull + high % 60 * GIB(1);

	/* Near where linkers put EXEs by default. */
	areas[AREA_BELOW_4G] = (struct area){ .start = MIB(4), .exe_places = 1 << 8 };
	areas[AREA_LOW_ENTROPY] = (struct area){ .start = GIB(5), .exe_places = 1 << 8 };
	for (u32 i = AREA_BELOW_4G; i <= AREA_LOW_ENTROPY; i++, low >>= 14) {
		u64 base = ALIGN_DOWN(areas[i].start, GIB(1));

		areas[i].dll_start = base + MIB(512);
		areas[i].dll_end = base + GIB(2) - MIB(1); /* the last one below 2 GiB is the system's */
		areas[i].dll_top = areas[i].dll_end - (low & 0x3fff) * GRANULARITY;
	}
	areas[AREA_HIGH_ENTROPY] = (struct area){
		.start = start,
		.exe_places = 1 << 13,
		.dll_start = start + MIB(512),
		.dll_end = start + GIB(1),
		.dll_top = start + MIB(512) + (1 + (high >> 16 & 0xff)) * TABLE_SPAN - (high >> 32 & 3) * GRANULARITY,
	};
}

static struct area *area_of(const struct pe_image *pe)
{
	if (!areas[0].start)
		areas_set();
	if (pe->preferred_base < GIB(4))
		return &areas[AREA_BELOW_4G];
	return &areas[pe->dll_characteristics & PE_DLL_HIGH_ENTROPY_VA ? AREA_HIGH_ENTROPY : AREA_LOW_ENTROPY];
}

/* sections_lock held. */
static u64 choose_base(const struct pe_image *pe)
{
	struct area *area = area_of(pe);
	u64 places;

	assert(mutex_held(&sections_lock));
	/* What is too large for the area is as well off where it was linked. */
	if (!options.aslr || !pe->relocatable || !(pe->dll_characteristics & PE_DLL_DYNAMIC_BASE) || pe->size > MIB(448))
		return pe->preferred_base;
	if (!(pe->characteristics & PE_FILE_DLL)) {
		places = MIN(area->exe_places, (area->dll_start - area->start - pe->size) / GRANULARITY);
		return under_one_table(area->start + random_bits() % places * GRANULARITY, pe->size);
	}
	if (area->dll_top < area->dll_start + pe->size + TABLE_SPAN)
		area->dll_top = area->dll_end; /* once round: if somebody is still there the loader relocates */
	area->dll_top = under_one_table(ALIGN_DOWN(area->dll_top - pe->size, GRANULARITY), pe->size);
	return area->dll_top;
}

static u32 relocations_load(struct section *s)
{
	struct image *image = s->image;
	const struct pe_image *pe = &image->pe;
	u64 at = 0, got;

	if (!pe->relocation_size)
		return STATUS_SUCCESS;
	if (pe->relocation_size > KMALLOC_MAX)
		return STATUS_INVALID_IMAGE_FORMAT;
	image->relocations = kzalloc(pe->relocation_size);
	if (!image->relocations)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (at < pe->relocation_size) {
		const struct pe_segment *g = pe_segment_at(pe, pe->relocation_rva + at);
		u64 inside = g ? pe->relocation_rva + at - g->rva : 0, n;

		if (!g)
			return STATUS_INVALID_IMAGE_FORMAT;
		n = MIN(pe->relocation_size - at, (u64)g->pages * PAGE_SIZE - inside);
		if (inside < g->file_bytes) {
			u32 status = file_status_nt(file_read(s->file, g->file_offset + inside, image->relocations + at,
							      MIN(n, g->file_bytes - inside), &got));

			if (status)
				return status;
		}
		at += n;
	}
	return status_of(pe_check_relocations(pe, image->relocations, pe->relocation_size));
}

/* Whatever goes wrong here, the loader does instead. */
static void imports_bind(struct section *s)
{
	struct image *image = s->image;
	const struct pe_image *pe = &image->pe;
	struct image_bytes imports;
	const struct bind_dll *dlls;
	size_t room;
	u32 count;

	dlls = known_dlls(&count);
	if (!pe->import_size || !image_bytes_read(s->file, pe, pe->import_rva, KMALLOC_MAX, &imports))
		return;
	room = bind_imports(pe, &imports, dlls, count, NULL, KMALLOC_MAX);
	if (room)
		image->bound = kmalloc(room);
	if (image->bound)
		image->bound_size = bind_imports(pe, &imports, dlls, count, image->bound, room);
	kfree(imports.at);
}

/* Parses the headers into a new struct image. */
static u32 image_parse(struct file *f, struct image **out)
{
	size_t bytes = PAGE_SIZE, need = 0;
	struct image *image = kzalloc(sizeof(*image));
	u8 *headers = NULL;
	u32 status = STATUS_INSUFFICIENT_RESOURCES;

	while (image && bytes <= KMALLOC_MAX && (headers = kmalloc(bytes))) {
		u64 got;
		enum pe_error e;

		status = f->size ? file_status_nt(file_read(f, 0, headers, bytes, &got)) : STATUS_INVALID_FILE_FOR_SECTION;
		if (status)
			break;
		e = pe_parse(headers, got, f->size, &image->pe, &need);
		status = status_of(e);
		if (e == PE_OK) {
			image->base_field = *(u32 *)(headers + 0x3c) + 24 + 24;
			/* It is patched in the first page. No linker puts it farther away. */
			if (image->base_field + sizeof(u64) > PAGE_SIZE)
				status = STATUS_INVALID_IMAGE_FORMAT;
		}
		if (e != PE_TRUNCATED || need <= bytes)
			break;
		kfree(headers);
		bytes = ALIGN_UP(need, PAGE_SIZE);
	}
	kfree(headers);
	if (status == STATUS_SUCCESS) {
		*out = image;
		return status;
	}
	image_free(image);
	return status;
}

static u64 shared_writable_pages(const struct pe_image *pe)
{
	u64 n = 0;

	for (u32 i = 0; i < pe->segment_count; i++)
		if (pe->segments[i].write && pe->segments[i].shared)
			n += pe->segments[i].pages;
	return n;
}

/* Pages that a view of the whole image may make copies of. */
static u64 write_copy_pages(const struct pe_image *pe)
{
	u64 n = 0;

	for (u32 i = 0; i < pe->segment_count; i++)
		if (pe->segments[i].write && !pe->segments[i].shared)
			n += pe->segments[i].pages;
	return n;
}

/* The file's section if it has one that is alive: one more reference. sections_lock held. */
static struct section *existing(struct file *f)
{
	struct section *s = f->image_section;
	/* One of contents that are no more is left to those who have it. */
	u32 refs = s && s->image->changes == f->image_changes ? __atomic_load_n(&s->object.refs, __ATOMIC_RELAXED) : 0;

	while (refs && !__atomic_compare_exchange_n(&s->object.refs, &refs, refs + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return refs ? s : NULL;
}

/* Pages are relocated for this base from now on. */
static void base_choose(struct image *image)
{
	image->base = choose_base(&image->pe);
	image->delta = image->base - image->pe.preferred_base;
}

u32 section_create_image(struct file *f, struct section **out)
{
	struct section *s, *other;
	struct image *image;
	u64 charge;
	bool copy;
	u32 status, changes;

	mutex_lock(&sections_lock);
	s = existing(f);
	mutex_unlock(&sections_lock);
	if (s) {
		*out = s;
		return STATUS_SUCCESS;
	}
	/* From here on nothing changes the file, until destroy. */
	status = file_status_nt(file_image_begin(f));
	if (status)
		return status;
	/* Nobody can change it any more: what was written to it goes where the image is read from. */
	changes = f->image_changes;
	status = file_status_nt(file_cache_flush(f));
	if (!status)
		status = image_parse(f, &image);
	if (!status && file_image_kind(f, image->pe.characteristics & PE_FILE_DLL) != FILE_OK) {
		image_free(image);
		status = STATUS_SHARING_VIOLATION;
	}
	if (status) {
		file_image_end(f);
		return status;
	}
	copy = image_runs_from_swap(&image->pe, f);
	charge = shared_writable_pages(&image->pe) + (copy ? image_copy_pages(&image->pe) : 0);
	status = section_setup(&s, &backing_image, image->pe.size >> PAGE_SHIFT, SEC_IMAGE, PAGE_EXECUTE_WRITECOPY, charge);
	if (status) {
		file_image_end(f);
		image_free(image);
		return status;
	}
	file_ref(f);
	s->file = f;
	s->image = image;
	s->copy_pages = write_copy_pages(&image->pe);
	image->changes = changes;
	status = relocations_load(s);
	if (status) {
		section_unref(s);
		return status;
	}
	imports_bind(s);
	if (copy) { /* before others see it */
		mutex_lock(&sections_lock);
		base_choose(image);
		mutex_unlock(&sections_lock);
		status = image_copy(s);
		if (status) {
			section_unref(s);
			return status;
		}
	}
	mutex_lock(&sections_lock);
	other = existing(f); /* somebody else may have been faster */
	if (!other) {
		f->image_section = s;
		if (!copy)
			base_choose(image);
	}
	mutex_unlock(&sections_lock);
	if (other)
		section_unref(s);
	*out = other ? other : s;
	return STATUS_SUCCESS;
}

const struct pe_image *section_image(const struct section *s) { return s->image ? &s->image->pe : NULL; }
bool section_image_current(const struct section *s) { return s->image->changes == s->file->image_changes; }
bool section_image_has(const struct section *s, u64 index) { return segment_of(s, index) != NULL; }
u64 section_image_base(const struct section *s) { return s->image ? s->image->base : 0; }
