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
#define CACHE_MAX 16 /* one more, and */
#define CACHE_KEEP 8 /* all but so many are freed together: it takes an interrupt to every other CPU */
#define BATCH (CACHE_MAX + 1 - CACHE_KEEP)

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

static void slot_free(u64 slot)
{
	spin_lock(&kstack_lock);
	bitmap_clear(&slots, slot);
	slots.hint = MIN(slots.hint, slot); /* the lowest ones, or each would get a page table in time */
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

/* Unmaps BATCH whole stacks. Their frames are freed when no TLB knows them any more. */
static void batch_unmap(const u64 *bases)
{
	u64 frames[BATCH][STACK_FRAMES], i, page;

	for (i = 0; i < BATCH; i++)
		for (page = 0; page < STACK_FRAMES; page++) {
			frames[i][page] = kernel_page_phys(bases[i] + page * PAGE_SIZE);
			kernel_unmap_page(bases[i] + page * PAGE_SIZE);
		}
	tlb_flush_kernel(0, ~0ull);
	for (i = 0; i < BATCH; i++) {
		for (page = 0; page < STACK_FRAMES; page++)
			frame_free_kernel(frames[i][page]);
		slot_free((bases[i] - STACKS_BASE) / SLOT_SIZE);
	}
}

void kernel_stack_free(void *stack)
{
	u64 batch[BATCH], count = 0;

	spin_lock(&kstack_lock);
	list_push_front(&cache, stack);
	cached++;
	if (cached > CACHE_MAX)
		for (; cached > CACHE_KEEP; cached--) {
			batch[count++] = (u64)cache.prev;
			list_remove(cache.prev);
		}
	spin_unlock(&kstack_lock);
	if (count)
		batch_unmap(batch);
}

void kernel_stack_frames(u64 *used, u64 *kept)
{
	spin_lock(&kstack_lock);
	*kept = cached * STACK_FRAMES;
	*used = slots.used * STACK_FRAMES - *kept;
	spin_unlock(&kstack_lock);
}
