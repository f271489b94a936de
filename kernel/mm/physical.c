/*
 * Address Windowing Extensions: a process is given physical pages, and shows them to itself through windows, which it
 * reserves with MEM_PHYSICAL. The pages never leave memory; which of them a window shows can be changed quickly, since
 * nothing but entries changes. A page belongs to the process that got it, and is mapped at one address at a time. Source:
 * Windows documentation, "Address Windowing Extensions", AllocateUserPhysicalPages, MapUserPhysicalPages and their kin.
 * The privilege SeLockMemoryPrivilege, which Windows asks for, is not modelled: every process has it.
 *
 * What is known of a page is in its frame: the address space (backing), the next page of that (next, prev), and the entry
 * that maps it (word). v->lock protects these. Such entries are not part of the working set, and are marked as locked.
 */
#include "mm/physical.h"
#include "mm/vspace.h"

#define WINDOW_PROT (PROT_READ | PROT_WRITE | MARK_LOCKED)
#define BATCH 512                 /* pages that are got with the lock held */
#define PATIENCE_NS 1000000000ull /* without one more page; then fewer than asked for must do */

static bool owned(const struct vspace *v, u64 pfn)
{
	return frame_managed(pfn) && frames[pfn].state == FRAME_PHYSICAL && frames[pfn].backing == (word_t)v;
}

/* ---- pages ---- */

/* Pages at out from i on, at most count; v->lock held. Returns how many. *short_of_frames: more are allowed, not there. */
static u64 frames_get(struct vspace *v, struct numbers *out, u64 i, u64 count, bool *short_of_frames)
{
	u64 allowed = commit_charge_some(COMMIT_PHYSICAL, count), n;

	for (n = 0; n < allowed; n++) {
		u32 pfn = frame_alloc(FRAME_FOR_GOOD, true);
		struct frame *f = &frames[pfn];

		if (!pfn)
			break;
		f->backing = (word_t)v;
		f->prev = 0;
		f->next = v->awe_first;
		if (f->next)
			frames[f->next].prev = pfn;
		v->awe_first = pfn;
		f->state = FRAME_PHYSICAL;
		*number_at(out, i + n) = pfn;
	}
	commit_release(COMMIT_PHYSICAL, allowed - n);
	__atomic_add_fetch(&frame_counts.physical, n, __ATOMIC_RELAXED);
	v->physical += n;
	*short_of_frames = n < allowed;
	return n;
}

u64 physical_allocate(struct vspace *v, struct numbers *out)
{
	u64 done = 0, n = 1, deadline = clock_ns() + PATIENCE_NS;
	bool short_of_frames = false;

	while (done < out->count && (n || (short_of_frames && frames_wait_for_good(deadline)))) {
		mutex_lock(&v->lock);
		n = v->dying ? 0 : frames_get(v, out, done, MIN(out->count - done, (u64)BATCH), &short_of_frames);
		mutex_unlock(&v->lock);
		done += n;
		if (n)
			deadline = clock_ns() + PATIENCE_NS;
	}
	return done;
}

/* Out of the list of v's pages. */
static void frame_unlink(struct vspace *v, struct frame *f)
{
	if (f->prev)
		frames[f->prev].next = f->next;
	else
		v->awe_first = f->next;
	if (f->next)
		frames[f->next].prev = f->prev;
}

/* No CPU has them in its TLB any more. */
static void frames_give_back(struct vspace *v, u32 chain, u64 count)
{
	frames_free_physical(chain);
	v->physical -= count;
	commit_release(COMMIT_PHYSICAL, count);
}

/* The entry shows nothing any more. False: it did not. */
static bool entry_clear(word_t *word)
{
	struct frame *f;

	if (!word || !*word)
		return false;
	f = &frames[word_pfn(*word)];
	*word = 0;
	f->word = NULL;
	f->shares = 0;
	return true;
}

