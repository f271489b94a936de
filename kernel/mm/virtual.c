/*
 * What is behind VirtualAlloc, VirtualFree and VirtualProtect. Source: Windows documentation of these, and of
 * NtAllocateVirtualMemory, NtFreeVirtualMemory. A committed private page is a word that is not 0: so the charge of a range
 * is the number of its words, and no other record of it exists.
 */
#include "mm/swap.h"
#include "mm/vspace.h"

/* Runs op under v->lock, again after each wait for memory. */
#define WITH_MEMORY(v, status, op)                                                                                    \
	do {                                                                                                           \
		mutex_lock(&(v)->lock);                                                                                \
		status = (op);                                                                                         \
		mutex_unlock(&(v)->lock);                                                                              \
	} while (memory_wait_again(v, &(status)))

/* ---- protection of committed pages ---- */

/* Does a write to the page make it private? Not in an image's segment that is shared for writing. */
static bool writes_copy(const struct view *w, u64 va)
{
	u32 own;

	if (w->kind != VIEW_IMAGE)
		return w->copy;
	own = w->section->backing->prot(w->section, view_index(w, va));
	return !(own & PROT_WRITE) || own & PROT_COPY;
}

/* What a page of private memory is given when prot is asked for: caching is the allocation's, once and for all. */
static inline u32 prot_for_private(const struct view *w, u32 prot)
{
	return (prot & ~PROT_CACHING) | (prot & ~PROT_CACHING ? w->prot & PROT_CACHING : 0);
}

/* The same for a page of a section's view: a write to a write-copy view's page makes it private. */
static u32 prot_for_page(const struct view *w, u64 va, u32 prot, bool private_copy)
{
	if (prot)
		prot |= section_caching(w->section);
	if (private_copy)
		return prot & ~PROT_COPY;
	return prot & PROT_WRITE && writes_copy(w, va) ? prot | PROT_COPY : prot;
}

/* Can the hardware give access so? */
static bool prot_reachable(u32 prot)
{
	return prot & (PROT_READ | PROT_EXECUTE) && !(prot & PROT_GUARD);
}

/* What an entry keeps when its page's protection changes: the frame, whose it is, the marks, that it was written. */
#define ENTRY_KEEPS (PTE_ADDRESS | PTE_DIRTY | PTE_SECTION | PTE_CLONE | \
		     word_prot_bits(WORD_PROT_MASK & ~(PROT_PAGE_MASK | MARK_OFFERED)))

/*
 * Gives the page of a valid entry another protection that the hardware can give access by. True: a TLB may allow more than
 * is allowed now, or cache otherwise. One that allows less does no harm: the access that it refuses looks again.
 */
static bool entry_protect(word_t *word, u32 prot)
{
	word_t old = *word, new;

	if (unlikely(old & PTE_CLONE)) /* never the hardware's to write to: see word_clone_valid_make */
		prot = prot & PROT_WRITE ? prot | PROT_COPY : prot & ~PROT_COPY;
	/* The processor may set the dirty bit at any time. */
	do
		new = (old & ENTRY_KEEPS) | word_valid_make(0, prot, false, false);
	while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (old & ~new & PTE_WRITE) || (new & ~old & PTE_NX) || (old ^ new) & PTE_CACHE_OFF;
}

/* Gives the page at va another protection; its marks stay. Its table exists. True: the page was locked, and can't be now. */
static bool page_protect(struct gather *g, u64 va, word_t *word, u32 prot)
{
	u32 marks = word_prot(*word) & ~PROT_PAGE_MASK;

	if (!word_valid(*word)) {
		/* In transition, its frame may be taken meanwhile: the word is changed under the lock that this takes. */
		spin_lock(&frames_lock);
		*word = *word ? word_with_prot(*word, prot | marks) : word_make(WORD_PROTOTYPE, prot);
		spin_unlock(&frames_lock);
		return false;
	}
	if (prot_reachable(prot)) {
		if (entry_protect(word, prot))
			gather_flush_only(g, va);
		return false;
	}
	/* No access: the page leaves the page table, and stays in memory until that is short. */
	gather_deactivate(g, va, word, prot | (marks & ~MARK_LOCKED));
	return marks & MARK_LOCKED;
}

