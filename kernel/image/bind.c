#include "image/bind.h"

#include "abi/backstore.h"
#include "abi/dll_alias.h"
#include "image/pe.h"
#include "lib/string.h"

#define FORWARD_DEPTH_MAX 8
#define BY_ORDINAL (1ull << 63)

struct import_descriptor {
	u32 names, timestamp, forwarder_chain, dll, addresses; /* rvas, but the second and third, where the mark goes */
};

#define MARK offsetof(struct import_descriptor, timestamp)
#define DESCRIPTOR_BYTES sizeof(struct import_descriptor)

struct binding {
	const struct pe_image *image;
	const struct image_bytes *imports;
	const struct bind_dll *dlls;
	u32 dll_count;
};

static bool begins(const char *text, const char *with, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (ascii_lower(text[i]) != with[i])
			return false;
	return true;
}

/* What the loader takes this name, without .dll, for; or the name itself. */
static const char *alias_resolve(const char *text)
{
	static const struct {
		const char *name, *target;
	} aliases[] = {
#define ALIAS(name, target) { name, target == BS_KNOWN_NTDLL ? "ntdll" : "kernel32" },
		DLL_ALIASES(ALIAS)
	};

	for (u32 i = 0; i < ARRAY_SIZE(aliases); i++) {
		size_t length = strlen(aliases[i].name);
		bool start = aliases[i].name[length - 1] == '-';

		length -= start ? 0 : 4;
		if (begins(text, aliases[i].name, length) && (start || !text[length]))
			return aliases[i].target;
	}
	return text;
}

/* The DLL that a name without .dll, these characters, stands for. */
static const struct bind_dll *dll_find(const struct binding *b, const char *name, size_t length)
{
	char copy[64];
	const char *text;

	if (length >= sizeof(copy))
		return NULL;
	memcpy(copy, name, length);
	copy[length] = 0;
	text = alias_resolve(copy);
	for (u32 i = 0; i < b->dll_count; i++) {
		char other[16];

		strlcpy(other, b->dlls[i].name, sizeof(other));
		other[strlen(other) - 4] = 0;
		if (!ascii_compare_nocase(text, other))
			return &b->dlls[i];
	}
	return NULL;
}

/* 0: there is none. */
static u64 function_find(const struct binding *b, const struct bind_dll *dll, const char *name, u32 hint_or_ordinal, u32 depth)
{
	const char *forwarder, *dot = NULL;
	u32 rva, ordinal = 0;

	if (!image_export_find(&dll->exports, name, hint_or_ordinal, &rva, &forwarder))
		return 0;
	if (!forwarder)
		return dll->base + rva;
	for (const char *c = forwarder; *c; c++)
		if (*c == '.')
			dot = c;
	dll = dot ? dll_find(b, forwarder, (size_t)(dot - forwarder)) : NULL;
	if (!dll || depth == FORWARD_DEPTH_MAX)
		return 0;
	if (dot[1] != '#')
		return function_find(b, dll, dot + 1, 0, depth + 1);
	for (const char *c = dot + 2; *c >= '0' && *c <= '9'; c++)
		ordinal = ordinal * 10 + (u32)(*c - '0');
	return function_find(b, dll, NULL, ordinal, depth + 1);
}

/* Where all of these bytes come from the file, in one segment, and so pass through the hands of the pager. */
static bool from_file(const struct pe_image *image, u32 rva, u64 bytes)
{
	const struct pe_segment *g = pe_segment_at(image, rva);

	return g && rva - g->rva + bytes <= g->file_bytes;
}

/* The DLL that a descriptor names, if its table can be filled in; *count: of its functions. */
static const struct bind_dll *descriptor_check(const struct binding *b, u32 rva, const struct import_descriptor *d, u64 *count,
					       u64 max)
{
	const char *name = image_bytes_text(b->imports, d->dll);
	size_t length = name ? strlen(name) : 0;
	const struct bind_dll *dll;
	const void *entry;

	/* Without names elsewhere they would be lost. */
	if (!d->names || d->names == d->addresses || length < 4 || ascii_compare_nocase(name + length - 4, ".dll"))
		return NULL;
	dll = dll_find(b, name, length - 4);
	if (!dll)
		return NULL;
	for (*count = 0; *count <= max; ++*count) {
		entry = image_bytes_at(b->imports, d->names, *count + 1, sizeof(u64));
		if (!entry)
			return NULL;
		if (!image_bytes_u64(entry, *count))
			break;
	}
	if (!*count || *count > max || !from_file(b->image, rva, DESCRIPTOR_BYTES) ||
	    !from_file(b->image, d->addresses, *count * sizeof(u64)))
		return NULL;
	return dll;
}

static bool table_fill(const struct binding *b, const struct bind_dll *dll, const struct import_descriptor *d,
		       struct bind_record *out)
{
	const void *names = image_bytes_at(b->imports, d->names, out->count, sizeof(u64));

	for (u32 i = 0; i < out->count; i++) {
		u64 entry = image_bytes_u64(names, i);
		const u8 *hint = NULL;

		if (entry & BY_ORDINAL) {
			out->values[i] = function_find(b, dll, NULL, entry & 0xffff, 0);
		} else {
			const char *name = entry <= ~0u - 2 ? image_bytes_text(b->imports, (u32)entry + 2) : NULL;

			hint = name ? image_bytes_at(b->imports, (u32)entry, 2, 1) : NULL;
			out->values[i] = hint ? function_find(b, dll, name, hint[0] | hint[1] << 8, 0) : 0;
		}
		if (!out->values[i])
			return false;
	}
	return true;
}

size_t bind_imports(const struct pe_image *image, const struct image_bytes *imports, const struct bind_dll *dlls, u32 dll_count,
		    void *out, size_t room)
{
	struct binding b = { image, imports, dlls, dll_count };
	size_t used = 0;

	for (u32 at = imports->rva;; at += DESCRIPTOR_BYTES) {
		const void *bytes = image_bytes_at(imports, at, 1, DESCRIPTOR_BYTES);
		const size_t fixed = 2 * sizeof(struct bind_record) + sizeof(u64); /* two records, a mark in one of them */
		struct import_descriptor d;
		struct bind_record *mark;
		const struct bind_dll *dll;
		u64 count;

		if (!bytes)
			return used;
		memcpy(&d, bytes, sizeof(d));
		if (!d.dll || !d.addresses || room - used < fixed) /* the last one */
			return used;
		dll = descriptor_check(&b, at, &d, &count, (room - used - fixed) / sizeof(u64));
		if (!dll)
			continue;
		if (out) {
			mark = (struct bind_record *)((u8 *)out + used);
			*mark = (struct bind_record){ at + MARK, 1 };
			mark->values[0] = dll->base;
			mark = (struct bind_record *)&mark->values[1];
			*mark = (struct bind_record){ d.addresses, (u32)count };
			if (!table_fill(&b, dll, &d, mark))
				continue;
		}
		used += fixed + count * sizeof(u64);
	}
}

void bind_page(const void *records, size_t size, u32 page_rva, u8 *page)
{
	const struct bind_record *r;

	for (size_t at = 0; at < size; at += sizeof(*r) + r->count * sizeof(u64)) {
		u64 from, to, first = page_rva, end = first + PAGE_SIZE;

		r = (const struct bind_record *)((const u8 *)records + at);
		from = MAX(first, (u64)r->rva);
		to = MIN(end, r->rva + r->count * sizeof(u64));
		if (from < to)
			memcpy(page + from - first, (const u8 *)r->values + from - r->rva, to - from);
	}
}
