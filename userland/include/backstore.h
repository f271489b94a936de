/*
 * The native interface for user programs: Backstore's own calls (Bs*), and the calls of Windows NT that mingw-w64's
 * winternl.h does not declare. All are in ntdll.dll: link with its import library. Include this in place of windows.h
 * or before it: it brings windows.h, winternl.h and ntstatus.h in the order in which they do not quarrel.
 */
#ifndef INCLUDE_BACKSTORE_H
#define INCLUDE_BACKSTORE_H

#ifndef WIN32_NO_STATUS
#define WIN32_NO_STATUS /* ntstatus.h has them all, winnt.h a few */
#endif
#ifndef NTDDI_VERSION
#define NTDDI_VERSION 0x0A000006 /* Windows 10, 1809: with the memory calls that have extended parameters */
#endif
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>
#include "abi/backstore.h"

/* What these headers of mingw-w64 lack. */
#ifndef MEM_COALESCE_PLACEHOLDERS
#define MEM_COALESCE_PLACEHOLDERS 0x1
#define MEM_PRESERVE_PLACEHOLDER 0x2
#define MEM_REPLACE_PLACEHOLDER 0x4000
#define MEM_RESERVE_PLACEHOLDER 0x40000
#endif
#ifndef FILE_MAP_RESERVE
#define FILE_MAP_RESERVE 0x80000000
#endif
#ifndef SEC_NO_CHANGE
#define SEC_NO_CHANGE 0x400000
#endif
#ifndef STATUS_HEAP_CORRUPTION
#define STATUS_HEAP_CORRUPTION ((NTSTATUS)0xC0000374)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BACKSTORE_CURRENT_PROCESS ((HANDLE)(LONG_PTR)-1)
#define BACKSTORE_CURRENT_THREAD ((HANDLE)(LONG_PTR)-2)

/* Backstore's own: see abi/backstore.h. */
NTSYSAPI NTSTATUS NTAPI BsNull(void);
NTSYSAPI NTSTATUS NTAPI BsCreateProcess(const struct bs_create_process *in, HANDLE *process, HANDLE *thread);
NTSYSAPI NTSTATUS NTAPI BsSetReclaim(uint64_t low, uint64_t high);
NTSYSAPI NTSTATUS NTAPI BsMapKnownDll(uint32_t index, void **base);
NTSYSAPI NTSTATUS NTAPI BsCloneProcess(uint32_t flags, HANDLE *process, HANDLE *thread, uint32_t ids[2]);
NTSYSAPI NTSTATUS NTAPI BsQueryProcess(uint64_t index, struct bs_process *out);
NTSYSAPI NTSTATUS NTAPI BsQueryOption(const char *name, char *value, uint64_t size);
NTSYSAPI NTSTATUS NTAPI BsQueryBacking(HANDLE process, void *address, uint64_t pages, struct bs_page *out);
NTSYSAPI NTSTATUS NTAPI BsQueryMemory(struct bs_memory *out);
NTSYSAPI NTSTATUS NTAPI BsQueryPagingFile(uint64_t index, struct bs_paging_file *out);
NTSYSAPI NTSTATUS NTAPI BsAddPagingFile(const char *name, uint64_t size, int64_t priority);
NTSYSAPI NTSTATUS NTAPI BsRemovePagingFile(const char *name, uint64_t number, struct bs_paging_file_removal *out);
NTSYSAPI NTSTATUS NTAPI BsCheckMemory(void);
NTSYSAPI NTSTATUS NTAPI BsOfferVirtualMemory(HANDLE process, void *address, uint64_t bytes, uint32_t priority);
NTSYSAPI NTSTATUS NTAPI BsReclaimVirtualMemory(HANDLE process, void *address, uint64_t bytes);
NTSYSAPI NTSTATUS NTAPI BsQueryFrames(uint64_t first, uint64_t count, struct bs_frame *out);
NTSYSAPI NTSTATUS NTAPI BsTraceOpen(uint64_t mask, uint32_t process, uint64_t entries, HANDLE *trace);
NTSYSAPI NTSTATUS NTAPI BsTraceRead(HANDLE trace, struct bs_event *out, uint64_t max, uint64_t *count, uint64_t *lost,
				    const LARGE_INTEGER *timeout);
NTSYSAPI NTSTATUS NTAPI BsCloneProcess(uint32_t flags, HANDLE *process, HANDLE *thread, uint32_t ids[2]);

/* Objects. */
NTSYSAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target,
					  ACCESS_MASK access, ULONG attributes, ULONG options);
NTSYSAPI NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG count, HANDLE *handles, ULONG wait_any, BOOLEAN alertable,
						 LARGE_INTEGER *timeout);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *event, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
				      ULONG synchronization, BOOLEAN initial);
NTSYSAPI NTSTATUS NTAPI NtOpenEvent(HANDLE *event, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes);
NTSYSAPI NTSTATUS NTAPI NtSetEvent(HANDLE event, LONG *previous);
NTSYSAPI NTSTATUS NTAPI NtResetEvent(HANDLE event, LONG *previous);
NTSYSAPI NTSTATUS NTAPI NtSetInformationObject(HANDLE handle, ULONG information, void *buffer, ULONG size);

