/*
 * Working sets: which pages a process has in its page tables, and the limits of how many. Source: Windows documentation
 * of SetProcessWorkingSetSizeEx, QueryWorkingSet and QueryWorkingSetEx.
 *
 * A minimum lets the process lock that many pages, less a few; so memory must be able to hold the minima of all who may
 * lock. Nobody has to be asked before the first page is locked, as long as the minimum is the default one.
 */
#include "mm/reclaim.h"
#include "mm/vspace.h"

#define MIN_LOWEST 20        /* a lower minimum becomes this one */
#define MAX_LOWEST 13
#define MAX_LEFT_TO_OTHERS 512 /* frames: the largest maximum leaves these */

/* ---- limits ---- */

static bool reserve(struct vspace *v, u64 pages)
{
	assert(mutex_held(&v->lock));
	if (pages > v->working_set_reserved && !commit_fixed_reserve(pages - v->working_set_reserved))
		return false;
	if (pages < v->working_set_reserved)
		commit_fixed_unreserve(v->working_set_reserved - pages);
	v->working_set_reserved = pages;
	return true;
}

bool working_set_hold(struct vspace *v)
{
	return v->working_set_reserved >= v->working_set_min || reserve(v, v->working_set_min);
}

void working_set_release(struct vspace *v)
{
	reserve(v, 0);
}

static bool flags_valid(u32 flags)
{
	const u32 min = QUOTA_LIMITS_HARDWS_MIN_ENABLE | QUOTA_LIMITS_HARDWS_MIN_DISABLE;
	const u32 max = QUOTA_LIMITS_HARDWS_MAX_ENABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE;

	return !(flags & ~(min | max)) && (flags & min) != min && (flags & max) != max;
}

/* The flags in force, when these are asked for. */
static u32 flags_after(u32 now, u32 flags)
{
	if (flags & QUOTA_LIMITS_HARDWS_MIN_DISABLE)
		now &= ~QUOTA_LIMITS_HARDWS_MIN_ENABLE;
	if (flags & QUOTA_LIMITS_HARDWS_MAX_DISABLE)
		now &= ~QUOTA_LIMITS_HARDWS_MAX_ENABLE;
	return now | (flags & (QUOTA_LIMITS_HARDWS_MIN_ENABLE | QUOTA_LIMITS_HARDWS_MAX_ENABLE));
}

static u32 limit_locked(struct vspace *v, u64 min, u64 max, u32 flags)
{
	u64 wanted = 0;

	if (v->locked + WORKING_SET_NOT_LOCKABLE > MAX(min, WORKING_SET_NOT_LOCKABLE) && v->locked)
		return STATUS_BAD_WORKING_SET_LIMIT;
	flags = flags_after(v->working_set_flags, flags);
	if (min > WORKING_SET_MIN || flags & QUOTA_LIMITS_HARDWS_MIN_ENABLE || v->locked)
		wanted = min;
	if (!reserve(v, wanted))
		return STATUS_INSUFFICIENT_RESOURCES;
	v->working_set_min = min;
	v->working_set_max = max;
	v->working_set_flags = flags;
	working_set_enforce(v);
	return STATUS_SUCCESS;
}

u32 vspace_working_set_limit(struct vspace *v, u64 min, u64 max, u32 flags)
{
	u64 highest = frame_counts.total - MAX_LEFT_TO_OTHERS;
	u32 status;

	if (!flags_valid(flags))
		return STATUS_INVALID_PARAMETER;
	if (!min || min > max || max < MAX_LOWEST)
		return STATUS_BAD_WORKING_SET_LIMIT;
	if (min > highest)
		return STATUS_INSUFFICIENT_RESOURCES;
	min = MAX(min, MIN_LOWEST);
	max = MAX(MIN(max, highest), min);
	mutex_lock(&v->lock);
	status = limit_locked(v, min, max, flags);
	mutex_unlock(&v->lock);
	return status;
}

u64 working_set_spare(const struct vspace *v)
{
	u64 keep = v->working_set_flags & QUOTA_LIMITS_HARDWS_MIN_ENABLE ? v->working_set_min : 0;

	return v->resident > keep ? v->resident - keep : 0;
}

/*
 * The pages that arrived last stay: so every instruction gets all the pages that it needs in the end. The maximum leaves
 * room for them, since it is not below the minimum, and that is above the number of locked pages (WORKING_SET_NOT_LOCKABLE).
 */
