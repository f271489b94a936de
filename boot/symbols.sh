#!/bin/sh
# Reads "nm -n" of the kernel, writes the assembly source of its symbol table (kernel/lib/symbols.h): the functions by
# address, then one last entry that marks the end of the text.
exec awk '
function entry(address, name) {
	count++
	table = table sprintf("\t.quad 0x%s, name_%d\n", address, count)
	names = names sprintf("name_%d:\t.asciz \"%s\"\n", count, name)
	last = address
}
$3 == "__text_end" { end = $1 }
$2 ~ /^[tTwW]$/ && $3 != "__text_start" && $3 != "__text_end" && $1 != last { entry($1, $3) }
END {
	if (count > 0)
		entry(end, "end")
	print "\t.section .rodata.symbols, \"a\", @progbits"
	print "\t.globl symbol_table, symbol_table_count"
	print "\t.balign 8"
	print "symbol_table_count:\t.quad " count + 0
	printf "symbol_table:\n%s%s", table, names
	print "\t.section .note.GNU-stack, \"\", @progbits"
}'
