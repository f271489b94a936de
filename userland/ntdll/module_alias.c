/*
 * Names that stand for a DLL of ours. On Windows the functions of kernel32.dll are spread over more files, and programs
 * import them by many names: those of API sets, which are no files at all, and those of DLLs that became part of
 * another one. Here kernel32.dll has them all. Source: Windows documentation, "Windows API sets" and "PSAPI functions".
 */
#include "ntdll.h"

#define NAME(text) { sizeof(text) - sizeof(WCHAR), sizeof(text), (WCHAR *)text }

static const UNICODE_STRING kernel32 = NAME(L"kernel32.dll"), ntdll = NAME(L"ntdll.dll"), msvcrt = NAME(L"msvcrt.dll");

BOOLEAN module_name_known(const UNICODE_STRING *name)
{
	return RtlEqualUnicodeString(name, &kernel32, TRUE) || RtlEqualUnicodeString(name, &msvcrt, TRUE) ||
	       RtlEqualUnicodeString(name, &ntdll, TRUE);
}

static const struct {
	UNICODE_STRING name; /* the whole name, or its beginning if it ends with a hyphen */
	const UNICODE_STRING *target;
} aliases[] = {
	{ NAME(L"kernelbase.dll"), &kernel32 },
	{ NAME(L"psapi.dll"), &kernel32 },    /* the functions without K32 in front: PSAPI_VERSION=1 */
	{ NAME(L"advapi32.dll"), &kernel32 }, /* privileges alone (kernel32/privilege.c) */
	{ NAME(L"api-ms-win-core-rtlsupport-"), &ntdll },
	{ NAME(L"api-ms-win-core-"), &kernel32 },
	{ NAME(L"api-ms-win-security-"), &kernel32 },
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
			return aliases[i].target;
	}
	return name;
}
