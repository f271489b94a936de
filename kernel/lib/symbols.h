/* Names of the kernel's own functions, for stack traces. */
#ifndef LIB_SYMBOLS_H
#define LIB_SYMBOLS_H

#include "lib/types.h"

/*
 * The function that contains addr, and how far into it. NULL if addr is not in the kernel's text. The table is made by
 * the build (sorted by address) and linked in: symbol_table_count entries, of which the last one only says where the
 * text ends. For a return address, ask for the byte before it: the call may be its function's last instruction.
 */
struct symbol {
	u64 address;
	const char *name;
};
extern const struct symbol symbol_table[];
extern const u64 symbol_table_count;
const char *symbol_find(u64 addr, u64 *offset);

#endif
