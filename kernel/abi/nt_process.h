/*
 * What the kernel lays out in user memory for processes, threads and exceptions, and the structures of the native query
 * calls: Windows' x64 layout, fixed-size types. User space has its own declarations of the same.
 * Sources: Windows SDK (winnt.h), Windows Internals 7th edition part 1 (PEB, TEB), public debugging symbols of
 * Windows 10.
 */
#ifndef ABI_NT_PROCESS_H
#define ABI_NT_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "abi/nt.h"

#define NT_AT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field)
#define NT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

/* ---- exceptions ---- */

#define EXCEPTION_PARAMETERS_MAX 15

struct nt_exception_record {
	uint32_t code, flags;
	uint64_t next, address;
	uint32_t parameter_count, padding;
	uint64_t parameters[EXCEPTION_PARAMETERS_MAX];
};
NT_SIZE(nt_exception_record, 152);

#define CONTEXT_CONTROL_ 0x100001u
#define CONTEXT_INTEGER_ 0x100002u
#define CONTEXT_SEGMENTS_ 0x100004u
#define CONTEXT_FLOATING_POINT_ 0x100008u

struct nt_context {
	uint64_t home[6];
	uint32_t flags, mxcsr;
	uint16_t cs, ds, es, fs, gs, ss;
	uint32_t eflags;
	uint64_t dr0, dr1, dr2, dr3, dr6, dr7;
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rip;
	uint8_t fpu[512]; /* FXSAVE's format */
	uint8_t vectors[26 * 16];
	uint64_t vector_control, debug_control;
	uint64_t last_branch_to, last_branch_from, last_exception_to, last_exception_from;
} __attribute__((aligned(16)));
NT_AT(nt_context, rax, 0x78);
NT_AT(nt_context, rip, 0xf8);
NT_AT(nt_context, fpu, 0x100);
NT_SIZE(nt_context, 1232);

/* ---- process and thread blocks ---- */

#define TEB_SIZE 8192
#define TEB_DEALLOCATION_STACK 0x1478

struct nt_teb { /* its beginning */
	uint64_t exception_list, stack_base, stack_limit, subsystem_tib, fiber_data, arbitrary, self, environment;
	struct nt_client_id client_id;
	uint64_t rpc_handle, tls_pointer, peb;
};
NT_AT(nt_teb, stack_base, 0x08);
NT_AT(nt_teb, self, 0x30);
NT_AT(nt_teb, client_id, 0x40);
NT_AT(nt_teb, peb, 0x60);

struct nt_peb { /* its beginning */
	uint8_t flags[8];
	uint64_t mutant, image_base, loader, parameters;
	uint8_t reserved1[0xb8 - 0x28];
	uint32_t processors, global_flag;
	uint64_t critical_section_timeout, heap_reserve, heap_commit;
	uint8_t reserved2[0x118 - 0xd8];
	uint32_t os_major, os_minor;
	uint16_t os_build, os_service_pack;
	uint32_t os_platform, subsystem, subsystem_major, subsystem_minor;
};
NT_AT(nt_peb, image_base, 0x10);
NT_AT(nt_peb, parameters, 0x20);
NT_AT(nt_peb, processors, 0xb8);
NT_AT(nt_peb, heap_reserve, 0xc8);
NT_AT(nt_peb, os_build, 0x120);
NT_AT(nt_peb, subsystem, 0x128);

#define PROCESS_PARAMETERS_NORMALIZED 1 /* strings have absolute addresses */
#define STARTF_USESTDHANDLES 0x100 /* window_flags: the standard handles are as the parent gave them, 0 included */

