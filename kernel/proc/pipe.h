/*
 * Pipes of bytes. An instance has two ends: the server's, which made it, and, while one is connected, a client's, which
 * opened it by its name. Each direction has a buffer of kernel memory. All of it is under one spinlock; who waits, for bytes,
 * room, a client or an instance, waits until told to end. Source: Windows documentation of "Named Pipes", and of
 * NtFsControlFile's FSCTL_PIPE_ codes and FILE_PIPE_LOCAL_INFORMATION in [MS-FSCC].
 */
#ifndef PROC_PIPE_H
#define PROC_PIPE_H

#include "lib/types.h"

#define PIPE_BUFFER_MIN 4096u
#define PIPE_BUFFER_MAX 65536u
#define PIPE_NAME_MAX 257 /* bytes with the 0 */
#define PIPE_INSTANCES_UNLIMITED (~0u)

enum { PIPE_CLIENT, PIPE_SERVER };                                                          /* NamedPipeEnd */
enum { PIPE_DISCONNECTED = 1, PIPE_LISTENING, PIPE_CONNECTED, PIPE_CLOSING };               /* NamedPipeState */

struct pipe;

/* A handle's side of it. */
struct pipe_end {
	struct pipe *pipe; /* NULL: none */
	u32 end;
	u32 connection;    /* a client's: of which it is */
};

struct pipe_request {
	u32 client_may;      /* FILE_MAY_READ, FILE_MAY_WRITE */
	u32 instances_max;
	u32 inbound, outbound; /* bytes to buffer: to the server, to the client */
	u64 timeout_ns;      /* of pipe_wait, if its caller has none */
	bool nowait;
	bool must_be_first, must_exist;
};

struct pipe_facts { /* FILE_PIPE_LOCAL_INFORMATION */
	u32 type, configuration, instances_max, instances;
	u32 inbound_quota, read_available, outbound_quota, write_available;
	u32 state, end;
};

/* All: NTSTATUS. name: what stands behind "\??\pipe\", compared without case. pipe_close ends what these two begin. */
u32 pipe_create(const char *name, const struct pipe_request *r, struct pipe_end *out);
u32 pipe_open(const char *name, u32 may, struct pipe_end *out);
void pipe_close(struct pipe_end *e);

/* At least one byte, into kernel memory: waits unless the end is set to nowait, then STATUS_PIPE_EMPTY. */
u32 pipe_read(struct pipe_end *e, u8 *to, u32 n, u32 *got);
/* The same bytes stay; none is no error. *available: how many there are. */
u32 pipe_peek(struct pipe_end *e, u8 *to, u32 n, u32 *got, u32 *available);
/*
 * All bytes, one writer at a time: pipe_write is called between the other two, of which the first may wait. With nowait: as
 * many as there is room for. *done counts also if it fails.
 */
u32 pipe_write_begin(struct pipe_end *e);
u32 pipe_write(struct pipe_end *e, const u8 *from, u32 n, u32 *done);
void pipe_write_end(struct pipe_end *e);

/* The server's: waits for a client. STATUS_PIPE_CONNECTED: there is one already. */
u32 pipe_listen(struct pipe_end *e);
/* What was not read is lost; the client has nobody any more. */
u32 pipe_disconnect(struct pipe_end *e);
/* Until an instance listens. deadline 0: the pipe's own. */
u32 pipe_wait(const char *name, u64 deadline);

bool pipe_nowait(const struct pipe_end *e);
void pipe_set_nowait(struct pipe_end *e, bool nowait);
void pipe_facts(struct pipe_end *e, struct pipe_facts *out);
u32 pipe_buffer_bytes(const struct pipe_end *e, bool write); /* of the direction that it reads, or writes */

#endif
