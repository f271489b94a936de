/*
 * The copy of an address space. Nothing is copied when it is made: a private page that has contents gets a clone page,
 * which is from then on the one place that says where it is, and both processes' entries refer to that. Who writes to
 * the page gets a copy (fault_cow.c), and the last one who refers to it the page itself.
 *
 * All that the copy needs, memory and commit, is got before any lock is taken, or before the first word is changed: so it
 * is made as a whole or not at all. Only then both address spaces are locked, and nothing can fail any more.
 */
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/replace.h"
#include "mm/swap.h"
#include "mm/vspace.h"

struct mutex clones_lock = MUTEX_INIT(clones_lock, "clone pages", RANK_SECTION);

struct clone_page *clone_of(word_t w)
{
	assert(word_is_clone(w));
	/* The clone page's first field is the frame's word. */
	return word_valid(w) ? (struct clone_page *)frames[word_pfn(w)].word : phys_to_virt(word_clone_phys(w));
}

/* ---- clone pages ---- */

/* They lie in blocks of a page each, which are freed when no page in them is in use. */
#define BLOCK_PAGES (PAGE_SIZE / sizeof(struct clone_page) - 1)
struct clone_block {
	u32 used;
	u32 seen; /* as a clone page's: how many pages in use mm_check has found */
	u64 unused;
	struct clone_page pages[BLOCK_PAGES];
};
_Static_assert(sizeof(struct clone_block) == PAGE_SIZE, "a clone page finds its block by its address");

/*
 * The block that new pages are taken from, from its page number filled on. One that is empty is kept for that: so a
 * process that is cloned often needs no new one each time. Under frames_lock; only the clone of an address space takes
 * from it, one at a time, under vspaces_lock.
 */
static struct clone_block *filling;
static u32 filled;

static void block_begin(struct clone_block *b)
{
	b->used = b->seen = 0;
	filling = b;
	filled = 0;
}

void clones_init(void)
{
	struct clone_block *b = kmalloc(sizeof(*b));

	check(b);
	block_begin(b);
}

static struct clone_block *block_of(struct clone_page *c)
{
	return (struct clone_block *)ALIGN_DOWN((u64)c, PAGE_SIZE);
}

void *clone_page_free(struct clone_page *c)
{
	struct clone_block *b = block_of(c);

	assert(spin_held(&frames_lock) && b->used);
#ifdef DEBUG
	memset(c, JUNK_FREED, sizeof(*c));
#endif
	if (--b->used)
		return NULL;
	if (b != filling && filled < BLOCK_PAGES)
		return b;
	block_begin(b);
	return NULL;
}

void *clone_unref(struct clone_page *c, u32 *pfn)
{
	assert(spin_held(&frames_lock) && c->refs);
	*pfn = 0;
	if (--c->refs)
		return NULL;
	check(!word_valid(c->word));
	if (word_kind(c->word) == WORD_TRANSITION && frame_give_up(word_pfn(c->word)))
		*pfn = word_pfn(c->word);
	else if (word_kind(c->word) == WORD_SWAP)
		swap_slot_free(word_swap_file(c->word), word_swap_slot(c->word));
	if (commit_totals.lazy_writecopy)
		commit_release(COMMIT_CLONES, 1);
	return clone_page_free(c);
}

bool clone_check_block(struct clone_page *c, u64 *used)
{
	struct clone_block *b = block_of(c);

	assert(spin_held(&frames_lock));
	*used = b->seen ? 0 : b->used;
	if (++b->seen == b->used)
		b->seen = 0;
	return c >= b->pages && c < b->pages + (b == filling ? filled : BLOCK_PAGES);
}

/* ---- what is needed ---- */

/* Kernel memory that was got while no lock is held; page tables are supplied to the new address space itself. */
struct chain {
	struct chain *next;
};

struct supply {
	struct chain *blocks, *views;
	u64 block_count, view_count;
};

/*
 * When no more than so many pages became private since the process was cloned last, it is these that it writes to between
 * its clones: they are copied at once, which is cheaper than a fault of each of the two.
 */
