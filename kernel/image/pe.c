/*
 * Reads the headers of PE32+ images and applies base relocations. Every field is an enemy's: offsets are 64 bits wide
 * before they are added, and nothing is read that was not first found to lie inside the bytes given.
 * Source: PE Format specification (Microsoft). What the Windows loader wants beyond it (sections that leave no gaps, at
 * most 96 of them, a base on 64 KiB) is wanted here too.
 */
#include "image/pe.h"
#include "lib/string.h"

#define DOS_MAGIC 0x5a4d	 /* MZ */
#define PE_MAGIC 0x00004550	 /* PE\0\0 */
#define NE_MAGIC 0x454e		 /* NE */
#define LE_MAGIC 0x454c		 /* LE */
#define PE32_PLUS_MAGIC 0x020b
#define NE_SYSTEM 0x36		 /* offset of the system that an NE file is for */
#define NE_SYSTEM_WINDOWS 2
#define MACHINE_AMD64 0x8664
#define MACHINE_I386 0x014c
#define DIRECTORY_EXPORTS 0
#define DIRECTORY_IMPORTS 1
#define DIRECTORY_RELOCATIONS 5
#define DIRECTORIES_READ (DIRECTORY_RELOCATIONS + 1)
#define FILE_ALIGNMENT_MIN 512
#define FILE_ALIGNMENT_MAX KIB(64)
#define BASE_ALIGNMENT KIB(64)
#define IMAGE_SIZE_MAX (GIB(2) - PAGE_SIZE) /* what RIP-relative code can reach */

#define SECTION_SHARED 0x10000000u
#define SECTION_EXECUTE 0x20000000u
#define SECTION_READ 0x40000000u
#define SECTION_WRITE 0x80000000u

struct dos_header {
	u16 magic;
	u16 unused[29];
	u32 pe_offset; /* e_lfanew */
};

struct coff_header {
	u32 magic; /* the PE signature, and from here on the COFF file header */
	u16 machine, section_count;
	u32 timestamp, symbol_table, symbol_count;
	u16 optional_size, characteristics;
};

struct optional_header {
	u16 magic;
	u8 linker_major, linker_minor;
	u32 code_size, data_size, bss_size;
	u32 entry_rva, code_rva;
	u64 base;
	u32 section_alignment, file_alignment;
	u16 os_major, os_minor, image_major, image_minor, subsystem_major, subsystem_minor;
	u32 win32_version;
	u32 size, headers_size, checksum;
	u16 subsystem, dll_characteristics;
	u64 stack_reserve, stack_commit, heap_reserve, heap_commit;
	u32 loader_flags, directory_count;
};

struct data_directory {
	u32 rva, size;
};

struct section_header {
	char name[8];
	u32 virtual_size, rva;
	u32 raw_size, raw_offset;
	u32 relocations, line_numbers;
	u16 relocation_count, line_number_count;
	u32 characteristics;
};

_Static_assert(sizeof(struct dos_header) == 64, "IMAGE_DOS_HEADER");
_Static_assert(sizeof(struct coff_header) == 24, "signature and IMAGE_FILE_HEADER");
_Static_assert(sizeof(struct optional_header) == 112, "IMAGE_OPTIONAL_HEADER64 without its directories");
_Static_assert(sizeof(struct section_header) == 40, "IMAGE_SECTION_HEADER");

/* What is parsed. The structures are copied out of it, since they lie at any address. */
struct source {
	const u8 *bytes;
	u64 available, file_size;
	size_t need;
};

/* Copies n bytes at offset to to. */
static enum pe_error source_read(struct source *s, u64 offset, void *to, u64 n)
{
	u64 end = offset + n; /* both come from fields of 32 bits */

	if (end > s->file_size)
		return PE_TRUNCATED;
	if (end > PE_HEADERS_MAX)
		return PE_BAD_HEADER;
	if (end > s->available) {
		s->need = end;
		return PE_TRUNCATED;
	}
	memcpy(to, s->bytes + offset, n);
	return PE_OK;
}

static bool power_of_two(u64 n)
{
	return n && !(n & (n - 1));
}

/* What it is that has a DOS header, and no PE signature where that says. */
static enum pe_error other_kind(struct source *s, u64 offset, u16 magic)
{
	u8 system;