struct nt_process_parameters {
	uint32_t maximum_length, length, flags, debug_flags;
	uint64_t console_handle, console_flags, standard[3];
	struct nt_unicode_string current_directory;
	uint64_t current_directory_handle;
	struct nt_unicode_string dll_path, image_path, command_line;
	uint64_t environment;
	uint8_t reserved[0xa4 - 0x88];
	uint32_t window_flags; /* STARTF_* */
	uint8_t reserved3[0x3f0 - 0xa8];
	uint64_t environment_size, environment_version;
	uint8_t reserved2[0x440 - 0x400];
};
NT_AT(nt_process_parameters, standard, 0x20);
NT_AT(nt_process_parameters, current_directory, 0x38);
NT_AT(nt_process_parameters, dll_path, 0x50);
NT_AT(nt_process_parameters, image_path, 0x60);
NT_AT(nt_process_parameters, environment, 0x80);
NT_AT(nt_process_parameters, window_flags, 0xa4);
NT_AT(nt_process_parameters, environment_size, 0x3f0);

/* ---- queries: processes, threads, the system ---- */

struct nt_process_basic_information {
	uint32_t exit_status, padding;
	uint64_t peb, affinity;
	int32_t base_priority, padding2;
	uint64_t id, parent_id;
};
NT_SIZE(nt_process_basic_information, 48);

struct nt_vm_counters {
	uint64_t peak_virtual_size, virtual_size;
	uint32_t page_faults, padding;
	uint64_t peak_working_set, working_set;
	uint64_t peak_paged_pool, paged_pool, peak_nonpaged_pool, nonpaged_pool;
	uint64_t pagefile_usage, peak_pagefile_usage;
	uint64_t private_usage; /* VM_COUNTERS_EX alone */
};
NT_SIZE(nt_vm_counters, 96);
#define VM_COUNTERS_SIZE 88

struct nt_quota_limits {
	uint64_t paged_pool, nonpaged_pool, minimum_working_set, maximum_working_set, pagefile, time;
};
NT_SIZE(nt_quota_limits, 48);

struct nt_quota_limits_ex {
	struct nt_quota_limits limits;
	uint64_t working_set, reserved[3];
	uint32_t flags, cpu_rate; /* flags: QUOTA_LIMITS_HARDWS_* */
};
NT_SIZE(nt_quota_limits_ex, 88);

struct nt_thread_basic_information {
	uint32_t exit_status, padding;
	uint64_t teb;
	struct nt_client_id client_id;
	uint64_t affinity;
	int32_t priority, base_priority;
};
NT_SIZE(nt_thread_basic_information, 48);

struct nt_system_basic_information {
	uint32_t reserved, timer_resolution, page_size, physical_pages, lowest_page, highest_page, granularity, padding;
	uint64_t minimum_address, maximum_address, affinity;
	uint8_t processors, padding2[7];
};
NT_SIZE(nt_system_basic_information, 64);

struct nt_system_performance_information { /* counts are of pages, requests or faults since boot; what is not kept is 0 */
	uint64_t idle_time, io_bytes[3];
	uint32_t io_operations[3], available_pages, committed_pages, commit_limit, peak_commitment;
	uint32_t page_faults, copy_on_write_faults, transition_faults, cache_transition_faults, demand_zero_faults;
	uint32_t pages_read, page_reads, cache_pages_read, cache_reads;
	uint32_t pages_written, page_writes, mapped_pages_written, mapped_page_writes;
	uint32_t paged_pool_pages, nonpaged_pool_pages, pool_operations[4], free_system_ptes;
	uint32_t system_pages[9], cache_counts[30], context_switches, tlb_fills[2], system_calls;
	/* Windows 10 has these as well. */
	uint64_t cache_dirty_pages, cache_dirty_limit;
	int64_t resident_available_pages;
	uint64_t shared_committed_pages;
};
NT_AT(nt_system_performance_information, available_pages, 44);
NT_AT(nt_system_performance_information, pages_read, 80);
NT_AT(nt_system_performance_information, nonpaged_pool_pages, 116);
NT_AT(nt_system_performance_information, context_switches, 296);
NT_AT(nt_system_performance_information, cache_dirty_pages, 312);
NT_SIZE(nt_system_performance_information, 344);
#define SYSTEM_PERFORMANCE_SIZE 312

