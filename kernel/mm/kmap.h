/* Large kernel memory, mapped page by page in kernel space: not physically contiguous. Thread context. */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include "lib/types.h"

/* Zeroed; never freed (tables that live as long as the system). NULL: no memory. */
void *kmap_alloc(u64 size);

#endif