	if (magic == LE_MAGIC)
		return PE_LE;
	if (magic != NE_MAGIC)
		return PE_DOS;
	return !source_read(s, offset + NE_SYSTEM, &system, 1) && system == NE_SYSTEM_WINDOWS ? PE_WINDOWS_16 : PE_NE;
}

/* The file's first two headers; *offset is where the optional header begins. */
static enum pe_error coff_read(struct source *s, struct coff_header *coff, u64 *offset)
{
	struct dos_header dos;
	enum pe_error e;

	/* A short file that is something else entirely is not a truncated image. */
	e = source_read(s, 0, &dos.magic, sizeof(dos.magic));
	if (e)
		return e;
	if (dos.magic != DOS_MAGIC)
		return PE_NOT_MZ;
	e = source_read(s, 0, &dos, sizeof(dos));
	if (e)
		return e;
	e = source_read(s, dos.pe_offset, coff, sizeof(*coff));
	if (e)
		return e;
	if (coff->magic != PE_MAGIC)
		return other_kind(s, dos.pe_offset, (u16)coff->magic);
	if (coff->machine != MACHINE_AMD64)
		return coff->machine == MACHINE_I386 ? PE_WINDOWS_32 : PE_BAD_MACHINE;
	if (!(coff->characteristics & PE_FILE_EXECUTABLE_IMAGE))
		return PE_NOT_IMAGE;
	*offset = (u64)dos.pe_offset + sizeof(*coff);
	return PE_OK;
}

/* "If the SectionAlignment is less than the architecture's page size, then FileAlignment must match SectionAlignment." */
static bool is_flat(const struct optional_header *o)
{
	return o->section_alignment < PAGE_SIZE;
}

static enum pe_error alignment_check(const struct optional_header *o)
{
	if (!power_of_two(o->section_alignment))
		return PE_BAD_ALIGNMENT;
	if (is_flat(o))
		return o->file_alignment == o->section_alignment ? PE_OK : PE_BAD_ALIGNMENT;
	if (!power_of_two(o->file_alignment) || o->file_alignment < FILE_ALIGNMENT_MIN ||
	    o->file_alignment > FILE_ALIGNMENT_MAX || o->file_alignment > o->section_alignment)
		return PE_BAD_ALIGNMENT;
	return PE_OK;
}

/* The optional header at offset, and its first directories, as far as there are so many (the others stay as they are). */
static enum pe_error optional_read(struct source *s, u64 offset, u64 size, struct optional_header *o,
				   struct data_directory directories[DIRECTORIES_READ])
{
	u64 bytes;
	u32 count;
	enum pe_error e;

	/* PE32's header is shorter, so its magic is looked at before the size. */
	if (size < sizeof(o->magic))
		return PE_BAD_HEADER;
	e = source_read(s, offset, &o->magic, sizeof(o->magic));
	if (e)
		return e;
	if (o->magic != PE32_PLUS_MAGIC)
		return PE_BAD_MACHINE;
	if (size < sizeof(*o))
		return PE_BAD_HEADER;
	e = source_read(s, offset, o, sizeof(*o));
	if (e)
		return e;
	count = MIN(o->directory_count, (u32)DIRECTORIES_READ);
	bytes = count * sizeof(directories[0]);
	if (size < sizeof(*o) + bytes)
		return count == DIRECTORIES_READ ? PE_BAD_HEADER : PE_OK;
	return source_read(s, offset + sizeof(*o), directories, bytes);
}

/* headers_end: where the section table ends. */
static enum pe_error optional_check(const struct optional_header *o, u64 headers_end, u64 file_size)
{
	enum pe_error e = alignment_check(o);

	if (e)
		return e;
	if (o->size == 0 || o->size > IMAGE_SIZE_MAX || o->entry_rva >= o->size)
		return PE_BAD_HEADER;
	if (!IS_ALIGNED(o->base, BASE_ALIGNMENT) || o->base > ~0ull - IMAGE_SIZE_MAX)
		return PE_BAD_HEADER;
	if (o->headers_size < headers_end || o->headers_size > o->size)
		return PE_BAD_HEADER;
	return o->headers_size > file_size ? PE_TRUNCATED : PE_OK;
}

