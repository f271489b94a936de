/*
 * Kernel memory of any size up to 64 KiB: power-of-two size classes on pages from the frame allocator, each page charged.
 * Memory is in the direct map and physically contiguous; blocks of 4096 bytes and more are page-aligned. Any context that
 * holds no spinlock of rank RANK_POOL or higher. NULL: no memory, or the commit limit.
 */
#ifndef MM_POOL_H
#define MM_POOL_H

#include "lib/types.h"

#define KMALLOC_MAX KIB(64)

/* BUILD=debug fills memory with these bytes, and a panic's registers are looked through for them. */
#define JUNK_FREED 0xdf /* given back: a pointer from here is a use after free */
#define JUNK_NEW 0xcd   /* allocated and never written */

void *kmalloc(size_t size); /* contents undefined (junk in debug builds) */
void *kzalloc(size_t size);
void kfree(void *p); /* NULL is allowed */
u64 pool_pages(void);

/* Frames for the kernel's own use. 0: none. Contents undefined, except for a table, which is zeroed. */
u64 frame_alloc_kernel(void);
u64 frame_alloc_table(void);
void frame_free_kernel(u64 phys);

#endif
