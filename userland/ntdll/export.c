/*
 * The export table: by name, by ordinal, and forwarded to another DLL. Source: PE/COFF specification, "The .edata
 * Section".
 */
#include "ntdll.h"
#include <emmintrin.h>

#define FORWARD_DEPTH_MAX 8
#define HINTS_WRONG_MAX 3 /* then the other hints of the module are not tried: its linker knew another DLL of that name */

/* Under the loader lock. */
static ULONG export_depth START_DATA; /* forwarders that go in a circle */
static BOOLEAN attach_now START_DATA; /* what a forwarder loads is initialised at once, not with those who import it */

/* The last forwarder's DLL, since the next one is likely to name the same: module holds target, so it is there as long. */
static struct {
	struct loader_module *module, *target;
	const char *name; /* in module's export table */
	ULONG units;
} last_forwarder;

void export_forget(const struct loader_module *module)
{
	if (last_forwarder.module == module)
		last_forwarder.module = NULL;
}

/* The DLL that a forwarder names with so many characters, held by the one that forwards to it. */
static NTSTATUS forward_target(struct loader_module *module, const char *dll, ULONG units, struct loader_module **out)
{
	WCHAR buffer[64];
	UNICODE_STRING name = { 0, sizeof(buffer), buffer };
	NTSTATUS status;

	if (last_forwarder.module == module && last_forwarder.units == units && !memcmp(last_forwarder.name, dll, units)) {
		*out = last_forwarder.target;
		return STATUS_SUCCESS;
	}
	if (units + 5 > sizeof(buffer) / sizeof(WCHAR))
		return STATUS_INVALID_IMAGE_FORMAT;
	for (ULONG i = 0; i < units; i++)
		buffer[i] = (BYTE)dll[i];
	memcpy(buffer + units, L".dll", 4 * sizeof(WCHAR));
	name.Length = (USHORT)((units + 4) * sizeof(WCHAR));
	status = module_load(&name, out);
	if (NT_SUCCESS(status) && attach_now) {
		attach_now = FALSE; /* its DllMain may load others */
		status = module_attach(*out);
		attach_now = TRUE;
		if (!NT_SUCCESS(status))
			module_dereference(*out);
	}
	if (NT_SUCCESS(status))
		status = module_reference_add(module, *out);
	if (NT_SUCCESS(status)) {
		last_forwarder.module = module;
		last_forwarder.target = *out;
		last_forwarder.name = dll;
		last_forwarder.units = units;
	}
	return status;
}

/* "dll.function" or "dll.#12". */
static NTSTATUS export_forward(struct loader_module *module, const char *forwarder, void **address)
{
	struct loader_module *target;
	const char *dot = NULL;
	ULONG ordinal = 0;
	NTSTATUS status;

	for (const char *at = forwarder; *at; at++)
		if (*at == '.')
			dot = at;
	if (!dot)
		return STATUS_INVALID_IMAGE_FORMAT;
	status = forward_target(module, forwarder, (ULONG)(dot - forwarder), &target);
	if (!NT_SUCCESS(status))
		return status;
	dot++;
	if (*dot != '#')
		return export_find(target, dot, 0, address);
	for (dot++; *dot >= '0' && *dot <= '9'; dot++)
		ordinal = ordinal * 10 + (ULONG)(*dot - '0');
	return export_find(target, NULL, ordinal, address);
}

/* ---- names: most of what a process does until its main ---- */

/* Bytes that may be read from here without leaving the page: behind it there may be nothing. */
static inline ULONG page_rest(const char *at)
{
	return 4096 - ((ULONG)(ULONG_PTR)at & 4095);
}

/* 16 characters at a time. */
static BOOLEAN name_equal(const char *a, const char *b)
{
	const __m128i zero = _mm_setzero_si128();

	for (; page_rest(a) >= 16 && page_rest(b) >= 16; a += 16, b += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)a), y = _mm_loadu_si128((const __m128i *)b);
		ULONG differ = ~(ULONG)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) & 0xFFFF;
		ULONG ends = (ULONG)_mm_movemask_epi8(_mm_cmpeq_epi8(x, zero));

		if (differ | ends) /* which of them is first? */
			return !(differ & (ends ^ (ends - 1)));
	}
	return !strcmp(a, b);
}

static inline ULONG64 number_load(const char *at)
{
	ULONG64 number;

	__builtin_memcpy(&number, at, sizeof(number)); /* an instruction, not a call */
	return __builtin_bswap64(number);
}