u32 physical_free(struct vspace *v, const struct numbers *pfns, u64 *done)
{
	bool was_mapped = false;
	u32 chain = 0;

	mutex_lock(&v->lock);
	for (*done = 0; *done < pfns->count && owned(v, *number_at(pfns, *done)); ++*done) {
		u32 pfn = *number_at(pfns, *done);
		struct frame *f = &frames[pfn];

		was_mapped |= entry_clear(f->word);
		frame_unlink(v, f);
		f->backing = 0;
		f->next = chain;
		chain = pfn;
	}
	if (was_mapped)
		tlb_flush_range(v, 0, USER_HIGH >> PAGE_SHIFT);
	frames_give_back(v, chain, *done);
	mutex_unlock(&v->lock);
	return *done == pfns->count ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
}

void physical_free_all(struct vspace *v)
{
	u64 count = 0;

	for (u32 pfn = v->awe_first; pfn; pfn = frames[pfn].next)
		count++;
	frames_give_back(v, v->awe_first, count);
	v->awe_first = 0;
}

/* ---- windows ---- */

u32 physical_reserve(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect)
{
	struct view like = { .kind = VIEW_PRIVATE, .prot = PROT_READ | PROT_WRITE, .protect = protect, .flags = VIEW_AWE };
	u64 at = ALIGN_DOWN(*base, GRANULARITY), length;
	struct view *w;
	u32 status;

	if ((type & ~MEM_TOP_DOWN) != (MEM_RESERVE | MEM_PHYSICAL))
		return STATUS_INVALID_PARAMETER_5;
	if (protect != PAGE_READWRITE)
		return STATUS_INVALID_PARAMETER_6;
	if (*base >= USER_HIGH || (*base && at < USER_LOW))
		return STATUS_INVALID_PARAMETER_2;
	if (!*size || *size > USER_HIGH - *base)
		return STATUS_INVALID_PARAMETER_4;
	length = ALIGN_UP(*base + *size, PAGE_SIZE) - at;
	mutex_lock(&v->lock);
	status = view_create(v, &at, length, where ? where : &ANYWHERE, type & MEM_TOP_DOWN, &like, &w);
	mutex_unlock(&v->lock);
	if (status == STATUS_SUCCESS) {
		*base = at;
		*size = length;
	}
	return status;
}

void physical_unmap(struct vspace *v, u64 start, u64 end)
{
	struct gather g;
	word_t *word;
	u64 count;

	gather_init(&g, v);
	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			if (entry_clear(&word[i]))
				gather_flush_only(&g, va + (i << PAGE_SHIFT));
	gather_finish(&g);
}

/* ---- mapping ---- */

/* A walk along the addresses of a mapping: neighbours mostly are in one table. */
struct walk {
	struct vspace *v;
	u64 span;
	word_t *table;
};

static u64 va_at(const struct physical_mapping *m, u64 i)
{
	return m->vas ? ALIGN_DOWN(*number_at(m->vas, i), PAGE_SIZE) : m->base + (i << PAGE_SHIFT);
}

static u64 pfn_at(const struct physical_mapping *m, u64 i) { return m->pfns ? *number_at(m->pfns, i) : 0; }

/* The word of the i-th address; NULL: there is no table. */
static word_t *word_at(struct walk *k, const struct physical_mapping *m, u64 i)
{
	u64 va = va_at(m, i), span = ALIGN_DOWN(va, TABLE_SPAN);

	if (!k->table || k->span != span) {
		k->span = span;
		k->table = pt_word(k->v, span);
	}
	return k->table ? &k->table[(va - span) >> PAGE_SHIFT] : NULL;
}

