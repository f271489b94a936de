/* Resources of images: the trees of ntdll with kernel32's names and results. Source: Windows documentation of the calls. */
#include "kernel32.h"

/* As ntdll wants it: with the bits that say how it is mapped. */
static void *module_handle(HMODULE module)
{
	return module ? (void *)module : peb_current()->image_base;
}

/* "#123" stands for the number; buffer is for a text in UTF-16. FALSE: last error set. */
static BOOL key_from(const void *name, BOOL wide, WCHAR **buffer, ULONG_PTR *key)
{
	const WCHAR *text = name;

	*buffer = NULL;
	*key = (ULONG_PTR)name;
	if (*key < 0x10000)
		return TRUE;
	if (!wide) {
		text = *buffer = wide_from(name);
		if (!text)
			return FALSE;
	}
	*key = (ULONG_PTR)text;
	if (*text == '#') {
		*key = 0;
		for (text++; *text >= '0' && *text <= '9'; text++)
			*key = (*key * 10 + (ULONG_PTR)(*text - '0')) & 0xffff;
	}
	return TRUE;
}

static HRSRC find(HMODULE module, const void *type, const void *name, WORD language, BOOL wide)
{
	ULONG_PTR keys[3] = { 0, 0, language };
	WCHAR *buffers[2] = { NULL, NULL };
	IMAGE_RESOURCE_DATA_ENTRY *entry = NULL;

	if (key_from(type, wide, &buffers[0], &keys[0]) && key_from(name, wide, &buffers[1], &keys[1]) &&
	    !status_result(LdrFindResource_U(module_handle(module), keys, 3, &entry)))
		entry = NULL;
	memory_free(buffers[0]);
	memory_free(buffers[1]);
	return (HRSRC)entry;
}

HRSRC WINAPI FindResourceExW(HMODULE module, LPCWSTR type, LPCWSTR name, WORD language)
{
	return find(module, type, name, language, TRUE);
}

HRSRC WINAPI FindResourceExA(HMODULE module, LPCSTR type, LPCSTR name, WORD language)
{
	return find(module, type, name, language, FALSE);
}

HRSRC WINAPI FindResourceW(HMODULE module, LPCWSTR name, LPCWSTR type)
{
	return find(module, type, name, 0, TRUE);
}

HRSRC WINAPI FindResourceA(HMODULE module, LPCSTR name, LPCSTR type)
{
	return find(module, type, name, 0, FALSE);
}

HGLOBAL WINAPI LoadResource(HMODULE module, HRSRC resource)
{
	void *data = NULL;

	if (!resource)
		SetLastError(ERROR_INVALID_PARAMETER);
	else
		status_result(LdrAccessResource(module_handle(module), (IMAGE_RESOURCE_DATA_ENTRY *)resource, &data, NULL));
	return data;
}

LPVOID WINAPI LockResource(HGLOBAL data)
{
	return data;
}

WINBOOL WINAPI FreeResource(HGLOBAL data)
{
	(void)data;
	return FALSE; /* nothing was allocated: what the documentation says of it too */
}

DWORD WINAPI SizeofResource(HMODULE module, HRSRC resource)
{
	ULONG size = 0;

	if (!resource)
		SetLastError(ERROR_INVALID_PARAMETER);
	else
		status_result(LdrAccessResource(module_handle(module), (IMAGE_RESOURCE_DATA_ENTRY *)resource, NULL, &size));
	return size;
}
