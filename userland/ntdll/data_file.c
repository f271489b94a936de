/*
 * Images mapped as data files: what an address of the image is in the file, by the section headers. Nothing of such a file was
 * checked by anybody: what is not in the view is not there. Source: PE/COFF specification, "Section Table".
 */
#include "ntdll.h"

/* Bytes of the view that begins at base. */
static SIZE_T view_bytes(void *base)
{
	MEMORY_BASIC_INFORMATION info;

	if (!NT_SUCCESS(NtQueryVirtualMemory(BACKSTORE_CURRENT_PROCESS, base, 0 /* MemoryBasicInformation */, &info, sizeof(info), NULL)))
		return 0;
	return info.RegionSize;
}

/* Its headers, all of which are in the view; NULL: it is no image. One for 32-bit Windows is one, too. */
static IMAGE_NT_HEADERS *headers_of(BYTE *base, SIZE_T bytes)
{
	IMAGE_DOS_HEADER *dos = (IMAGE_DOS_HEADER *)base;
	IMAGE_NT_HEADERS *headers;
	SIZE_T table;

	if (bytes < sizeof(*dos) || dos->e_magic != IMAGE_DOS_SIGNATURE || dos->e_lfanew < 0 ||
	    (SIZE_T)dos->e_lfanew + sizeof(*headers) > bytes)
		return NULL;
	headers = (IMAGE_NT_HEADERS *)(base + dos->e_lfanew);
	if (headers->Signature != IMAGE_NT_SIGNATURE || (headers->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC &&
							 headers->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR32_MAGIC))
		return NULL;
	table = (SIZE_T)dos->e_lfanew + offsetof(IMAGE_NT_HEADERS, OptionalHeader) + headers->FileHeader.SizeOfOptionalHeader;
	return table + headers->FileHeader.NumberOfSections * sizeof(IMAGE_SECTION_HEADER) <= bytes ? headers : NULL;
}

/* flags: RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK (1): size is not looked at. */
NTSTATUS NTAPI RtlImageNtHeaderEx(ULONG flags, void *base, ULONG64 size, IMAGE_NT_HEADERS **headers)
{
	if (!headers || flags & ~1u)
		return STATUS_INVALID_PARAMETER;
	*headers = flags & 1 ? RtlImageNtHeader(base) : headers_of(base, size);
	return *headers ? STATUS_SUCCESS : STATUS_INVALID_IMAGE_FORMAT;
}

BYTE *data_file_at(void *base, ULONG rva, ULONG size)
{
	SIZE_T bytes = view_bytes(base);
	IMAGE_NT_HEADERS *headers = headers_of(base, bytes);
	IMAGE_SECTION_HEADER *s = headers ? IMAGE_FIRST_SECTION(headers) : NULL;

	for (ULONG i = 0; headers && i < headers->FileHeader.NumberOfSections; i++, s++) {
		ULONG inside = rva - s->VirtualAddress;
		SIZE_T at = (SIZE_T)s->PointerToRawData + inside;

		if (rva >= s->VirtualAddress && inside < s->SizeOfRawData && size <= s->SizeOfRawData - inside)
			return at <= bytes && size <= bytes - at ? (BYTE *)base + at : NULL;
	}
	return NULL;
}

BYTE *data_file_directory(void *base, USHORT directory, ULONG *size)
{
	IMAGE_NT_HEADERS *headers = headers_of(base, view_bytes(base));
	IMAGE_DATA_DIRECTORY *entry;
	ULONG count;

	*size = 0;
	if (!headers)
		return NULL;
	if (headers->OptionalHeader.Magic == IMAGE_NT_OPTIONAL_HDR32_MAGIC) {
		IMAGE_OPTIONAL_HEADER32 *narrow = (IMAGE_OPTIONAL_HEADER32 *)&headers->OptionalHeader;

		count = narrow->NumberOfRvaAndSizes;
		entry = narrow->DataDirectory;
	} else {
		count = headers->OptionalHeader.NumberOfRvaAndSizes;
		entry = headers->OptionalHeader.DataDirectory;
	}
	if (directory >= count || directory >= IMAGE_NUMBEROF_DIRECTORY_ENTRIES)
		return NULL;
	entry += directory;
	if (!entry->VirtualAddress || !entry->Size)
		return NULL;
	*size = entry->Size;
	return data_file_at(base, entry->VirtualAddress, entry->Size);
}
