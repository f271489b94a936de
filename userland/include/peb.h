/*
 * What the kernel and ntdll lay out in user memory for a process and a thread: process environment block (PEB), thread
 * environment block (TEB), process parameters, and the loader's list of modules. mingw-w64's winternl.h only has the
 * public fields; these have those that Backstore uses, at the offsets of Windows x64.
 */
#ifndef INCLUDE_PEB_H
#define INCLUDE_PEB_H

#include "backstore.h"
#include <stddef.h>

#define PEB_FIELD_AT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field)

struct process_parameters {
	ULONG maximum_length, length;
	ULONG flags; /* 1: the strings have absolute addresses */
	ULONG debug_flags;
	HANDLE console;
	ULONG_PTR console_flags;
	HANDLE standard_input, standard_output, standard_error;
	UNICODE_STRING current_directory; /* DOS path that ends with a backslash */
	HANDLE current_directory_handle;
	UNICODE_STRING dll_path;
	UNICODE_STRING image_path; /* DOS or NT path of the EXE */
	UNICODE_STRING command_line;
	WCHAR *environment; /* NAME=value, each with a 0, one more 0 at the end */
	BYTE reserved[0xA4 - 0x88];
	ULONG window_flags; /* STARTF_USESTDHANDLES: the standard handles are as they were given, also if 0 */
};
PEB_FIELD_AT(process_parameters, standard_input, 0x20);
PEB_FIELD_AT(process_parameters, current_directory, 0x38);
PEB_FIELD_AT(process_parameters, image_path, 0x60);
PEB_FIELD_AT(process_parameters, command_line, 0x70);
PEB_FIELD_AT(process_parameters, environment, 0x80);
PEB_FIELD_AT(process_parameters, window_flags, 0xA4);

/* PEB->loader. The three lists hold the same modules: as loaded, by memory (the same order here), as initialised. */
struct loader_data {
	ULONG length;
	BOOLEAN initialized;
	HANDLE handle;
	LIST_ENTRY load_order, memory_order, initialization_order; /* the last one without the EXE */
	void *entry_in_progress;
	BOOLEAN shutdown_in_progress;
	HANDLE shutdown_thread_id;
};
PEB_FIELD_AT(loader_data, load_order, 0x10);
PEB_FIELD_AT(loader_data, shutdown_in_progress, 0x48);
_Static_assert(sizeof(struct loader_data) == 0x58, "PEB_LDR_DATA");

/* LDR_DDAG_NODE: each module has one of its own here, also those that import each other. */
struct loader_node {
	LIST_ENTRY modules;
	void *service_tags;
	ULONG load_count; /* references of programs and of modules that import it; MODULE_PINNED */
	ULONG load_while_unloading_count, lowest_link;
	void *dependencies, *incoming_dependencies; /* 0: see loader_module.imports */
	LONG state;                                 /* NODE_* */
	void *condense_link;
	ULONG preorder_number;
};
PEB_FIELD_AT(loader_node, load_count, 0x18);
PEB_FIELD_AT(loader_node, state, 0x38);
_Static_assert(sizeof(struct loader_node) == 0x50, "LDR_DDAG_NODE");

/* LDR_DATA_TABLE_ENTRY of Windows 10, where what ntdll has no use for is 0; then ntdll's own. */
struct loader_module {
	LIST_ENTRY load_order, memory_order, initialization_order;
	BYTE *base;
	void *entry_point;
	ULONG image_size;
	UNICODE_STRING full_name, base_name;
	ULONG flags;                /* MODULE_* */
	USHORT obsolete_load_count; /* 0xFFFF: came with the program; else 6 */
	USHORT tls_index;
	LIST_ENTRY hash_links;
	ULONG time_stamp;
	void *activation_context, *lock;
	struct loader_node *node;
	LIST_ENTRY node_links;
	void *load_context, *parent_base, *switch_back_context;
	void *base_index[3], *mapping_index[3];
	ULONG64 original_base;
	LONG64 load_time;
	ULONG name_hash;
	ULONG load_reason; /* LOAD_REASON_* */
	ULONG implicit_path_options;
	ULONG reference_count;
	/* own fields */
	struct loader_node own_node;
	ULONG references;               /* of programs; MODULE_PINNED: stays until the process ends */
	ULONG import_count;
	struct loader_module **imports; /* modules that this one holds a reference to */
	struct loader_module *next;     /* of those that are being unloaded */
	ULONG tls_slot;                 /* index in the TLS arrays, or TLS_NO_SLOT */
	ULONG seen;                     /* this and the next two are marks of attach.c */
	BOOLEAN needed, unloading;
	IMAGE_TLS_DIRECTORY *tls;       /* NULL: none, or its imports were not resolved */
	struct loader_module *imports_first[4]; /* what imports points to until there are more */
};
PEB_FIELD_AT(loader_module, base, 0x30);
PEB_FIELD_AT(loader_module, full_name, 0x48);
PEB_FIELD_AT(loader_module, base_name, 0x58);
PEB_FIELD_AT(loader_module, obsolete_load_count, 0x6C);
PEB_FIELD_AT(loader_module, time_stamp, 0x80);
PEB_FIELD_AT(loader_module, node, 0x98);
PEB_FIELD_AT(loader_module, original_base, 0xF8);
PEB_FIELD_AT(loader_module, load_reason, 0x10C);
PEB_FIELD_AT(loader_module, reference_count, 0x114);

