/* Taking pages out of page tables: entries first, then the TLB, and only then the frames. */
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"

void gather_init(struct gather *g, struct vspace *v)
{
	g->v = v;
	g->count = 0;
	g->gone = 0;
	g->low = ~0ull;
	g->high = 0;
}

void gather_flush_only(struct gather *g, u64 va)
{
	g->low = MIN(g->low, va);
	g->high = MAX(g->high, va + PAGE_SIZE);
}

void gather_page(struct gather *g, u64 va, word_t old, enum gather_what what)
{
	gather_flush_only(g, va);
	if (word_prot(old) & MARK_LOCKED)
		g->v->locked--;
	g->pages[g->count].pfn = word_pfn(old);
	g->pages[g->count].what = what;
	g->pages[g->count].dirty = !!(old & PTE_DIRTY);
	g->v->resident--;
	if (++g->count == GATHER_MAX)
		gather_finish(g);
}

/* What the valid entry becomes when its page leaves the page table. */
static word_t word_absent(word_t valid, u32 prot)
{
	if (valid & PTE_CLONE)
		return word_clone_make(virt_to_phys(clone_of(valid)), prot);
	return valid & PTE_SECTION ? word_make(WORD_PROTOTYPE, prot) : word_transition(word_pfn(valid), prot);
}

void gather_deactivate(struct gather *g, u64 va, word_t *word, u32 prot)
{
	word_t absent = word_absent(*word, prot), old;

	old = __atomic_exchange_n(word, absent, __ATOMIC_RELAXED);
	/* Until gather_finish the frame is on no list: nobody else looks at the word. */
	if (old & PTE_DIRTY && !(old & PTE_SECTION))
		*word = word_with_prot(absent, prot | MARK_WRITTEN);
	gather_page(g, va, old, GATHER_DEACTIVATE);
}

/* How many frames are looked at before others get frames_lock. */
#define GONE_BATCH 64

/* Private pages that nobody maps any more: their frames are freed, but for those in I/O. */
static void gone_free(u32 chain)
{
	u32 freed = 0, count = 0;

	while (chain) {
		spin_lock(&frames_lock);
		for (u32 n = 0; chain && n < GONE_BATCH; n++) {
			u32 pfn = chain;
			struct frame *f = &frames[pfn];

			assert(f->state == FRAME_ACTIVE && f->shares == 1 && !(f->flags & (FRAME_SECTION | FRAME_CLONE)));
			chain = f->next;
			f->next = f->prev = 0;
			f->shares = 0;
			if (frame_give_up(pfn)) {
				f->next = freed;
				freed = pfn;
				count++;
			}
		}
		spin_unlock(&frames_lock);
	}
	frames_free(freed, count);
}

/*
 * Drops the shares. A page with none left leaves the page tables: a section's stays the section's, also when it was given
 * up here; a clone page's goes with the last reference. One of a section of large pages never does.
 */
static void shares_drop(struct gather *g)
{
	u32 to_free[GATHER_MAX], free_count = 0, block_count = 0;
	void *blocks[GATHER_MAX];

	spin_lock(&frames_lock);
	for (u32 i = 0; i < g->count; i++) {
		u32 pfn = g->pages[i].pfn;
		struct frame *f = &frames[pfn];
		struct clone_page *c = f->flags & FRAME_CLONE ? (struct clone_page *)f->word : NULL;

		assert((f->state == FRAME_ACTIVE || f->state == FRAME_PHYSICAL) && f->shares);
		if (g->pages[i].dirty)
			f->flags |= FRAME_DIRTY;
		assert(g->pages[i].what == GATHER_DEACTIVATE || f->flags & FRAME_SECTION || f->state == FRAME_PHYSICAL);
		if (!--f->shares && f->state != FRAME_PHYSICAL)
			frame_deactivate(pfn);
		if (c && g->pages[i].what == GATHER_GIVE_UP) {
			void *block = clone_unref(c, &pfn);

			if (block)
				blocks[block_count++] = block;
			if (pfn)
				to_free[free_count++] = pfn;
		}
	}
	spin_unlock(&frames_lock);
	while (block_count)
		kfree(blocks[--block_count]);
	while (free_count)
		frame_free(to_free[--free_count]);
}

void gather_finish(struct gather *g)
{
	assert(mutex_held(&g->v->lock));
	if (g->low < g->high)
		tlb_flush_range(g->v, g->low, (g->high - g->low) >> PAGE_SHIFT);
	if (g->gone)
		gone_free(g->gone);
	if (g->count) {
		shares_drop(g);
		if (frames_available() < frame_counts.high)
			writers_wake();
	}
	gather_init(g, g->v);
}

/* A private page that is not in the page table: in transition, in a paging file, or where its clone page says. */
static void page_remove_absent(word_t *word)
{
	void *gone = NULL;
	u32 pfn = 0;
	word_t w;

	spin_lock(&frames_lock);
	w = *word; /* may have changed until now: its frame may have been taken */
	*word = 0;
	if (word_kind(w) == WORD_TRANSITION && frame_give_up(word_pfn(w)))
		pfn = word_pfn(w);
	else if (word_kind(w) == WORD_CLONE)
		gone = clone_unref(clone_of(w), &pfn);
	spin_unlock(&frames_lock);
	kfree(gone);
	if (word_kind(w) == WORD_SWAP)
		swap_slot_free(word_swap_file(w), word_swap_slot(w));
	if (pfn)
		frame_free(pfn);
}

/* A private page that is given up, and nobody else's: its valid entry is gone. What it holds counts no more, dirty or not. */
static void gather_gone(struct gather *g, word_t old)
{
	u32 pfn = word_pfn(old);

	if (word_prot(old) & MARK_LOCKED)
		g->v->locked--;
	g->v->resident--;
	frames[pfn].next = g->gone;
	g->gone = pfn;
}

u64 pages_remove(struct vspace *v, u64 start, u64 end)
{
	struct gather g;
	u64 removed = 0, count;
	word_t *word;

	gather_init(&g, v);
	for (u64 va = start; va < end && (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++) {
			word_t w = word[i];

			if (!w) {
				i = words_skip(word, i, count) - 1;
				continue;
			}
			removed += word_charged(w);
			if (word_valid(w) && w & PTE_SECTION) {
				gather_page(&g, va + (i << PAGE_SHIFT), __atomic_exchange_n(&word[i], 0, __ATOMIC_RELAXED),
					    GATHER_GIVE_UP);
			} else if (word_valid(w)) {
				__atomic_store_n(&word[i], 0, __ATOMIC_RELAXED);
				gather_flush_only(&g, va + (i << PAGE_SHIFT));
				gather_gone(&g, w);
			} else if (word_kind(w) == WORD_ZERO || word_kind(w) == WORD_PROTOTYPE) {
				word[i] = 0; /* nothing is there, and nobody else changes it */
			} else {
				page_remove_absent(&word[i]);
			}
		}
	if (g.high) /* else nothing was in a page table */
		gather_finish(&g);
	return removed;
}
