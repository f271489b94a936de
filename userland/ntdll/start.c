/* How a process and its threads begin and end in user space. entry.S calls loader_start on every new thread's stack. */
#include "ntdll.h"

static RTL_CRITICAL_SECTION fast_lock START_DATA;

static void process_fail(NTSTATUS status)
{
	NtTerminateProcess(BACKSTORE_CURRENT_PROCESS, status);
}

/* The EXE and ntdll, which the kernel mapped, become the first two modules; then the EXE's imports are loaded. */
static NTSTATUS modules_init(struct peb *peb)
{
	static const WCHAR own_name[] = L"C:\\system\\ntdll.dll";
	UNICODE_STRING path = peb->parameters->image_path;
	struct loader_module *exe, *own;
	NTSTATUS status;

	loader.length = sizeof(loader);
	list_init(&loader.load_order);
	list_init(&loader.memory_order);
	list_init(&loader.initialization_order);
	peb->loader = &loader;
	if (path.Length > 4 * sizeof(WCHAR) && path.Buffer[0] == '\\' && path.Buffer[1] == '?') {
		path.Buffer += 4; /* an NT path: \??\C:\... */
		path.Length -= 4 * sizeof(WCHAR);
	}
	status = module_add(peb->image_base, path.Buffer, path.Length, -1, &exe);
	if (NT_SUCCESS(status))
		status = module_add((BYTE *)&__ImageBase, own_name, sizeof(own_name) - sizeof(WCHAR), BS_KNOWN_NTDLL, &own);
	if (!NT_SUCCESS(status))
		return status;
	own->flags |= MODULE_ENTRY_PROCESSED | MODULE_ATTACHED;
	list_append(&loader.initialization_order, &own->initialization_order);
	status = module_imports_resolve(exe);
	modules_come_with_program = FALSE;
	return status;
}

static NTSTATUS process_init(struct peb *peb)
{
	IMAGE_NT_HEADERS *headers = RtlImageNtHeader(peb->image_base);
	NTSTATUS status;

	if (!headers)
		return STATUS_INVALID_IMAGE_FORMAT;
	RtlInitializeCriticalSection(&fast_lock);
	peb->fast_lock = &fast_lock;
	peb->loader_lock = &loader_lock;
	peb->process_heap = RtlCreateHeap(HEAP_GROWABLE, NULL, headers->OptionalHeader.SizeOfHeapReserve,
					  headers->OptionalHeader.SizeOfHeapCommit, NULL, NULL);
	if (!peb->process_heap)
		return STATUS_NO_MEMORY;
	RtlEnterCriticalSection(&loader_lock);
	status = modules_init(peb);
	if (NT_SUCCESS(status))
		status = tls_thread_init();
	if (NT_SUCCESS(status)) {
		struct loader_module *exe = CONTAINER(loader.load_order.Flink, struct loader_module, load_order);

		status = module_attach(exe);
		if (NT_SUCCESS(status)) {
			tls_callbacks_run(exe, DLL_PROCESS_ATTACH);
			loader.initialized = TRUE;
		}
	}
	RtlLeaveCriticalSection(&loader_lock);
	return status;
}

/* start(parameter) with the thread's modules told before and after; its result is the thread's exit code. */
void loader_start(void *start, void *parameter)
{
	ULONG (WINAPI *routine)(void *) = (ULONG (WINAPI *)(void *))start;
	struct peb *peb = peb_current();
	NTSTATUS status;

	if (!peb->loader) {
		status = process_init(peb);
		if (!NT_SUCCESS(status))
			process_fail(status);
	} else {
		RtlEnterCriticalSection(&loader_lock);
		status = tls_thread_init();
		if (NT_SUCCESS(status))
			modules_thread_call(DLL_THREAD_ATTACH);
		else
			tls_thread_end();
		RtlLeaveCriticalSection(&loader_lock);
		if (!NT_SUCCESS(status))
			NtTerminateThread(BACKSTORE_CURRENT_THREAD, status);
	}
	RtlExitUserThread((NTSTATUS)routine(parameter));
}

/* Whether this is the process's only thread: one that was created and has not begun is known to the kernel alone. */
static BOOLEAN thread_is_only_one(void)
{
	ULONG own = (ULONG)(ULONG_PTR)teb_current()->process_id;
	struct bs_process process;

	if (tls_thread_count() > 1)
		return FALSE;
	for (uint64_t index = 0; NT_SUCCESS(BsQueryProcess(index, &process)); index++)
		if (process.id == own)
			return process.threads <= 1;
	return TRUE;
}

/* Ends the calling thread; with the last one the process. */
void NTAPI RtlExitUserThread(NTSTATUS status)
{
	RtlEnterCriticalSection(&loader_lock);
	if (thread_is_only_one())
		RtlExitUserProcess(status);
	modules_thread_call(DLL_THREAD_DETACH);
	tls_thread_end();
	RtlLeaveCriticalSection(&loader_lock);
	thread_wait_event_close();
	NtTerminateThread(BACKSTORE_CURRENT_THREAD, status);
	__builtin_unreachable();
}

/*
 * Ends the process: first the other threads, then the modules hear of it. The locks of loader and heap are taken
 * before, so that no thread is ended in the middle of them.
 */
void NTAPI RtlExitUserProcess(NTSTATUS status)
{
	if (exiting_thread != teb_current()->thread_id) {
		RtlEnterCriticalSection(&loader_lock);
		RtlLockHeap(peb_current()->process_heap);
		NtTerminateProcess(NULL, status);
		exiting_thread = teb_current()->thread_id;
		RtlUnlockHeap(peb_current()->process_heap);
		modules_process_detach();
	}
	NtTerminateProcess(BACKSTORE_CURRENT_PROCESS, status);
	__builtin_unreachable();
}
