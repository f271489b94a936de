/* Times as the native interface gives them: units of 100 ns; absolute ones count from 1601-01-01 UTC. */
#ifndef PROC_TIMEOUT_H
#define PROC_TIMEOUT_H

#include "arch/arch.h"

#define TIME_UNITS_PER_SECOND 10000000ull
#define TIME_1601_TO_1970 11644473600ull /* seconds */

static inline u64 time_from_unix(u64 seconds)
{
	return (seconds + TIME_1601_TO_1970) * TIME_UNITS_PER_SECOND;
}

static inline u64 time_now(void)
{
	return time_from_unix(clock_boot_unix_seconds()) + clock_ns() / 100;
}

/*
 * The clock_ns() value that a LARGE_INTEGER in user memory means: negative = from now, else absolute; address 0 = never
 * (WAIT_FOREVER). False: the address can't be read.
 */
bool timeout_from_user(u64 address, u64 *deadline);

#endif