static void image_fill(struct pe_image *image, const struct coff_header *coff, const struct optional_header *o)
{
	image->preferred_base = o->base;
	image->size = (u32)ALIGN_UP((u64)o->size, PAGE_SIZE);
	image->entry_rva = o->entry_rva;
	image->headers_size = o->headers_size;
	image->timestamp = coff->timestamp;
	image->checksum = o->checksum;
	image->machine = coff->machine;
	image->characteristics = coff->characteristics;
	image->subsystem = o->subsystem;
	image->dll_characteristics = o->dll_characteristics;
	image->os_major = o->os_major;
	image->os_minor = o->os_minor;
	image->stack_reserve = o->stack_reserve;
	image->stack_commit = o->stack_commit;
	image->heap_reserve = o->heap_reserve;
	image->heap_commit = o->heap_commit;
}

static void segment_fill(struct pe_segment *g, const struct section_header *h, u64 bytes)
{
	u64 pages = DIV_UP(bytes, PAGE_SIZE);

	g->rva = h->rva;
	g->pages = (u32)pages;
	/* Without an offset there are no data, whatever the size says; what does not fit the pages is left out. */
	if (h->raw_offset) {
		g->file_bytes = (u32)MIN((u64)h->raw_size, pages * PAGE_SIZE);
		g->file_offset = g->file_bytes ? h->raw_offset : 0;
	}
	/* There is no page that can be written but not read. */
	g->read = h->characteristics & (SECTION_READ | SECTION_WRITE);
	g->write = h->characteristics & SECTION_WRITE;
	g->execute = h->characteristics & SECTION_EXECUTE;
	g->shared = h->characteristics & SECTION_SHARED;
	for (u32 i = 0; i < sizeof(h->name) && h->name[i]; i++)
		g->name[i] = h->name[i] >= ' ' && h->name[i] <= '~' ? h->name[i] : '?';
}

static void headers_fill(struct pe_image *image)
{
	struct pe_segment *g = &image->segments[image->segment_count++];

	g->pages = (u32)DIV_UP((u64)image->headers_size, PAGE_SIZE);
	g->file_bytes = image->headers_size;
	g->read = true;
	strlcpy(g->name, "headers", sizeof(g->name));
}

/*
 * Sections that are aligned to less than a page lie in memory as in the file. They can't have protections of their own, so that
 * the whole image is one segment: it can be read, executed, and written, each process to its own copy.
 */
static void flat_fill(struct pe_image *image, u64 file_size)
{
	struct pe_segment *g = &image->segments[image->segment_count++];

	g->pages = image->size >> PAGE_SHIFT;
	g->file_bytes = (u32)MIN(file_size, (u64)image->size);
	g->read = g->write = g->execute = true;
	strlcpy(g->name, "image", sizeof(g->name));
}

/* The section table at offset becomes the segments. */
static enum pe_error sections_parse(struct source *s, u64 offset, u32 count, const struct optional_header *o,
				    struct pe_image *image)
{
	u64 next = ALIGN_UP((u64)o->headers_size, o->section_alignment); /* where the next section has to begin */
	bool flat = is_flat(o);

	if (flat)
		flat_fill(image, s->file_size);
	else
		headers_fill(image);
	for (u32 i = 0; i < count; i++, offset += sizeof(struct section_header)) {
		struct section_header h;
		enum pe_error e = source_read(s, offset, &h, sizeof(h));
		u64 bytes;

		if (e)
			return e;
		bytes = h.virtual_size ? h.virtual_size : h.raw_size;
		if (h.rva != next || bytes == 0 || next + bytes > image->size)
			return PE_BAD_SECTION;
		if (h.raw_offset && h.raw_size) {
			if (flat ? h.raw_offset != h.rva : !IS_ALIGNED(h.raw_offset, o->file_alignment))
				return PE_BAD_ALIGNMENT;
			if ((u64)h.raw_offset + h.raw_size > s->file_size)
				return PE_TRUNCATED;
		}
		if (!flat)
			segment_fill(&image->segments[image->segment_count++], &h, bytes);
		next = ALIGN_UP(next + bytes, o->section_alignment);
	}
	return PE_OK;
}

static enum pe_error relocations_fill(struct pe_image *image, struct data_directory relocations)
{
	const struct pe_segment *g;

