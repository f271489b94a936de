/* The hardware's page-table entry. Source: Intel SDM volume 3A, section 4.5 (4-level paging). */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "lib/types.h"

#define PTE_VALID (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_OFF (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7)
#define PTE_GLOBAL (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
/* Bits that the hardware ignores: 9 to 11, 52 to 58, and, as CR4.PKE is clear, 59 to 62. mm/word.h gives them their meaning. */

#endif
