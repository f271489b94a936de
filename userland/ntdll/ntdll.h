/* What the files of ntdll.dll share. Locks, outermost first: loader lock, heap lock, list of modules, wait buckets. */
#ifndef NTDLL_NTDLL_H
#define NTDLL_NTDLL_H

#define _NTSYSTEM_ /* the headers' functions are defined here, not imported */
#define _CRTIMP
#include "peb.h"
#include "rtl.h"
#include "start_data.h"

#define TLS_NO_SLOT (~0u)

/* struct loader_module.flags */
#define MODULE_IMAGE_DLL 0x4
#define MODULE_STATIC_IMPORT 0x20 /* came with the program */
#define MODULE_ENTRY_PROCESSED 0x4000 /* what it imports is there */
#define MODULE_NO_THREAD_CALLS 0x40000
#define MODULE_ATTACHED 0x80000
#define MODULE_PINNED 0xFFFFFFFFu /* of references */
#define NODE_UNLOADING (-1) /* struct loader_node.state */
#define NODE_MAPPED 2
#define NODE_READY_TO_RUN 9
#define LOAD_REASON_STATIC_DEPENDENCY 0
#define LOAD_REASON_DYNAMIC_LOAD 4

#define CONTAINER(pointer, type, field) ((type *)((char *)(pointer) - offsetof(type, field)))

static inline void list_init(LIST_ENTRY *head)
{
	head->Flink = head->Blink = head;
}

static inline void list_append(LIST_ENTRY *head, LIST_ENTRY *entry)
{
	entry->Flink = head;
	entry->Blink = head->Blink;
	head->Blink->Flink = entry;
	head->Blink = entry;
}

static inline void list_remove(LIST_ENTRY *entry)
{
	entry->Blink->Flink = entry->Flink;
	entry->Flink->Blink = entry->Blink;
}

static inline ULONG64 address_round_up(ULONG64 value, ULONG64 unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

extern IMAGE_DOS_HEADER __ImageBase; /* ntdll's own base: the linker's symbol */

/* sync.c: the thread that ends the process, once it has ended the others; NULL before. */
extern HANDLE exiting_thread;
void thread_wait_event_close(void);
void sync_forget_others(void);

/* module.c: the list of modules and how one gets into memory. */
extern struct loader_data loader;
extern RTL_CRITICAL_SECTION loader_lock;
extern RTL_SRWLOCK module_list_lock; /* for readers that can't take the loader lock: exceptions */
extern BOOLEAN modules_come_with_program; /* those that are added now: they stay as long as it */
extern const WCHAR *module_search_path; /* see LdrLoadDll; NULL: the usual directories */
struct loader_module *module_find_base(const void *base);

/* data_file.c: an image's file, mapped as data. NULL: not in it. size: bytes, all of which are there. */
BYTE *data_file_at(void *base, ULONG rva, ULONG size);
BYTE *data_file_directory(void *base, USHORT directory, ULONG *size);
/* Bits of a module's handle from LoadLibraryEx: mapped as a data file; as an image, for its resources alone. */
#define MODULE_DATA_FILE 1
static inline void *module_address(void *base)
{
	return (void *)((ULONG_PTR)base & ~(ULONG_PTR)3);
}
struct loader_module *module_find_address(const void *address);
/* Whether the pager relocated it for the place where it is. */
BOOLEAN image_at_its_base(BYTE *base);
struct loader_module *module_find_name(const UNICODE_STRING *name);
NTSTATUS module_add(BYTE *base, const WCHAR *full_name, USHORT length_bytes, int known, struct loader_module **out);
NTSTATUS module_map(const UNICODE_STRING *name, int known, struct loader_module **out);
void module_imports_free(struct loader_module *module);
void module_forget(struct loader_module *module);
void module_name_to_narrow(const UNICODE_STRING *name, char *out, ULONG size);

/* module_alias.c */
const UNICODE_STRING *module_name_resolve(const UNICODE_STRING *name);
/* Which of the system's own it names (enum bs_known_dll), or -1; and the modules that have these base names, or NULL. */
int known_dll_of(const UNICODE_STRING *name);
extern struct loader_module *known_modules[BS_KNOWN_DLLS];
#define KNOWN_DLL_UNITS 12 /* of the longest name */

/* export.c. Under the loader lock: a forwarder may load a DLL. */
struct export_table { /* of a module; all 0 but the module: it has none */
	struct loader_module *module;
	BYTE *start;
	ULONG size;
	ULONG *functions, *names;
	USHORT *indexes;
	ULONG function_count, name_count, ordinal_base;
	ULONG hints_wrong, hint_first; /* so many; and what the last right hint would have been for the first name: 0 or 1 */
};
void export_forget(const struct loader_module *module); /* it is unloaded */
void export_table_get(struct loader_module *module, struct export_table *out);
/* By name, where number is its place in the table of names, perhaps; by ordinal number when name is NULL. */
NTSTATUS export_find_in(struct export_table *t, const char *name, ULONG number, void **address);
/* The same with no hint: by name, or by ordinal when name is NULL. */
NTSTATUS export_find(struct loader_module *module, const char *name, ULONG ordinal, void **address);
/* The same; a DLL that a forwarder loads is initialised. */
NTSTATUS export_find_now(struct loader_module *module, const char *name, ULONG ordinal, void **address);

/* import.c */
NTSTATUS module_load(const UNICODE_STRING *name, struct loader_module **out);
NTSTATUS module_imports_resolve(struct loader_module *module);
NTSTATUS module_reference_add(struct loader_module *from, struct loader_module *to);
void module_reference(struct loader_module *module); /* one more of programs */
void loader_complain(const char *dll, const char *what, const char *name);

/* attach.c: initialisation and end of modules and threads. */
NTSTATUS module_attach(struct loader_module *module); /* and before it what it imports */
void modules_thread_call(ULONG reason);
void modules_process_detach(void);
void module_dereference(struct loader_module *module);

/* tls.c */
NTSTATUS tls_module_add(struct loader_module *module);
void tls_module_remove(struct loader_module *module);
NTSTATUS tls_thread_init(void);
void tls_thread_end(void);
ULONG tls_thread_count(void);
void tls_forget_others(void);
void tls_callbacks_run(struct loader_module *module, ULONG reason);

/* exception.c, seh.c */
void exception_dispatch(EXCEPTION_RECORD *record, CONTEXT *context) __attribute__((noreturn));
BOOLEAN frames_dispatch(EXCEPTION_RECORD *record, CONTEXT *context);

/* start.c */
void loader_start(void *start, void *parameter) __attribute__((noreturn));

#endif
