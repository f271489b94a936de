/* System calls of pipes. Source: Windows documentation of these calls; [MS-FSCC] for the codes and structures. */
#include "abi/nt_process.h"
#include "io/fat_path.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/process.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/timeout.h"

enum { FSCTL_DISCONNECT = 0x110004, FSCTL_LISTEN = 0x110008, FSCTL_PEEK = 0x11400c, FSCTL_WAIT = 0x110018 };
enum { CLASS_PIPE = 23, CLASS_PIPE_LOCAL = 24 }; /* FilePipeInformation, FilePipeLocalInformation */

#define PEEK_DATA 16 /* offset of Data in FILE_PIPE_PEEK_BUFFER */
#define WAIT_NAME 14 /* offset of Name in FILE_PIPE_WAIT_FOR_BUFFER */

/* ---- reading and writing ---- */

/* Whether all of it can be stored now. Bytes that were taken out of a pipe can't be put back. */
static bool probe(u64 to, u32 n)
{
	u32 part;

	for (; n; n -= part, to += part) {
		part = MIN(n, (u32)(PAGE_SIZE - to % PAGE_SIZE));
		if (!user_probe(to, part))
			return false;
	}
	return true;
}

u32 pipe_read_user(struct file_object *o, u64 to, u32 n, u64 *done)
{
	u32 got = 0, status;
	u8 *bounce;

	if (!n)
		return STATUS_SUCCESS;
	n = MIN(n, MAX(pipe_buffer_bytes(&o->pipe, false), 1u));
	if (!probe(to, n))
		return STATUS_ACCESS_VIOLATION;
	bounce = kmalloc(n);
	if (!bounce)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = pipe_read(&o->pipe, bounce, n, &got);
	if (!status && !copy_to_user(to, bounce, got))
		status = STATUS_ACCESS_VIOLATION;
	kfree(bounce);
	*done = got;
	return status;
}

u32 pipe_write_user(struct file_object *o, u64 from, u32 n, u64 *done)
{
	u32 chunk = MIN(n, MAX(pipe_buffer_bytes(&o->pipe, true), 1u)), part, put = 0, status;
	u8 *bounce;

	if (!n)
		return STATUS_SUCCESS;
	bounce = kmalloc(chunk);
	if (!bounce)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = pipe_write_begin(&o->pipe);
	if (!status) {
		do {
			part = (u32)MIN(n - *done, chunk);
			if (!copy_from_user(bounce, from + *done, part))
				status = STATUS_ACCESS_VIOLATION;
			else
				status = pipe_write(&o->pipe, bounce, part, &put);
			if (status != STATUS_ACCESS_VIOLATION)
				*done += put;
		} while (!status && put == part && *done < n);
		pipe_write_end(&o->pipe);
	}
	kfree(bounce);
	return status;
}

/* ---- facts ---- */