/*
 * The first eight characters as a number, greater if they are. *mask: what of a number made like that counts, namely up to this
 * one's end: where the others have their end does not matter then.
 */
static inline ULONG64 name_number(const char *name, ULONG64 *mask)
{
	const ULONG64 low = 0x7F7F7F7F7F7F7F7Full;
	ULONG64 number = 0, ends;

	if (page_rest(name) >= sizeof(number))
		number = number_load(name);
	else
		for (ULONG i = 0; i < sizeof(number) && name[i]; i++)
			number |= (ULONG64)(BYTE)name[i] << (56 - 8 * i);
	ends = ~(((number & low) + low) | number | low); /* 0x80 where a character is 0 */
	*mask = ends ? ~0ull << (56 - (__builtin_clzll(ends) & ~7)) : ~0ull;
	return number & *mask;
}

/* The sign of strcmp(name, other), where number and mask are the name's. */
static inline int name_compare(const char *name, ULONG64 number, ULONG64 mask, const char *other)
{
	ULONG64 other_number;

	if (page_rest(other) < sizeof(other_number))
		return strcmp(name, other);
	other_number = number_load(other) & mask;
	if (number != other_number)
		return number < other_number ? -1 : 1;
	return number & 0xFF ? strcmp(name + sizeof(number), other + sizeof(number)) : 0;
}

/*
 * The index of a name in the table of functions; -1 when it is not there. hint: perhaps its place in the table of names, which
 * some linkers count from 1; else binary search.
 */
static LONG name_index(struct export_table *t, const char *name, ULONG hint)
{
	const char *base = (char *)t->module->base;
	ULONG low = 0, high = t->name_count;
	ULONG64 number, mask;

	for (ULONG try = 0; try < 2 && t->hints_wrong < HINTS_WRONG_MAX; try++) {
		ULONG place = hint - t->hint_first;

		if (place < high && name_equal(name, base + t->names[place]))
			return t->indexes[place];
		t->hint_first ^= 1;
	}
	t->hints_wrong++;
	number = name_number(name, &mask);
	while (low < high) {
		ULONG middle = low + (high - low) / 2;
		int order = name_compare(name, number, mask, base + t->names[middle]);

		if (!order)
			return t->indexes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

void export_table_get(struct loader_module *module, struct export_table *out)
{
	BYTE *base = module->base;
	ULONG size;
	IMAGE_EXPORT_DIRECTORY *exports = RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);

	*out = (struct export_table){ .module = module };
	if (!exports)
		return;
	out->start = (BYTE *)exports;
	out->size = size;
	out->functions = (ULONG *)(base + exports->AddressOfFunctions);
	out->function_count = exports->NumberOfFunctions;
	out->ordinal_base = exports->Base;
	out->names = (ULONG *)(base + exports->AddressOfNames);
	out->indexes = (USHORT *)(base + exports->AddressOfNameOrdinals);
	out->name_count = exports->NumberOfNames;
}

NTSTATUS export_find_in(struct export_table *t, const char *name, ULONG number, void **address)
{
	NTSTATUS missing = name ? STATUS_ENTRYPOINT_NOT_FOUND : STATUS_ORDINAL_NOT_FOUND, status;
	ULONG index = name ? (ULONG)name_index(t, name, number) : number - t->ordinal_base;
	BYTE *function;

	if (index >= t->function_count || !t->functions[index])
		return missing;
	function = t->module->base + t->functions[index];
	if ((SIZE_T)(function - t->start) >= t->size) {
		*address = function;
		return STATUS_SUCCESS;
	}
	/* An address inside the export table is the text of a forwarder. */
	if (export_depth >= FORWARD_DEPTH_MAX)
		return STATUS_INVALID_IMAGE_FORMAT;
	export_depth++;
	status = export_forward(t->module, (char *)function, address);
	export_depth--;
	return status;
}

NTSTATUS export_find(struct loader_module *module, const char *name, ULONG ordinal, void **address)
{
	struct export_table table;

	export_table_get(module, &table);
	table.hints_wrong = HINTS_WRONG_MAX;
	return export_find_in(&table, name, ordinal, address);
}

NTSTATUS export_find_now(struct loader_module *module, const char *name, ULONG ordinal, void **address)
{
	BOOLEAN before = attach_now;
	NTSTATUS status;

	attach_now = TRUE;
	status = export_find(module, name, ordinal, address);
	attach_now = before;
	return status;
}
