/*
 * Structures and constants of the native interface as the kernel reads and writes them in user memory: fixed-size types,
 * Windows' x64 layout. User space takes the same from mingw-w64's headers. Source: Windows SDK and WDK documentation.
 */
#ifndef ABI_NT_H
#define ABI_NT_H

#include <stdint.h>

struct nt_unicode_string {
	uint16_t length, maximum_length; /* bytes */
	uint32_t padding;
	uint64_t buffer;
};

struct nt_object_attributes {
	uint32_t length, padding;
	uint64_t root_directory, object_name; /* struct nt_unicode_string */
	uint32_t attributes, padding2;
	uint64_t security_descriptor, security_qos;
};
#define OBJ_INHERIT 0x02
#define OBJ_CASE_INSENSITIVE 0x40
#define OBJ_OPENIF 0x80

struct nt_io_status_block {
	uint64_t status; /* low 32 bits */
	uint64_t information;
};

struct nt_client_id {
	uint64_t process, thread;
};

/* Pseudo-handles. */
#define NT_CURRENT_PROCESS (~0ull)
#define NT_CURRENT_THREAD (~0ull - 1)

/* Page protections (winnt.h). */
#define PAGE_NOACCESS 0x01
#define PAGE_READONLY 0x02
#define PAGE_READWRITE 0x04
#define PAGE_WRITECOPY 0x08
#define PAGE_EXECUTE 0x10
#define PAGE_EXECUTE_READ 0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define PAGE_EXECUTE_WRITECOPY 0x80
#define PAGE_GUARD 0x100
#define PAGE_NOCACHE 0x200
#define PAGE_WRITECOMBINE 0x400

/* Allocation types, and flags of the calls that free and unmap. */
#define MEM_COALESCE_PLACEHOLDERS 0x1   /* NtFreeVirtualMemory */
#define MEM_PRESERVE_PLACEHOLDER 0x2    /* NtFreeVirtualMemory, NtUnmapViewOfSectionEx */
#define MEM_UNMAP_WITH_TRANSIENT_BOOST 0x1 /* NtUnmapViewOfSectionEx: allowed, and ignored */
#define MEM_COMMIT 0x1000
#define MEM_RESERVE 0x2000
#define MEM_DECOMMIT 0x4000
#define MEM_REPLACE_PLACEHOLDER 0x4000  /* NtAllocateVirtualMemoryEx, NtMapViewOfSectionEx */
#define MEM_RELEASE 0x8000
#define MEM_FREE 0x10000
#define MEM_PRIVATE 0x20000
#define MEM_MAPPED 0x40000
#define MEM_RESERVE_PLACEHOLDER 0x40000 /* NtAllocateVirtualMemoryEx */
#define MEM_RESET 0x80000
#define MEM_TOP_DOWN 0x100000
#define MEM_WRITE_WATCH 0x200000
#define MEM_PHYSICAL 0x400000
#define MEM_DIFFERENT_IMAGE_BASE_OK 0x800000 /* NtMapViewOfSection */
#define MEM_RESET_UNDO 0x1000000
#define MEM_IMAGE 0x1000000
#define MEM_LARGE_PAGES 0x20000000

/* NtLockVirtualMemory, NtUnlockVirtualMemory. */
#define MAP_PROCESS 1
#define MAP_SYSTEM 2

/* NtGetWriteWatch. */
#define WRITE_WATCH_FLAG_RESET 1

/* Sections. */
#define SEC_NO_CHANGE 0x400000 /* the protection of views stays as it is; NtMapViewOfSection knows it too */
#define SEC_FILE 0x800000
#define SEC_IMAGE 0x1000000
#define SEC_RESERVE 0x4000000
#define SEC_COMMIT 0x8000000
#define SEC_NOCACHE 0x10000000
#define SEC_WRITECOMBINE 0x40000000
#define SEC_LARGE_PAGES 0x80000000u

#define SECTION_QUERY 0x1
#define SECTION_MAP_WRITE 0x2
#define SECTION_MAP_READ 0x4
#define SECTION_MAP_EXECUTE 0x8
#define SECTION_EXTEND_SIZE 0x10

#define PROCESS_TERMINATE 0x0001
#define PROCESS_VM_OPERATION 0x0008
#define PROCESS_VM_READ 0x0010
#define PROCESS_VM_WRITE 0x0020
#define PROCESS_DUP_HANDLE 0x0040
#define PROCESS_SET_QUOTA 0x0100
#define PROCESS_QUERY_INFORMATION 0x0400
#define PROCESS_QUERY_LIMITED_INFORMATION 0x1000
#define SYNCHRONIZE_ACCESS 0x00100000
#define GENERIC_ALL_ACCESS 0x10000000
#define GENERIC_EXECUTE_ACCESS 0x20000000
#define GENERIC_WRITE_ACCESS 0x40000000
#define GENERIC_READ_ACCESS 0x80000000u
#define MAXIMUM_ALLOWED_ACCESS 0x02000000

struct nt_memory_basic_information {
	uint64_t base_address, allocation_base;
	uint32_t allocation_protect;
	uint16_t partition_id, padding;
	uint64_t region_size;
	uint32_t state, protect, type, padding2;
};