u32 pipe_query(struct file_object *o, u64 to, u32 length, u32 class, u64 *size)
{
	struct pipe_facts facts;
	u32 modes[2] = { 0, pipe_nowait(&o->pipe) }; /* bytes; complete at once */
	const void *from = class == CLASS_PIPE ? (const void *)modes : &facts;
	u32 bytes = class == CLASS_PIPE ? sizeof(modes) : sizeof(facts);

	if (class != CLASS_PIPE && class != CLASS_PIPE_LOCAL)
		return STATUS_INVALID_PARAMETER;
	if (length < bytes)
		return STATUS_INFO_LENGTH_MISMATCH;
	pipe_facts(&o->pipe, &facts);
	*size = bytes;
	return copy_to_user(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

u32 pipe_set(struct file_object *o, u64 from, u32 length, u32 class)
{
	u32 modes[2];

	(void)length; /* the caller has compared it */
	if (class != CLASS_PIPE)
		return STATUS_INVALID_PARAMETER;
	if (!copy_from_user(modes, from, sizeof(modes)))
		return STATUS_ACCESS_VIOLATION;
	if (modes[0] || modes[1] > 1) /* messages are not supported */
		return STATUS_INVALID_PARAMETER;
	pipe_set_nowait(&o->pipe, modes[1]);
	return STATUS_SUCCESS;
}

/* ---- control ---- */

static u32 peek(struct file_object *o, u64 to, u32 length, u64 *done)
{
	u32 room = MIN(length - PEEK_DATA, pipe_buffer_bytes(&o->pipe, false)), got, status;
	struct {
		u32 state, available, messages, message_length;
		u8 data[];
	} *out;
	struct pipe_facts facts;

	if (length < PEEK_DATA)
		return STATUS_INFO_LENGTH_MISMATCH;
	out = kzalloc(PEEK_DATA + room);
	if (!out)
		return STATUS_INSUFFICIENT_RESOURCES;
	pipe_facts(&o->pipe, &facts);
	status = pipe_peek(&o->pipe, out->data, room, &got, &out->available);
	out->state = facts.state;
	if (!status) {
		*done = PEEK_DATA + got;
		if (!copy_to_user(to, out, *done))
			status = STATUS_ACCESS_VIOLATION;
		else if (got < out->available)
			status = STATUS_BUFFER_OVERFLOW;
	}
	kfree(out);
	return status;
}

static u32 wait_for(u64 from, u32 length)
{
	char name[PIPE_NAME_MAX];
	struct {
		i64 timeout;
		u32 name_bytes;
		u8 timeout_given, padding;
	} in;
	u64 deadline = 0;
	u32 status;

	if (length < WAIT_NAME)
		return STATUS_INVALID_PARAMETER;
	if (!copy_from_user(&in, from, WAIT_NAME))
		return STATUS_ACCESS_VIOLATION;
	if (in.name_bytes > length - WAIT_NAME)
		return STATUS_INVALID_PARAMETER;
	status = user_utf16(from + WAIT_NAME, in.name_bytes, name, sizeof(name));
	if (!status && in.timeout_given && !timeout_from_user(from, &deadline))
		status = STATUS_ACCESS_VIOLATION;
	return status ? status : pipe_wait(name, in.timeout_given ? MAX(deadline, 1u) : 0);
}

/*
 * NtFsControlFile(HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, ULONG code, void *in, ULONG in_size,
 * void *out, ULONG out_size): the FSCTL_PIPE_ codes but TRANSCEIVE, which is for messages.
 */
u32 sys_NtFsControlFile(const u64 *a)
{
	u32 code = (u32)a[5], status;
	struct file_object *o;
	struct object *event;
	u64 done = 0;

	status = io_begin(a, code == FSCTL_PEEK ? FILE_READ_DATA_ : 0, &o, &event);
	if (status)
		return status;
	if (code == FSCTL_WAIT && o->all_pipes)
		status = wait_for(a[6], (u32)a[7]);
	else if (!o->pipe.pipe)
		status = STATUS_INVALID_DEVICE_REQUEST;
	else if (code == FSCTL_LISTEN)
		status = pipe_listen(&o->pipe);
	else if (code == FSCTL_DISCONNECT)
		status = pipe_disconnect(&o->pipe);
	else if (code == FSCTL_PEEK)
		status = peek(o, a[8], (u32)a[9], &done);
	else
		status = STATUS_INVALID_DEVICE_REQUEST;
	object_unref(&o->object);
	return io_complete(a[4], event, status, done);
}

/* ---- making one ---- */

/*
 * NtCreateNamedPipeFile(HANDLE *pipe, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *io, ULONG share,
 * ULONG disposition, ULONG options, ULONG type, ULONG read_mode, ULONG completion_mode, ULONG instances, ULONG inbound,
 * ULONG outbound, LARGE_INTEGER *timeout). share says what a client may do. Bytes only.
 */
u32 sys_NtCreateNamedPipeFile(const u64 *a)
{
	u32 share = (u32)a[4], disposition = (u32)a[5], options = (u32)a[6], attributes, status;
	struct pipe_request r = {
		.client_may = share & (FILE_MAY_READ | FILE_MAY_WRITE),
		.instances_max = (u32)a[10],
		.inbound = (u32)a[11],
		.outbound = (u32)a[12],
		.timeout_ns = 50000000, /* 50 ms, as CreateNamedPipe documents it */
		.nowait = a[9] == 1,
		.must_be_first = disposition == FILE_CREATE_,
		.must_exist = disposition == FILE_OPEN_,
	};
	char path[FILE_PATH_MAX];
	struct pipe_end end;
	const char *name;
	struct object *o;
	u64 timeout;

	if (!user_probe(a[0], sizeof(u64)) || !user_probe(a[3], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	if ((u32)a[7] || (u32)a[8])
		return STATUS_NOT_SUPPORTED; /* messages */
	if (!r.client_may || share & ~3u || !r.instances_max || (u32)a[9] > 1 || disposition < FILE_OPEN_ ||
	    disposition > FILE_OPEN_IF_)
		return STATUS_INVALID_PARAMETER;
	if (a[13]) {
		if (!get_user_u64(a[13], &timeout))
			return STATUS_ACCESS_VIOLATION;
		if ((i64)timeout > 0)
			return STATUS_INVALID_PARAMETER; /* a time from now is negative */
		if (timeout)
			r.timeout_ns = MIN(-timeout, ~0ull / 200) * 100;
	}
	status = user_object_attributes(a[2], path, sizeof(path), &attributes);
	if (!status && (!pipe_path(path, &name) || !*name))
		status = STATUS_OBJECT_NAME_INVALID;
	if (!status)
		status = pipe_create(name, &r, &end);
	if (status)
		return status;
	o = pipe_object_create(end, options);
	if (!o)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!io_status_put(a[3], STATUS_SUCCESS, FILE_CREATED_))
		status = STATUS_ACCESS_VIOLATION;
	else
		status = handle_create_for_user(o, (u32)a[1], attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, a[0]);
	object_unref(o);
	return status;
}
