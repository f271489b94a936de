/*
 * What the boot application hands to the kernel: the only thing that the two share.
 *
 * State at the jump to the kernel's ELF entry point (System V ABI, first argument in rdi = direct-map address of struct
 * bootinfo): 64-bit mode, interrupts off, boot services left, CR0.WP and EFER.NXE on, a stack of 16 KiB in the direct
 * map, with a return address of 0 on it as after a call. The kernel's first segment is linked at KERNEL_BASE.
 * CR3 holds page tables of kind BOOT_KERNEL, the PML4 below 4 GiB:
 *   - the kernel's segments at their linked addresses, each page with its segment's permissions (4 KiB pages);
 *   - the direct map: all RAM, and at least the first 4 GiB, at DIRECT_MAP_BASE, writable, not executable (2 MiB
 *     pages), except that the kernel's read-only segments are read-only there too (4 KiB pages where needed);
 *   - the low 4 GiB at their own addresses, executable, for the jump and the start of the other CPUs; the kernel drops
 *     it.
 */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include <stdint.h>

#define BOOTINFO_MAGIC 0x65726f74736b6342ull /* "Bckstore" */
#define BOOTINFO_VERSION 1

#define DIRECT_MAP_BASE 0xffff800000000000ull
#define KERNEL_BASE 0xffffffff80000000ull

/* What a range of physical memory holds. Page-aligned; ranges are sorted by address and do not overlap. */
enum boot_memory_kind {
	BOOT_RESERVED = 0,   /* not ours */
	BOOT_USABLE = 1,     /* free as soon as the kernel runs (with what boot services and the loader's own code held) */
	BOOT_ACPI = 2,       /* ACPI tables: readable, kept */
	BOOT_KERNEL = 3,     /* kernel image, initial page tables, initial stack: kept */
	BOOT_INFO = 4,       /* this structure and all that it points to: kept */
	BOOT_MMIO = 5,
};

struct boot_memory {
	uint64_t base;  /* physical, bytes */
	uint64_t pages; /* of 4 KiB */
	uint32_t kind;  /* enum boot_memory_kind */
	uint32_t reserved;
};

struct boot_framebuffer {
	uint64_t base; /* physical; 0 = there is none */
	uint64_t size; /* bytes */
	uint32_t width, height, pixels_per_line;
	uint32_t format; /* EFI_GRAPHICS_PIXEL_FORMAT */
};

/* All pointers are physical addresses. */
struct bootinfo {
	uint64_t magic;
	uint32_t version;
	uint32_t memory_count;
	uint64_t memory;       /* struct boot_memory[memory_count] */
	uint64_t rsdp;         /* ACPI 2.0 root pointer */
	uint64_t kernel_phys;  /* of KERNEL_BASE, where a page-aligned contiguous run holds the image */
	uint64_t kernel_pages;
	uint64_t config;       /* text of backstore.cfg with a final 0 byte */
	uint64_t config_size;  /* bytes without the final 0 */
	uint64_t boot_tsc;     /* time-stamp counter just before the jump */
	struct boot_framebuffer framebuffer;
};

/*
 * Codes for QEMU's isa-debug-exit (port 0xf4, 4 bytes); QEMU's own exit status is code * 2 + 1. Programs' codes are
 * 0 to EXIT_PROGRAM_MAX; a larger code of a program is shown as EXIT_PROGRAM_MAX.
 */
#define DEBUG_EXIT_PORT 0xf4
#define EXIT_PROGRAM_MAX 99
#define EXIT_BAD_OPTION 110     /* a boot option has a bad value */
#define EXIT_NO_KERNEL 111      /* kernel.elf is missing or can't be read */
#define EXIT_BAD_KERNEL 112     /* kernel.elf is damaged */
#define EXIT_NO_MEMORY 113      /* too little memory to load or start the kernel */
#define EXIT_BAD_CONFIG 114     /* backstore.cfg is missing, unreadable or too large */
#define EXIT_FIRMWARE 115       /* the firmware refused a call that the loader can't do without */
#define EXIT_NO_FIRST_PROGRAM 116 /* the first program could not be started */
#define EXIT_PANIC 126          /* the kernel panicked */

#endif
