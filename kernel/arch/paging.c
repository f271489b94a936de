/*
 * The kernel's own page tables: those that the boot application made, plus what is mapped here into the regions of
 * arch.h.
 * Source: Intel SDM volume 3A, section 4.5 (4-level paging).
 */
#include "arch/internal.h"
#include "arch/pte.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/lock.h"

#define KERNEL_HALF 256 /* the first of the PML4's entries that all address spaces share */

static u64 *pml4;
static u8 kernel_entries[512 - KERNEL_HALF]; /* which of them there are: a few, that stay as they are once paging_init is done */
static u32 kernel_entry_count;
static u64 mmio_next = MAPPINGS_BASE;
static struct spinlock paging_lock = SPINLOCK_INIT("paging", RANK_PAGING);

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & PTE_ADDRESS);
}

static u32 index_at(u64 virt, u32 level)
{
	return virt >> (PAGE_SHIFT + 9 * level) & 511;
}

u64 kernel_pml4_phys(void)
{
	return virt_to_phys(pml4);
}

void kernel_half_copy(u64 *to)
{
	for (u32 i = 0; i < kernel_entry_count; i++)
		to[KERNEL_HALF + kernel_entries[i]] = pml4[KERNEL_HALF + kernel_entries[i]];
}

void kernel_half_clear(u64 *table)
{
	for (u32 i = 0; i < kernel_entry_count; i++)
		table[KERNEL_HALF + kernel_entries[i]] = 0;
}

/* The last-level entry for virt; with create, makes the tables above it. NULL: none, no memory, or a large page. */
static u64 *entry_find(u64 virt, bool create)
{
	u64 *table = pml4;
	u32 level;

	for (level = 3; level > 0; level--) {
		u64 *e = &table[index_at(virt, level)];

		if (!(*e & PTE_VALID)) {
			u64 phys = create ? frame_alloc_table() : 0;

			if (!phys)
				return NULL;
			*(volatile u64 *)e = phys | PTE_VALID | PTE_WRITE;
		} else if (*e & PTE_LARGE) {
			return NULL;
		}
		table = table_of(*e);
	}
	return &table[index_at(virt, 0)];
}

bool kernel_map_page(u64 virt, u64 phys, u64 flags)
{
	u64 *e;

	spin_lock(&paging_lock);
	e = entry_find(virt, true);
	if (e) {
		assert(!(*e & PTE_VALID));
		*(volatile u64 *)e = phys | flags | PTE_VALID | PTE_GLOBAL;
	}
	spin_unlock(&paging_lock);
	return e;
}

void kernel_unmap_page(u64 virt)
{
	u64 *e;

	spin_lock(&paging_lock);
	e = entry_find(virt, false);
	if (e)
		*(volatile u64 *)e = 0;
	spin_unlock(&paging_lock);
}

u64 kernel_page_phys(u64 virt)
{
	u64 *e = entry_find(virt, false);

	return e && *e & PTE_VALID ? *e & PTE_ADDRESS : 0;
}

bool kernel_address_mapped(u64 virt)
{
	u64 *table = pml4;
	u32 level;

	if (virt < DIRECT_MAP_BASE)
		return false;
	for (level = 3;; level--) {
		u64 e = table[index_at(virt, level)];

		if (!(e & PTE_VALID))
			return false;
		if (level == 0 || (level < 3 && e & PTE_LARGE))
			return true;
		table = table_of(e);
	}
}

/* What was mapped is never unmapped: registers that come to the same place again get the mapping that there is. */
static struct mmio_range {
	u64 first, bytes, virt;
} mmio_ranges[64]; /* paging_lock; those beyond are not remembered */

static u64 mmio_find(u64 first, u64 bytes)
{
	for (u32 i = 0; i < ARRAY_SIZE(mmio_ranges); i++)
		if (mmio_ranges[i].first == first && mmio_ranges[i].bytes == bytes)
			return mmio_ranges[i].virt;
	return 0;
}

static void mmio_remember(u64 first, u64 bytes, u64 virt)
{
	u32 i = 0;

	while (i < ARRAY_SIZE(mmio_ranges) && mmio_ranges[i].bytes)
		i++;
	if (i < ARRAY_SIZE(mmio_ranges))
		mmio_ranges[i] = (struct mmio_range){ first, bytes, virt };
}

void *mmio_map(u64 phys, u64 size)
{
	u64 first = ALIGN_DOWN(phys, PAGE_SIZE), bytes = ALIGN_UP(phys + size, PAGE_SIZE) - first, virt, i;

	spin_lock(&paging_lock);
	virt = mmio_find(first, bytes);
	if (virt) {
		spin_unlock(&paging_lock);
		return (void *)(virt + (phys - first));
	}
	virt = mmio_next;
	mmio_next += bytes;
	spin_unlock(&paging_lock);
	for (i = 0; i < bytes; i += PAGE_SIZE)
		if (!kernel_map_page(virt + i, first + i, PTE_WRITE | PTE_NX | PTE_CACHE_OFF | PTE_WRITE_THROUGH))
			return NULL;
	spin_lock(&paging_lock);
	mmio_remember(first, bytes, virt);
	spin_unlock(&paging_lock);
	return (void *)(virt + (phys - first));
}

/* Marks all last-level entries below table as global: they are the same in every address space. */
static void make_global(u64 *table, u32 level, u32 first)
{
	u32 i;

	for (i = first; i < 512; i++) {
		if (!(table[i] & PTE_VALID))
			continue;
		if (level == 0 || table[i] & PTE_LARGE)
			table[i] |= PTE_GLOBAL;
		else
			make_global(table_of(table[i]), level - 1, 0);
	}
}

void paging_early_init(void)
{
	u64 cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	pml4 = phys_to_virt(cr3 & PTE_ADDRESS);
}

void paging_init(void)
{
	make_global(pml4, 3, KERNEL_HALF);
	kernel_unmap_page((u64)boot_stack_guard);
	/* Address spaces copy the PML4's kernel half once: entries must not appear later. */
	if (!entry_find(FRAMES_BASE, true) || !entry_find(MAPPINGS_BASE, true))
		panic("no memory for the kernel's page tables");
	for (u32 i = KERNEL_HALF; i < 512; i++)
		if (pml4[i] & PTE_VALID)
			kernel_entries[kernel_entry_count++] = i - KERNEL_HALF;
	tlb_flush_kernel(0, ~0ull);
}

void paging_drop_identity(void)
{
	memset(pml4, 0, KERNEL_HALF * sizeof(*pml4));
	tlb_flush_kernel(0, ~0ull);
}
