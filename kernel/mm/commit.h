/*
 * Commit: what is promised. Each promise of memory is charged here before it is made, and held as a count by the object
 * that made it (a view, a section, an address space's tables, the kernel's pool), which gives it back when it goes.
 * Limit = usable memory + paging files. No kernel calls: the host tests this file as it is.
 */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include "lib/types.h"

enum commit_owner {
	COMMIT_PRIVATE,
	COMMIT_SECTION,
	COMMIT_TABLES,
	COMMIT_KERNEL,
	COMMIT_PHYSICAL,
	COMMIT_CLONES, /* pages that processes share since one was cloned: under lazy-writecopy alone, once for all of them */
	COMMIT_OWNERS,
};

struct commit_totals {
	u64 charge, limit, peak, refused; /* pages; refused: requests */
	u64 by_owner[COMMIT_OWNERS];
	u64 fixed_limit;                  /* of page tables, kernel memory and physical pages, which can't leave memory; 0: none */
	u64 fixed_reserved;               /* of that limit: pages that processes may lock in memory */
	bool overcommit;                  /* nothing else is refused */
	bool lazy_writecopy;              /* private copies are charged when they are made, not when they become possible */
};
extern struct commit_totals commit_totals;
/* Called at each refusal, if not NULL; COMMIT_OWNERS: before it was said who would hold the charge. Any context. */
extern void (*commit_refused)(enum commit_owner owner, u64 pages);

/*
 * Could this many pages ever be promised? Under overcommit there is no limit to say no: but what is many times larger than
 * all there is would only fill memory with page tables. False counts as a refusal.
 */
bool commit_possible(u64 pages);
/* False, nothing charged: over the limit. Atomic; any context. */
bool commit_charge(enum commit_owner owner, u64 pages);
/* As many of these pages as there is room for, perhaps none: how many. None counts as a refusal. */
u64 commit_charge_some(enum commit_owner owner, u64 pages);
/* Can't be refused, and may exceed the limit: for page tables through which a page is seen that was promised already. */
void commit_charge_always(enum commit_owner owner, u64 pages);
void commit_release(enum commit_owner owner, u64 pages);
/* The promise stays, and somebody else holds it. */
void commit_move(enum commit_owner from, enum commit_owner to, u64 pages);
/*
 * Room under the fixed limit for pages that may be locked in memory. No charge: what is locked was charged when it was
 * allocated. False, nothing reserved: memory could not hold it without paging.
 */
bool commit_fixed_reserve(u64 pages);
void commit_fixed_unreserve(u64 pages);
void commit_limit_add(u64 pages);
void commit_limit_remove(u64 pages); /* what is promised stays promised: until it is given back, nothing more is */

#endif
