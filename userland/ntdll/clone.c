/*
 * The copy of a process (fork). The caller takes ntdll's locks before, so that no other thread is in the middle of what
 * they protect: in the copy only the caller exists, and would wait for the others for ever. Locks of programs are theirs
 * to care for, as are other heaps than the process's.
 */
#include "ntdll.h"

#define FLAGS_KNOWN \
	(RTL_CLONE_PROCESS_FLAGS_CREATE_SUSPENDED | RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES | \
	 RTL_CLONE_PROCESS_FLAGS_NO_SYNCHRONIZE)

static void locks_take(void)
{
	RtlEnterCriticalSection(&loader_lock);
	RtlLockHeap(peb_current()->process_heap);
	RtlAcquireSRWLockExclusive(&module_list_lock);
}

static void locks_give(void)
{
	RtlReleaseSRWLockExclusive(&module_list_lock);
	RtlUnlockHeap(peb_current()->process_heap);
	RtlLeaveCriticalSection(&loader_lock);
}

static void image_describe(SECTION_IMAGE_INFORMATION *out)
{
	BYTE *base = (BYTE *)peb_current()->image_base;
	const IMAGE_NT_HEADERS *nt = RtlImageNtHeader(base);

	out->TransferAddress = base + nt->OptionalHeader.AddressOfEntryPoint;
	out->MaximumStackSize = nt->OptionalHeader.SizeOfStackReserve;
	out->CommittedStackSize = nt->OptionalHeader.SizeOfStackCommit;
	out->SubSystemType = nt->OptionalHeader.Subsystem;
	out->SubSystemMinorVersion = nt->OptionalHeader.MinorSubsystemVersion;
	out->SubSystemMajorVersion = nt->OptionalHeader.MajorSubsystemVersion;
	out->ImageCharacteristics = nt->FileHeader.Characteristics;
	out->DllCharacteristics = nt->OptionalHeader.DllCharacteristics;
	out->Machine = nt->FileHeader.Machine;
	out->ImageContainsCode = nt->OptionalHeader.SizeOfCode != 0;
	out->CheckSum = nt->OptionalHeader.CheckSum;
}

/*
 * Returns twice: STATUS_SUCCESS with *out filled, and in the copy STATUS_PROCESS_CLONED. There are no security descriptors
 * and no debug ports here: the descriptors are ignored, a port is refused.
 */
NTSTATUS NTAPI RtlCloneUserProcess(ULONG flags, void *process_descriptor, void *thread_descriptor, HANDLE debug_port,
				   RTL_USER_PROCESS_INFORMATION *out)
{
	BOOLEAN synchronize = !(flags & RTL_CLONE_PROCESS_FLAGS_NO_SYNCHRONIZE);
	uint32_t ids[2] = { 0, 0 };
	HANDLE process, thread;
	NTSTATUS status;

	(void)process_descriptor;
	(void)thread_descriptor;
	if (flags & ~FLAGS_KNOWN || debug_port)
		return STATUS_INVALID_PARAMETER;
	if (synchronize)
		locks_take();
	status = BsCloneProcess(flags & (BS_CLONE_SUSPENDED | BS_CLONE_INHERIT_HANDLES), &process, &thread, ids);
	if (status == STATUS_PROCESS_CLONED) {
		sync_forget_others();
		tls_forget_others();
	}
	if (synchronize)
		locks_give();
	if (status != STATUS_SUCCESS)
		return status;
	memset(out, 0, sizeof(*out));
	out->Length = sizeof(*out);
	out->ProcessHandle = process;
	out->ThreadHandle = thread;
	out->ClientId.UniqueProcess = (HANDLE)(ULONG_PTR)ids[0];
	out->ClientId.UniqueThread = (HANDLE)(ULONG_PTR)ids[1];
	image_describe(&out->ImageInformation);
	return STATUS_SUCCESS;
}
