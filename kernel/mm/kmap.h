/* Large kernel memory, mapped page by page in kernel space: not physically contiguous. Thread context, no locks held. */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include "lib/types.h"

/* Zeroed. NULL: no memory, or it would take half of what is available. Charged as kernel memory. */
void *kmap_alloc(u64 size);
void kmap_free(void *p); /* NULL is allowed. The tables that map its addresses stay, for the next one */

#endif
