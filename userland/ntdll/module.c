/* The list of modules; how a DLL is found, mapped and, if it had to go elsewhere, relocated. */
#include "ntdll.h"

#define PATH_UNITS 320

struct loader_data loader START_DATA;
BOOLEAN modules_come_with_program = TRUE;
const WCHAR *module_search_path;
RTL_CRITICAL_SECTION loader_lock = { (void *)(LONG_PTR)-1, -1, 0, NULL, NULL, 0 };
RTL_SRWLOCK module_list_lock START_DATA;

PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(void *base)
{
	IMAGE_DOS_HEADER *dos = base;
	IMAGE_NT_HEADERS *headers;

	if (dos->e_magic != IMAGE_DOS_SIGNATURE || dos->e_lfanew < 0 || dos->e_lfanew > 0x10000)
		return NULL;
	headers = (IMAGE_NT_HEADERS *)((BYTE *)base + dos->e_lfanew);
	return headers->Signature == IMAGE_NT_SIGNATURE ? headers : NULL;
}

/* A data directory of an image, mapped as such or, or with bit 0 of base set, as a data file: its address and *size in bytes; NULL: none. */
void *NTAPI RtlImageDirectoryEntryToData(void *base, BOOLEAN mapped_as_image, USHORT directory, ULONG *size)
{
	IMAGE_NT_HEADERS *headers;
	IMAGE_DATA_DIRECTORY *entry;

	if (!mapped_as_image || (ULONG_PTR)base & MODULE_DATA_FILE)
		return data_file_directory(module_address(base), directory, size);
	base = module_address(base);
	headers = RtlImageNtHeader(base);
	*size = 0;
	if (!headers || directory >= headers->OptionalHeader.NumberOfRvaAndSizes)
		return NULL;
	entry = &headers->OptionalHeader.DataDirectory[directory];
	if (!entry->VirtualAddress || !entry->Size)
		return NULL;
	*size = entry->Size;
	return (BYTE *)base + entry->VirtualAddress;
}

struct loader_module *module_find_base(const void *base)
{
	for (LIST_ENTRY *at = loader.load_order.Flink; at != &loader.load_order; at = at->Flink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, load_order);

		if (module->base == base)
			return module;
	}
	return NULL;
}

struct loader_module *module_find_address(const void *address)
{
	struct loader_module *found = NULL;

	if (!loader.load_order.Flink)
		return NULL;
	RtlAcquireSRWLockShared(&module_list_lock);
	for (LIST_ENTRY *at = loader.load_order.Flink; at != &loader.load_order; at = at->Flink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, load_order);

		if ((SIZE_T)((BYTE *)address - module->base) < module->image_size) {
			found = module;
			break;
		}
	}
	RtlReleaseSRWLockShared(&module_list_lock);
	return found;
}

/* What known_dll_of says of the last part of a path. */
static int known_dll_of_path(const UNICODE_STRING *path)
{
	UNICODE_STRING name = *path;
	ULONG at = path->Length / sizeof(WCHAR);

	while (at && path->Buffer[at - 1] != '\\')
		at--;
	name.Buffer += at;
	name.Length -= (USHORT)(at * sizeof(WCHAR));
	return known_dll_of(&name);
}

static BOOLEAN has_path(const UNICODE_STRING *name)
{
	for (ULONG i = 0; i < name->Length / sizeof(WCHAR); i++)
		if (name->Buffer[i] == '\\' || name->Buffer[i] == '/' || name->Buffer[i] == ':')
			return TRUE;
	return FALSE;
}

/* A loaded module by its base name, or by its full path when the name has one. */
struct loader_module *module_find_name(const UNICODE_STRING *name)
{
	BOOLEAN full = has_path(name);

	for (LIST_ENTRY *at = loader.load_order.Flink; at != &loader.load_order; at = at->Flink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, load_order);

		if (RtlEqualUnicodeString(full ? &module->full_name : &module->base_name, name, TRUE))
			return module;
	}
	return NULL;
}

