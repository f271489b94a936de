/* Commit charge: arithmetic at the limit, and the sum of what owners hold. */
#include "mm/commit.h"
#include "tap.h"

static void begin(u64 limit, bool overcommit)
{
	commit_totals = (struct commit_totals){ .overcommit = overcommit };
	commit_limit_add(limit);
}

static void refuses_over_the_limit(void)
{
	begin(100, false);
	expect(commit_charge(COMMIT_PRIVATE, 60));
	expect(!commit_charge(COMMIT_SECTION, 41));
	expect_equal(commit_totals.charge, 60);
	expect_equal(commit_totals.by_owner[COMMIT_SECTION], 0);
	expect_equal(commit_totals.refused, 1);
	expect(commit_charge(COMMIT_SECTION, 40));
	expect(!commit_charge(COMMIT_KERNEL, 1));
	expect(commit_charge(COMMIT_KERNEL, 0));
}

static void does_not_wrap(void)
{
	begin(100, false);
	expect(commit_charge(COMMIT_PRIVATE, 50));
	expect(!commit_charge(COMMIT_PRIVATE, ~0ull));
	expect(!commit_charge(COMMIT_PRIVATE, ~0ull - 49));
	expect_equal(commit_totals.charge, 50);
}

static void overcommit_refuses_nothing(void)
{
	begin(10, true);
	expect(commit_charge(COMMIT_PRIVATE, 1000));
	expect_equal(commit_totals.refused, 0);
	commit_release(COMMIT_PRIVATE, 1000);
	expect_equal(commit_totals.charge, 0);
	expect_equal(commit_totals.peak, 1000);
}

static void what_is_promised_is_charged_over_the_limit(void)
{
	begin(10, false);
	expect(commit_charge(COMMIT_SECTION, 10));
	commit_charge_always(COMMIT_TABLES, 3);
	expect_equal(commit_totals.charge, 13);
	expect_equal(commit_totals.by_owner[COMMIT_TABLES], 3);
	expect_equal(commit_totals.peak, 13);
	expect(!commit_charge(COMMIT_PRIVATE, 1));
	commit_release(COMMIT_SECTION, 4);
	expect(commit_charge(COMMIT_PRIVATE, 1));
}

static void what_stays_in_memory_has_a_limit_of_its_own(void)
{
	begin(1000, false);
	commit_totals.fixed_limit = 80;
	expect(commit_charge(COMMIT_PRIVATE, 100));
	expect(commit_charge(COMMIT_TABLES, 10));
	expect(!commit_charge(COMMIT_PHYSICAL, 61));
	expect(commit_charge(COMMIT_PHYSICAL, 60)); /* an eighth is kept for the others */
	expect(!commit_charge(COMMIT_PHYSICAL, 1));
	expect(commit_charge(COMMIT_KERNEL, 10));
	expect(!commit_charge(COMMIT_KERNEL, 1));
	expect(!commit_charge(COMMIT_TABLES, 1));
	commit_release(COMMIT_PHYSICAL, 60);
	expect(commit_charge(COMMIT_KERNEL, 60));
	commit_totals.overcommit = true;
	expect(!commit_charge(COMMIT_PHYSICAL, 1));
}

static void charges_as_much_as_there_is_room_for(void)
{
	begin(100, false);
	expect_equal(commit_charge_some(COMMIT_PHYSICAL, 0), 0);
	expect_equal(commit_charge_some(COMMIT_PHYSICAL, 60), 60);
	expect_equal(commit_totals.refused, 0);
	expect_equal(commit_charge_some(COMMIT_PHYSICAL, ~0ull), 40);
	expect_equal(commit_charge_some(COMMIT_PHYSICAL, 5), 0);
	expect_equal(commit_totals.refused, 1);
	expect_equal(commit_totals.charge, 100);
	begin(100, true);
	commit_totals.fixed_limit = 400;
	expect_equal(commit_charge_some(COMMIT_PHYSICAL, ~0ull), 350);
	expect_equal(commit_charge_some(COMMIT_PRIVATE, 10000), 10000);
	commit_charge_always(COMMIT_TABLES, 100);
	expect_equal(commit_charge_some(COMMIT_KERNEL, 1), 0);
}

static void a_charge_moves(void)
{
	begin(100, false);
	expect(commit_charge(COMMIT_PRIVATE, 100));
	commit_move(COMMIT_PRIVATE, COMMIT_CLONES, 30);
	expect_equal(commit_totals.by_owner[COMMIT_PRIVATE], 70);
	expect_equal(commit_totals.by_owner[COMMIT_CLONES], 30);
	expect_equal(commit_totals.charge, 100);
	expect_equal(commit_totals.refused, 0);
}

static u64 told[2]; /* owner, pages */

static void listen(enum commit_owner owner, u64 pages)
{
	told[0] = owner;
	told[1] = pages;
}

static void tells_who_was_refused(void)
{
	begin(100, false);
	commit_refused = listen;
	expect(!commit_charge(COMMIT_SECTION, 101));
	expect_equal(told[0], COMMIT_SECTION);
	expect_equal(told[1], 101);
	expect(!commit_possible(200));
	expect_equal(told[0], COMMIT_OWNERS);
	expect_equal(told[1], 200);
	commit_refused = NULL;
}

static void random_operations_keep_the_sum(void)
{
	u64 held[COMMIT_OWNERS] = { 0 }, sum = 0, peak = 0;

	begin(5000, false);
	for (int i = 0; i < 200000; i++) {
		u64 owner = tap_below(COMMIT_OWNERS), n = tap_below(800);

		if (tap_one_in(2)) {
			bool fits = sum + n <= 5000;

			expect_equal(commit_charge(owner, n), fits);
			held[owner] += fits ? n : 0;
			sum += fits ? n : 0;
		} else {
			n = held[owner] ? tap_below(held[owner] + 1) : 0;
			commit_release(owner, n);
			held[owner] -= n;
			sum -= n;
		}
		peak = MAX(peak, sum);
		expect_equal(commit_totals.charge, sum);
		expect(commit_totals.charge <= commit_totals.limit);
		for (int o = 0; o < COMMIT_OWNERS; o++)
			expect_equal(commit_totals.by_owner[o], held[o]);
	}
	expect_equal(commit_totals.peak, peak);
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(refuses_over_the_limit);
	tap_run(does_not_wrap);
	tap_run(overcommit_refuses_nothing);
	tap_run(what_is_promised_is_charged_over_the_limit);
	tap_run(what_stays_in_memory_has_a_limit_of_its_own);
	tap_run(charges_as_much_as_there_is_room_for);
	tap_run(a_charge_moves);
	tap_run(tells_who_was_refused);
	tap_run(random_operations_keep_the_sum);
	return tap_end();
}
