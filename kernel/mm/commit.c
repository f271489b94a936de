/* Commit charge and limit. */
#include "mm/commit.h"

struct commit_totals commit_totals;

bool commit_possible(u64 pages)
{
	if (pages <= commit_totals.limit * (commit_totals.overcommit ? 64 : 1))
		return true;
	__atomic_add_fetch(&commit_totals.refused, 1, __ATOMIC_RELAXED);
	return false;
}

/* Page tables and kernel memory stay in memory, whatever the paging files could hold. */
static bool over_fixed_limit(enum commit_owner owner, u64 pages)
{
	struct commit_totals *t = &commit_totals;

	return t->fixed_limit && (owner == COMMIT_TABLES || owner == COMMIT_KERNEL) &&
	       t->by_owner[COMMIT_TABLES] + t->by_owner[COMMIT_KERNEL] + pages > t->fixed_limit;
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
		if ((!t->overcommit && (old > t->limit || pages > t->limit - old)) || over_fixed_limit(owner, pages)) {
			__atomic_add_fetch(&t->refused, 1, __ATOMIC_RELAXED);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&t->charge, &old, old + pages, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	charged(owner, pages, old + pages);
	return true;
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
