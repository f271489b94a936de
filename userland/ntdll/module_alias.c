/* Names that stand for a DLL of ours (abi/dll_alias.h), and the names of those. */
#include "abi/dll_alias.h"
#include "ntdll.h"

#define NAME(text) { sizeof(text) - sizeof(WCHAR), sizeof(text), (WCHAR *)text }

static const UNICODE_STRING targets[] = {
	[BS_KNOWN_KERNEL32] = NAME(L"kernel32.dll"),
	[BS_KNOWN_NTDLL] = NAME(L"ntdll.dll"),
};

START_DATA struct loader_module *known_modules[BS_KNOWN_DLLS];

/* Their names have different lengths. */
int known_dll_of(const UNICODE_STRING *name)
{
	ULONG length = name->Length / sizeof(WCHAR);
	int index = length == 9 ? BS_KNOWN_NTDLL : length == 12 ? BS_KNOWN_KERNEL32 : length == 10 ? BS_KNOWN_MSVCRT : -1;
	const char *known = index == BS_KNOWN_NTDLL ? "ntdll.dll" : index == BS_KNOWN_KERNEL32 ? "kernel32.dll" : "msvcrt.dll";

	for (ULONG i = 0; index >= 0 && i < length; i++) {
		ULONG c = name->Buffer[i];

		if ((c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c) != (ULONG)known[i])
			return -1;
	}
	return index;
}

static const struct {
	UNICODE_STRING name;
	ULONG target;
} aliases[] = {
#define ALIAS(name, target) { NAME(L##name), target },
	DLL_ALIASES(ALIAS)
};

/*
 * The name of the DLL that name stands for: itself if it is none of those above. name has a suffix; a path only matters
 * if it is that of the system's directory, where Windows has the files.
 */
const UNICODE_STRING *module_name_resolve(const UNICODE_STRING *name)
{
	static const UNICODE_STRING directory = NAME(L"C:\\system\\");
	UNICODE_STRING base = *name;

	if (RtlPrefixUnicodeString(&directory, name, TRUE)) {
		base.Buffer += directory.Length / sizeof(WCHAR);
		base.Length -= directory.Length;
	}
	for (ULONG i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		const UNICODE_STRING *alias = &aliases[i].name;
		BOOLEAN begins = alias->Buffer[alias->Length / sizeof(WCHAR) - 1] == '-';

		if (begins ? RtlPrefixUnicodeString(alias, &base, TRUE) : RtlEqualUnicodeString(alias, &base, TRUE))
			return &targets[aliases[i].target];
	}
	return name;
}