#define HOT_MAX 8
struct hot {
	u64 va;
	word_t *word; /* the parent's */
	u32 copy;     /* the child's frame; 0: the page is shared as others are */
};

struct need {
	u64 pages, views, tables, charge;
	struct hot hot[HOT_MAX]; /* the first pages that need a clone page */
};

static bool inherited(const struct view *w)
{
	return !(w->flags & (VIEW_NOT_INHERITED | VIEW_AWE) || w->large);
}

/* Does the word stand for a page with contents that nobody else has yet? */
static bool private_contents(word_t w)
{
	enum word_kind kind = word_kind(w);

	return kind == WORD_TRANSITION || kind == WORD_SWAP || (kind == WORD_VALID && !(w & PTE_SECTION));
}

/* In a page table, but not as private memory. */
#define SHARED (PTE_VALID | PTE_SECTION)

/* Counts what needs a clone page, and pages without contents. Most words are nothing, or shared already. */
static void need_words(struct need *n, u64 *zeros, u64 va, word_t *word, u64 count)
{
	for (u64 i = 0; (i = words_skip(word, i, count)) < count; i++) {
		for (; i + 4 <= count && (word[i] & word[i + 1] & word[i + 2] & word[i + 3] & SHARED) == SHARED; i += 4)
			;
		if (i == count)
			return;
		if (private_contents(word[i])) {
			if (n->pages < HOT_MAX)
				n->hot[n->pages] = (struct hot){ .va = va + (i << PAGE_SHIFT), .word = &word[i] };
			n->pages++;
		}
		*zeros += word_kind(word[i]) == WORD_ZERO;
	}
}

/* from->lock held. */
static void need_of(struct vspace *from, struct need *n)
{
	n->pages = n->views = n->charge = 0;
	n->tables = from->table_charge;
	for (struct tree_node *t = tree_first(&from->views); t; t = tree_next(t)) {
		struct view *w = view_of(t);
		u64 count, zeros = 0;
		word_t *word;

		if (!inherited(w))
			continue;
		n->views++;
		for (u64 va = t->start; (word = pt_next(from, &va, t->end, &count)); va += count << PAGE_SHIFT)
			need_words(n, &zeros, va, word, count);
		n->charge += commit_totals.lazy_writecopy ? zeros : w->charge;
	}
}

static bool chain_get(struct chain **chain, u64 *have, u64 want, size_t size)
{
	while (*have < want) {
		struct chain *c = kmalloc(size);

		if (!c)
			return false;
		c->next = *chain;
		*chain = c;
		++*have;
	}
	return true;
}

static void *chain_take(struct chain **chain, u64 *have)
{
	struct chain *c = *chain;

	check(c);
	*chain = c->next;
	--*have;
	return c;
}

static void chain_free(struct chain *c)
{
	while (c) {
		struct chain *next = c->next;

		kfree(c);
		c = next;
	}
}

/* How many new blocks a number of pages takes, beside what the present one has room for. vspaces_lock held, or it is a guess. */
static u64 blocks_for(u64 pages)
{
	u64 room = BLOCK_PAGES - __atomic_load_n(&filled, __ATOMIC_RELAXED);

	return pages > room ? (pages - room + BLOCK_PAGES - 1) / BLOCK_PAGES : 0;
}

/* No locks held: waits for memory. */
static u32 supply_get(struct supply *s, const struct need *n, struct vspace *to)
{
	assert(mutex_none_held());
	if (!chain_get(&s->blocks, &s->block_count, blocks_for(n->pages), sizeof(struct clone_block)) ||
	    !chain_get(&s->views, &s->view_count, n->views, sizeof(struct view)))
		return STATUS_COMMITMENT_LIMIT;
	return pt_spares_make(to, n->tables);
}

static bool supply_enough(const struct supply *s, const struct need *n, const struct vspace *to)
{
	return s->block_count >= blocks_for(n->pages) && s->view_count >= n->views && to->table_charge >= n->tables;
}