/* Puts a mapped image on the list. full_name is a DOS path of length_bytes, copied; known: what known_dll_of says of its last part. */
NTSTATUS module_add(BYTE *base, const WCHAR *full_name, USHORT length_bytes, int known, struct loader_module **out)
{
	IMAGE_NT_HEADERS *headers = RtlImageNtHeader(base);
	struct loader_module *module;
	ULONG at = length_bytes / sizeof(WCHAR);

	if (!headers)
		return STATUS_INVALID_IMAGE_FORMAT;
	module = RtlAllocateHeap(peb_current()->process_heap, HEAP_ZERO_MEMORY,
				 sizeof(*module) + length_bytes + sizeof(WCHAR));
	if (!module)
		return STATUS_NO_MEMORY;
	module->base = base;
	module->image_size = headers->OptionalHeader.SizeOfImage;
	if (headers->OptionalHeader.AddressOfEntryPoint)
		module->entry_point = base + headers->OptionalHeader.AddressOfEntryPoint;
	if (headers->FileHeader.Characteristics & IMAGE_FILE_DLL)
		module->flags = MODULE_IMAGE_DLL;
	module->time_stamp = headers->FileHeader.TimeDateStamp;
	module->tls_slot = TLS_NO_SLOT;
	module->imports = module->imports_first;
	module->original_base = headers->OptionalHeader.ImageBase; /* as it is mapped, which is not as it is in the file */
	module->node = &module->own_node;
	module->reference_count = 1;
	if (modules_come_with_program) {
		module->references = module->own_node.load_count = MODULE_PINNED;
		module->obsolete_load_count = 0xFFFF;
		module->flags |= MODULE_STATIC_IMPORT;
		module->load_reason = LOAD_REASON_STATIC_DEPENDENCY;
	} else {
		module->references = module->own_node.load_count = 1;
		module->obsolete_load_count = 6;
		module->load_reason = LOAD_REASON_DYNAMIC_LOAD;
	}
	module->own_node.state = NODE_MAPPED;
	list_init(&module->own_node.modules);
	list_append(&module->own_node.modules, &module->node_links);
	module->full_name.Buffer = (WCHAR *)(module + 1);
	module->full_name.Length = length_bytes;
	module->full_name.MaximumLength = length_bytes + sizeof(WCHAR);
	memcpy(module->full_name.Buffer, full_name, length_bytes);
	while (at && full_name[at - 1] != '\\')
		at--;
	module->base_name.Buffer = module->full_name.Buffer + at;
	module->base_name.Length = (USHORT)(length_bytes - at * sizeof(WCHAR));
	module->base_name.MaximumLength = (USHORT)(module->base_name.Length + sizeof(WCHAR));
	list_init(&module->hash_links);
	list_init(&module->initialization_order);
	RtlAcquireSRWLockExclusive(&module_list_lock);
	list_append(&loader.load_order, &module->load_order);
	list_append(&loader.memory_order, &module->memory_order);
	RtlReleaseSRWLockExclusive(&module_list_lock);
	if (known >= 0 && !known_modules[known])
		known_modules[known] = module;
	*out = module;
	return STATUS_SUCCESS;
}

void module_imports_free(struct loader_module *module)
{
	if (module->imports != module->imports_first)
		RtlFreeHeap(peb_current()->process_heap, 0, module->imports);
}

/* Takes a module off the lists, unmaps it and frees what describes it. */
void module_forget(struct loader_module *module)
{
	int known = known_dll_of(&module->base_name);

	RtlAcquireSRWLockExclusive(&module_list_lock);
	list_remove(&module->load_order);
	list_remove(&module->memory_order);
	list_remove(&module->initialization_order);
	RtlReleaseSRWLockExclusive(&module_list_lock);
	if (known >= 0 && known_modules[known] == module)
		known_modules[known] = module_find_name(&module->base_name);
	tls_module_remove(module);
	export_forget(module);
	NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, module->base);
	module_imports_free(module);
	RtlFreeHeap(peb_current()->process_heap, 0, module);
}

