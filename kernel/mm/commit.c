/* Commit charge and limit. */
#include "mm/commit.h"

struct commit_totals commit_totals;
void (*commit_refused)(enum commit_owner owner, u64 pages);

static bool refuse(enum commit_owner owner, u64 pages)
{
	void (*tell)(enum commit_owner, u64) = __atomic_load_n(&commit_refused, __ATOMIC_RELAXED);

	__atomic_add_fetch(&commit_totals.refused, 1, __ATOMIC_RELAXED);
	if (tell)
		tell(owner, pages);
	return false;
}

bool commit_possible(u64 pages)
{
	if (pages <= commit_totals.limit * (commit_totals.overcommit ? 64 : 1))
		return true;
	return refuse(COMMIT_OWNERS, pages);
}

/*
 * How much owner may still have of what stays in memory, whatever the paging files could hold. Physical pages leave an
 * eighth to page tables and kernel memory: without these nobody could do anything, not even give pages back.
 */
static u64 fixed_room(enum commit_owner owner)
{
	struct commit_totals *t = &commit_totals;
	u64 limit, used;

	if (!t->fixed_limit || owner == COMMIT_PRIVATE || owner == COMMIT_SECTION)
		return ~0ull;
	limit = t->fixed_limit - (owner == COMMIT_PHYSICAL ? t->fixed_limit / 8 : 0);
	used = t->by_owner[COMMIT_TABLES] + t->by_owner[COMMIT_KERNEL] + t->by_owner[COMMIT_PHYSICAL] + t->fixed_reserved;
	return used < limit ? limit - used : 0;
}

bool commit_fixed_reserve(u64 pages)
{
	u64 *reserved = &commit_totals.fixed_reserved, old = __atomic_load_n(reserved, __ATOMIC_RELAXED);

	do {
		if (pages > fixed_room(COMMIT_PHYSICAL))
			return false;
	} while (!__atomic_compare_exchange_n(reserved, &old, old + pages, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

void commit_fixed_unreserve(u64 pages)
{
	__atomic_sub_fetch(&commit_totals.fixed_reserved, pages, __ATOMIC_RELAXED);
}

/* What goes with a charge that brought the total to sum. */
static void charged(enum commit_owner owner, u64 pages, u64 sum)
{
	struct commit_totals *t = &commit_totals;
	u64 peak = __atomic_load_n(&t->peak, __ATOMIC_RELAXED);

	__atomic_add_fetch(&t->by_owner[owner], pages, __ATOMIC_RELAXED);
	while (peak < sum && !__atomic_compare_exchange_n(&t->peak, &peak, sum, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

bool commit_charge(enum commit_owner owner, u64 pages)
{
	struct commit_totals *t = &commit_totals;
	u64 old = __atomic_load_n(&t->charge, __ATOMIC_RELAXED);

	do {
		if ((!t->overcommit && (old > t->limit || pages > t->limit - old)) || pages > fixed_room(owner))
			return refuse(owner, pages);
	} while (!__atomic_compare_exchange_n(&t->charge, &old, old + pages, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	charged(owner, pages, old + pages);
	return true;
}

u64 commit_charge_some(enum commit_owner owner, u64 pages)
{
	struct commit_totals *t = &commit_totals;

	/* Others may be faster: then there is less room the next time. */
	for (u64 tries = 0;; tries++) {
		u64 charge = __atomic_load_n(&t->charge, __ATOMIC_RELAXED), some = MIN(pages, fixed_room(owner));

		if (!t->overcommit)
			some = MIN(some, charge < t->limit ? t->limit - charge : 0);
		if (!some || tries == 8)
			return commit_charge(owner, MIN(pages, 1ull)) ? MIN(pages, 1ull) : 0;
		if (commit_charge(owner, some))
			return some;
	}
}

void commit_charge_always(enum commit_owner owner, u64 pages)
{
	charged(owner, pages, __atomic_add_fetch(&commit_totals.charge, pages, __ATOMIC_RELAXED));
}

void commit_release(enum commit_owner owner, u64 pages)
{
	__atomic_sub_fetch(&commit_totals.by_owner[owner], pages, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&commit_totals.charge, pages, __ATOMIC_RELAXED);
}

void commit_move(enum commit_owner from, enum commit_owner to, u64 pages)
{
	__atomic_sub_fetch(&commit_totals.by_owner[from], pages, __ATOMIC_RELAXED);
	__atomic_add_fetch(&commit_totals.by_owner[to], pages, __ATOMIC_RELAXED);
}

void commit_limit_add(u64 pages)
{
	__atomic_add_fetch(&commit_totals.limit, pages, __ATOMIC_RELAXED);
}

void commit_limit_remove(u64 pages)
{
	__atomic_sub_fetch(&commit_totals.limit, pages, __ATOMIC_RELAXED);
}
