/* Finding a process by its number or by the name of its image, and what it has mapped. */
#ifndef PROCESS_H
#define PROCESS_H

#include "counters.h"
#include "tool.h"

/*
 * The number of the process that text means: digits, or an image's name with or without .exe, in any case. 0: there is
 * none, or (ambiguous set) there are several of that name. The asking process itself does not count.
 */
static inline uint32_t process_find(const char *text, bool *ambiguous)
{
	struct bs_process p;
	uint64_t number;
	uint32_t found = 0;
	char name[MAX_PATH];
	*ambiguous = false;
	if (tool_parse_number(text, &number))
		return (uint32_t)number;
	if (strlen(text) + 5 > sizeof(name))
		return 0;
	strcpy(name, text);
	if (strlen(name) < 4 || _stricmp(name + strlen(name) - 4, ".exe"))
		strcat(name, ".exe");
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++)
		if (!p.exited && p.id != GetCurrentProcessId() && !_stricmp(p.name, name)) {
			if (found)
				*ambiguous = true;
			found = p.id;
		}
	return *ambiguous ? 0 : found;
}

/* Opens the process that text means. NULL, with a message, if that is not possible. */
static inline HANDLE process_open(const char *program, const char *text, DWORD access, uint32_t *id)
{
	bool ambiguous;
	*id = process_find(text, &ambiguous);
	if (*id == 0) {
		fprintf(stderr, "%s: %s: %s; ps lists the processes\n", program, text,
			ambiguous ? "several processes have this name, use the number" : "there is no such process");
		return NULL;
	}
	HANDLE process = OpenProcess(access, FALSE, *id);
	if (!process) {
		if (GetLastError() == ERROR_INVALID_PARAMETER)
			fprintf(stderr, "%s: %s: there is no such process; ps lists them\n", program, text);
		else
			tool_fail(program, text, GetLastError());
	}
	return process;
}

/* The base name of the file that an address is a view of; false if there is none. */
static inline bool process_file_name(HANDLE process, uint64_t address, char *name, size_t size)
{
	static union {
		UNICODE_STRING string;
		char bytes[2048];
	} file;
	const ULONG mapped_file_name = 2; /* MemoryMappedFilenameInformation */
	if (NtQueryVirtualMemory(process, (void *)address, mapped_file_name, &file, sizeof(file), NULL) != 0 ||
	    file.string.Length == 0)
		return false;
	int units = file.string.Length / (int)sizeof(WCHAR), start = units;
	while (start > 0 && file.string.Buffer[start - 1] != '\\')
		start--;
	int length = WideCharToMultiByte(CP_UTF8, 0, file.string.Buffer + start, units - start, name, (int)size - 1,
					 NULL, NULL);
	name[length > 0 ? length : 0] = 0;
	return length > 0;
}

#endif