BOOLEAN image_at_its_base(BYTE *base)
{
	return RtlImageNtHeader(base)->OptionalHeader.ImageBase == (ULONG64)base;
}

/* Makes all sections of an image writable, or gives them the protection that their headers ask for. Small ones have none. */
static NTSTATUS sections_protect(BYTE *base, IMAGE_NT_HEADERS *headers, BOOLEAN writable)
{
	static const ULONG protections[8] = { /* by execute, read, write */
		PAGE_NOACCESS, PAGE_WRITECOPY, PAGE_READONLY, PAGE_WRITECOPY,
		PAGE_EXECUTE, PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_READ, PAGE_EXECUTE_WRITECOPY,
	};
	IMAGE_SECTION_HEADER *section = IMAGE_FIRST_SECTION(headers);

	if (headers->OptionalHeader.SectionAlignment < 4096)
		return STATUS_SUCCESS;
	for (ULONG i = 0; i < headers->FileHeader.NumberOfSections; i++, section++) {
		ULONG flags = section->Characteristics, old;
		ULONG kind = ((flags & IMAGE_SCN_MEM_EXECUTE) ? 4 : 0) | ((flags & IMAGE_SCN_MEM_READ) ? 2 : 0) |
			     ((flags & IMAGE_SCN_MEM_WRITE) ? 1 : 0);
		void *address = base + section->VirtualAddress;
		SIZE_T size = section->Misc.VirtualSize ? section->Misc.VirtualSize : section->SizeOfRawData;
		NTSTATUS status;

		if ((flags & IMAGE_SCN_MEM_WRITE) || !size)
			continue;
		status = NtProtectVirtualMemory(BACKSTORE_CURRENT_PROCESS, &address, &size,
						writable ? PAGE_WRITECOPY : protections[kind], &old);
		if (!NT_SUCCESS(status))
			return status;
	}
	return STATUS_SUCCESS;
}

/*
 * Adds to every address that the relocation table names the distance between where the image is and where its header
 * says. Source: PE/COFF specification, "The .reloc Section". The kernel's pager does this for images at their
 * section's base.
 */
static NTSTATUS image_relocate(BYTE *base)
{
	IMAGE_NT_HEADERS *headers = RtlImageNtHeader(base);
	ULONG64 delta = (ULONG64)base - headers->OptionalHeader.ImageBase;
	IMAGE_BASE_RELOCATION *block;
	NTSTATUS status;
	ULONG size;
	BYTE *end;

	if (image_at_its_base(base))
		return STATUS_SUCCESS;
	if (headers->FileHeader.Characteristics & IMAGE_FILE_RELOCS_STRIPPED)
		return STATUS_CONFLICTING_ADDRESSES;
	block = RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_BASERELOC, &size);
	if (!block)
		return STATUS_SUCCESS; /* nothing in it depends on the base */
	status = sections_protect(base, headers, TRUE);
	if (!NT_SUCCESS(status))
		return status;
	end = (BYTE *)block + size;
	while ((BYTE *)(block + 1) <= end && block->SizeOfBlock >= sizeof(*block)) {
		USHORT *entry = (USHORT *)(block + 1), *last = (USHORT *)((BYTE *)block + block->SizeOfBlock);

		for (; entry < last; entry++) {
			BYTE *at = base + block->VirtualAddress + (*entry & 0xFFF);
			ULONG64 value;
			ULONG half;

			switch (*entry >> 12) {
			case IMAGE_REL_BASED_ABSOLUTE:
				break;
			case IMAGE_REL_BASED_HIGHLOW:
				memcpy(&half, at, sizeof(half));
				half += (ULONG)delta;
				memcpy(at, &half, sizeof(half));
				break;
			case IMAGE_REL_BASED_DIR64:
				memcpy(&value, at, sizeof(value));
				value += delta;
				memcpy(at, &value, sizeof(value));
				break;
			default:
				return STATUS_INVALID_IMAGE_FORMAT;
			}
		}
		block = (IMAGE_BASE_RELOCATION *)last;
	}
	return sections_protect(base, headers, FALSE);
}

