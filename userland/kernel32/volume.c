/* Drives and volumes: which letters there are, and what a volume says of itself. */
#include "kernel32.h"

#define VOLUME_INFORMATION ((FS_INFORMATION_CLASS)1)
#define ATTRIBUTE_INFORMATION ((FS_INFORMATION_CLASS)5)
#define DEVICE_MAP ((PROCESSINFOCLASS)23)

/* struct PROCESS_DEVICEMAP_INFORMATION's Query (ntddk.h) */
struct device_map {
	ULONG letters; /* bit 0: A: */
	UCHAR types[32];
};

static BOOL device_map(struct device_map *map)
{
	return status_result(NtQueryInformationProcess(GetCurrentProcess(), DEVICE_MAP, map, sizeof(*map), NULL));
}

DWORD WINAPI GetLogicalDrives(VOID)
{
	struct device_map map;

	return device_map(&map) ? map.letters : 0;
}

/* "C:\\" 0 "D:\\" 0 0 */
DWORD WINAPI GetLogicalDriveStringsW(DWORD units, LPWSTR out)
{
	DWORD letters = GetLogicalDrives(), need = 4 * (DWORD)__builtin_popcount(letters);

	if (need + 1 > units)
		return need + 1;
	for (DWORD i = 0; i < 26; i++) {
		if (!(letters & 1u << i))
			continue;
		*out++ = (WCHAR)('A' + i);
		*out++ = ':';
		*out++ = '\\';
		*out++ = 0;
	}
	*out = 0;
	return need;
}

DWORD WINAPI GetLogicalDriveStringsA(DWORD size, LPSTR out)
{
	WCHAR wide[26 * 4 + 1];
	DWORD units = GetLogicalDriveStringsW(26 * 4 + 1, wide);

	if (units + 1 > size)
		return units + 1;
	for (DWORD i = 0; i <= units; i++)
		out[i] = (CHAR)wide[i];
	return units;
}

/* The root's path of NULL is the current drive's. */
UINT WINAPI GetDriveTypeW(LPCWSTR root)
{
	WCHAR full[PATH_UNITS_MAX];
	struct device_map map;
	DWORD length = path_full(root ? root : L"\\", full, PATH_UNITS_MAX);

	if (length != 3 || full[0] < 'A' || full[0] > 'Z' || !device_map(&map) || !(map.letters & 1u << (full[0] - 'A')))
		return DRIVE_NO_ROOT_DIR;
	return map.types[full[0] - 'A'];
}

UINT WINAPI GetDriveTypeA(LPCSTR root)
{
	WCHAR *wide = root ? wide_from(root) : NULL;
	UINT type = root && !wide ? DRIVE_UNKNOWN : GetDriveTypeW(wide);

	memory_free(wide);
	return type;
}

/* units of a text of the kernel's, with a 0 behind them. */
static BOOL text_put(LPWSTR out, DWORD units, const WCHAR *text, DWORD bytes)
{
	if (!out)
		return TRUE;
	if (bytes / sizeof(WCHAR) >= units) {
		SetLastError(ERROR_BAD_LENGTH);
		return FALSE;
	}
	memcpy(out, text, bytes);
	out[bytes / sizeof(WCHAR)] = 0;
	return TRUE;
}

WINBOOL WINAPI GetVolumeInformationW(LPCWSTR root, LPWSTR label, DWORD label_units, LPDWORD serial, LPDWORD component_max,
				     LPDWORD flags, LPWSTR system, DWORD system_units)
{
	struct {
		LARGE_INTEGER created;
		ULONG serial, label_bytes;
		BOOLEAN supports_objects;
		WCHAR label[12];
	} volume;
	struct {
		ULONG attributes;
		LONG component_max;
		ULONG name_bytes;
		WCHAR name[12];
	} system_facts;
	IO_STATUS_BLOCK io;
	HANDLE directory;
	NTSTATUS status = path_open(root ? root : L"\\", FILE_READ_ATTRIBUTES, FILE_DIRECTORY_FILE, &directory);

	if (!NT_SUCCESS(status))
		return status_result(status);
	status = NtQueryVolumeInformationFile(directory, &io, &volume, sizeof(volume), VOLUME_INFORMATION);
	if (NT_SUCCESS(status))
		status = NtQueryVolumeInformationFile(directory, &io, &system_facts, sizeof(system_facts), ATTRIBUTE_INFORMATION);
	NtClose(directory);
	if (!status_result(status))
		return FALSE;
	if (serial)
		*serial = volume.serial;
	if (component_max)
		*component_max = (DWORD)system_facts.component_max;
	if (flags)
		*flags = system_facts.attributes;
	return text_put(label, label_units, volume.label, volume.label_bytes) &&
	       text_put(system, system_units, system_facts.name, system_facts.name_bytes);
}

WINBOOL WINAPI GetVolumeInformationA(LPCSTR root, LPSTR label, DWORD label_size, LPDWORD serial, LPDWORD component_max,
				     LPDWORD flags, LPSTR system, DWORD system_size)
{
	WCHAR *wide = root ? wide_from(root) : NULL, wide_label[12], wide_system[12];
	BOOL done = (wide || !root) && GetVolumeInformationW(wide, wide_label, 12, serial, component_max, flags, wide_system, 12);

	memory_free(wide);
	if (!done)
		return FALSE;
	if ((label && narrow_result(wide_label, (DWORD)wcslen(wide_label), label, label_size) >= label_size) ||
	    (system && narrow_result(wide_system, (DWORD)wcslen(wide_system), system, system_size) >= system_size)) {
		SetLastError(ERROR_BAD_LENGTH);
		return FALSE;
	}
	return TRUE;
}