struct nt_section_image_information {
	uint64_t transfer_address;
	uint32_t zero_bits, padding;
	uint64_t maximum_stack_size, committed_stack_size;
	uint32_t subsystem_type;
	uint16_t subsystem_minor, subsystem_major, os_major, os_minor;
	uint16_t image_characteristics, dll_characteristics, machine;
	uint8_t image_contains_code, image_flags;
	uint32_t loader_flags, image_file_size, checksum;
};

struct nt_section_basic_information {
	uint64_t base_address;
	uint32_t attributes, padding;
	uint64_t size;
};

/* MEM_EXTENDED_PARAMETER; type: the low 8 bits, the others are 0. */
struct nt_mem_extended_parameter {
	uint64_t type, value;
};
#define MEM_EXTENDED_ADDRESS_REQUIREMENTS 1 /* value: struct nt_mem_address_requirements at this address */
#define MEM_EXTENDED_NUMA_NODE 2
#define MEM_EXTENDED_PARTITION_HANDLE 3
#define MEM_EXTENDED_USER_PHYSICAL_HANDLE 4
#define MEM_EXTENDED_ATTRIBUTE_FLAGS 5
#define MEM_EXTENDED_IMAGE_MACHINE 6

struct nt_mem_address_requirements {
	uint64_t lowest, highest; /* highest: the last address of the allocation, inclusive; 0: none */
	uint64_t alignment;       /* a power of two, at least 64 KiB; 0: 64 KiB */
};

/* Classes of NtQueryVirtualMemory, beside MemoryBasicInformation (0) and MemoryMappedFilenameInformation (2). */
#define MEMORY_BASIC_INFORMATION_CLASS 0
#define MEMORY_WORKING_SET_CLASS 1
#define MEMORY_MAPPED_FILENAME_CLASS 2
#define MEMORY_REGION_CLASS 3
#define MEMORY_WORKING_SET_EX_CLASS 4
#define MEMORY_SHARED_COMMIT_CLASS 5
#define MEMORY_IMAGE_CLASS 6

/* NtSetSystemInformation, as tools that empty memory lists use it: the class, and two of its commands. */
#define SYSTEM_MEMORY_LIST_CLASS 80
#define MEMORY_PURGE_STANDBY_LIST 4
#define MEMORY_PURGE_LOW_PRIORITY_STANDBY_LIST 5
#define MEMORY_REGION_EX_CLASS 7

struct nt_memory_region_information { /* MEMORY_REGION_INFORMATION; class 3 may end before partition_id */
	uint64_t allocation_base;
	uint32_t allocation_protect, flags; /* MEMORY_REGION_* */
	uint64_t region_size, commit_size, partition_id, node_preference;
};
#define MEMORY_REGION_PRIVATE 1u
#define MEMORY_REGION_MAPPED_DATA_FILE 2u
#define MEMORY_REGION_MAPPED_IMAGE 4u
#define MEMORY_REGION_MAPPED_PAGE_FILE 8u
#define MEMORY_REGION_MAPPED_PHYSICAL 16u
#define MEMORY_REGION_PLACEHOLDER 256u

struct nt_memory_working_set_ex {
	uint64_t virtual_address, attributes;
};
/* attributes: PSAPI_WORKING_SET_EX_BLOCK. */
#define WORKING_SET_EX_VALID 1u
#define WORKING_SET_EX_SHARE_COUNT_SHIFT 1 /* 3 bits: at most 7 */
#define WORKING_SET_EX_PROTECTION_SHIFT 4  /* 11 bits: PAGE_* */
#define WORKING_SET_EX_SHARED (1u << 15)
#define WORKING_SET_EX_LOCKED (1u << 22)
#define WORKING_SET_EX_LARGE (1u << 23)
/* MEMORY_WORKING_SET_INFORMATION: a count, then a quadword for each page: */
#define WORKING_SET_SHARE_COUNT_SHIFT 5 /* 3 bits; below it, 5 bits of protection in PSAPI's own code */
#define WORKING_SET_SHARED (1u << 8)
#define WORKING_SET_NOT_CACHED 8u /* of the 5 bits */

struct nt_memory_image_information {
	uint64_t base;
	uint64_t size;
	uint32_t flags, padding;
};

#define MEMORY_IMAGE_PARTIAL 1u /* flags: the view does not show all of the image */

/* Working-set limits: flags of QUOTA_LIMITS_EX. */
#define QUOTA_LIMITS_HARDWS_MIN_ENABLE 1u
#define QUOTA_LIMITS_HARDWS_MIN_DISABLE 2u
#define QUOTA_LIMITS_HARDWS_MAX_ENABLE 4u
#define QUOTA_LIMITS_HARDWS_MAX_DISABLE 8u

/* ProcessPagePriority, ThreadPagePriority: a ULONG, as MEMORY_PRIORITY_INFORMATION. */
#define MEMORY_PRIORITY_VERY_LOW 1u
#define MEMORY_PRIORITY_NORMAL 5u

/* NtSetInformationVirtualMemory. */
#define VM_PREFETCH_INFORMATION 0
struct nt_memory_range_entry {
	uint64_t address, bytes;
};

#endif