/* All addresses lie in windows, and those where something will be mapped have their tables. */
static u32 addresses_check(struct vspace *v, const struct physical_mapping *m)
{
	struct view *w = m->vas ? NULL : view_find(v, m->base);
	u64 made = ~0ull;

	if (!m->vas && (!w || !(w->flags & VIEW_AWE)))
		return STATUS_INVALID_PARAMETER_1;
	if (!m->vas && m->count > (w->node.end - m->base) >> PAGE_SHIFT)
		return STATUS_INVALID_PARAMETER_2;
	for (u64 i = 0; i < m->count && (m->vas || m->pfns); i++) {
		u64 va = va_at(m, i);
		word_t *word;
		u32 status;

		if (va >= USER_HIGH)
			return STATUS_INVALID_PARAMETER_1;
		if (!w || va < w->node.start || va >= w->node.end)
			w = view_find(v, va);
		if (!w || !(w->flags & VIEW_AWE))
			return STATUS_INVALID_PARAMETER_1;
		if (ALIGN_DOWN(va, TABLE_SPAN) == made || !(m->vas ? pfn_at(m, i) : 1))
			continue;
		status = pt_word_make(v, va, false, &word);
		if (status)
			return status;
		made = ALIGN_DOWN(va, TABLE_SPAN);
	}
	return STATUS_SUCCESS;
}

/* Marks the pages that the entries show now: they may be named again, since they leave. */
static void leaving_mark(struct vspace *v, const struct physical_mapping *m, bool mark)
{
	struct walk k = { .v = v };

	for (u64 i = 0; i < m->count; i++) {
		word_t *word = word_at(&k, m, i);
		struct frame *f = word && *word ? &frames[word_pfn(*word)] : NULL;

		if (f)
			f->flags = mark ? f->flags | FRAME_LEAVING : f->flags & ~FRAME_LEAVING;
	}
}

/* All pages are v's, each is named once, and those that are mapped will not be where they are. */
static u32 frames_check(struct vspace *v, const struct physical_mapping *m)
{
	u32 status = STATUS_SUCCESS;
	u64 named = 0;

	leaving_mark(v, m, true);
	for (; named < m->count && !status; named++) {
		u64 pfn = pfn_at(m, named);
		struct frame *f = &frames[pfn];

		if (!pfn && m->vas)
			continue;
		if (!owned(v, pfn))
			status = STATUS_CONFLICTING_ADDRESSES;
		else if (f->flags & FRAME_NAMED || (f->word && !(f->flags & FRAME_LEAVING)))
			status = STATUS_INVALID_PARAMETER_3;
		if (status)
			break;
		f->flags |= FRAME_NAMED;
	}
	while (named-- > 0)
		if (pfn_at(m, named))
			frames[pfn_at(m, named)].flags &= ~FRAME_NAMED;
	leaving_mark(v, m, false);
	return status;
}

static void entries_write(struct vspace *v, const struct physical_mapping *m)
{
	struct walk k = { .v = v };
	struct gather g;

	gather_init(&g, v);
	/* First what goes, then what comes: a page may move from one address of these to another. */
	for (u64 i = 0; i < m->count; i++)
		if (entry_clear(word_at(&k, m, i)))
			gather_flush_only(&g, va_at(m, i));
	for (u64 i = 0; m->pfns && i < m->count; i++) {
		word_t *word = word_at(&k, m, i);
		u32 pfn = pfn_at(m, i);

		entry_clear(word); /* an address that is named twice shows what was named last */
		if (!pfn)
			continue;
		frames[pfn].word = word;
		frames[pfn].shares = 1;
		*word = word_valid_make(pfn, WINDOW_PROT, false, true);
	}
	gather_finish(&g);
}

static u32 map_locked(struct vspace *v, const struct physical_mapping *m)
{
	u32 status = v->dying ? STATUS_PROCESS_IS_TERMINATING : addresses_check(v, m);

	if (!status && m->pfns)
		status = frames_check(v, m);
	if (status)
		return status;
	if (m->vas || m->pfns)
		entries_write(v, m);
	else
		physical_unmap(v, m->base, m->base + (m->count << PAGE_SHIFT));
	return STATUS_SUCCESS;
}

u32 physical_map(struct vspace *v, const struct physical_mapping *m)
{
	u32 status;

	do {
		mutex_lock(&v->lock);
		status = map_locked(v, m);
		mutex_unlock(&v->lock);
	} while (memory_wait_again(v, &status));
	return status;
}