/* ---- the copy; both address spaces are locked ---- */

struct cloning {
	struct vspace *from, *to;
	struct supply supply;
	u64 zeros;      /* of the view at hand: pages that each has for itself, most of them without contents */
	bool protected; /* what could be written is read-only now: TLBs may not know */
	struct hot *hot;
	u64 hot_count;
};

/* ---- pages that are copied at once ---- */

/* A private page that was written since it was copied at once the last time. */
static bool is_hot(struct vspace *from, const struct hot *h)
{
	return (*h->word & (SHARED | PTE_DIRTY)) == (PTE_VALID | PTE_DIRTY) &&
	       !(word_prot(*h->word) & ~(PROT_PAGE_MASK | MARK_LOCKED)) && !(view_find(from, h->va)->flags & VIEW_WRITE_WATCH);
}

/*
 * Gets the copies, as far as there is memory at once. Other threads of the parent may write to a page meanwhile: the child
 * has then, of each word, the old or the new contents. The parent's dirty bit will tell whether it is written to again.
 */
static void hot_copy(struct cloning *k, struct need *n)
{
	k->hot = n->hot;
	k->hot_count = n->pages <= HOT_MAX ? n->pages : 0;
	for (struct hot *h = k->hot; h < k->hot + k->hot_count; h++) {
		struct frame *f = &frames[word_pfn(*h->word)];

		h->copy = is_hot(k->from, h) ? frame_alloc(FRAME_FOR_USER, false) : 0;
		if (!h->copy)
			continue;
		spin_lock(&frames_lock);
		__atomic_and_fetch(h->word, ~PTE_DIRTY, __ATOMIC_RELAXED);
		f->flags |= FRAME_DIRTY;
		spin_unlock(&frames_lock);
		tlb_flush_range(k->from, h->va, 1);
		page_copy(frame_address(h->copy), frame_address(word_pfn(*h->word)));
		n->charge += commit_totals.lazy_writecopy;
	}
}

/* The charge was refused. */
static void hot_free(struct cloning *k)
{
	for (struct hot *h = k->hot; h < k->hot + k->hot_count; h++)
		if (h->copy)
			frame_free(h->copy);
}

/* The child's word of a page that was copied; 0: it was not. frames_lock held. */
static word_t hot_word(struct cloning *k, const word_t *word, word_t *out)
{
	struct hot *h = k->hot, *end = h + k->hot_count;
	struct frame *f;

	while (h < end && h->word != word)
		h++;
	if (h == end || !h->copy)
		return 0;
	f = &frames[h->copy];
	f->word = out;
	f->backing = word_zero(0);
	f->flags = FRAME_DIRTY;
	f->shares = 1;
	f->state = FRAME_ACTIVE;
	f->priority = k->to->page_priority & (PRIORITIES - 1);
	replace_arrived(f);
	k->to->resident++;
	k->zeros++;
	return word_valid_make(h->copy, word_prot(*word) & ~MARK_LOCKED, false, true);
}

/* ---- pages that are shared ---- */

static struct clone_page *page_new(struct cloning *k)
{
	assert(spin_held(&frames_lock));
	if (filled == BLOCK_PAGES)
		block_begin(chain_take(&k->supply.blocks, &k->supply.block_count));
	filling->used++;
	return &filling->pages[filled++];
}

/*
 * The contents of a page that was reset or is on offer may have lost their backing store on purpose. One process's
 * indifference is not the other's: shared, they are kept. frames_lock held.
 */
static void contents_keep(u32 pfn, u32 prot)
{
	if (prot & (MARK_RESET | MARK_OFFERED))
		page_contents_keep(pfn);
}

