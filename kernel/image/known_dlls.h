/*
 * The system's own DLLs, C:\system\ntdll.dll, kernel32.dll and msvcrt.dll. Their sections are made at the boot and kept until
 * the next one, so that they stay at one place, and import tables that lead to them can be filled in once (bind.h).
 */
#ifndef IMAGE_KNOWN_DLLS_H
#define IMAGE_KNOWN_DLLS_H

#include "image/bind.h"

struct section;

/* Before the first process. False, with a message: ntdll.dll, without which there are no processes, is not there. */
bool known_dlls_load(void);

/* ntdll.dll's section; the rva of a function that it exports, or 0. */
struct section *known_ntdll(void);
u32 known_ntdll_function(const char *name);

/* The section of one (enum bs_known_dll) if it is there, and its file is still the one of that name, with the contents that it had; or NULL. */
struct section *known_dll(u32 index);

/* Those that are there, as long as the system runs. */
const struct bind_dll *known_dlls(u32 *count);

#endif
