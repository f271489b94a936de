/*
 * What psapi.dll had beside working sets: processes and their modules, mapped files, paging files. The A functions give
 * UTF-8. Lengths in units (bytes for A) without the end; 0 on failure.
 */
#include "kernel32.h"
#include <psapi.h>

#define MODULES_MAX 4096 /* another process's list may be damaged: it ends somewhere */

/* The numbers of all processes, as many as fit; *needed: bytes written. */
WINBOOL WINAPI K32EnumProcesses(DWORD *ids, DWORD size, DWORD *needed)
{
	struct bs_process process;
	DWORD count = 0;

	for (uint64_t index = 0; NT_SUCCESS(BsQueryProcess(index, &process)); index++)
		if (!process.exited && count < size / sizeof(DWORD))
			ids[count++] = process.id;
	*needed = count * sizeof(DWORD);
	return TRUE;
}

/* Text of a known length for the caller: cut at the buffer's end, then with ERROR_INSUFFICIENT_BUFFER. */
static DWORD text_return(const WCHAR *text, DWORD length, WCHAR *out, DWORD units)
{
	if (!units) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return 0;
	}
	if (length >= units) {
		length = units - 1;
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	}
	memcpy(out, text, length * sizeof(WCHAR));
	out[length] = 0;
	return length;
}

/* The same as UTF-8. Frees text. */
static DWORD text_return_narrow(WCHAR *text, DWORD length, char *out, DWORD size)
{
	ULONG bytes = 0;

	if (length && size) {
		if (RtlUnicodeToUTF8N(out, size - 1, &bytes, text, length * sizeof(WCHAR)) == STATUS_BUFFER_TOO_SMALL)
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
		out[bytes] = 0;
	} else if (length) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	}
	memory_free(text);
	return bytes;
}

/* ---- files ---- */

static UNICODE_STRING *name_buffer(SIZE_T *size)
{
	*size = sizeof(UNICODE_STRING) + PATH_UNITS_MAX * sizeof(WCHAR);
	return memory_get(*size);
}

/* The file that is mapped at an address, with the name that the kernel has for it. */
DWORD WINAPI K32GetMappedFileNameW(HANDLE process, LPVOID address, LPWSTR out, DWORD units)
{
	SIZE_T size;
	UNICODE_STRING *name = name_buffer(&size);
	DWORD length = 0;

	if (!name)
		return 0;
	if (status_result(NtQueryVirtualMemory(process, address, 2 /* MemoryMappedFilenameInformation */, name, size,
					       NULL)))
		length = text_return(name->Buffer, name->Length / sizeof(WCHAR), out, units);
	memory_free(name);
	return length;
}

DWORD WINAPI K32GetMappedFileNameA(HANDLE process, LPVOID address, LPSTR out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? K32GetMappedFileNameW(process, address, wide, PATH_UNITS_MAX) : 0;

	return text_return_narrow(wide, length, out, size);
}

/* The program's file, by its native name. */
DWORD WINAPI K32GetProcessImageFileNameW(HANDLE process, LPWSTR out, DWORD units)
{
	SIZE_T size;
	UNICODE_STRING *name = name_buffer(&size);
	DWORD length = 0;

	if (!name)
		return 0;
	if (status_result(NtQueryInformationProcess(process, 27 /* ProcessImageFileName */, name, (ULONG)size, NULL)))
		length = text_return(name->Buffer, name->Length / sizeof(WCHAR), out, units);
	memory_free(name);
	return length;
}

DWORD WINAPI K32GetProcessImageFileNameA(HANDLE process, LPSTR out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? K32GetProcessImageFileNameW(process, wide, PATH_UNITS_MAX) : 0;

	return text_return_narrow(wide, length, out, size);
}

/* One call for each paging file, sizes in pages, until one returns FALSE. Their names are those of the devices. */
WINBOOL WINAPI K32EnumPageFilesA(PENUM_PAGE_FILE_CALLBACKA callback, LPVOID context)
{
	struct bs_paging_file file;

	for (uint64_t i = 0; NT_SUCCESS(BsQueryPagingFile(i, &file)); i++) {
		ENUM_PAGE_FILE_INFORMATION info = { sizeof(info), 0, file.pages, file.used, file.peak };

		if (!callback(context, &info, file.name))
			break;
	}
	return TRUE;
}

WINBOOL WINAPI K32EnumPageFilesW(PENUM_PAGE_FILE_CALLBACKW callback, LPVOID context)
{
	struct bs_paging_file file;
	BOOL more = TRUE;

	for (uint64_t i = 0; more && NT_SUCCESS(BsQueryPagingFile(i, &file)); i++) {
		ENUM_PAGE_FILE_INFORMATION info = { sizeof(info), 0, file.pages, file.used, file.peak };
		WCHAR *name = wide_from(file.name);

		if (!name)
			return FALSE;
		more = callback(context, &info, name);
		memory_free(name);
	}
	return TRUE;
}

