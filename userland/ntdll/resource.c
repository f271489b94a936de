/*
 * Resources of a mapped image: a tree of three levels, type, name, language, whose leaves say where the data are. Nothing in
 * it is believed that does not lie inside the directory. Source: PE/COFF specification, "The .rsrc Section".
 */
#include "ntdll.h"

#define LEVELS 3
#define NEUTRAL 0
#define ENGLISH 0x409 /* what is taken when a program asks for no language and there is no neutral one */

struct tree {
	BYTE *start;
	ULONG size;
};

static BOOLEAN inside(const struct tree *t, ULONG offset, ULONG size)
{
	return offset <= t->size && size <= t->size - offset;
}

static WCHAR upper(WCHAR c)
{
	return c >= 'a' && c <= 'z' ? (WCHAR)(c - 'a' + 'A') : c;
}

/* key: below 65536 a number, else a text. */
static BOOLEAN entry_is(const struct tree *t, const IMAGE_RESOURCE_DIRECTORY_ENTRY *e, ULONG_PTR key)
{
	const IMAGE_RESOURCE_DIR_STRING_U *name;
	const WCHAR *text = (const WCHAR *)key;

	if (!e->NameIsString)
		return key == e->Id;
	if (key < 0x10000 || !inside(t, e->NameOffset, sizeof(name->Length)))
		return FALSE;
	name = (IMAGE_RESOURCE_DIR_STRING_U *)(t->start + e->NameOffset);
	if (!inside(t, e->NameOffset + sizeof(name->Length), name->Length * sizeof(WCHAR)))
		return FALSE;
	for (ULONG i = 0; i < name->Length; i++)
		if (!text[i] || upper(name->NameString[i]) != upper(text[i]))
			return FALSE;
	return !text[name->Length];
}

/* The entry of a directory with this key, or its first one if any will do; NULL: none. */
static IMAGE_RESOURCE_DIRECTORY_ENTRY *find(const struct tree *t, ULONG offset, ULONG_PTR key, BOOLEAN any)
{
	IMAGE_RESOURCE_DIRECTORY *d = (IMAGE_RESOURCE_DIRECTORY *)(t->start + offset);
	IMAGE_RESOURCE_DIRECTORY_ENTRY *e = (IMAGE_RESOURCE_DIRECTORY_ENTRY *)(d + 1);
	ULONG count;

	if (!inside(t, offset, sizeof(*d)))
		return NULL;
	count = (ULONG)d->NumberOfNamedEntries + d->NumberOfIdEntries;
	if (!inside(t, offset + sizeof(*d), count * sizeof(*e)))
		return NULL;
	for (ULONG i = 0; i < count; i++)
		if (any || entry_is(t, &e[i], key))
			return &e[i];
	return NULL;
}

/*
 * base: an image's, or a module's handle as LoadLibraryEx gives it. keys: type, name (numbers below 65536 or texts), language. STATUS_RESOURCE_DATA_NOT_FOUND: the image has no resources;
 * _TYPE_, _NAME_, _LANG_NOT_FOUND.
 */
NTSTATUS NTAPI LdrFindResource_U(void *base, const ULONG_PTR *keys, ULONG levels, IMAGE_RESOURCE_DATA_ENTRY **out)
{
	static const NTSTATUS missing[LEVELS] = { STATUS_RESOURCE_TYPE_NOT_FOUND, STATUS_RESOURCE_NAME_NOT_FOUND,
						  STATUS_RESOURCE_LANG_NOT_FOUND };
	struct tree t = { .size = 0 };
	ULONG offset = 0;

	t.start = RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_RESOURCE, &t.size);
	if (!t.start)
		return STATUS_RESOURCE_DATA_NOT_FOUND;
	if (levels != LEVELS)
		return STATUS_INVALID_PARAMETER;
	for (ULONG level = 0; level < LEVELS; level++) {
		IMAGE_RESOURCE_DIRECTORY_ENTRY *e = find(&t, offset, keys[level], FALSE);

		if (!e && level == LEVELS - 1 && keys[level] == NEUTRAL) {
			e = find(&t, offset, ENGLISH, FALSE);
			if (!e)
				e = find(&t, offset, 0, TRUE);
		}
		if (!e || e->DataIsDirectory != (level < LEVELS - 1))
			return missing[level];
		offset = e->OffsetToDirectory;
	}
	if (!inside(&t, offset, sizeof(**out)))
		return STATUS_RESOURCE_DATA_NOT_FOUND;
	*out = (IMAGE_RESOURCE_DATA_ENTRY *)(t.start + offset);
	return STATUS_SUCCESS;
}

/* Where the data of a resource are, and how many bytes. STATUS_RESOURCE_DATA_NOT_FOUND: not inside the image. */
NTSTATUS NTAPI LdrAccessResource(void *base, const IMAGE_RESOURCE_DATA_ENTRY *entry, void **data, ULONG *size)
{
	IMAGE_NT_HEADERS *headers;
	ULONG image;
	BYTE *at;

	if ((ULONG_PTR)base & MODULE_DATA_FILE) {
		at = data_file_at(module_address(base), entry->OffsetToData, entry->Size);
		if (!at)
			return STATUS_RESOURCE_DATA_NOT_FOUND;
	} else {
		base = module_address(base);
		headers = RtlImageNtHeader(base);
		image = headers ? headers->OptionalHeader.SizeOfImage : 0;
		if (entry->OffsetToData > image || entry->Size > image - entry->OffsetToData)
			return STATUS_RESOURCE_DATA_NOT_FOUND;
		at = (BYTE *)base + entry->OffsetToData;
	}
	if (data)
		*data = at;
	if (size)
		*size = entry->Size;
	return STATUS_SUCCESS;
}
