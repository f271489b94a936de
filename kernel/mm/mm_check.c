/*
 * The invariants of the memory manager, as code: every word, frame, slot and charge is counted from both ends and
 * compared. All locks of the pager are held meanwhile, in their order; so nothing moves.
 */
#include "mm/file_cache.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"

static struct tally {
	u64 errors;
	u64 entries, entries_hash;   /* valid page-table entries, and a sum that knows which frames they name */
	u64 owners;                  /* words that say "in this frame" and own it */
	u64 slots;                   /* words and frames that own a slot */
	u64 tables;
	u64 locked;                  /* valid entries with the mark */
	u64 clones, clones_used;     /* clone pages; those that their blocks count */
	u64 clone_refs, clone_words; /* references that they count; words that refer to one */
	u64 windows;                 /* valid entries of windows, which are not part of the working set */
	u64 physical, physical_hash; /* frames that somebody was given for good, and which */
} tally;

#define hash file_pin_hash

#define WRONG(fmt, ...)                                                                                               \
	do {                                                                                                           \
		if (tally.errors++ < 20)                                                                               \
			kprintf("mm_check: " fmt "\n", ##__VA_ARGS__);                                                 \
	} while (0)

static void check_owner(const word_t *word, u8 flags)
{
	u32 pfn = word_pfn(*word);
	const struct frame *f = &frames[pfn];

	tally.owners++;
	if (f->word != word)
		WRONG("word %p says frame %u, whose word is %p", (void *)word, pfn, (void *)f->word);
	if ((f->flags & (FRAME_SECTION | FRAME_CLONE)) != flags)
		WRONG("frame %u: it has flags %#x, and its word those of %#x", pfn, f->flags, flags);
	if (word_valid(*word) ? f->state != FRAME_ACTIVE
			      : f->state != FRAME_STANDBY && f->state != FRAME_MODIFIED && f->state != FRAME_FILE_MODIFIED &&
					f->state != FRAME_TRANSITION)
		WRONG("frame %u of word %llx is in state %u", pfn, (unsigned long long)*word, f->state);
}

/* flags: FRAME_* that say whose words they are */
static void check_word(const word_t *word, u8 flags)
{
	switch (word_kind(*word)) {
	case WORD_VALID:
	case WORD_TRANSITION:
		check_owner(word, flags);
		break;
	case WORD_SWAP:
		tally.slots++;
		if (!swap_slot_used(word_swap_file(*word), word_swap_slot(*word)))
			WRONG("word %p names slot %llu, which is free", (void *)word, (unsigned long long)word_swap_slot(*word));
		break;
	default:
		break;
	}
}

/*
 * One of the words that refer to c. The first one also checks c itself; after the last one c is ready for the next check. If
 * c counts more or fewer than there are, so do the sums.
 */
static void check_clone(struct clone_page *c)
{
	tally.clone_words++;
	if (!c->seen++) {
		u64 used;

		if (!clone_check_block(c, &used))
			WRONG("%p is no clone page", (void *)c);
		tally.clones_used += used;
		tally.clones++;
		tally.clone_refs += c->refs;
		check_word(&c->word, FRAME_SECTION | FRAME_CLONE);
	}
	if (c->seen == c->refs)
		c->seen = 0;
}

/* What says where a data file's page is: its frame is known to be such a page, its table to be that of the file. */
static void check_file_word(struct section *s, u64 index, word_t w)
{
	bool framed = word_valid(w) || word_kind(w) == WORD_TRANSITION;
	const struct frame *f = &frames[word_pfn(w)];
	u64 found;

	if (!framed && word_kind(w) != WORD_BACKING)
		WRONG("page %llu of a file: word %llx", (unsigned long long)index, (unsigned long long)w);
	else if (framed && (!frame_is_file(f) || word_kind(f->backing) != WORD_BACKING || f->state == FRAME_MODIFIED ||
			    file_page_find(f, &found) != s || found != index))
		WRONG("frame %u, of page %llu of a file: flags %x, backing %llx, state %u", word_pfn(w),
		      (unsigned long long)index, f->flags, (unsigned long long)f->backing, f->state);
	if (framed && index >= s->pages)
		WRONG("page %llu of a file of %llu pages is in memory", (unsigned long long)index, (unsigned long long)s->pages);
	if (framed && f->state == FRAME_FILE_MODIFIED && !s->listed && !s->holds)
		WRONG("page %llu of a file is modified, and nobody will write it", (unsigned long long)index);
}

static void check_prototypes(struct section *s, u64 first, word_t *words, u64 count, void *arg)
{
	(void)arg;
	for (u64 i = 0; i < count; i++) {
		check_word(&words[i], FRAME_SECTION);
		if (s->backing == &backing_file && words[i])
			check_file_word(s, first + i, words[i]);
	}
}

static u64 count_tables(u64 *table, u32 level)
{
	const struct frame *f = &frames[frame_of_address(table)];
	u64 n = 1;

	for (u32 i = 0; level > 1 && i < (level == 4 ? 256 : 512); i++)
		if ((table[i] & (PTE_VALID | PTE_LARGE)) == PTE_VALID) {
			if (i < f->entries.low || i >= f->entries.high)
				WRONG("page table %u, level %u: entry %u leads further, entries %u to %u may", frame_of_address(table),
				      level, i, f->entries.low, f->entries.high);
			n += count_tables(phys_to_virt(table[i] & PTE_ADDRESS), level - 1);
		}
	return n;
}

/* ---- what never leaves memory ---- */

static void check_physical(u32 pfn, u32 flags, u64 owner)
{
	const struct frame *f = &frames[pfn];

	tally.physical++;
	tally.physical_hash += hash(pfn);
	if (f->state != FRAME_PHYSICAL || (f->flags & FRAME_LARGE) != flags || f->backing != owner)
		WRONG("frame %u: state %u, flags %x, owner %llx: it was given for good", pfn, f->state, f->flags,
		      (unsigned long long)f->backing);
}

static void check_run(const struct large_run *run)
{
	for (u64 i = 0; i < large_run_pages(run); i++)
		check_physical(large_run_frame(run, i), FRAME_LARGE, 0);
}

static void check_large_view(struct vspace *v, struct view *w)
{
	const struct large_run *run = w->section ? w->section->large : w->large;

	for (u64 va = w->node.start; va < w->node.end; va += LARGE_PAGE)
		if (large_pfn(v, va) != large_run_frame(run, view_index(w, va)))
			WRONG("process %u, %llx: large page of frame %u, not %u", v->process_id, (unsigned long long)va,
			      large_pfn(v, va), large_run_frame(run, view_index(w, va)));
}

/* The pages that v was given, by AllocateUserPhysicalPages and in large pages. */
static void check_given(struct vspace *v)
{
	u64 before = tally.physical;

	for (u32 pfn = v->awe_first; pfn && tally.physical <= frame_counts.total; pfn = frames[pfn].next) {
		check_physical(pfn, 0, (u64)v);
		if (!frames[pfn].word != !frames[pfn].shares)
			WRONG("frame %u: word %p, shares %u", pfn, (void *)frames[pfn].word, frames[pfn].shares);
	}
	for (struct tree_node *n = tree_first(&v->views); n; n = tree_next(n))
		if (view_of(n)->large)
			check_run(view_of(n)->large);
	if (tally.physical - before != v->physical)
		WRONG("process %u: %llu physical pages, %llu counted", v->process_id,
		      (unsigned long long)(tally.physical - before), (unsigned long long)v->physical);
}

static void check_window_entry(struct vspace *v, const word_t *word)
{
	const struct frame *f = &frames[word_pfn(*word)];

	tally.windows++;
	tally.owners++;
	if (f->word != word || f->state != FRAME_PHYSICAL || f->backing != (word_t)v || !(word_prot(*word) & MARK_LOCKED))
		WRONG("process %u: a window's entry %llx is not that of its frame (state %u)", v->process_id,
		      (unsigned long long)*word, f->state);
}

/* ---- address spaces ---- */

/* A page of a section's view that has a private copy. */
static bool is_copy(word_t w)
{
	enum word_kind kind = word_kind(w);

	return kind == WORD_ZERO || kind == WORD_TRANSITION || kind == WORD_SWAP || (kind == WORD_VALID && !(w & PTE_SECTION));
}

/* An entry that says where a section's or a clone page is as well. */
static void check_cache(struct vspace *v, struct view *w, u64 va, word_t at)
{
	const struct frame *f = &frames[word_pfn(at)];
	u32 flags = FRAME_SECTION | (at & PTE_CLONE ? FRAME_CLONE : 0);
	bool large = w->section && w->section->large && !(at & PTE_CLONE);

	if (large ? f->state != FRAME_PHYSICAL
		  : f->state != FRAME_ACTIVE || (f->flags & (FRAME_SECTION | FRAME_CLONE)) != flags)
		WRONG("process %u, %llx: frame %u is not an active page of a %s", v->process_id, (unsigned long long)va,
		      word_pfn(at), at & PTE_CLONE ? "clone" : "section");
	else if (at & PTE_CLONE)
		check_clone(clone_of(at));
	if (at & PTE_CLONE && at & PTE_WRITE)
		WRONG("process %u, %llx: a page shared with a clone can be written to", v->process_id, (unsigned long long)va);
}

static void check_valid(struct vspace *v, struct view *w, u64 va, const word_t *word)
{
	tally.entries++;
	tally.entries_hash += hash(word_pfn(*word));
	tally.locked += word_prot(*word) & MARK_LOCKED && !(w->flags & VIEW_AWE);
	if (w->flags & VIEW_AWE)
		check_window_entry(v, word);
	else if (*word & PTE_SECTION)
		check_cache(v, w, va, *word);
	else
		check_owner(word, 0);
}

static void check_view(struct vspace *v, struct view *w)
{
	u64 va, count, charge = 0;
	word_t *word;

	if (w->flags & VIEW_LARGE)
		check_large_view(v, w);
	for (va = w->node.start; (word = pt_next(v, &va, w->node.end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++) {
			word_t at = word[i];

			charge += w->section ? is_copy(at) : !(w->flags & VIEW_AWE) && word_charged(at);
			if (at && !(w->flags & VIEW_AWE) &&
			    (va + (i << PAGE_SHIFT) < w->used_low || va + (i << PAGE_SHIFT) >= w->used_high))
				WRONG("process %u, view %llx: page %llx is used, which is outside %llx to %llx", v->process_id,
				      (unsigned long long)w->node.start, (unsigned long long)(va + (i << PAGE_SHIFT)),
				      (unsigned long long)w->used_low, (unsigned long long)w->used_high);
			if (word_valid(at))
				check_valid(v, w, va + (i << PAGE_SHIFT), &word[i]);
			else if (word_kind(at) == WORD_CLONE)
				check_clone(clone_of(at));
			else
				check_word(&word[i], 0);
		}
	/* A section's view is charged for the pages that may be copied, but under lazy-writecopy for those that were. */
	if ((!w->section || commit_totals.lazy_writecopy) && charge != w->charge)
		WRONG("process %u, view %llx: %llu pages to be charged, %llu charged", v->process_id,
		      (unsigned long long)w->node.start, (unsigned long long)charge, (unsigned long long)w->charge);
}

static void check_vspace(struct vspace *v)
{
	u64 charge = 0, before = tally.entries - tally.windows, locked = tally.locked, tables;

	if (!v->pml4_phys)
		return;
	if (!tree_valid(&v->views))
		WRONG("process %u: the tree of views is damaged", v->process_id);
	for (struct tree_node *n = tree_first(&v->views); n; n = tree_next(n)) {
		charge += view_of(n)->charge;
		check_view(v, view_of(n));
	}
	check_given(v);
	tables = count_tables(phys_to_virt(v->pml4_phys), 4);
	for (u32 spare = v->spare_tables; spare; spare = frames[spare].next)
		tables++;
	tally.tables += tables;
	if (charge != v->private_charge)
		WRONG("process %u: views hold %llu pages of charge, the address space %llu", v->process_id,
		      (unsigned long long)charge, (unsigned long long)v->private_charge);
	if (tables != v->table_charge)
		WRONG("process %u: %llu page tables, %llu charged", v->process_id, (unsigned long long)tables,
		      (unsigned long long)v->table_charge);
	if (tally.locked - locked != v->locked)
		WRONG("process %u: %llu locked entries, %llu counted", v->process_id,
		      (unsigned long long)(tally.locked - locked), (unsigned long long)v->locked);
	if (tally.entries - tally.windows - before != v->resident)
		WRONG("process %u: %llu valid entries, %llu counted", v->process_id,
		      (unsigned long long)(tally.entries - tally.windows - before), (unsigned long long)v->resident);
}

static void check_list(enum frame_state s, const char *name)
{
	bool by_priority = s == FRAME_STANDBY || s == FRAME_MODIFIED;
	u64 n = 0;

	for (u32 priority = 0; priority < PRIORITIES; priority++) {
		u32 prev = 0;

		for (u32 pfn = frame_list_head(s, priority); pfn && n <= frame_counts.total; prev = pfn, pfn = frames[pfn].next, n++)
			if (frames[pfn].state != s || frames[pfn].prev != prev || frames[pfn].shares ||
			    (by_priority && frames[pfn].priority != priority))
				WRONG("frame %u on the %s list %u: state %u, shares %u, priority %u", pfn, name, priority,
				      frames[pfn].state, frames[pfn].shares, frames[pfn].priority);
	}
	if (n != frame_counts.state[s])
		WRONG("%s list: %llu frames, %llu counted", name, (unsigned long long)n,
		      (unsigned long long)frame_counts.state[s]);
}

static void check_frames(void)
{
	u64 first, count, shares = 0, shares_hash = 0, owned = 0, physical = 0, physical_hash = 0;

	for (u32 r = 0; frame_range(r, &first, &count); r++)
		for (u64 pfn = first; pfn < first + count; pfn++) {
			const struct frame *f = &frames[pfn];

			owned += f->word != NULL;
			shares += f->shares;
			shares_hash += f->shares * hash(pfn);
			if (f->state == FRAME_PHYSICAL) {
				physical++;
				physical_hash += hash(pfn);
			}
			if (f->state != FRAME_KERNEL && f->state != FRAME_PHYSICAL && word_kind(f->backing) == WORD_SWAP) {
				tally.slots++;
				if (!swap_slot_used(word_swap_file(f->backing), word_swap_slot(f->backing)))
					WRONG("frame %llu names a free slot", (unsigned long long)pfn);
			}
		}
	if (owned != tally.owners)
		WRONG("%llu frames have a word, %llu words have a frame", (unsigned long long)owned,
		      (unsigned long long)tally.owners);
	/* A page that is being copied to or from a program is held as if it were mapped. */
	tally.entries += file_pins;
	tally.entries_hash += file_pins_hash;
	if (shares != tally.entries || shares_hash != tally.entries_hash)
		WRONG("frames count %llu shares, page tables have %llu valid entries%s", (unsigned long long)shares,
		      (unsigned long long)tally.entries, shares == tally.entries ? ", of other frames" : "");
	if (physical != tally.physical || physical_hash != tally.physical_hash || physical != frame_counts.physical)
		WRONG("%llu physical frames, %llu given to somebody, %llu counted%s", (unsigned long long)physical,
		      (unsigned long long)tally.physical, (unsigned long long)frame_counts.physical,
		      physical == tally.physical ? ", others" : "");
	check_list(FRAME_FREE, "free");
	check_list(FRAME_ZEROED, "zeroed");
	check_list(FRAME_STANDBY, "standby");
	check_list(FRAME_MODIFIED, "modified");
	check_list(FRAME_FILE_MODIFIED, "modified file pages'");
}

static void check_total(const char *what, u64 counted, u64 kept)
{
	if (counted != kept)
		WRONG("%s: %llu counted, %llu kept", what, (unsigned long long)counted, (unsigned long long)kept);
}

u64 mm_check(void)
{
	u64 private = 0, sections = 0, reserved = 0;
	struct vspace *v;
	struct section *s;

	mutex_lock(&writer_lock);
	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link)
		mutex_lock_nested(&v->lock);
	mutex_lock(&sections_lock);
	for (u32 files = 0; files < 2; files++) /* those of files are of a higher rank */
		list_for_each(&all_sections, s, all_link)
			if ((s->backing == &backing_file) == files)
				mutex_lock_nested(&s->lock);
	spin_lock(&frames_lock);

	tally = (struct tally){ 0 };
	list_for_each(&all_vspaces, v, all_link) {
		check_vspace(v);
		private += v->private_charge;
		reserved += v->working_set_reserved;
		if (v->locked && v->working_set_reserved < v->working_set_min)
			WRONG("process %u: locks pages, and %llu of its minimum working set are reserved", v->process_id,
			      (unsigned long long)v->working_set_reserved);
	}
	list_for_each(&all_sections, s, all_link) {
		section_for_each_table(s, check_prototypes, NULL);
		sections += s->backing != &backing_file ? s->charge : 0;
		if (s->large)
			check_run(s->large);
	}
	check_frames();
	check_total("slots in use", tally.slots, swap_slots_in_use());
	tally.errors += swap_files_check();
	check_total("charge of private memory", private, commit_totals.by_owner[COMMIT_PRIVATE]);
	check_total("charge of sections", sections, commit_totals.by_owner[COMMIT_SECTION]);
	check_total("references to clone pages", tally.clone_words, tally.clone_refs);
	check_total("clone pages", tally.clones, tally.clones_used);
	check_total("charge of clone pages", commit_totals.lazy_writecopy ? tally.clones : 0,
		    commit_totals.by_owner[COMMIT_CLONES]);
	check_total("charge of physical pages", tally.physical, commit_totals.by_owner[COMMIT_PHYSICAL]);
	check_total("pages reserved for locking", reserved, commit_totals.fixed_reserved);
	check_total("charge of page tables", tally.tables, commit_totals.by_owner[COMMIT_TABLES]);

	spin_unlock(&frames_lock);
	list_for_each(&all_sections, s, all_link)
		mutex_unlock(&s->lock);
	mutex_unlock(&sections_lock);
	list_for_each(&all_vspaces, v, all_link)
		mutex_unlock(&v->lock);
	mutex_unlock(&vspaces_lock);
	mutex_unlock(&writer_lock);
	return tally.errors;
}