	if (image->characteristics & PE_FILE_RELOCS_STRIPPED)
		return PE_OK;
	if (relocations.size == 0) {
		image->relocatable = image->dll_characteristics & PE_DLL_DYNAMIC_BASE;
		return PE_OK;
	}
	g = pe_segment_at(image, relocations.rva);
	if (!g || (u64)relocations.rva + relocations.size > g->rva + (u64)g->pages * PAGE_SIZE)
		return PE_BAD_RELOCATION;
	image->relocation_rva = relocations.rva;
	image->relocation_size = relocations.size;
	image->relocatable = true;
	return PE_OK;
}

static enum pe_error image_parse(struct source *s, struct pe_image *image)
{
	struct data_directory directories[DIRECTORIES_READ] = { { 0, 0 } };
	struct coff_header coff;
	struct optional_header o;
	u64 offset, table, table_end;
	enum pe_error e;

	e = coff_read(s, &coff, &offset);
	if (e)
		return e;
	e = optional_read(s, offset, coff.optional_size, &o, directories);
	if (e)
		return e;
	if (coff.section_count > PE_SECTIONS_MAX)
		return PE_BAD_SECTION;
	table = offset + coff.optional_size;
	table_end = table + coff.section_count * sizeof(struct section_header);
	e = optional_check(&o, table_end, s->file_size);
	if (e)
		return e;
	if (table_end > s->available && table_end <= PE_HEADERS_MAX) {
		s->need = table_end; /* ask once, not for one section at a time */
		return PE_TRUNCATED;
	}
	image_fill(image, &coff, &o);
	e = sections_parse(s, table, coff.section_count, &o, image);
	if (e)
		return e;
	image->export_rva = directories[DIRECTORY_EXPORTS].rva;
	image->export_size = directories[DIRECTORY_EXPORTS].size;
	image->import_rva = directories[DIRECTORY_IMPORTS].rva;
	image->import_size = directories[DIRECTORY_IMPORTS].size;
	return relocations_fill(image, directories[DIRECTORY_RELOCATIONS]);
}

enum pe_error pe_parse(const void *headers, size_t header_bytes, u64 file_size, struct pe_image *out, size_t *need)
{
	struct source s = { .bytes = headers, .available = MIN(header_bytes, file_size), .file_size = file_size };
	enum pe_error e;

	memset(out, 0, sizeof(*out));
	e = image_parse(&s, out);
	if (e)
		memset(out, 0, sizeof(*out));
	if (need)
		*need = s.need;
	return e;
}

const char *pe_error_text(enum pe_error e)
{
	static const char *const text[] = {
		[PE_OK] = "no error",
		[PE_TRUNCATED] = "the file is truncated",
		[PE_NOT_MZ] = "not a program",
		[PE_DOS] = "a program for DOS",
		[PE_NE] = "a program for OS/2, or another system of that time",
		[PE_LE] = "a driver for 16-bit Windows",
		[PE_WINDOWS_16] = "a program for 16-bit Windows",
		[PE_WINDOWS_32] = "a program for 32-bit Windows",
		[PE_BAD_MACHINE] = "not a program for x86-64 (PE32+)",
		[PE_NOT_IMAGE] = "not an executable image",
		[PE_BAD_ALIGNMENT] = "bad section or file alignment",
		[PE_BAD_SECTION] = "sections overlap, leave gaps, exceed the image or are too many",
		[PE_BAD_HEADER] = "the headers contradict themselves",
		[PE_BAD_RELOCATION] = "bad base relocations",
	};

	return (u64)e < ARRAY_SIZE(text) ? text[e] : "unknown error";
}