/* What a protection grants in a view: a write that copies is no write, and reading goes without saying. */
static u32 prot_grants(u32 prot)
{
	u32 grants = prot & (PROT_READ | PROT_EXECUTE) ? PROT_READ | (prot & PROT_EXECUTE) : 0;

	if (prot & PROT_WRITE && !(prot & PROT_COPY))
		grants |= PROT_WRITE;
	return prot & PROT_WRITE && prot & PROT_EXECUTE ? grants | PROT_COPY : grants;
}

/* VirtualProtect: "this value must be compatible with the access protection specified when the view was mapped". */
static bool prot_fits_view(const struct view *w, u32 prot)
{
	u32 has = prot_grants(w->prot), wants = prot_grants(prot);

	if (w->kind == VIEW_IMAGE)
		return w->copy || !(prot & PROT_WRITE) || w->prot & PROT_WRITE;
	return has == wants || (has && !(wants & ~has));
}

/* The words from va on, as far as they stand in a row: *count, cut at end. NULL: there is no table. */
static word_t *words_from(struct vspace *v, u64 va, u64 end, u64 *count)
{
	*count = (MIN(ALIGN_DOWN(va, TABLE_SPAN) + TABLE_SPAN, end) - va) >> PAGE_SHIFT;
	return pt_word(v, va);
}

/* Private memory: each page's word says everything. */
static u32 protect_private(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot, u32 *old)
{
	bool unlocked = false;
	struct gather g;
	word_t *word;
	u64 count;

	if (w->flags & VIEW_AWE || prot & PROT_COPY) /* "Address Windowing Extensions": always read/write */
		return STATUS_INVALID_PAGE_PROTECTION;
	if (w->flags & VIEW_LARGE)
		return large_protect(v, w, start, end, prot, old);
	for (u64 va = start; va < end; va += count << PAGE_SHIFT) {
		word = words_from(v, va, end, &count);
		for (u64 i = 0; i < count; i++)
			if (!word || !word[i])
				return STATUS_NOT_COMMITTED;
		if (va == start)
			*old = prot_to_page(word_own_prot(*word));
	}
	prot = prot_for_private(w, prot);
	gather_init(&g, v);
	for (u64 va = start; va < end; va += count << PAGE_SHIFT) {
		word = words_from(v, va, end, &count);
		for (u64 i = 0; i < count; i++)
			unlocked |= page_protect(&g, va + (i << PAGE_SHIFT), &word[i], prot);
	}
	gather_finish(&g);
	return unlocked ? STATUS_WAS_UNLOCKED : STATUS_SUCCESS;
}

static u32 protect_locked(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot, u32 *old)
{
	u64 copies = 0, freed = 0;
	struct page_state state;
	bool unlocked = false;
	struct gather g;
	word_t *word;
	u32 status;

	if (!w || end > w->node.end || w->flags & VIEW_PLACEHOLDER)
		return STATUS_CONFLICTING_ADDRESSES;
	if (!w->section)
		return protect_private(v, w, start, end, prot, old);
	if (!prot_fits_view(w, prot))
		return STATUS_SECTION_PROTECTION;
	if (w->flags & VIEW_LARGE)
		return large_protect(v, w, start, end, prot, old);
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		word = pt_word(v, va);
		view_page_state(v, w, va, word ? *word : 0, &state);
		if (!state.committed)
			return STATUS_NOT_COMMITTED;
		if (va == start)
			*old = prot_to_page(state.prot);
		if (!state.private_copy) {
			bool after = prot_for_page(w, va, prot, false) & PROT_COPY, before = state.prot & PROT_COPY;

			copies += after && !before && !commit_totals.lazy_writecopy;
			freed += before && !after && !commit_totals.lazy_writecopy;
		}
	}
	if ((status = pt_make_range(v, start, end)))
		return status;
	if (copies > freed && !commit_charge(COMMIT_PRIVATE, copies - freed))
		return STATUS_COMMITMENT_LIMIT;
	if (freed > copies)
		commit_release(COMMIT_PRIVATE, freed - copies);
	view_use(w, start, end);
	w->charge += copies - freed;
	v->private_charge += copies - freed;
	gather_init(&g, v);
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		word = pt_word(v, va);
		view_page_state(v, w, va, *word, &state);
		unlocked |= page_protect(&g, va, word, prot_for_page(w, va, prot, state.private_copy));
	}
	gather_finish(&g);
	return unlocked ? STATUS_WAS_UNLOCKED : STATUS_SUCCESS;
}

