/*
 * Names that stand for a DLL of ours. On Windows the functions of kernel32.dll are spread over more files, and programs
 * import them by many names: those of API sets, which are no files at all, and those of DLLs that became part of
 * another one. Here kernel32.dll has them all. Source: Windows documentation, "Windows API sets" and "PSAPI functions".
 *
 * X(name in small letters, or its beginning if it ends with a hyphen; the DLL, of enum bs_known_dll): the first
 * that fits counts.
 */
#ifndef ABI_DLL_ALIAS_H
#define ABI_DLL_ALIAS_H

#define DLL_ALIASES(X)                                                                                                 \
	X("kernelbase.dll", BS_KNOWN_KERNEL32)                                                                         \
	X("psapi.dll", BS_KNOWN_KERNEL32) /* the functions without K32 in front: PSAPI_VERSION=1 */                    \
	X("advapi32.dll", BS_KNOWN_KERNEL32) /* privileges alone (kernel32/privilege.c) */                             \
	X("api-ms-win-core-rtlsupport-", BS_KNOWN_NTDLL)                                                               \
	X("api-ms-win-core-", BS_KNOWN_KERNEL32)                                                                       \
	X("api-ms-win-security-", BS_KNOWN_KERNEL32)

#endif
