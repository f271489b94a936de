/* Looks addresses up in the table of the kernel's functions. */
#include "lib/symbols.h"

const char *symbol_find(u64 addr, u64 *offset)
{
	u64 low = 0, high = symbol_table_count;

	/* Finds how many entries are at or below addr. */
	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (symbol_table[middle].address <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || low == symbol_table_count)
		return NULL;
	*offset = addr - symbol_table[low - 1].address;
	return symbol_table[low - 1].name;
}