/* A valid private page: its frame belongs to the clone page from now on. frames_lock held. */
static void clone_valid(struct cloning *k, struct view *w, word_t *word, struct clone_page *c)
{
	/* Taken away and looked at: another CPU may have set bits until now. Who touches the page waits for our lock. */
	word_t old = __atomic_exchange_n(word, 0, __ATOMIC_RELAXED);
	u32 prot = word_prot(old), pfn = word_pfn(old);
	struct frame *f = &frames[pfn];

	k->protected |= !!(old & PTE_WRITE);
	if (old & PTE_DIRTY) {
		f->flags |= FRAME_DIRTY;
		if (w->flags & VIEW_WRITE_WATCH)
			prot |= MARK_WRITTEN;
	}
	contents_keep(pfn, prot);
	c->word = word_valid_make(pfn, 0, true, false);
	f->word = &c->word;
	f->flags |= FRAME_SECTION | FRAME_CLONE;
	*word = word_clone_valid_make(pfn, prot);
}

/* The private page of *word becomes one that is shared, with one reference, the parent's. frames_lock held. */
static void clone_make(struct cloning *k, struct view *w, word_t *word)
{
	struct clone_page *c = page_new(k);
	word_t old = *word;
	u32 pfn = word_pfn(old);

	*c = (struct clone_page){ .refs = 1 };
	switch (word_kind(old)) {
	case WORD_VALID:
		clone_valid(k, w, word, c);
		return;
	case WORD_TRANSITION: /* also while it is being read or written */
		contents_keep(pfn, word_prot(old));
		c->word = word_transition(pfn, 0);
		frames[pfn].word = &c->word;
		frames[pfn].flags |= FRAME_SECTION | FRAME_CLONE;
		break;
	default:
		c->word = word_with_prot(old, 0);
		break;
	}
	*word = word_clone_make(virt_to_phys(c), word_prot(old));
}

/* A page that both have in their page tables. frames_lock held. */
static word_t valid_clone(struct cloning *k, word_t parent)
{
	struct frame *f = &frames[word_pfn(parent)];

	f->shares++;
	if (parent & PTE_CLONE)
		((struct clone_page *)f->word)->refs++;
	k->to->resident++;
	return parent & ~(PTE_DIRTY | word_prot_bits(MARK_LOCKED));
}

/* What the child's word is, for the parent's, which is not 0. frames_lock held: a frame may have been taken just now. */
static word_t word_clone(struct cloning *k, struct view *w, word_t *word, word_t *out)
{
	word_t copy;

	if (private_contents(*word)) {
		if ((copy = hot_word(k, word, out)))
			return copy;
		clone_make(k, w, word);
	}
	switch (word_kind(*word)) {
	case WORD_VALID:
		if (*word & PTE_CLONE)
			return valid_clone(k, *word);
		/* A section's page comes back by a fault. */
		return word_make(WORD_PROTOTYPE, word_prot(*word) & ~MARK_LOCKED);
	case WORD_CLONE:
		clone_of(*word)->refs++;
		return *word;
	case WORD_ZERO:
		k->zeros++;
		return *word;
	default:
		return *word;
	}
}

/* A few words, for interrupts are off meanwhile. */
static void words_clone(struct cloning *k, struct view *w, word_t *word, word_t *out, u64 count)
{
	/* These are in the child's page table at once: it will use the code that the parent uses. */
	const word_t common = w->kind == VIEW_IMAGE ? SHARED : SHARED | PTE_CLONE;

	spin_lock(&frames_lock);
	for (u64 i = 0; i < count; i++)
		if ((word[i] & common) == common)
			out[i] = valid_clone(k, word[i]);
		else if (word[i])
			out[i] = word_clone(k, w, &word[i], &out[i]);
	spin_unlock(&frames_lock);
}

/*
 * The child's charge was made already, for as many pages as need_of counted. strict: what the parent's view holds.
 * lazy-writecopy: pages without contents are charged to each of the two, the others once, to nobody in particular.
 */
static void view_charge(struct cloning *k, struct view *w, struct view *copy)
{
	u64 moved = w->charge - k->zeros;

	if (commit_totals.lazy_writecopy) {
		commit_move(COMMIT_PRIVATE, COMMIT_CLONES, moved);
		w->charge -= moved;
		k->from->private_charge -= moved;
	}
	copy->charge = w->charge;
	k->to->private_charge += copy->charge;
}