/* Maps the image at an NT path. */
static NTSTATUS image_map(UNICODE_STRING *path, BYTE **base)
{
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK io;
	HANDLE file, section;
	SIZE_T size = 0;
	void *address = NULL;
	NTSTATUS status;

	InitializeObjectAttributes(&attributes, path, OBJ_CASE_INSENSITIVE, NULL, NULL);
	status = NtOpenFile(&file, FILE_READ_DATA | FILE_EXECUTE | SYNCHRONIZE, &attributes, &io,
			    FILE_SHARE_READ | FILE_SHARE_DELETE,
			    FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE);
	if (!NT_SUCCESS(status))
		return status;
	status = NtCreateSection(&section, SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_MAP_EXECUTE | SECTION_QUERY,
				 NULL, NULL, PAGE_EXECUTE_READ, SEC_IMAGE, file);
	NtClose(file);
	if (!NT_SUCCESS(status))
		return status;
	status = NtMapViewOfSection(section, BACKSTORE_CURRENT_PROCESS, &address, 0, 0, NULL, &size,
				    1 /* ViewShare */, 0, PAGE_EXECUTE_READ);
	NtClose(section);
	if (!NT_SUCCESS(status))
		return status;
	*base = address;
	if (status == STATUS_IMAGE_NOT_AT_BASE)
		status = image_relocate(*base);
	if (!NT_SUCCESS(status))
		NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, address);
	return status;
}

/* Appends to a counted string of PATH_UNITS; FALSE when it does not fit. */
static BOOLEAN path_append(UNICODE_STRING *path, const WCHAR *text, ULONG units)
{
	if (path->Length / sizeof(WCHAR) + units >= PATH_UNITS)
		return FALSE;
	for (ULONG i = 0; i < units; i++)
		path->Buffer[path->Length / sizeof(WCHAR) + i] = text[i] == '/' ? '\\' : text[i];
	path->Length += (USHORT)(units * sizeof(WCHAR));
	return TRUE;
}

/* The module of the same file as a view that is no module yet: paths have more than one spelling. */
static struct loader_module *module_find_file(BYTE *base)
{
	IMAGE_NT_HEADERS *headers = RtlImageNtHeader(base);

	for (LIST_ENTRY *at = loader.load_order.Flink; headers && at != &loader.load_order; at = at->Flink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, load_order);

		if (module->time_stamp == headers->FileHeader.TimeDateStamp &&
		    module->image_size == headers->OptionalHeader.SizeOfImage && module->base != base &&
		    NtAreMappedFilesTheSame(module->base, base) == STATUS_SUCCESS)
			return module;
	}
	return NULL;
}

/* Tries directory + name; the name alone when directory is empty. */
static NTSTATUS module_try(const WCHAR *directory, ULONG directory_units, const UNICODE_STRING *name,
			   struct loader_module **out)
{
	WCHAR buffer[PATH_UNITS];
	UNICODE_STRING path = { 0, sizeof(buffer), buffer };
	UNICODE_STRING dos;
	NTSTATUS status;
	BYTE *base;

	if (!path_append(&path, L"\\??\\", 4) || !path_append(&path, directory, directory_units) ||
	    (directory_units && directory[directory_units - 1] != '\\' && !path_append(&path, L"\\", 1)) ||
	    !path_append(&path, name->Buffer, name->Length / sizeof(WCHAR)))
		return STATUS_OBJECT_NAME_INVALID;
	dos.Buffer = buffer + 4;
	dos.Length = (USHORT)(path.Length - 4 * sizeof(WCHAR));
	*out = module_find_name(&dos);
	if (*out)
		return STATUS_OBJECT_NAME_EXISTS;
	status = image_map(&path, &base);
	if (!NT_SUCCESS(status))
		return status;
	*out = module_find_file(base);
	status = *out ? STATUS_OBJECT_NAME_EXISTS : module_add(base, dos.Buffer, dos.Length, known_dll_of_path(&dos), out);
	if (status != STATUS_SUCCESS)
		NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, base);
	return status;
}

