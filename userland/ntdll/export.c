/*
 * The export table: by name, by ordinal, and forwarded to another DLL. Source: PE/COFF specification, "The .edata
 * Section".
 */
#include "ntdll.h"

#define FORWARD_DEPTH_MAX 8

static ULONG export_depth; /* under the loader lock: forwarders that go in a circle */

/* "dll.function" or "dll.#12". The other DLL is loaded, and held by the one that forwards to it. */
static NTSTATUS export_forward(struct loader_module *module, const char *forwarder, void **address)
{
	WCHAR buffer[64];
	UNICODE_STRING name = { 0, sizeof(buffer), buffer };
	struct loader_module *target;
	const char *dot = NULL;
	ULONG units = 0, ordinal = 0;
	NTSTATUS status;

	for (const char *at = forwarder; *at; at++)
		if (*at == '.')
			dot = at;
	if (!dot || (ULONG)(dot - forwarder) + 5 > sizeof(buffer) / sizeof(WCHAR))
		return STATUS_INVALID_IMAGE_FORMAT;
	for (; forwarder + units < dot; units++)
		buffer[units] = (BYTE)forwarder[units];
	memcpy(buffer + units, L".dll", 4 * sizeof(WCHAR));
	name.Length = (USHORT)((units + 4) * sizeof(WCHAR));
	status = module_load(&name, &target);
	if (!NT_SUCCESS(status))
		return status;
	status = module_reference_add(module, target);
	if (!NT_SUCCESS(status))
		return status;
	dot++;
	if (*dot != '#')
		return export_find(target, dot, 0, address);
	for (dot++; *dot >= '0' && *dot <= '9'; dot++)
		ordinal = ordinal * 10 + (ULONG)(*dot - '0');
	return export_find(target, NULL, ordinal, address);
}

/* The index of a name in the table of functions, by binary search; -1 when it is not there. */
static LONG export_name_index(BYTE *base, IMAGE_EXPORT_DIRECTORY *exports, const char *name)
{
	ULONG *names = (ULONG *)(base + exports->AddressOfNames);
	USHORT *indexes = (USHORT *)(base + exports->AddressOfNameOrdinals);
	ULONG low = 0, high = exports->NumberOfNames;

	while (low < high) {
		ULONG middle = low + (high - low) / 2;
		int order = strcmp(name, (char *)base + names[middle]);

		if (!order)
			return indexes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/* By name, or by ordinal when name is NULL. The caller holds the loader lock. */
NTSTATUS export_find(struct loader_module *module, const char *name, ULONG ordinal, void **address)
{
	NTSTATUS missing = name ? STATUS_ENTRYPOINT_NOT_FOUND : STATUS_ORDINAL_NOT_FOUND, status;
	BYTE *base = module->base;
	ULONG size, index, *functions;
	IMAGE_EXPORT_DIRECTORY *exports = RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);
	BYTE *function;

	if (!exports)
		return missing;
	index = name ? (ULONG)export_name_index(base, exports, name) : ordinal - exports->Base;
	if (index >= exports->NumberOfFunctions)
		return missing;
	functions = (ULONG *)(base + exports->AddressOfFunctions);
	if (!functions[index])
		return missing;
	function = base + functions[index];
	if (function < (BYTE *)exports || function >= (BYTE *)exports + size) {
		*address = function;
		return STATUS_SUCCESS;
	}
	/* An address inside the export table is the text of a forwarder. */
	if (export_depth >= FORWARD_DEPTH_MAX)
		return STATUS_INVALID_IMAGE_FORMAT;
	export_depth++;
	status = export_forward(module, (char *)function, address);
	export_depth--;
	return status;
}