/* ---- modules of a process: its loader's list is read ---- */

static BOOL read(HANDLE process, const void *address, void *out, SIZE_T size)
{
	return status_result(NtReadVirtualMemory(process, address, out, size, NULL));
}

/* The list's head in the other process. ERROR_PARTIAL_COPY: its loader has not begun yet. */
static BOOL modules_first(HANDLE process, LIST_ENTRY **head, LIST_ENTRY *links)
{
	PROCESS_BASIC_INFORMATION basic;
	struct loader_data *loader;
	struct peb *peb;

	if (!status_result(NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic), NULL)))
		return FALSE;
	peb = (struct peb *)basic.PebBaseAddress;
	if (!read(process, &peb->loader, &loader, sizeof(loader)))
		return FALSE;
	if (!loader) {
		SetLastError(ERROR_PARTIAL_COPY);
		return FALSE;
	}
	*head = &loader->load_order;
	return read(process, *head, links, sizeof(*links));
}

/* base NULL: the program itself, which is the first. */
static BOOL module_find(HANDLE process, HMODULE base, struct loader_module *out)
{
	LIST_ENTRY *head, links;

	if (!modules_first(process, &head, &links))
		return FALSE;
	for (ULONG i = 0; links.Flink != head && i < MODULES_MAX; i++) {
		if (!read(process, links.Flink, out, sizeof(*out))) /* load_order is its first field */
			return FALSE;
		if (!base || (HMODULE)out->base == base)
			return TRUE;
		links = out->load_order;
	}
	SetLastError(ERROR_INVALID_HANDLE);
	return FALSE;
}

/* As many as fit; *needed: bytes for all of them. */
WINBOOL WINAPI K32EnumProcessModules(HANDLE process, HMODULE *modules, DWORD size, LPDWORD needed)
{
	struct loader_module module;
	LIST_ENTRY *head, links;
	DWORD count = 0;

	if (!modules_first(process, &head, &links))
		return FALSE;
	for (; links.Flink != head && count < MODULES_MAX; count++) {
		if (!read(process, links.Flink, &module, sizeof(module)))
			return FALSE;
		if (count < size / sizeof(*modules))
			modules[count] = (HMODULE)module.base;
		links = module.load_order;
	}
	*needed = count * sizeof(*modules);
	return TRUE;
}

/* filter: all modules are 64-bit ones. */
WINBOOL WINAPI K32EnumProcessModulesEx(HANDLE process, HMODULE *modules, DWORD size, LPDWORD needed, DWORD filter)
{
	if (filter == LIST_MODULES_32BIT) {
		*needed = 0;
		return TRUE;
	}
	if (filter & ~(DWORD)LIST_MODULES_ALL) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	return K32EnumProcessModules(process, modules, size, needed);
}

WINBOOL WINAPI K32GetModuleInformation(HANDLE process, HMODULE base, LPMODULEINFO out, DWORD size)
{
	struct loader_module module;

	if (size < sizeof(*out)) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	if (!module_find(process, base, &module))
		return FALSE;
	out->lpBaseOfDll = module.base;
	out->SizeOfImage = module.image_size;
	out->EntryPoint = module.entry_point;
	return TRUE;
}

static DWORD module_name(HANDLE process, HMODULE base, BOOL full, WCHAR *out, DWORD units)
{
	struct loader_module module;
	UNICODE_STRING *name = full ? &module.full_name : &module.base_name;
	DWORD length = 0;
	WCHAR *text;

	if (!module_find(process, base, &module))
		return 0;
	text = memory_get(name->Length + sizeof(WCHAR));
	if (text && read(process, name->Buffer, text, name->Length))
		length = text_return(text, name->Length / sizeof(WCHAR), out, units);
	memory_free(text);
	return length;
}

static DWORD module_name_narrow(HANDLE process, HMODULE base, BOOL full, char *out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? module_name(process, base, full, wide, PATH_UNITS_MAX) : 0;

	return text_return_narrow(wide, length, out, size);
}

DWORD WINAPI K32GetModuleFileNameExW(HANDLE process, HMODULE base, LPWSTR out, DWORD units)
{
	return module_name(process, base, TRUE, out, units);
}

DWORD WINAPI K32GetModuleFileNameExA(HANDLE process, HMODULE base, LPSTR out, DWORD size)
{
	return module_name_narrow(process, base, TRUE, out, size);
}

DWORD WINAPI K32GetModuleBaseNameW(HANDLE process, HMODULE base, LPWSTR out, DWORD units)
{
	return module_name(process, base, FALSE, out, units);
}

DWORD WINAPI K32GetModuleBaseNameA(HANDLE process, HMODULE base, LPSTR out, DWORD size)
{
	return module_name_narrow(process, base, FALSE, out, size);
}