/* One of the system's own, which the kernel has: its path is C:\system. STATUS_OBJECT_NAME_NOT_FOUND: as abi/backstore.h says. */
static NTSTATUS known_try(ULONG index, const UNICODE_STRING *name, struct loader_module **out)
{
	WCHAR path[10 + KNOWN_DLL_UNITS];
	void *base;
	NTSTATUS status = BsMapKnownDll(index, &base);

	if (status == STATUS_IMAGE_NOT_AT_BASE)
		status = image_relocate(base);
	else if (!NT_SUCCESS(status))
		return status;
	memcpy(path, L"C:\\system\\", 10 * sizeof(WCHAR));
	memcpy(path + 10, name->Buffer, name->Length);
	if (NT_SUCCESS(status))
		status = module_add(base, path, 10 * sizeof(WCHAR) + name->Length, (int)index, out);
	if (!NT_SUCCESS(status))
		NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, base);
	return status;
}

static BOOLEAN is_absent(NTSTATUS status)
{
	return status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND ||
	       status == STATUS_NO_SUCH_FILE || status == STATUS_OBJECT_NAME_INVALID ||
	       status == STATUS_OBJECT_PATH_INVALID || status == STATUS_NOT_A_DIRECTORY;
}

/* Tries the directories of module_search_path. */
static NTSTATUS search_path_try(const UNICODE_STRING *name, struct loader_module **out)
{
	const WCHAR *at = module_search_path;

	while (*at) {
		ULONG units = 0;
		NTSTATUS status;

		while (at[units] && at[units] != ';')
			units++;
		status = units ? module_try(at, units, name, out) : STATUS_NO_SUCH_FILE;
		if (!is_absent(status))
			return status;
		at += units + (at[units] == ';');
	}
	return STATUS_DLL_NOT_FOUND;
}

/*
 * Finds and maps a DLL that is not loaded yet: in the EXE's directory, C:\system, the current directory, C:\bin, or where
 * module_search_path says; the system's own, as Windows' "known DLLs", in C:\system alone, where the kernel has them; a name
 * with a path only there. known: what known_dll_of says of the name. The module is on the list then, its imports are not
 * resolved. STATUS_OBJECT_NAME_EXISTS: it is the file of a module that is loaded, which has no reference more for it.
 */
NTSTATUS module_map(const UNICODE_STRING *name, int known, struct loader_module **out)
{
	struct process_parameters *parameters = peb_current()->parameters;
	struct loader_module *exe = CONTAINER(loader.load_order.Flink, struct loader_module, load_order);
	const WCHAR *directories[4] = { exe->full_name.Buffer, L"C:\\system", parameters->current_directory.Buffer,
					L"C:\\bin" };
	ULONG units[4] = { (exe->full_name.Length - exe->base_name.Length) / sizeof(WCHAR), 9,
			   parameters->current_directory.Length / sizeof(WCHAR), 6 };
	const WCHAR *text = name->Buffer;

	if (has_path(name)) {
		ULONG current = units[2], drive = 2;
		NTSTATUS status;

		if (name->Length >= 4 && text[1] == ':')
			current = 0;
		else if (text[0] == '\\' || text[0] == '/')
			current = current < drive ? current : drive;
		status = module_try(directories[2], current, name, out);
		return is_absent(status) ? STATUS_DLL_NOT_FOUND : status;
	}
	if (known >= 0) {
		NTSTATUS status = known_try((ULONG)known, name, out);

		if (!is_absent(status))
			return status;
	}
	if (module_search_path && known < 0)
		return search_path_try(name, out);
	for (ULONG i = known >= 0 ? 1 : 0; i < (known >= 0 ? 2 : 4); i++) {
		NTSTATUS status = units[i] ? module_try(directories[i], units[i], name, out) : STATUS_NO_SUCH_FILE;

		if (!is_absent(status))
			return status;
	}
	return STATUS_DLL_NOT_FOUND;
}
