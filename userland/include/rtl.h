/*
 * What ntdll.dll exports beside the system calls and is not declared by mingw-w64's headers: the loader, the heap,
 * exceptions, locks, strings. Signatures and meaning are those of Windows; narrow text is UTF-8 everywhere.
 */
#ifndef INCLUDE_RTL_H
#define INCLUDE_RTL_H

#include "backstore.h"

/* Strings. */
BOOLEAN NTAPI RtlEqualUnicodeString(const UNICODE_STRING *a, const UNICODE_STRING *b, BOOLEAN ignore_case);
LONG NTAPI RtlCompareUnicodeString(const UNICODE_STRING *a, const UNICODE_STRING *b, BOOLEAN ignore_case);
WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR c);
WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR c);
NTSTATUS NTAPI RtlUTF8ToUnicodeN(WCHAR *out, ULONG out_bytes, ULONG *done_bytes, const char *in, ULONG in_bytes);
NTSTATUS NTAPI RtlUnicodeToUTF8N(char *out, ULONG out_bytes, ULONG *done_bytes, const WCHAR *in, ULONG in_bytes);

/* Errors. */
ULONG NTAPI RtlGetLastWin32Error(void);
void NTAPI RtlSetLastWin32Error(ULONG error);
NTSTATUS NTAPI RtlGetLastNtStatus(void);
void NTAPI RtlSetLastWin32ErrorAndNtStatusFromNtStatus(NTSTATUS status);

/* Heaps. */
void *NTAPI RtlReAllocateHeap(void *heap, ULONG flags, void *block, SIZE_T size);
SIZE_T NTAPI RtlSizeHeap(void *heap, ULONG flags, const void *block);
BOOLEAN NTAPI RtlValidateHeap(void *heap, ULONG flags, const void *block);
BOOLEAN NTAPI RtlLockHeap(void *heap);
BOOLEAN NTAPI RtlUnlockHeap(void *heap);

/* Exceptions. */
void NTAPI RtlRaiseException(EXCEPTION_RECORD *record);
void NTAPI RtlRaiseStatus(NTSTATUS status);
void *NTAPI RtlAddVectoredExceptionHandler(ULONG first, PVECTORED_EXCEPTION_HANDLER handler);
ULONG NTAPI RtlRemoveVectoredExceptionHandler(void *cookie);
void NTAPI RtlSetUnhandledExceptionFilter(PTOP_LEVEL_EXCEPTION_FILTER filter);

/* Locks. */
NTSTATUS NTAPI RtlInitializeCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI RtlInitializeCriticalSectionAndSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins);
ULONG NTAPI RtlSetCriticalSectionSpinCount(RTL_CRITICAL_SECTION *section, ULONG spins);
NTSTATUS NTAPI RtlDeleteCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI RtlEnterCriticalSection(RTL_CRITICAL_SECTION *section);
BOOLEAN NTAPI RtlTryEnterCriticalSection(RTL_CRITICAL_SECTION *section);
NTSTATUS NTAPI RtlLeaveCriticalSection(RTL_CRITICAL_SECTION *section);
void NTAPI RtlInitializeSRWLock(RTL_SRWLOCK *lock);
void NTAPI RtlAcquireSRWLockExclusive(RTL_SRWLOCK *lock);
void NTAPI RtlAcquireSRWLockShared(RTL_SRWLOCK *lock);
BOOLEAN NTAPI RtlTryAcquireSRWLockExclusive(RTL_SRWLOCK *lock);
BOOLEAN NTAPI RtlTryAcquireSRWLockShared(RTL_SRWLOCK *lock);
void NTAPI RtlReleaseSRWLockExclusive(RTL_SRWLOCK *lock);
void NTAPI RtlReleaseSRWLockShared(RTL_SRWLOCK *lock);
void NTAPI RtlInitializeConditionVariable(RTL_CONDITION_VARIABLE *variable);
NTSTATUS NTAPI RtlSleepConditionVariableCS(RTL_CONDITION_VARIABLE *variable, RTL_CRITICAL_SECTION *section,
					   LARGE_INTEGER *timeout);