/* Processes and threads. */
NTSYSAPI NTSTATUS NTAPI NtOpenProcess(HANDLE *process, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
				      CLIENT_ID *client_id);
NTSYSAPI NTSTATUS NTAPI NtTerminateProcess(HANDLE process, NTSTATUS status);
NTSYSAPI NTSTATUS NTAPI NtCreateThreadEx(HANDLE *thread, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
					 HANDLE process, void *start, void *parameter, ULONG flags, SIZE_T zero_bits,
					 SIZE_T stack_commit, SIZE_T stack_reserve, void *attribute_list);
NTSYSAPI NTSTATUS NTAPI NtTerminateThread(HANDLE thread, NTSTATUS status);
NTSYSAPI NTSTATUS NTAPI NtSetInformationThread(HANDLE thread, THREADINFOCLASS information, void *buffer, ULONG size);
NTSYSAPI NTSTATUS NTAPI NtResumeThread(HANDLE thread, ULONG *previous);
NTSYSAPI NTSTATUS NTAPI NtDelayExecution(BOOLEAN alertable, LARGE_INTEGER *interval);
NTSYSAPI NTSTATUS NTAPI NtYieldExecution(void);
NTSYSAPI NTSTATUS NTAPI NtRaiseException(EXCEPTION_RECORD *record, CONTEXT *context, BOOLEAN first_chance);
NTSYSAPI NTSTATUS NTAPI NtContinue(CONTEXT *context, BOOLEAN test_alert);

/* Time and the system. */
NTSYSAPI NTSTATUS NTAPI NtQueryPerformanceCounter(LARGE_INTEGER *counter, LARGE_INTEGER *frequency);
NTSYSAPI NTSTATUS NTAPI NtShutdownSystem(ULONG action);

/* Files. */
NTSYSAPI NTSTATUS NTAPI NtReadFile(HANDLE file, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *io,
				   void *buffer, ULONG size, LARGE_INTEGER *offset, ULONG *key);
NTSYSAPI NTSTATUS NTAPI NtWriteFile(HANDLE file, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *io,
				    const void *buffer, ULONG size, LARGE_INTEGER *offset, ULONG *key);
NTSYSAPI NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE file, HANDLE event, void *apc, void *apc_context,
					     IO_STATUS_BLOCK *io, void *buffer, ULONG size,
					     FILE_INFORMATION_CLASS information, BOOLEAN single,
					     UNICODE_STRING *name, BOOLEAN restart);
NTSYSAPI NTSTATUS NTAPI NtQueryAttributesFile(OBJECT_ATTRIBUTES *attributes, FILE_BASIC_INFORMATION *out);
NTSYSAPI NTSTATUS NTAPI NtQueryFullAttributesFile(OBJECT_ATTRIBUTES *attributes, void *network_open_information);
NTSYSAPI NTSTATUS NTAPI NtFlushBuffersFile(HANDLE file, IO_STATUS_BLOCK *io);
NTSYSAPI NTSTATUS NTAPI NtCreateNamedPipeFile(HANDLE *pipe, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
					       IO_STATUS_BLOCK *io, ULONG share, ULONG disposition, ULONG options, ULONG type,
					       ULONG read_mode, ULONG completion_mode, ULONG instances, ULONG inbound,
					       ULONG outbound, LARGE_INTEGER *timeout);
NTSYSAPI NTSTATUS NTAPI NtLockFile(HANDLE file, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *io,
				   LARGE_INTEGER *offset, LARGE_INTEGER *length, ULONG key, BOOLEAN fail_at_once,
				   BOOLEAN exclusive);
NTSYSAPI NTSTATUS NTAPI NtUnlockFile(HANDLE file, IO_STATUS_BLOCK *io, LARGE_INTEGER *offset, LARGE_INTEGER *length,
				     ULONG key);

/* Memory. Sizes and offsets in bytes. */
NTSYSAPI NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE process, void **base, ULONG_PTR zero_bits, SIZE_T *size,
						ULONG type, ULONG protect);
NTSYSAPI NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG type);
NTSYSAPI NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG protect, ULONG *old);
NTSYSAPI NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, const void *address, ULONG information, void *buffer,
					     SIZE_T size, SIZE_T *returned);
NTSYSAPI NTSTATUS NTAPI NtReadVirtualMemory(HANDLE process, const void *address, void *buffer, SIZE_T size,
					    SIZE_T *done);
NTSYSAPI NTSTATUS NTAPI NtWriteVirtualMemory(HANDLE process, void *address, const void *buffer, SIZE_T size,
					     SIZE_T *done);
NTSYSAPI NTSTATUS NTAPI NtCreateSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
					LARGE_INTEGER *size, ULONG protect, ULONG allocation, HANDLE file);