const struct pe_segment *pe_segment_at(const struct pe_image *image, u32 rva)
{
	u32 low = 0, high = image->segment_count;
	const struct pe_segment *g;

	/* Finds how many segments begin at or below rva. */
	while (low < high) {
		u32 middle = (low + high) / 2;

		if (image->segments[middle].rva <= rva)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	g = &image->segments[low - 1];
	return (rva - g->rva) / PAGE_SIZE < g->pages ? g : NULL;
}

/* Base relocations. */

#define BLOCK_HEADER 8 /* page rva, block size */
#define RELOCATION_ABSOLUTE 0
#define RELOCATION_HIGHLOW 3
#define RELOCATION_DIR64 10

struct block {
	u32 page_rva;
	const u8 *entries;
	size_t count;
};

/* What is left of the relocation directory. */
struct block_cursor {
	const u8 *at;
	size_t left;
};

static u32 load32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

/* False at the end, which is c->left == 0, or at what is no block. */
static bool block_next(struct block_cursor *c, struct block *b)
{
	size_t bytes;

	if (c->left < BLOCK_HEADER)
		return false;
	bytes = load32(c->at + 4);
	if (bytes < BLOCK_HEADER || bytes > c->left || bytes % 2)
		return false;
	b->page_rva = load32(c->at);
	b->entries = c->at + BLOCK_HEADER;
	b->count = (bytes - BLOCK_HEADER) / 2;
	c->at += bytes;
	c->left -= bytes;
	return true;
}

static u32 entry_kind(const struct block *b, size_t i)
{
	return b->entries[2 * i + 1] >> 4;
}

/* Where the value begins. */
static u64 entry_rva(const struct block *b, size_t i)
{
	return (u64)b->page_rva + ((b->entries[2 * i + 1] & 0xfu) << 8 | b->entries[2 * i]);
}

/* The value's width in bytes; 0 for kinds that relocate nothing. */
static u32 kind_width(u32 kind)
{
	return kind == RELOCATION_DIR64 ? 8 : kind == RELOCATION_HIGHLOW ? 4 : 0;
}

static bool block_valid(const struct pe_image *image, const struct block *b)
{
	if (!IS_ALIGNED(b->page_rva, PAGE_SIZE))
		return false;
	for (size_t i = 0; i < b->count; i++) {
		u32 kind = entry_kind(b, i), width = kind_width(kind);

		if (width == 0 && kind != RELOCATION_ABSOLUTE)
			return false;
		if (width > 0 && entry_rva(b, i) + width > image->size)
			return false;
	}
	return true;
}

enum pe_error pe_check_relocations(const struct pe_image *image, const void *relocations, size_t size)
{
	struct block_cursor c = { relocations, size };
	struct block b;

	while (block_next(&c, &b)) {
		if (!block_valid(image, &b))
			return PE_BAD_RELOCATION;
	}
	return c.left == 0 ? PE_OK : PE_BAD_RELOCATION;
}

/* Whether values of this block can touch the page: it is the page's own, or the one before, whose last may reach in. */
static bool block_near(const struct block *b, u32 page_rva)
{
	return b->page_rva == page_rva || (u64)b->page_rva + PAGE_SIZE == page_rva;
}

/*
 * Adds delta to the value of width bytes at at, of which at least one byte is in the page; at is relative to the page
 * and down to -7. What lies behind the page counts as 0: no byte before it depends on it.
 */
static void value_relocate(u8 *page, const u8 before[8], i64 at, u32 width, u64 delta)
{
	u64 value = 0;

	if (at >= 0 && at + width <= (i64)PAGE_SIZE) {
		memcpy(&value, page + at, width);
		value += delta;
		memcpy(page + at, &value, width);
		return;
	}
	for (i64 i = 0; i < width && at + i < (i64)PAGE_SIZE; i++)
		value |= (u64)(at + i >= 0 ? page[at + i] : before ? before[8 + at + i] : 0) << (8 * i);
	value += delta;
	for (i64 i = 0; i < width && at + i < (i64)PAGE_SIZE; i++) {
		if (at + i >= 0)
			page[at + i] = (u8)(value >> (8 * i));
	}
}

void pe_relocate_page(const void *relocations, size_t size, u32 page_rva, u8 *page, u64 delta, const u8 before[8])
{
	struct block_cursor c = { relocations, size };
	struct block b;

	while (block_next(&c, &b)) {
		if (!block_near(&b, page_rva))
			continue;
		for (size_t i = 0; i < b.count; i++) {
			u32 width = kind_width(entry_kind(&b, i));
			i64 at = (i64)entry_rva(&b, i) - page_rva;

			if (width > 0 && at + width > 0)
				value_relocate(page, before, at, width, delta);
		}
	}
}

bool pe_page_crosses(const void *relocations, size_t size, u32 page_rva)
{
	struct block_cursor c = { relocations, size };
	struct block b;

	while (block_next(&c, &b)) {
		if (!block_near(&b, page_rva))
			continue;
		for (size_t i = 0; i < b.count; i++) {
			i64 at = (i64)entry_rva(&b, i) - page_rva;

			if (at < 0 && at + kind_width(entry_kind(&b, i)) > 0)
				return true;
		}
	}
	return false;
}
