/*
 * Kernel stacks: in the upper half of the mappings region, a slot of 32 KiB each, with an unmapped page below the
 * stack, so that an overflow is a fault and not somebody else's memory. A few free ones are kept for the next
 * threads.
 */
#include "arch/internal.h"
#include "arch/pte.h"
#include "lib/bitmap.h"
#include "mm/pool.h"
#include "proc/sched.h"

#define STACKS_BASE (MAPPINGS_BASE + MAPPINGS_SIZE / 2)
#define SLOT_SIZE KIB(32)
#define STACKS_MAX 65536
#define STACK_FRAMES (KERNEL_STACK_SIZE / PAGE_SIZE)
#define CACHE_MAX 8

static u64 slot_words[STACKS_MAX / 64];
static struct bitmap slots = { .words = slot_words, .bits = STACKS_MAX };
static struct list cache = LIST_INIT(cache); /* free stacks; the link is at a stack's lowest address */
static u32 cached;
static struct spinlock kstack_lock = SPINLOCK_INIT("kernel stacks", RANK_PAGING);

static struct list *cache_take(void)
{
	struct list *l = NULL;

	spin_lock(&kstack_lock);
	if (cached) {
		l = cache.next;
		list_remove(l);
		cached--;
	}
	spin_unlock(&kstack_lock);
	return l;
}

static bool cache_put(struct list *l)
{
	bool kept;

	spin_lock(&kstack_lock);
	kept = cached < CACHE_MAX;
	if (kept) {
		list_push_front(&cache, l);
		cached++;
	}
	spin_unlock(&kstack_lock);
	return kept;
}

static void slot_free(u64 slot)
{
	spin_lock(&kstack_lock);
	bitmap_clear(&slots, slot);
	spin_unlock(&kstack_lock);
}

/*
 * Unmaps the lowest count pages of the stack at base, then frees their frames: in this order, for the other CPUs'
 * TLBs.
 */
static void stack_unmap(u64 base, const u64 *frames, u64 count)
{
	u64 i;

	for (i = 0; i < count; i++)
		kernel_unmap_page(base + i * PAGE_SIZE);
	if (count)
		tlb_flush_kernel(base, count);
	for (i = 0; i < count; i++)
		frame_free_kernel(frames[i]);
}

void *kernel_stack_alloc(void)
{
	struct list *l = cache_take();
	u64 frames[STACK_FRAMES], slot, base, got, i;

	if (l)
		return l;
	spin_lock(&kstack_lock);
	slot = bitmap_take_run(&slots, 1, &got);
	spin_unlock(&kstack_lock);
	if (slot == BITMAP_NONE)
		return NULL;
	base = STACKS_BASE + slot * SLOT_SIZE + PAGE_SIZE;
	for (i = 0; i < STACK_FRAMES; i++) {
		frames[i] = frame_alloc_kernel();
		if (frames[i] && kernel_map_page(base + i * PAGE_SIZE, frames[i], PTE_WRITE | PTE_NX))
			continue;
		if (frames[i])
			frame_free_kernel(frames[i]);
		stack_unmap(base, frames, i);
		slot_free(slot);
		return NULL;
	}
	return (void *)base;
}

void kernel_stack_free(void *stack)
{
	u64 base = (u64)stack, frames[STACK_FRAMES], i;

	if (cache_put(stack))
		return;
	for (i = 0; i < STACK_FRAMES; i++)
		frames[i] = kernel_page_phys(base + i * PAGE_SIZE);
	stack_unmap(base, frames, STACK_FRAMES);
	slot_free((base - STACKS_BASE) / SLOT_SIZE);
}

void kernel_stack_frames(u64 *used, u64 *kept)
{
	spin_lock(&kstack_lock);
	*kept = cached * STACK_FRAMES;
	*used = slots.used * STACK_FRAMES - *kept;
	spin_unlock(&kstack_lock);
}