void working_set_enforce(struct vspace *v)
{
	u64 max = v->working_set_max;

	assert(mutex_held(&v->lock));
	if (!(v->working_set_flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE))
		return;
	/* Below the maximum too the policy looks what was used meanwhile. The second chance wants a second round. */
	for (u32 round = 0; !round || (round < 3 && v->resident > max); round++)
		trim_vspace(v, v->resident > max ? v->resident - max : 0, TRIM_LIMIT);
}

/* ---- what is in it ---- */

/* A section's page, or one that a clone of the process has as well. */
static bool is_shared(word_t word)
{
	return word & PTE_SECTION && !(word & PTE_CLONE && clone_of(word)->refs == 1);
}

/* How many have it, of those that are shared. */
static u64 share_count(word_t word)
{
	return is_shared(word) ? MIN(frames[word_pfn(word)].shares, 7u) : 0;
}

/* Protection in the five bits of PSAPI_WORKING_SET_BLOCK. */
static u32 protection_code(u32 prot)
{
	static const u8 codes[] = {
		[PROT_NONE] = 0,
		[PROT_READ] = 1,
		[PROT_EXECUTE] = 2,
		[PROT_READ | PROT_EXECUTE] = 3,
		[PROT_READ | PROT_WRITE] = 4,
		[PROT_READ | PROT_WRITE | PROT_COPY] = 5,
		[PROT_READ | PROT_WRITE | PROT_EXECUTE] = 6,
		[PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY] = 7,
	};

	return codes[prot & (PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY)] |
	       (prot & PROT_CACHING ? WORKING_SET_NOT_CACHED : 0);
}

static u64 entry(u64 va, word_t word)
{
	return va | protection_code(word_own_prot(word)) | share_count(word) << WORKING_SET_SHARE_COUNT_SHIFT |
	       (is_shared(word) ? WORKING_SET_SHARED : 0);
}

u32 vspace_working_set(struct vspace *v, u64 *va, u64 *out, u32 max)
{
	struct tree_node *n;
	u32 found = 0;

	mutex_lock(&v->lock);
	for (n = tree_find_from(&v->views, *va); n && found < max; n = tree_next(n)) {
		u64 count;
		word_t *word;

		*va = MAX(*va, n->start);
		/* What never leaves memory is in no working set. */
		if (view_of(n)->flags & (VIEW_AWE | VIEW_LARGE))
			continue;
		while (found < max && (word = pt_next(v, va, n->end, &count)))
			for (u64 i = 0; i < count && found < max; i++, *va += PAGE_SIZE)
				if (word_valid(word[i]))
					out[found++] = entry(*va, word[i]);
	}
	mutex_unlock(&v->lock);
	return found;
}

/* The attributes of PSAPI_WORKING_SET_EX_BLOCK. */
static u64 attributes(struct vspace *v, u64 va)
{
	struct view *w = view_find(v, va);
	word_t *at, word;

	if (!w)
		return 0;
	if (w->flags & VIEW_LARGE)
		return WORKING_SET_EX_VALID | WORKING_SET_EX_LOCKED | WORKING_SET_EX_LARGE |
		       (u64)prot_to_page(large_prot(v, va)) << WORKING_SET_EX_PROTECTION_SHIFT |
		       (w->section ? WORKING_SET_EX_SHARED : 0);
	at = pt_word(v, va);
	word = at ? *at : 0;
	if (!word_valid(word)) {
		struct page_state state;

		view_page_state(v, w, va, word, &state);
		return w->section && !state.private_copy ? WORKING_SET_EX_SHARED : 0;
	}
	return WORKING_SET_EX_VALID | share_count(word) << WORKING_SET_EX_SHARE_COUNT_SHIFT |
	       (u64)prot_to_page(word_own_prot(word)) << WORKING_SET_EX_PROTECTION_SHIFT |
	       (is_shared(word) ? WORKING_SET_EX_SHARED : 0) |
	       (word_prot(word) & MARK_LOCKED || w->flags & VIEW_AWE ? WORKING_SET_EX_LOCKED : 0);
}

void vspace_working_set_ex(struct vspace *v, struct nt_memory_working_set_ex *entries, u32 count)
{
	mutex_lock(&v->lock);
	for (u32 i = 0; i < count; i++)
		entries[i].attributes = attributes(v, ALIGN_DOWN(entries[i].virtual_address, PAGE_SIZE));
	mutex_unlock(&v->lock);
}
