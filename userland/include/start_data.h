/*
 * Where the variables of our DLLs lie that each process writes to as it starts or ends: in .data, of which each process gets
 * a copy of its own anyway; zeros in .bss would be one more page to make and to free for each process.
 */
#ifndef INCLUDE_START_DATA_H
#define INCLUDE_START_DATA_H

#define START_DATA __attribute__((section(".data")))
#define START_DATA_LAST __attribute__((section(".data$last"))) /* large, and only its beginning is written to */

#endif