/*
 * A page that had to leave the page table because no access was allowed comes back when some is: who allows it is about to
 * use it. Its old protection goes to *old. False: it is elsewhere meanwhile, or being read; nothing was done.
 */
static bool page_return(struct vspace *v, struct view *w, u64 va, word_t *word, u32 prot, u32 *old)
{
	struct fault f; /* of which what follows needs only this */
	u32 pfn = 0, had;

	if (v->working_set_flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE) /* a fault makes room first */
		return false;
	f.v = v;
	f.view = w;
	f.va = va;
	f.word = word;
	f.access = FAULT_READ;
	spin_lock(&frames_lock);
	had = word_prot(*word);
	if (word_kind(*word) == WORD_TRANSITION && !prot_reachable(had) && !(had & MARK_OFFERED))
		pfn = word_pfn(*word);
	if (pfn && !(frames[pfn].flags & FRAME_READING)) {
		*old = prot_to_page(had);
		fault_reactivate(&f, pfn);
		fault_map(&f, pfn, prot | (had & ~PROT_PAGE_MASK), false, false);
	} else {
		pfn = 0;
	}
	spin_unlock(&frames_lock);
	return pfn;
}

/*
 * Most calls: a page of private memory that is in the page table, and stays there, or comes back. Its word changes, and
 * that is all. False: it is something else, and nothing was done.
 */
static bool protect_one(struct vspace *v, u64 va, u32 prot, u32 *old)
{
	bool can = false;
	struct view *w;
	word_t *word;

	if (prot & PROT_COPY || !prot_reachable(prot))
		return false;
	mutex_lock(&v->lock);
	w = view_find(v, va);
	word = w && !w->section && !(w->flags & (VIEW_AWE | VIEW_LARGE)) ? pt_word(v, va) : NULL;
	if (word && word_valid(*word)) {
		can = true;
		*old = prot_to_page(word_own_prot(*word));
		if (entry_protect(word, prot_for_private(w, prot)))
			tlb_flush_range(v, va, 1);
	} else if (word && word_kind(*word) == WORD_TRANSITION) {
		can = page_return(v, w, va, word, prot_for_private(w, prot), old);
	}
	mutex_unlock(&v->lock);
	return can;
}

static u32 protect_asked(struct vspace *v, u64 start, u64 end, u32 prot, u32 *old)
{
	struct view *w = view_find(v, start);

	return w && w->flags & VIEW_NO_CHANGE ? STATUS_INVALID_PAGE_PROTECTION : protect_locked(v, w, start, end, prot, old);
}