/* A section's large pages are there for all who map it. */
static void large_clone(struct cloning *k, const struct view *w)
{
	for (u64 va = w->node.start; va < w->node.end; va += LARGE_PAGE) {
		word_t *entry;

		check(!pt_large_make(k->to, va, &entry)); /* of spare tables */
		*entry = *pt_large(k->from, va);
	}
}

static void view_clone(struct cloning *k, struct view *w)
{
	struct view *copy = chain_take(&k->supply.views, &k->supply.view_count);
	word_t *word, *out;
	u64 count;

	*copy = *w;
	check(tree_insert(&k->to->views, &copy->node));
	if (w->section)
		section_ref(w->section);
	k->zeros = 0;
	if (w->flags & VIEW_LARGE)
		large_clone(k, w);
	for (u64 va = w->node.start; (word = pt_next(k->from, &va, w->node.end, &count)); va += count << PAGE_SHIFT) {
		check(!pt_word_make(k->to, va, true, &out)); /* of a spare table */
		for (u64 i = 0, n; (i = words_skip(word, i, count)) < count; i += n) {
			n = MIN(count - i, WORDS_LOCKED);
			words_clone(k, w, word + i, out + i, n);
		}
	}
	view_charge(k, w, copy);
}

/* Enough is supplied. Nothing has changed when it is refused. */
static u32 clone_locked(struct cloning *k, struct need *n)
{
	struct vspace *from = k->from, *to = k->to;

	if (from->dying)
		return STATUS_PROCESS_IS_TERMINATING;
	hot_copy(k, n);
	if (!commit_charge(COMMIT_PRIVATE, n->charge)) {
		hot_free(k);
		return STATUS_COMMITMENT_LIMIT;
	}
	for (struct tree_node *t = tree_first(&from->views); t; t = tree_next(t))
		if (inherited(view_of(t)))
			view_clone(k, view_of(t));
	/* Pages without contents may be more than were counted: some were just discarded from standby. Never fewer. */
	commit_charge_always(COMMIT_PRIVATE, to->private_charge - n->charge);
	to->resident_peak = to->resident;
	if (k->protected)
		tlb_flush_range(from, USER_LOW, (USER_HIGH - USER_LOW) >> PAGE_SHIFT);
	return STATUS_SUCCESS;
}

/* Both locks: the list's is what allows it to take two of them. */
static void lock_both(struct vspace *from, struct vspace *to)
{
	mutex_lock(&vspaces_lock);
	mutex_lock(&from->lock);
	mutex_lock_nested(&to->lock);
}

static void unlock_both(struct vspace *from, struct vspace *to)
{
	mutex_unlock(&to->lock);
	mutex_unlock(&from->lock);
	mutex_unlock(&vspaces_lock);
}

u32 vspace_clone(struct vspace *from, struct vspace *to)
{
	struct cloning k = { .from = from, .to = to };
	struct need n;
	u64 min, max;
	u32 flags, status;

	mutex_lock(&from->lock);
	n.pages = 0;
	n.views = from->views.count; /* a guess, that is not far off */
	n.tables = from->table_charge;
	min = from->working_set_min;
	max = from->working_set_max;
	flags = from->working_set_flags;
	mutex_unlock(&from->lock);
	to->page_priority = from->page_priority;
	status = vspace_working_set_limit(to, min, max, flags);
	/* Other threads may get and use more memory while we wait for ours. */
	while (!status && !(status = supply_get(&k.supply, &n, to))) {
		lock_both(from, to);
		need_of(from, &n);
		if (supply_enough(&k.supply, &n, to)) {
			status = clone_locked(&k, &n);
			unlock_both(from, to);
			break;
		}
		unlock_both(from, to);
	}
	pt_spares_free(to);
	chain_free(k.supply.blocks);
	chain_free(k.supply.views);
	return status;
}
