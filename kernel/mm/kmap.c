/*
 * Large kernel memory: the last quarter of the region for mappings. Each area has a page that is not mapped behind it. An
 * area lies as low as it can, so that the same page tables serve again.
 */
#include "mm/kmap.h"

#include "arch/arch.h"
#include "arch/pte.h"
#include "mm/frame.h"
#include "mm/pool.h"

#define AREAS_MAX 64
#define AREAS_BASE (MAPPINGS_BASE + MAPPINGS_SIZE / 4 * 3)

static struct area {
	u64 start, pages; /* pages 0: not in use */
} areas[AREAS_MAX];
static struct spinlock areas_lock = SPINLOCK_INIT("kernel mappings", RANK_POOL);

/* The end of an area that [start, start + pages] would touch; 0: there is none. */
static u64 overlap(u64 start, u64 pages)
{
	for (u32 i = 0; i < AREAS_MAX; i++)
		if (areas[i].pages && areas[i].start <= start + (pages << PAGE_SHIFT) &&
		    start <= areas[i].start + (areas[i].pages << PAGE_SHIFT))
			return areas[i].start + ((areas[i].pages + 1) << PAGE_SHIFT);
	return 0;
}

static struct area *area_make(u64 pages)
{
	u64 at = AREAS_BASE, end;
	struct area *a = NULL;

	spin_lock(&areas_lock);
	for (u32 i = 0; i < AREAS_MAX && !a; i++)
		if (!areas[i].pages)
			a = &areas[i];
	while (a && (end = overlap(at, pages)))
		at = end;
	if (a)
		*a = (struct area){ at, pages };
	spin_unlock(&areas_lock);
	return a;
}

/* Unmaps what of the area is mapped, and frees it: the frames only when no TLB has them any more. */
static void area_end(struct area *a)
{
	u32 chain = 0;

	for (u64 i = 0; i < a->pages; i++) {
		u64 at = a->start + (i << PAGE_SHIFT), phys = kernel_page_phys(at);

		if (!phys)
			break;
		kernel_unmap_page(at);
		frames[phys >> PAGE_SHIFT].next = chain;
		chain = phys >> PAGE_SHIFT;
	}
	tlb_flush_kernel(a->start, a->pages);
	while (chain) {
		u32 pfn = chain;

		chain = frames[pfn].next;
		frames[pfn].next = 0;
		frame_free_kernel((u64)pfn << PAGE_SHIFT);
	}
	spin_lock(&areas_lock);
	a->pages = 0;
	spin_unlock(&areas_lock);
}

void *kmap_alloc(u64 size)
{
	u64 pages = DIV_UP(size, PAGE_SIZE);
	struct area *a = pages <= frames_available() / 2 ? area_make(pages) : NULL;

	for (u64 i = 0; a && i < pages; i++) {
		u64 phys = frame_alloc_table();

		if (phys && kernel_map_page(a->start + (i << PAGE_SHIFT), phys, PTE_WRITE | PTE_NX))
			continue;
		if (phys)
			frame_free_kernel(phys);
		area_end(a);
		a = NULL;
	}
	return a ? (void *)a->start : NULL;
}

void kmap_free(void *p)
{
	for (u32 i = 0; p && i < AREAS_MAX; i++)
		if (areas[i].pages && areas[i].start == (u64)p) {
			area_end(&areas[i]);
			return;
		}
	check(!p);
}