u32 vspace_protect(struct vspace *v, u64 *base, u64 *size, u32 protect, u32 *old)
{
	u64 start = ALIGN_DOWN(*base, PAGE_SIZE), end;
	u32 prot, status;

	if (!prot_from_page(protect, &prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (*base >= USER_HIGH || *size > USER_HIGH - *base || !*size)
		return STATUS_INVALID_PARAMETER;
	end = ALIGN_UP(*base + *size, PAGE_SIZE);
	if (end - start == PAGE_SIZE && protect_one(v, start, prot, old))
		status = STATUS_SUCCESS;
	else
		WITH_MEMORY(v, status, protect_asked(v, start, end, prot, old));
	if (NT_SUCCESS(status)) {
		*base = start;
		*size = end - start;
	}
	return status;
}

/* ---- allocation ---- */

static u32 commit_private(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot)
{
	u64 pages = (end - start) >> PAGE_SHIFT, present = 0, count;
	bool reprotect = false;
	word_t *word;
	u32 status, old;

	prot = prot_for_private(w, prot);
	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			if (word[i]) {
				present++;
				reprotect |= (word_prot(word[i]) & PROT_PAGE_MASK) != prot;
			}
	/* Charged first: what is refused must not leave tables behind. */
	if (!commit_possible(pages - present) || !commit_charge(COMMIT_PRIVATE, pages - present))
		return STATUS_COMMITMENT_LIMIT;
	status = pt_make_range(v, start, end);
	if (status) {
		commit_release(COMMIT_PRIVATE, pages - present);
		return status;
	}
	view_use(w, start, end);
	w->charge += pages - present;
	v->private_charge += pages - present;
	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			if (!word[i])
				word[i] = word_zero(prot);
	if (reprotect)
		status = protect_locked(v, w, start, end, prot, &old);
	return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

/* Pages of w, which is new: no page of it is there. On failure some tables are there and some words, which go with the view. */
static u32 commit_new(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot)
{
	u64 pages = (end - start) >> PAGE_SHIFT, count;
	word_t *word, zero = word_zero(prot_for_private(w, prot));
	u32 status;

	/* Charged first: what is refused must not leave tables behind. */
	if (!commit_possible(pages) || !commit_charge(COMMIT_PRIVATE, pages))
		return STATUS_COMMITMENT_LIMIT;
	view_use(w, start, end);
	w->charge += pages;
	v->private_charge += pages;
	for (u64 va = start; va < end; va += count << PAGE_SHIFT) {
		word = words_from(v, va, end, &count);
		if (!word && (status = pt_word_make(v, va, false, &word)))
			return status;
		for (u64 i = 0; i < count; i++)
			word[i] = zero;
	}
	return STATUS_SUCCESS;
}

static u32 commit_locked(struct vspace *v, u64 start, u64 end, u32 prot)
{
	struct view *w = view_find(v, start);
	u32 status, old;

	if (!w || end > w->node.end || w->flags & (VIEW_PLACEHOLDER | VIEW_AWE | VIEW_LARGE))
		return STATUS_CONFLICTING_ADDRESSES;
	if (!w->section)
		return commit_private(v, w, start, end, prot);
	if (!(w->section->attributes & SEC_RESERVE))
		return STATUS_ALREADY_COMMITTED;
	if (!prot_fits_view(w, prot))
		return STATUS_SECTION_PROTECTION;
	if (!commit_possible((end - start) >> PAGE_SHIFT))
		return STATUS_COMMITMENT_LIMIT;
	status = pt_make_range(v, start, end);
	if (!status) {
		mutex_lock(&w->section->lock);
		status = section_commit(w->section, view_index(w, start), (end - start) >> PAGE_SHIFT);
		mutex_unlock(&w->section->lock);
	}
	if (!status)
		status = protect_locked(v, w, start, end, prot, &old);
	return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

static u32 reserve_locked(struct vspace *v, u64 *base, u64 size, const struct address_limits *where, u32 type, u32 protect,
			  u32 prot)
{
	struct view like = { .kind = VIEW_PRIVATE, .prot = prot, .protect = protect };
	bool replace = type & MEM_REPLACE_PLACEHOLDER;
	struct view *w;
	u32 status;

	like.flags = (type & MEM_RESERVE_PLACEHOLDER ? VIEW_PLACEHOLDER : 0) | (type & MEM_WRITE_WATCH ? VIEW_WRITE_WATCH : 0);
	status = replace ? placeholder_replace(v, *base, size, &like, &w)
			 : view_create(v, base, size, where, type & MEM_TOP_DOWN, &like, &w);
	if (!status && type & MEM_COMMIT) {
		status = commit_new(v, w, w->node.start, w->node.end, prot);
		if (status && replace)
			placeholder_restore(v, w);
		else if (status)
			view_remove(v, w);
	}
	return status;
}

/* Which allocation types go together. Source: Windows documentation of VirtualAlloc and VirtualAlloc2. */
static bool type_valid(u32 type, bool extended)
{
	const u32 placeholder = MEM_RESERVE_PLACEHOLDER | MEM_REPLACE_PLACEHOLDER;
	u32 known = MEM_RESERVE | MEM_COMMIT | MEM_TOP_DOWN | MEM_WRITE_WATCH | (extended ? placeholder : 0);

	if (!(type & (MEM_RESERVE | MEM_COMMIT)) || type & ~known)
		return false;
	if (type & (MEM_WRITE_WATCH | placeholder) && !(type & MEM_RESERVE))
		return false;
	if (type & MEM_RESERVE_PLACEHOLDER)
		return !(type & ~(MEM_RESERVE | MEM_RESERVE_PLACEHOLDER | MEM_TOP_DOWN));
	return !(type & MEM_REPLACE_PLACEHOLDER && type & MEM_TOP_DOWN);
}

u32 vspace_allocate(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect,
		    bool extended)
{
	u64 start = ALIGN_DOWN(*base, type & MEM_RESERVE ? GRANULARITY : PAGE_SIZE), end, length, at;
	u32 prot, status;

	if (unlikely(!type || type & ~(MEM_RESERVE | MEM_COMMIT))) {
		if (type == MEM_RESET || type == MEM_RESET_UNDO)
			return vspace_reset(v, base, size, type == MEM_RESET_UNDO, protect);
		if (type & MEM_LARGE_PAGES)
			return large_allocate(v, base, size, where, type, protect);
		if (type & MEM_PHYSICAL)
			return physical_reserve(v, base, size, where, type, protect);
		if (!type_valid(type, extended))
			return STATUS_INVALID_PARAMETER_5;
	}
	if (unlikely(type & (MEM_RESERVE_PLACEHOLDER | MEM_REPLACE_PLACEHOLDER))) {
		start = *base;
		if (type & MEM_RESERVE_PLACEHOLDER && protect != PAGE_NOACCESS)
			return STATUS_INVALID_PARAMETER_6;
		if (!IS_ALIGNED(*base, type & MEM_REPLACE_PLACEHOLDER ? PAGE_SIZE : GRANULARITY))
			return STATUS_INVALID_PARAMETER_2;
		if (!IS_ALIGNED(*size, PAGE_SIZE))
			return STATUS_INVALID_PARAMETER_4;
		if (type & MEM_REPLACE_PLACEHOLDER && !*base)
			return STATUS_INVALID_PARAMETER_2;
	}
	if (!*base)
		type |= MEM_RESERVE; /* MEM_COMMIT alone reserves as well, when it is told no place */
	if (!prot_from_page(protect, &prot) || prot & PROT_COPY)
		return STATUS_INVALID_PAGE_PROTECTION;
	if (*base >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_2;
	if (!*size || *size > USER_HIGH - *base)
		return STATUS_INVALID_PARAMETER_4;
	end = ALIGN_UP(*base + *size, PAGE_SIZE);
	length = end - start;
	at = start;
	if (type & MEM_RESERVE) {
		if (*base && start < USER_LOW)
			return STATUS_INVALID_PARAMETER_2;
		WITH_MEMORY(v, status, (at = start, reserve_locked(v, &at, length, where ? where : &ANYWHERE, type, protect, prot)));
	} else {
		WITH_MEMORY(v, status, commit_locked(v, start, end, prot));
	}
	if (status == STATUS_SUCCESS) {
		*base = at;
		*size = length;
	}
	return status;
}

static u32 stack_locked(struct vspace *v, u64 *base, u64 size, u64 commit)
{
	const u32 prot = PROT_READ | PROT_WRITE;
	struct view like = { .kind = VIEW_PRIVATE, .prot = prot, .protect = PAGE_READWRITE };
	struct view *w;
	u32 status = view_create(v, base, size, &ANYWHERE, false, &like, &w);
	u64 guard;

	if (status)
		return status;
	guard = w->node.end - commit - PAGE_SIZE;
	status = commit_new(v, w, guard, w->node.end, prot);
	if (status)
		view_remove(v, w);
	else
		*pt_word(v, guard) = word_zero(prot | PROT_GUARD);
	return status;
}

u32 vspace_allocate_stack(struct vspace *v, u64 *base, u64 size, u64 commit)
{
	u32 status;

	assert(IS_ALIGNED(size, GRANULARITY) && IS_ALIGNED(commit, PAGE_SIZE) && commit + PAGE_SIZE <= size);
	WITH_MEMORY(v, status, (*base = 0, stack_locked(v, base, size, commit)));
	return status;
}

/* ---- freeing ---- */

static u32 free_locked(struct vspace *v, u64 *base, u64 *size, u32 type)
{
	u64 start = ALIGN_DOWN(*base, PAGE_SIZE), end = ALIGN_UP(*base + *size, PAGE_SIZE), removed;
	struct view *w = view_find(v, start);
	u32 status;

	if (!w)
		return STATUS_MEMORY_NOT_ALLOCATED;
	if (w->section)
		return STATUS_UNABLE_TO_DELETE_SECTION;
	if (!*size) {
		if (start != w->node.start)
			return STATUS_FREE_VM_NOT_AT_BASE;
		end = w->node.end;
	}
	if (end > w->node.end)
		return STATUS_UNABLE_TO_FREE_VM;
	*base = start;
	*size = end - start;
	if (type == MEM_RELEASE) {
		/* A part of an allocation may go; the parts that stay are allocations of their own then. */
		if (w->flags & (VIEW_AWE | VIEW_LARGE | VIEW_WRITE_WATCH) && (start != w->node.start || end != w->node.end))
			return STATUS_FREE_VM_NOT_AT_BASE;
		status = start == w->node.start && end == w->node.end ? STATUS_SUCCESS : view_isolate(v, w, start, end, &w);
		if (!status)
			view_remove(v, w);
		return status;
	}
	if (w->flags & (VIEW_AWE | VIEW_LARGE))
		return STATUS_MEMORY_NOT_ALLOCATED;
	if (w->flags & VIEW_PLACEHOLDER)
		return STATUS_CONFLICTING_ADDRESSES;
	removed = pages_remove(v, start, end);
	w->charge -= removed;
	v->private_charge -= removed;
	commit_release(COMMIT_PRIVATE, removed);
	return STATUS_SUCCESS;
}

u32 vspace_free(struct vspace *v, u64 *base, u64 *size, u32 type)
{
	u32 placeholder = type & (MEM_PRESERVE_PLACEHOLDER | MEM_COALESCE_PLACEHOLDERS), status;
	u64 at = *base, length = *size;

	if ((type != MEM_DECOMMIT && (type & ~placeholder) != MEM_RELEASE) || placeholder & (placeholder - 1))
		return STATUS_INVALID_PARAMETER_4;
	if (at >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_2;
	if (length > USER_HIGH - at || (placeholder && (!length || !IS_ALIGNED(at | length, PAGE_SIZE))))
		return STATUS_INVALID_PARAMETER_3;
	mutex_lock(&v->lock);
	status = placeholder == MEM_PRESERVE_PLACEHOLDER    ? placeholder_split(v, at, at + length)
		 : placeholder == MEM_COALESCE_PLACEHOLDERS ? placeholders_coalesce(v, at, at + length)
							     : free_locked(v, &at, &length, type);
	mutex_unlock(&v->lock);
	if (status == STATUS_SUCCESS) {
		*base = at;
		*size = length;
	}
	return status;
}
