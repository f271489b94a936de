/* System calls: argument access and the table. */
#ifndef PROC_SYSCALL_H
#define PROC_SYSCALL_H

#include "abi/status.h"
#include "abi/syscalls.h"
#include "arch/arch.h"

/*
 * One function for each call, given its arguments (as many as abi/syscalls.h says; pointers are user addresses).
 * NTSTATUS.
 */
#define SYSCALL_DECLARE(number, name, arguments) u32 sys_##name(const u64 *a);
SYSCALLS(SYSCALL_DECLARE)
#undef SYSCALL_DECLARE

/* For calls that do not exist; called, as the others are, by arch's entry. */
u32 syscall_missing(const u64 *a);

/* Reads and writes single values in user memory: false if that faults. */
static inline bool get_user_u64(u64 at, u64 *v) { return copy_from_user(v, at, 8); }
static inline bool get_user_u32(u64 at, u32 *v) { return copy_from_user(v, at, 4); }
static inline bool put_user_u64(u64 at, u64 v) { return copy_to_user(at, &v, 8); }
static inline bool put_user_u32(u64 at, u32 v) { return copy_to_user(at, &v, 4); }

/* Whether a value can be stored there, asked before anything is done: reads it and writes it back. */
bool user_probe(u64 at, size_t n); /* n <= 16 */

/*
 * The end of a query: size bytes of data go to buffer, which has length bytes; *returned (a user address, u32; 0 is
 * allowed) gets size. STATUS_INFO_LENGTH_MISMATCH unless length == size, STATUS_ACCESS_VIOLATION.
 */
u32 user_return(u64 buffer, u32 length, u64 returned, const void *data, u32 size);

/* bytes of UTF-16 in user memory as UTF-8 with a 0; statuses as user_unicode_string's. */
u32 user_utf16(u64 address, u64 bytes, char *to, size_t size);
/*
 * A UNICODE_STRING in user memory as UTF-8 with a 0: STATUS_ACCESS_VIOLATION, STATUS_OBJECT_NAME_INVALID (too long,
 * odd, bad UTF-16).
 */
u32 user_unicode_string(u64 address, char *to, size_t size);
/* OBJECT_ATTRIBUTES at address (0 is allowed): the name as UTF-8 ("" = none) and the attributes OBJ_*. */
u32 user_object_attributes(u64 address, char *name, size_t size, u32 *attributes);

#endif