NTSTATUS NTAPI RtlSleepConditionVariableSRW(RTL_CONDITION_VARIABLE *variable, RTL_SRWLOCK *lock,
					    LARGE_INTEGER *timeout, ULONG flags);
void NTAPI RtlWakeConditionVariable(RTL_CONDITION_VARIABLE *variable);
void NTAPI RtlWakeAllConditionVariable(RTL_CONDITION_VARIABLE *variable);
void NTAPI RtlRunOnceInitialize(RTL_RUN_ONCE *once);
NTSTATUS NTAPI RtlRunOnceBeginInitialize(RTL_RUN_ONCE *once, ULONG flags, void **context);
NTSTATUS NTAPI RtlRunOnceComplete(RTL_RUN_ONCE *once, ULONG flags, void *context);
NTSTATUS NTAPI RtlRunOnceExecuteOnce(RTL_RUN_ONCE *once, PRTL_RUN_ONCE_INIT_FN init, void *parameter, void **context);
NTSTATUS NTAPI RtlWaitOnAddress(const volatile void *address, const void *compare, SIZE_T size,
				const LARGE_INTEGER *timeout);
void NTAPI RtlWakeAddressSingle(const void *address);
void NTAPI RtlWakeAddressAll(const void *address);

/* The loader. */
NTSTATUS NTAPI LdrLoadDll(const WCHAR *search_path, ULONG *characteristics, const UNICODE_STRING *name, void **base);
NTSTATUS NTAPI LdrUnloadDll(void *base);
NTSTATUS NTAPI LdrGetDllHandle(const WCHAR *search_path, ULONG *characteristics, const UNICODE_STRING *name,
			       void **base);
NTSTATUS NTAPI LdrGetProcedureAddress(void *base, const ANSI_STRING *name, ULONG ordinal, void **address);
NTSTATUS NTAPI LdrGetDllFullName(void *base, UNICODE_STRING *name);
NTSTATUS NTAPI LdrAddRefDll(ULONG flags, void *base);
NTSTATUS NTAPI LdrDisableThreadCalloutsForDll(void *base);
#define LDR_ADDREF_DLL_PIN 1
NTSTATUS NTAPI RtlImageNtHeaderEx(ULONG flags, void *base, ULONG64 size, IMAGE_NT_HEADERS **headers);
NTSTATUS NTAPI LdrFindResource_U(void *base, const ULONG_PTR *keys, ULONG levels, IMAGE_RESOURCE_DATA_ENTRY **out);
NTSTATUS NTAPI LdrAccessResource(void *base, const IMAGE_RESOURCE_DATA_ENTRY *entry, void **data, ULONG *size);
/* Backstore's own: sets the slot of TlsAlloc, or RTL_FIBER_SLOTS + that of FlsAlloc, to NULL in all threads. */
void NTAPI RtlZeroTlsSlot(ULONG slot);
/* Backstore's own: the thread of this TEB was ended from outside; its memory must not be touched any more. */
void NTAPI RtlForgetThread(void *teb);
#define RTL_FIBER_SLOTS 0x10000u
void NTAPI RtlExitUserProcess(NTSTATUS status) __attribute__((noreturn));
void NTAPI RtlExitUserThread(NTSTATUS status) __attribute__((noreturn));
PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(void *base);
void *NTAPI RtlImageDirectoryEntryToData(void *base, BOOLEAN mapped_as_image, USHORT directory, ULONG *size);

/* Memory and text, as in the C library; narrow case folding is ASCII only. */
int __cdecl _stricmp(const char *a, const char *b);
int __cdecl _wcsicmp(const wchar_t *a, const wchar_t *b);
int __cdecl _wcsnicmp(const wchar_t *a, const wchar_t *b, size_t n);

#endif
