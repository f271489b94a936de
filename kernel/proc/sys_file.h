/* What the files of file system calls share. */
#ifndef PROC_SYS_FILE_H
#define PROC_SYS_FILE_H

#include "proc/file_object.h"

/* One more reference in *out. */
u32 file_handle_lookup(u64 handle, u32 access, struct file_object **out);
/* Stores an IO_STATUS_BLOCK; false if that faults. */
bool io_status_put(u64 to, u32 status, u64 information);
/*
 * The beginning and the end of a call whose first five arguments are HANDLE file, HANDLE event (0 = none), apc,
 * apc_context, IO_STATUS_BLOCK *io. After io_begin succeeded the caller has a reference to *file and calls io_complete
 * with *event and the result, which it returns.
 */
u32 io_begin(const u64 *a, u32 access, struct file_object **file, struct object **event);
u32 io_complete(u64 io_to, struct object *event, u32 status, u64 done);
/* sys_pipe.c */
u32 pipe_read_user(struct file_object *o, u64 to, u32 n, u64 *done);
u32 pipe_write_user(struct file_object *o, u64 from, u32 n, u64 *done);
/* FilePipeInformation, FilePipeLocalInformation; the buffer's size in *size. */
u32 pipe_query(struct file_object *o, u64 to, u32 length, u32 class, u64 *size);
u32 pipe_set(struct file_object *o, u64 from, u32 length, u32 class);

u32 file_attributes_nt(u32 attributes); /* Windows wants at least one bit */
u64 file_time_nt(u64 unix_seconds);     /* 0: no time */

#endif
