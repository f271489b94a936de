/* Calling modules when the process and its threads begin and end, and unloading them. All under the loader lock. */
#include "ntdll.h"

typedef BOOL (WINAPI *dll_entry)(void *base, DWORD reason, void *reserved);

/* static_load is what DllMain gets as its last argument: not NULL for what comes and goes with the process. */
static BOOL module_call(struct loader_module *module, ULONG reason, void *static_load)
{
	dll_entry entry;

	tls_callbacks_run(module, reason);
	if (!(module->flags & MODULE_IMAGE_DLL) || !module->entry_point)
		return TRUE;
	entry = (dll_entry)module->entry_point;
	return entry(module->base, reason, static_load);
}

/* Initialises what has been loaded and not been initialised yet: a module after those that it imports. */
NTSTATUS modules_attach(void)
{
	LIST_ENTRY *at = loader.initialization_order.Flink;

	while (at != &loader.initialization_order) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order);
		char name[128];

		at = at->Flink;
		if (module->flags & MODULE_ATTACHED)
			continue;
		module->flags |= MODULE_ATTACHED;
		if (module_call(module, DLL_PROCESS_ATTACH, loader.initialized ? NULL : &loader))
			continue;
		module_name_to_narrow(&module->base_name, name, sizeof(name));
		loader_complain(name, " could not be initialised", "");
		module_call(module, DLL_PROCESS_DETACH, NULL);
		module->flags &= ~(ULONG)MODULE_ATTACHED;
		return STATUS_DLL_INIT_FAILED;
	}
	return STATUS_SUCCESS;
}

void modules_process_detach(void)
{
	for (LIST_ENTRY *at = loader.initialization_order.Blink; at != &loader.initialization_order; at = at->Blink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order);

		if (module->flags & MODULE_ATTACHED) {
			module->flags &= ~(ULONG)MODULE_ATTACHED;
			module_call(module, DLL_PROCESS_DETACH, &loader);
		}
	}
	tls_callbacks_run(CONTAINER(loader.load_order.Flink, struct loader_module, load_order), DLL_PROCESS_DETACH);
}

/*
 * DLL_THREAD_ATTACH in the order of initialisation, DLL_THREAD_DETACH the other way round; the EXE has TLS callbacks
 * only.
 */
void modules_thread_call(ULONG reason)
{
	LIST_ENTRY *head = &loader.initialization_order;
	struct loader_module *exe = CONTAINER(loader.load_order.Flink, struct loader_module, load_order);
	BOOLEAN forward = reason == DLL_THREAD_ATTACH;

	if (!forward)
		tls_callbacks_run(exe, reason);
	for (LIST_ENTRY *at = forward ? head->Flink : head->Blink; at != head; at = forward ? at->Flink : at->Blink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order);

		if ((module->flags & MODULE_ATTACHED) && !(module->flags & MODULE_NO_THREAD_CALLS))
			module_call(module, reason, NULL);
	}
	if (forward)
		tls_callbacks_run(exe, reason);
}

/* Drops a reference; the last one unloads the module, then what it imports. DLLs that import each other stay. */
void module_dereference(struct loader_module *module)
{
	if (module->load_count == MODULE_PINNED || --module->load_count)
		return;
	if (module->flags & MODULE_ATTACHED) {
		module->flags &= ~(ULONG)MODULE_ATTACHED;
		module_call(module, DLL_PROCESS_DETACH, NULL);
	}
	for (ULONG i = module->import_count; i; i--)
		module_dereference(module->imports[i - 1]);
	module_forget(module);
}
