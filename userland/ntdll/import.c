/* Loading: a module with all that it imports, and the calls LdrLoadDll and its relatives. */
#include "ntdll.h"

/* Text for a complaint: counted UTF-16 to a UTF-8 string, cut to size. */
void module_name_to_narrow(const UNICODE_STRING *name, char *out, ULONG size)
{
	ULONG done;

	RtlUnicodeToUTF8N(out, size - 1, &done, name->Buffer, name->Length);
	out[done] = 0;
}

/*
 * One line on the console: "hello.exe: dll what name". Only while the program starts: later, LoadLibrary's caller gets
 * the status and decides by itself.
 */
void loader_complain(const char *dll, const char *what, const char *name)
{
	struct loader_module *exe = CONTAINER(loader.load_order.Flink, struct loader_module, load_order);
	char line[512], program[128];
	const char *parts[] = { program, ": ", dll, what, name, "\n" };
	HANDLE console = peb_current()->parameters->standard_error;
	IO_STATUS_BLOCK io;
	ULONG length = 0;

	if (loader.initialized)
		return;
	module_name_to_narrow(&exe->base_name, program, sizeof(program));
	for (ULONG i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (const char *at = parts[i]; *at && length < sizeof(line); at++)
			line[length++] = *at;
	if (!console || !NT_SUCCESS(NtWriteFile(console, NULL, NULL, NULL, &io, line, length, NULL, NULL))) {
		UNICODE_STRING path;
		OBJECT_ATTRIBUTES attributes;

		RtlInitUnicodeString(&path, L"\\??\\CONOUT$");
		InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
		if (NT_SUCCESS(NtOpenFile(&console, FILE_WRITE_DATA | SYNCHRONIZE, &attributes, &io,
					  FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_SYNCHRONOUS_IO_NONALERT))) {
			NtWriteFile(console, NULL, NULL, NULL, &io, line, length, NULL, NULL);
			NtClose(console);
		}
	}
}

void module_reference(struct loader_module *module)
{
	if (module->references == MODULE_PINNED)
		return;
	module->references++;
	module->own_node.load_count++;
}

/* from takes over the caller's reference to to: it is dropped together with from. */
NTSTATUS module_reference_add(struct loader_module *from, struct loader_module *to)
{
	struct loader_module **more;

	for (ULONG i = 0; i < from->import_count; i++) {
		if (from->imports[i] == to) {
			module_dereference(to);
			return STATUS_SUCCESS;
		}
	}
	if (from->import_count >= sizeof(from->imports_first) / sizeof(from->imports_first[0])) {
		more = RtlAllocateHeap(peb_current()->process_heap, 0, (from->import_count + 1) * sizeof(*more));
		if (!more) {
			module_dereference(to);
			return STATUS_NO_MEMORY;
		}
		memcpy(more, from->imports, from->import_count * sizeof(*more));
		module_imports_free(from);
		from->imports = more;
	}
	from->imports[from->import_count++] = to;
	if (to->references != MODULE_PINNED)
		to->references--; /* its load count says of both kinds how many there are */
	return STATUS_SUCCESS;
}

/* Whether the headers let everybody write to an address of a module, as mingw-w64's linker does for import tables. */
static BOOLEAN section_writable(struct loader_module *module, const void *address)
{
	IMAGE_NT_HEADERS *headers = RtlImageNtHeader(module->base);
	IMAGE_SECTION_HEADER *section = IMAGE_FIRST_SECTION(headers);
	ULONG rva = (ULONG)((BYTE *)address - module->base);

	if (headers->OptionalHeader.SectionAlignment < 4096) /* they have no protections of their own */
		return TRUE;
	for (ULONG i = 0; i < headers->FileHeader.NumberOfSections; i++, section++)
		if (rva - section->VirtualAddress < section->Misc.VirtualSize)
			return (section->Characteristics & IMAGE_SCN_MEM_WRITE) != 0;
	return FALSE;
}

/* The mark in a descriptor (kernel/image/bind.h): the base of the DLL that the pager filled in the addresses for, if it did. */
static ULONG64 mark_of(const IMAGE_IMPORT_DESCRIPTOR *descriptor)
{
	ULONG64 mark;

	__builtin_memcpy(&mark, &descriptor->TimeDateStamp, sizeof(mark));
	return mark;
}

/*
 * Whether the addresses of an imported DLL are filled in, for the DLL at that base, and with its forwarders leading to ntdll where
 * its own section is. Of a module that was relocated here, the addresses may have been, too.
 */
static BOOLEAN thunks_are_bound(struct loader_module *module, struct loader_module *from, const IMAGE_IMPORT_DESCRIPTOR *descriptor)
{
	return mark_of(descriptor) == (ULONG64)from->base && image_at_its_base((BYTE *)&__ImageBase) &&
	       image_at_its_base(module->base);
}

/* Fills the addresses of one imported DLL. */
static NTSTATUS thunks_resolve(struct loader_module *module, struct loader_module *from, const char *dll,
			       const IMAGE_IMPORT_DESCRIPTOR *descriptor)
{
	ULONG names = descriptor->OriginalFirstThunk ? descriptor->OriginalFirstThunk : descriptor->FirstThunk;
	IMAGE_THUNK_DATA *name = (IMAGE_THUNK_DATA *)(module->base + names);
	IMAGE_THUNK_DATA *slot = (IMAGE_THUNK_DATA *)(module->base + descriptor->FirstThunk);
	IMAGE_THUNK_DATA *first = slot;
	BOOLEAN writable = section_writable(module, slot);
	NTSTATUS status = STATUS_SUCCESS;
	struct export_table exports;
	void *page = slot;
	SIZE_T size;
	ULONG old;

	while (name[slot - first].u1.AddressOfData)
		slot++;
	size = (SIZE_T)((BYTE *)slot - (BYTE *)first);
	if (!size)
		return STATUS_SUCCESS;
	if (!writable)
		status = NtProtectVirtualMemory(BACKSTORE_CURRENT_PROCESS, &page, &size, PAGE_WRITECOPY, &old);
	if (!NT_SUCCESS(status))
		return status;
	export_table_get(from, &exports);
	for (slot = first; name->u1.AddressOfData; name++, slot++) {
		void *address = NULL;
		ULONG64 entry = name->u1.AddressOfData;

		if (IMAGE_SNAP_BY_ORDINAL64(entry)) {
			char digits[16] = "#", *at = digits + 1;
			ULONG ordinal = (ULONG)IMAGE_ORDINAL64(entry);

			status = export_find_in(&exports, NULL, ordinal, &address);
			for (ULONG unit = 10000; unit; unit /= 10)
				if (ordinal >= unit || unit == 1)
					*at++ = (char)('0' + ordinal / unit % 10);
			if (!NT_SUCCESS(status))
				loader_complain(dll, " has no function ", digits);
		} else {
			IMAGE_IMPORT_BY_NAME *by_name = (IMAGE_IMPORT_BY_NAME *)(module->base + entry);

			status = export_find_in(&exports, (char *)by_name->Name, by_name->Hint, &address);
			if (!NT_SUCCESS(status))
				loader_complain(dll, " has no function ", (char *)by_name->Name);
		}
		if (!NT_SUCCESS(status))
			return status;
		slot->u1.Function = (ULONG64)address;
	}
	return writable ? status : NtProtectVirtualMemory(BACKSTORE_CURRENT_PROCESS, &page, &size, old, &old);
}

/*
 * The DLL that an import descriptor names. One of the system's own that is loaded already is found by the mark: the pager
 * puts it there for what the name stands for, and the module of that name is at that base.
 */
static NTSTATUS import_load(const IMAGE_IMPORT_DESCRIPTOR *descriptor, const char *dll, struct loader_module **out)
{
	ULONG64 mark = mark_of(descriptor);
	WCHAR buffer[128];
	UNICODE_STRING name = { 0, 0, buffer };
	ULONG done, at;

	for (ULONG i = 0; mark && i < BS_KNOWN_DLLS; i++) {
		if (known_modules[i] && mark == (ULONG64)known_modules[i]->base && !known_modules[i]->unloading) {
			*out = known_modules[i];
			module_reference(*out);
			return STATUS_SUCCESS;
		}
	}
	RtlUTF8ToUnicodeN(buffer, sizeof(buffer) - 4 * sizeof(WCHAR), &done, dll, (ULONG)strlen(dll));
	for (at = done / sizeof(WCHAR); at && buffer[at - 1] != '.'; at--)
		;
	if (!at) { /* without a suffix */
		memcpy(buffer + done / sizeof(WCHAR), L".dll", 4 * sizeof(WCHAR));
		done += 4 * sizeof(WCHAR);
	}
	name.Length = name.MaximumLength = (USHORT)done;
	return module_load(&name, out);
}

/* Loads what a module imports and fills its import address tables; then it is ready to be initialised. */
NTSTATUS module_imports_resolve(struct loader_module *module)
{
	ULONG size;
	IMAGE_IMPORT_DESCRIPTOR *descriptor =
		RtlImageDirectoryEntryToData(module->base, TRUE, IMAGE_DIRECTORY_ENTRY_IMPORT, &size);
	NTSTATUS status;

	for (; descriptor && descriptor->Name && descriptor->FirstThunk; descriptor++) {
		const char *dll = (char *)module->base + descriptor->Name;
		struct loader_module *from;

		status = import_load(descriptor, dll, &from);
		if (!NT_SUCCESS(status)) {
			if (status == STATUS_DLL_NOT_FOUND)
				loader_complain(dll, " is missing", "");
			else if (status == STATUS_INVALID_IMAGE_FORMAT || status == STATUS_INVALID_IMAGE_NOT_MZ)
				loader_complain(dll, " is no DLL for this system", "");
			return status;
		}
		status = module_reference_add(module, from);
		if (NT_SUCCESS(status) && !thunks_are_bound(module, from, descriptor))
			status = thunks_resolve(module, from, dll, descriptor);
		if (!NT_SUCCESS(status))
			return status;
	}
	status = tls_module_add(module);
	if (!NT_SUCCESS(status))
		return status;
	module->flags |= MODULE_ENTRY_PROCESSED;
	return STATUS_SUCCESS;
}

/*
 * One more reference to a loaded module, or loads it; not initialised yet. resolve: with its imports; else it is mapped,
 * and nothing of it will ever be called; programs (EXEs) are mapped alone in any case. Under the loader lock.
 */
static NTSTATUS load(const UNICODE_STRING *name, BOOLEAN resolve, struct loader_module **out)
{
	struct loader_module *module;
	int known = known_dll_of(name);
	NTSTATUS status;

	if (known < 0) {
		name = module_name_resolve(name);
		known = known_dll_of(name);
	}
	module = known >= 0 ? known_modules[known] : module_find_name(name);
	status = STATUS_OBJECT_NAME_EXISTS;
	if (!module)
		status = module_map(name, known, &module);
	if (status == STATUS_OBJECT_NAME_EXISTS) {
		if (module->unloading) /* its DllMain is at work, or another one's of those that go together with it */
			return STATUS_DLL_NOT_FOUND;
		module_reference(module);
	} else if (NT_SUCCESS(status) && resolve && module->flags & MODULE_IMAGE_DLL) {
		status = module_imports_resolve(module);
		if (!NT_SUCCESS(status))
			module_dereference(module);
	}
	*out = module;
	return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

NTSTATUS module_load(const UNICODE_STRING *name, struct loader_module **out)
{
	return load(name, TRUE, out);
}

/* The name with ".dll" if it has no suffix; a dot at the end stands for no suffix and is dropped. */
static NTSTATUS name_complete(const UNICODE_STRING *name, WCHAR *buffer, ULONG units, UNICODE_STRING *out)
{
	ULONG length = name->Length / sizeof(WCHAR), at = length;

	if (!length || length + 5 > units)
		return length ? STATUS_OBJECT_NAME_INVALID : STATUS_INVALID_PARAMETER;
	for (ULONG i = 0; i < length; i++)
		buffer[i] = name->Buffer[i] == '/' ? '\\' : name->Buffer[i];
	while (at && buffer[at - 1] != '.' && buffer[at - 1] != '\\')
		at--;
	if (buffer[length - 1] == '.') {
		length--;
	} else if (!at || buffer[at - 1] != '.') {
		memcpy(buffer + length, L".dll", 4 * sizeof(WCHAR));
		length += 4;
	}
	out->Buffer = buffer;
	out->Length = out->MaximumLength = (USHORT)(length * sizeof(WCHAR));
	return STATUS_SUCCESS;
}

/*
 * Loads and initialises a DLL, or counts one more reference. search_path (may be NULL): the directories to look in for it and for
 * those that come with it, with semicolons between them, in place of the usual ones. characteristics (may be NULL): with
 * IMAGE_FILE_EXECUTABLE_IMAGE, as DONT_RESOLVE_DLL_REFERENCES has it, a DLL that is new is mapped and no more.
 */
NTSTATUS NTAPI LdrLoadDll(const WCHAR *search_path, ULONG *characteristics, const UNICODE_STRING *name, void **base)
{
	struct loader_module *module = NULL;
	WCHAR buffer[300];
	UNICODE_STRING full;
	NTSTATUS status = name_complete(name, buffer, 300, &full);
	BOOLEAN resolve = !characteristics || !(*characteristics & IMAGE_FILE_EXECUTABLE_IMAGE);
	const WCHAR *search_before;

	if (!NT_SUCCESS(status))
		return status;
	RtlEnterCriticalSection(&loader_lock);
	search_before = module_search_path;
	module_search_path = search_path;
	status = load(&full, resolve, &module);
	module_search_path = search_before;
	if (NT_SUCCESS(status)) {
		status = module_attach(module);
		if (NT_SUCCESS(status))
			*base = module->base;
		else
			module_dereference(module);
	}
	RtlLeaveCriticalSection(&loader_lock);
	return status;
}

NTSTATUS NTAPI LdrUnloadDll(void *base)
{
	struct loader_module *module;

	RtlEnterCriticalSection(&loader_lock);
	module = module_find_base(base);
	if (module)
		module_dereference(module);
	RtlLeaveCriticalSection(&loader_lock);
	return module ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

/* A loaded module's base, without a reference. */
NTSTATUS NTAPI LdrGetDllHandle(const WCHAR *search_path, ULONG *characteristics, const UNICODE_STRING *name,
			       void **base)
{
	struct loader_module *module;
	WCHAR buffer[300];
	UNICODE_STRING full;
	NTSTATUS status = name_complete(name, buffer, 300, &full);

	(void)search_path;
	(void)characteristics;
	if (!NT_SUCCESS(status))
		return status;
	RtlEnterCriticalSection(&loader_lock);
	module = module_find_name(module_name_resolve(&full));
	if (module)
		*base = module->base;
	RtlLeaveCriticalSection(&loader_lock);
	return module ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

/* By name, or by ordinal when name is NULL or empty. */
NTSTATUS NTAPI LdrGetProcedureAddress(void *base, const ANSI_STRING *name, ULONG ordinal, void **address)
{
	BOOLEAN by_name = name && name->Length;
	struct loader_module *module;
	NTSTATUS status;

	RtlEnterCriticalSection(&loader_lock);
	module = module_find_base(base);
	status = module ? export_find_now(module, by_name ? name->Buffer : NULL, ordinal, address) : STATUS_DLL_NOT_FOUND;
	RtlLeaveCriticalSection(&loader_lock);
	return status;
}

/* A copy of the module's full path into name->Buffer, as much as fits; the EXE's when base is NULL. */
NTSTATUS NTAPI LdrGetDllFullName(void *base, UNICODE_STRING *name)
{
	struct loader_module *module;
	NTSTATUS status = STATUS_DLL_NOT_FOUND;

	RtlEnterCriticalSection(&loader_lock);
	module = module_find_base(base ? base : peb_current()->image_base);
	if (module) {
		USHORT fits = module->full_name.Length;

		status = STATUS_SUCCESS;
		if (fits > name->MaximumLength) {
			fits = name->MaximumLength & ~1;
			status = STATUS_BUFFER_TOO_SMALL;
		}
		memcpy(name->Buffer, module->full_name.Buffer, fits);
		name->Length = module->full_name.Length;
	}
	RtlLeaveCriticalSection(&loader_lock);
	return status;
}

NTSTATUS NTAPI LdrAddRefDll(ULONG flags, void *base)
{
	struct loader_module *module;

	RtlEnterCriticalSection(&loader_lock);
	module = module_find_base(base);
	if (module && (flags & LDR_ADDREF_DLL_PIN))
		module->references = module->own_node.load_count = MODULE_PINNED;
	else if (module)
		module_reference(module);
	RtlLeaveCriticalSection(&loader_lock);
	return module ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

/* STATUS_DLL_NOT_FOUND also for one that has thread-local storage: it wants to hear of threads. */
NTSTATUS NTAPI LdrDisableThreadCalloutsForDll(void *base)
{
	struct loader_module *module;

	RtlEnterCriticalSection(&loader_lock);
	module = module_find_base(base);
	if (module && module->tls_slot != TLS_NO_SLOT)
		module = NULL;
	if (module)
		module->flags |= MODULE_NO_THREAD_CALLS;
	RtlLeaveCriticalSection(&loader_lock);
	return module ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

void *NTAPI RtlPcToFileHeader(void *address, void **base)
{
	struct loader_module *module = module_find_address(address);

	*base = module ? module->base : NULL;
	return *base;
}
