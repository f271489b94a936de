/* Modules: the loader of ntdll with kernel32's names and results. */
#include "kernel32.h"

/* flags: only LOAD_WITH_ALTERED_SEARCH_PATH is taken, and changes nothing but for a full path, which works anyway. */
HMODULE WINAPI LoadLibraryExW(LPCWSTR name, HANDLE reserved, DWORD flags)
{
	UNICODE_STRING text;
	void *base;

	if (!name || !*name || reserved || (flags & ~(DWORD)LOAD_WITH_ALTERED_SEARCH_PATH)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	RtlInitUnicodeString(&text, name);
	return status_result(LdrLoadDll(NULL, NULL, &text, &base)) ? base : NULL;
}

HMODULE WINAPI LoadLibraryExA(LPCSTR name, HANDLE reserved, DWORD flags)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HMODULE module = !name || wide ? LoadLibraryExW(wide, reserved, flags) : NULL;

	memory_free(wide);
	return module;
}

HMODULE WINAPI LoadLibraryW(LPCWSTR name)
{
	return LoadLibraryExW(name, NULL, 0);
}

HMODULE WINAPI LoadLibraryA(LPCSTR name)
{
	return LoadLibraryExA(name, NULL, 0);
}

WINBOOL WINAPI FreeLibrary(HMODULE module)
{
	NTSTATUS status = LdrUnloadDll(module);

	return status_result(status == STATUS_DLL_NOT_FOUND ? STATUS_INVALID_HANDLE : status);
}

DECLSPEC_NORETURN VOID WINAPI FreeLibraryAndExitThread(HMODULE module, DWORD code)
{
	FreeLibrary(module);
	ExitThread(code);
}

WINBOOL WINAPI DisableThreadLibraryCalls(HMODULE module)
{
	return status_result(LdrDisableThreadCalloutsForDll(module));
}

WINBOOL WINAPI GetModuleHandleExW(DWORD flags, LPCWSTR name, HMODULE *module)
{
	UNICODE_STRING text;
	void *base = NULL;
	NTSTATUS status = STATUS_SUCCESS;

	*module = NULL;
	if (flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS) {
		if (!RtlPcToFileHeader((void *)name, &base))
			status = STATUS_DLL_NOT_FOUND;
	} else if (!name) {
		base = peb_current()->image_base;
	} else {
		RtlInitUnicodeString(&text, name);
		status = LdrGetDllHandle(NULL, NULL, &text, &base);
	}
	if (NT_SUCCESS(status) && (flags & GET_MODULE_HANDLE_EX_FLAG_PIN))
		status = LdrAddRefDll(LDR_ADDREF_DLL_PIN, base);
	else if (NT_SUCCESS(status) && !(flags & GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT))
		status = LdrAddRefDll(0, base);
	if (!status_result(status))
		return FALSE;
	*module = base;
	return TRUE;
}

WINBOOL WINAPI GetModuleHandleExA(DWORD flags, LPCSTR name, HMODULE *module)
{
	WCHAR *wide = NULL;
	BOOL done;

	if (!name || (flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS))
		return GetModuleHandleExW(flags, (LPCWSTR)name, module);
	wide = wide_from(name);
	done = wide && GetModuleHandleExW(flags, wide, module);
	memory_free(wide);
	return done;
}

HMODULE WINAPI GetModuleHandleW(LPCWSTR name)
{
	HMODULE module;

	GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, name, &module);
	return module;
}

HMODULE WINAPI GetModuleHandleA(LPCSTR name)
{
	HMODULE module = NULL;

	GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, name, &module);
	return module;
}

/* A name below 65536 is an ordinal. */
FARPROC WINAPI GetProcAddress(HMODULE module, LPCSTR name)
{
	ANSI_STRING text;
	void *address;
	NTSTATUS status;

	if (!module)
		module = (HMODULE)peb_current()->image_base;
	if ((ULONG_PTR)name < 0x10000) {
		status = LdrGetProcedureAddress(module, NULL, (ULONG)(ULONG_PTR)name, &address);
	} else {
		RtlInitAnsiString(&text, name);
		status = LdrGetProcedureAddress(module, &text, 0, &address);
	}
	return status_result(status) ? (FARPROC)address : NULL;
}

/* The path, cut and ended at units, then with ERROR_INSUFFICIENT_BUFFER; returns the units copied. */
DWORD WINAPI GetModuleFileNameW(HMODULE module, LPWSTR out, DWORD units)
{
	UNICODE_STRING name = { 0, (USHORT)(units > 0x7FFF ? 0xFFFE : units * sizeof(WCHAR)), out };
	NTSTATUS status = LdrGetDllFullName(module, &name);
	DWORD length = name.Length / sizeof(WCHAR);

	if (status != STATUS_BUFFER_TOO_SMALL && !status_result(status))
		return 0;
	if (length < units) {
		out[length] = 0;
		SetLastError(ERROR_SUCCESS);
		return length;
	}
	if (units)
		out[units - 1] = 0;
	SetLastError(ERROR_INSUFFICIENT_BUFFER);
	return units;
}

DWORD WINAPI GetModuleFileNameA(HMODULE module, LPSTR out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? GetModuleFileNameW(module, wide, PATH_UNITS_MAX) : 0;
	ULONG bytes = 0;

	if (length) {
		if (RtlUnicodeToUTF8N(out, size ? size - 1 : 0, &bytes, wide, length * sizeof(WCHAR)) ==
		    STATUS_BUFFER_TOO_SMALL) {
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
			length = size;
		} else {
			length = bytes;
		}
		if (size)
			out[bytes] = 0;
	}
	memory_free(wide);
	return length;
}