struct nt_system_process {
	uint32_t next_offset, thread_count;
	uint64_t private_working_set;
	uint32_t hard_faults, thread_peak;
	uint64_t cycles, create_time, user_time, kernel_time;
	struct nt_unicode_string name;
	int32_t base_priority, padding;
	uint64_t id, parent_id;
	uint32_t handle_count, session;
	uint64_t key;
	struct nt_vm_counters memory; /* its last field is PrivatePageCount here, in bytes too */
	uint64_t io[6];
};
NT_AT(nt_system_process, name, 0x38);
NT_AT(nt_system_process, id, 0x50);
NT_AT(nt_system_process, memory, 0x70);
NT_SIZE(nt_system_process, 0x100);

struct nt_system_thread {
	uint64_t kernel_time, user_time, create_time;
	uint32_t wait_time, padding;
	uint64_t start_address;
	struct nt_client_id client_id;
	int32_t priority, base_priority;
	uint32_t context_switches, state, wait_reason, padding2;
};
NT_SIZE(nt_system_thread, 0x50);

/* ---- queries: files ---- */

struct nt_file_basic_information {
	uint64_t creation_time, access_time, write_time, change_time;
	uint32_t attributes, padding;
};
NT_SIZE(nt_file_basic_information, 40);

struct nt_file_standard_information {
	uint64_t allocation_size, end_of_file;
	uint32_t links;
	uint8_t delete_pending, directory;
	uint16_t padding;
};
NT_SIZE(nt_file_standard_information, 24);

struct nt_file_network_open_information {
	uint64_t creation_time, access_time, write_time, change_time, allocation_size, end_of_file;
	uint32_t attributes, padding;
};
NT_SIZE(nt_file_network_open_information, 56);

struct nt_file_rename_information {
	uint8_t replace, padding[7];
	uint64_t root;
	uint32_t name_bytes;
}; /* the name follows at once */
#define FILE_RENAME_NAME 20

struct nt_file_fs_size_information {
	uint64_t total_units, available_units;
	uint32_t sectors_per_unit, bytes_per_sector;
};
NT_SIZE(nt_file_fs_size_information, 24);

struct nt_file_fs_full_size_information {
	uint64_t total_units, caller_available_units, available_units;
	uint32_t sectors_per_unit, bytes_per_sector;
};
NT_SIZE(nt_file_fs_full_size_information, 32);

struct nt_file_directory_information {
	uint32_t next_offset, index;
	uint64_t creation_time, access_time, write_time, change_time, end_of_file, allocation_size;
	uint32_t attributes, name_bytes;
};
NT_SIZE(nt_file_directory_information, 0x40); /* the name follows */
#define FILE_BOTH_DIRECTORY_SHORT 0x44 /* bytes of a short name (u8), and 2 behind it the name */
/* Where the other classes have the number of the file, if they do, and the name. */
#define FILE_FULL_DIRECTORY_NAME 0x44
#define FILE_ID_BOTH_DIRECTORY_ID 0x60
#define FILE_ID_BOTH_DIRECTORY_NAME 0x68
#define FILE_BOTH_DIRECTORY_NAME 0x5e /* its offset in FILE_BOTH_DIR_INFORMATION, which has a short name too */

struct nt_file_device_information {
	uint32_t type, characteristics;
};
#define FILE_DEVICE_DISK_ 7
#define FILE_DEVICE_NAMED_PIPE_ 0x11
#define FILE_DEVICE_CONSOLE_ 0x50
#define FILE_REMOVABLE_MEDIA_ 1
#define DRIVE_REMOVABLE_ 2
#define DRIVE_FIXED_ 3

struct nt_file_fs_volume_information {
	int64_t created;
	uint32_t serial, label_bytes;
	uint8_t supports_objects, padding;
	uint16_t label[11];
};
#define FILE_FS_VOLUME_LABEL 18
NT_AT(nt_file_fs_volume_information, label, FILE_FS_VOLUME_LABEL);

struct nt_file_fs_attribute_information {
	uint32_t attributes;
	int32_t component_length_max;
	uint32_t name_bytes;
	uint16_t name[5];
	uint16_t padding;
};
NT_AT(nt_file_fs_attribute_information, name, 12);
#define FILE_CASE_PRESERVED_NAMES_ 2
#define FILE_UNICODE_ON_DISK_ 4

#endif
