/* Addresses to names. */
#include "lib/symbols.h"
#include "tap.h"

const struct symbol symbol_table[] = {
	{ 0xffffffff80100000, "kernel_entry" }, { 0xffffffff80100040, "main" },
	{ 0xffffffff80100040, "main_alias" },	{ 0xffffffff80100400, "mm_fault" },
	{ 0xffffffff80100500, "" },
};
const u64 symbol_table_count = ARRAY_SIZE(symbol_table);

static void finds_the_containing_function(void)
{
	u64 offset = 0;

	expect_text(symbol_find(0xffffffff80100000, &offset), "kernel_entry");
	expect_equal(offset, 0);
	expect_text(symbol_find(0xffffffff8010003f, &offset), "kernel_entry");
	expect_equal(offset, 0x3f);
	expect_text(symbol_find(0xffffffff80100040, &offset), "main_alias");
	expect_text(symbol_find(0xffffffff801004ff, &offset), "mm_fault");
	expect_equal(offset, 0xff);
}

static void nothing_outside_the_text(void)
{
	u64 offset;

	expect(symbol_find(0, &offset) == NULL);
	expect(symbol_find(0xffffffff800fffff, &offset) == NULL);
	expect(symbol_find(0xffffffff80100500, &offset) == NULL);
	expect(symbol_find(~0ull, &offset) == NULL);
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(finds_the_containing_function);
	tap_run(nothing_outside_the_text);
	return tap_end();
}
