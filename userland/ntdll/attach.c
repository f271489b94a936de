/* Calling modules when the process and its threads begin and end, and unloading them. All under the loader lock. */
#include "ntdll.h"

typedef BOOL (WINAPI *dll_entry)(void *base, DWORD reason, void *reserved);

#define FOR_EACH_MODULE(m)                                                                                             \
	for (struct loader_module *m = CONTAINER(loader.load_order.Flink, struct loader_module, load_order);           \
	     &m->load_order != &loader.load_order; m = CONTAINER(m->load_order.Flink, struct loader_module, load_order))

static struct loader_module *exe_module(void)
{
	return CONTAINER(loader.load_order.Flink, struct loader_module, load_order);
}

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

static ULONG walk START_DATA; /* the number of the latest walk through what imports what */

static NTSTATUS attach(struct loader_module *module)
{
	char name[128];

	if (module->seen == walk)
		return STATUS_SUCCESS;
	module->seen = walk;
	/* A DllMain may make this list longer. */
	for (ULONG i = 0; i < module->import_count; i++) {
		NTSTATUS status = attach(module->imports[i]);

		if (!NT_SUCCESS(status))
			return status;
	}
	if ((module->flags & (MODULE_IMAGE_DLL | MODULE_ENTRY_PROCESSED | MODULE_ATTACHED)) !=
	    (MODULE_IMAGE_DLL | MODULE_ENTRY_PROCESSED))
		return STATUS_SUCCESS;
	module->flags |= MODULE_ATTACHED;
	list_append(&loader.initialization_order, &module->initialization_order);
	if (module_call(module, DLL_PROCESS_ATTACH, module->flags & MODULE_STATIC_IMPORT ? &loader : NULL)) {
		module->own_node.state = NODE_READY_TO_RUN;
		return STATUS_SUCCESS;
	}
	module_name_to_narrow(&module->base_name, name, sizeof(name));
	loader_complain(name, " could not be initialised", "");
	module_call(module, DLL_PROCESS_DETACH, NULL);
	module->flags &= ~(ULONG)MODULE_ATTACHED;
	list_remove(&module->initialization_order);
	list_init(&module->initialization_order);
	return STATUS_DLL_INIT_FAILED;
}

/*
 * Initialises a module and what it imports, as far as they are not yet: a module after those that it imports. Others that wait
 * for it do so until those who load them come to it: a DllMain may load DLLs.
 */
NTSTATUS module_attach(struct loader_module *module)
{
	walk++;
	return attach(module);
}

void modules_process_detach(void)
{
	loader.shutdown_in_progress = TRUE;
	loader.shutdown_thread_id = teb_current()->thread_id;
	for (LIST_ENTRY *at = loader.initialization_order.Blink; at != &loader.initialization_order; at = at->Blink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order);

		if (module->flags & MODULE_ATTACHED) {
			module->flags &= ~(ULONG)MODULE_ATTACHED;
			module_call(module, DLL_PROCESS_DETACH, &loader);
		}
	}
	tls_callbacks_run(exe_module(), DLL_PROCESS_DETACH);
}

/* DLL_THREAD_ATTACH in the order of initialisation, DLL_THREAD_DETACH the other way round; then the EXE's TLS callbacks. */
void modules_thread_call(ULONG reason)
{
	LIST_ENTRY *head = &loader.initialization_order;
	BOOLEAN forward = reason == DLL_THREAD_ATTACH;

	for (LIST_ENTRY *at = forward ? head->Flink : head->Blink; at != head; at = forward ? at->Flink : at->Blink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order);

		if ((module->flags & MODULE_ATTACHED) && !(module->flags & MODULE_NO_THREAD_CALLS))
			module_call(module, reason, NULL);
	}
	tls_callbacks_run(exe_module(), reason);
}

/* ---- unloading ---- */

static void need(struct loader_module *module)
{
	if (module->needed)
		return;
	module->needed = TRUE;
	for (ULONG i = 0; i < module->import_count; i++)
		need(module->imports[i]);
}

/* Puts those on a list that no program has a reference to, nor any module that one has a reference to: also in a circle. */
static struct loader_module *unneeded_take(void)
{
	struct loader_module *first = NULL;

	FOR_EACH_MODULE(m)
		m->needed = FALSE;
	FOR_EACH_MODULE(m)
		if (m->references)
			need(m);
	FOR_EACH_MODULE(m) {
		if (m->needed || m->unloading)
			continue;
		m->unloading = TRUE;
		m->own_node.state = NODE_UNLOADING;
		m->next = first;
		first = m;
	}
	return first;
}

static void unload(struct loader_module *first)
{
	LIST_ENTRY *head = &loader.initialization_order;

again: /* a DllMain may have unloaded others: the list is looked through from its end */
	for (LIST_ENTRY *at = head->Blink; at != head; at = at->Blink) {
		struct loader_module *module = CONTAINER(at, struct loader_module, initialization_order), *own = first;

		while (own && own != module)
			own = own->next;
		if (!own || !(module->flags & MODULE_ATTACHED))
			continue;
		module->flags &= ~(ULONG)MODULE_ATTACHED;
		module_call(module, DLL_PROCESS_DETACH, NULL);
		goto again;
	}
	for (struct loader_module *m = first; m; m = m->next)
		for (ULONG i = 0; i < m->import_count; i++)
			if (m->imports[i]->own_node.load_count != MODULE_PINNED)
				m->imports[i]->own_node.load_count--;
	while (first) {
		struct loader_module *module = first;

		first = module->next;
		module_forget(module);
	}
}

/* Drops a program's reference; what nobody needs any more is told so, the last one first, and unloaded. */
void module_dereference(struct loader_module *module)
{
	struct loader_module *first;

	if (module->references == MODULE_PINNED || !module->references)
		return; /* those who import it keep it */
	module->own_node.load_count--;
	if (--module->references)
		return;
	first = unneeded_take();
	if (first)
		unload(first);
}