struct peb {
	BYTE inherited_address_space, read_image_file_options, being_debugged, bit_field;
	HANDLE mutant;
	BYTE *image_base;
	struct loader_data *loader;
	struct process_parameters *parameters;
	void *subsystem_data;
	HANDLE process_heap;
	RTL_CRITICAL_SECTION *fast_lock;
	BYTE reserved1[0xB8 - 0x40];
	ULONG processors;
	ULONG global_flag;
	BYTE reserved2[0x110 - 0xC0];
	RTL_CRITICAL_SECTION *loader_lock;
	ULONG os_major, os_minor;
	USHORT os_build, os_service_pack;
	ULONG os_platform;
};
PEB_FIELD_AT(peb, loader, 0x18);
PEB_FIELD_AT(peb, process_heap, 0x30);
PEB_FIELD_AT(peb, processors, 0xB8);
PEB_FIELD_AT(peb, loader_lock, 0x110);
PEB_FIELD_AT(peb, os_major, 0x118);

struct teb {
	void *exception_list; /* the first fields are NT_TIB */
	BYTE *stack_base, *stack_limit;
	void *subsystem_tib, *fiber_data, *arbitrary;
	struct teb *self;
	void *environment;
	HANDLE process_id, thread_id;
	void *rpc_handle;
	void **tls_pointer; /* static TLS: an array of blocks, one for each module that has some */
	struct peb *peb;
	ULONG last_error;
	ULONG critical_sections_owned;
	BYTE reserved1[0x1250 - 0x70];
	ULONG last_status;
	BYTE reserved2[0x1478 - 0x1254];
	void *deallocation_stack;
	void *tls_slots[64];
	LIST_ENTRY tls_links;
	void *reserved3[23];
	ULONG guaranteed_stack_bytes; /* SetThreadStackGuarantee; the kernel reads it when the stack grows */
	void *reserved5[6];
	void **tls_expansion_slots;
	void *reserved4[8];
	void **fiber_local_slots;
	/* ntdll's own, behind all that Windows programs read directly */
	HANDLE wait_event;           /* what RtlWaitOnAddress sleeps on */
	struct tls_record *tls_record;
	/* The exception whose handlers are looked for, while frames are unwound for that: see exception_dispatch. */
	EXCEPTION_RECORD *walk_record;
	CONTEXT *walk_context;
};
PEB_FIELD_AT(teb, self, 0x30);
PEB_FIELD_AT(teb, process_id, 0x40);
PEB_FIELD_AT(teb, tls_pointer, 0x58);
PEB_FIELD_AT(teb, peb, 0x60);
PEB_FIELD_AT(teb, last_error, 0x68);
PEB_FIELD_AT(teb, last_status, 0x1250);
PEB_FIELD_AT(teb, deallocation_stack, 0x1478);
PEB_FIELD_AT(teb, tls_slots, 0x1480);
PEB_FIELD_AT(teb, guaranteed_stack_bytes, 0x1748);
PEB_FIELD_AT(teb, tls_expansion_slots, 0x1780);
PEB_FIELD_AT(teb, fiber_local_slots, 0x17C8);
_Static_assert(sizeof(struct teb) <= 8192, "the TEB is 8 KiB");

static inline struct teb *teb_current(void)
{
	struct teb *teb;
	__asm__("movq %%gs:0x30, %0" : "=r"(teb));
	return teb;
}

static inline struct peb *peb_current(void)
{
	return teb_current()->peb;
}

#endif