NTSYSAPI NTSTATUS NTAPI NtOpenSection(HANDLE *section, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes);
NTSYSAPI NTSTATUS NTAPI NtMapViewOfSection(HANDLE section, HANDLE process, void **base, ULONG_PTR zero_bits,
					   SIZE_T commit, LARGE_INTEGER *offset, SIZE_T *size, ULONG inherit,
					   ULONG allocation, ULONG protect);
NTSYSAPI NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE process, void *base);
NTSYSAPI NTSTATUS NTAPI NtQuerySection(HANDLE section, ULONG information, void *buffer, SIZE_T size,
				       SIZE_T *returned);
NTSYSAPI NTSTATUS NTAPI NtAllocateVirtualMemoryEx(HANDLE process, void **base, SIZE_T *size, ULONG type, ULONG protect,
						  MEM_EXTENDED_PARAMETER *parameters, ULONG count);
NTSYSAPI NTSTATUS NTAPI NtMapViewOfSectionEx(HANDLE section, HANDLE process, void **base, LARGE_INTEGER *offset,
					     SIZE_T *size, ULONG allocation, ULONG protect,
					     MEM_EXTENDED_PARAMETER *parameters, ULONG count);
NTSYSAPI NTSTATUS NTAPI NtUnmapViewOfSectionEx(HANDLE process, void *base, ULONG flags);
NTSYSAPI NTSTATUS NTAPI NtExtendSection(HANDLE section, LARGE_INTEGER *size);
NTSYSAPI NTSTATUS NTAPI NtLockVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG map);
NTSYSAPI NTSTATUS NTAPI NtUnlockVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG map);
NTSYSAPI NTSTATUS NTAPI NtGetWriteWatch(HANDLE process, ULONG flags, void *base, SIZE_T size, void **addresses,
					ULONG_PTR *count, ULONG *granularity);
NTSYSAPI NTSTATUS NTAPI NtResetWriteWatch(HANDLE process, void *base, SIZE_T size);
/* Counts and frame numbers of pages. */
NTSYSAPI NTSTATUS NTAPI NtAllocateUserPhysicalPages(HANDLE process, ULONG_PTR *count, ULONG_PTR *frames);
NTSYSAPI NTSTATUS NTAPI NtFreeUserPhysicalPages(HANDLE process, ULONG_PTR *count, ULONG_PTR *frames);
NTSYSAPI NTSTATUS NTAPI NtMapUserPhysicalPages(void *address, ULONG_PTR count, ULONG_PTR *frames);
NTSYSAPI NTSTATUS NTAPI NtMapUserPhysicalPagesScatter(void **addresses, ULONG_PTR count, ULONG_PTR *frames);
NTSYSAPI NTSTATUS NTAPI NtFlushVirtualMemory(HANDLE process, void **base, SIZE_T *size, IO_STATUS_BLOCK *io);
/* ranges: struct nt_memory_range_entry, alike WIN32_MEMORY_RANGE_ENTRY. */
NTSYSAPI NTSTATUS NTAPI NtSetInformationVirtualMemory(HANDLE process, ULONG information, ULONG_PTR count, void *ranges,
						      void *buffer, ULONG size);
NTSYSAPI NTSTATUS NTAPI NtSetSystemInformation(ULONG info_class, void *buffer, ULONG size);
NTSYSAPI NTSTATUS NTAPI NtAreMappedFilesTheSame(void *first, void *second);

/* The copy of a process (fork); winternl.h has none of this. */
#ifndef RTL_CLONE_PROCESS_FLAGS_CREATE_SUSPENDED
#define RTL_CLONE_PROCESS_FLAGS_CREATE_SUSPENDED 1
#define RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES 2
#define RTL_CLONE_PROCESS_FLAGS_NO_SYNCHRONIZE 4 /* ntdll's own locks are not taken meanwhile */
#endif

typedef struct _SECTION_IMAGE_INFORMATION {
	void *TransferAddress;
	ULONG ZeroBits;
	SIZE_T MaximumStackSize, CommittedStackSize;
	ULONG SubSystemType;
	USHORT SubSystemMinorVersion, SubSystemMajorVersion;
	USHORT MajorOperatingSystemVersion, MinorOperatingSystemVersion;
	USHORT ImageCharacteristics, DllCharacteristics, Machine;
	BOOLEAN ImageContainsCode;
	UCHAR ImageFlags;
	ULONG LoaderFlags, ImageFileSize, CheckSum;
} SECTION_IMAGE_INFORMATION;

typedef struct _RTL_USER_PROCESS_INFORMATION {
	ULONG Length;
	HANDLE ProcessHandle, ThreadHandle;
	CLIENT_ID ClientId;
	SECTION_IMAGE_INFORMATION ImageInformation;
} RTL_USER_PROCESS_INFORMATION;

/* STATUS_SUCCESS, in the copy STATUS_PROCESS_CLONED; STATUS_COMMITMENT_LIMIT, ... as BsCloneProcess. */
NTSYSAPI NTSTATUS NTAPI RtlCloneUserProcess(ULONG flags, void *process_descriptor, void *thread_descriptor,
					    HANDLE debug_port, RTL_USER_PROCESS_INFORMATION *out);

#ifdef __cplusplus
}
#endif

#endif
