/* System calls that open, read and write files and the console. Source: Windows documentation of these calls. */
#include "abi/nt_process.h"
#include "io/block.h"
#include "io/console.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/file_object.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"

#define OFFSET_USE_POSITION 0xfffffffffffffffeull
#define OFFSET_END 0xffffffffffffffffull
#define BOUNCE_MAX KIB(64)
#define CONSOLE_CHUNK 256 /* bytes */

/* What was written to the file, and its name, are on the disk itself. */
static enum file_status file_flush(struct file *f)
{
	enum file_status status = file_cache_flush(f);

	return status == FILE_OK ? volume_commit(f->volume) : status;
}

/* All of a volume. */
static enum file_status files_sync(struct volume *v)
{
	enum file_status status = file_cache_flush_all(v), synced = volume_sync(v);

	return status == FILE_OK ? synced : status;
}

void files_end(void)
{
	if (file_cache_flush_all(NULL) != FILE_OK)
		klog(LOG_ERROR, "not all files could be written");
	file_cache_report_lost();
	file_shutdown();
}

bool io_status_put(u64 to, u32 status, u64 information)
{
	struct nt_io_status_block io = { .status = status, .information = information };

	return copy_to_user(to, &io, sizeof(io));
}

u32 file_handle_lookup(u64 handle, u32 access, struct file_object **out)
{
	struct object *o;
	u32 status = handle_lookup(process_current(), handle, &file_type, access, &o);

	if (!status)
		*out = file_object_of(o);
	return status;
}

/* For calls that want one of several rights: the object and its handle's rights, of one moment. */
static u32 file_handle_query(u64 handle, u32 any_of, struct file_object **out, u32 *access)
{
	struct object *o;
	u32 flags, status = handle_query(process_current(), handle, &o, access, &flags);

	if (status)
		return status;
	if (o->type != &file_type)
		status = STATUS_OBJECT_TYPE_MISMATCH;
	else if (!(*access & any_of))
		status = STATUS_ACCESS_DENIED;
	if (status)
		object_unref(o);
	else
		*out = file_object_of(o);
	return status;
}

/* ---- opening ---- */

static u32 open_on_volume(const char *path, u32 *access, const u64 *a, u32 share, u32 disposition, u32 options,
			  struct object **out, enum file_outcome *outcome)
{
	struct file_request r = {
		.share = share & 7,
		.disposition = disposition,
		.attributes = a ? (u32)a[5] : 0,
		.directory = options & OPTION_DIRECTORY,
		.not_directory = options & OPTION_NOT_DIRECTORY,
		.delete_on_close = options & OPTION_DELETE_ON_CLOSE,
	};
	u32 granted;
	struct file *f;
	enum file_status fs;

	/* What may be read is what "maximum allowed" means here. */
	if (*access & MAXIMUM_ALLOWED_ACCESS)
		*access = (*access & ~MAXIMUM_ALLOWED_ACCESS) | file_type.generic_read | file_type.generic_execute;
	granted = object_access_map(&file_type, *access);
	if (granted & (FILE_READ_DATA_ | FILE_EXECUTE_))
		r.may |= FILE_MAY_READ;
	if (granted & (FILE_WRITE_DATA_ | FILE_APPEND_DATA_))
		r.may |= FILE_MAY_WRITE;
	if (granted & DELETE_)
		r.may |= FILE_MAY_DELETE;
	if (granted & FILE_EXECUTE_)
		r.share = file_run_share(r.share);
	if (r.delete_on_close && !(granted & DELETE_))
		return STATUS_INVALID_PARAMETER;
	/* Not with bytes that may be written: what is kept out of memory can't be appended to part of a sector. */
	if (options & OPTION_NO_BUFFERING && granted & FILE_APPEND_DATA_ && !(granted & FILE_WRITE_DATA_))
		return STATUS_INVALID_PARAMETER;
	fs = file_open_as(path, &r, &f, outcome);
	if (fs)
		return file_status_nt(fs);
	*out = file_object_create(f, r.may, r.share, options);
	return *out ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* The client's end of a pipe; without a name, what stands for all of them. */
static u32 open_pipe(const char *name, u32 access, u32 disposition, u32 options, struct object **out)
{
	u32 granted = object_access_map(&file_type, access), may = 0, status = STATUS_SUCCESS;
	struct pipe_end end = { NULL };

	if (disposition != FILE_OPEN_ && disposition != FILE_OPEN_IF_)
		return STATUS_ACCESS_DENIED; /* who makes a pipe is its server */
	if (options & OPTION_DIRECTORY)
		return STATUS_NOT_A_DIRECTORY;
	if (granted & FILE_READ_DATA_)
		may |= FILE_MAY_READ;
	if (granted & (FILE_WRITE_DATA_ | (access & GENERIC_WRITE_ACCESS ? 0 : FILE_APPEND_DATA_)))
		may |= FILE_MAY_WRITE;
	if (*name)
		status = pipe_open(name, may, &end);
	if (status)
		return status;
	*out = pipe_object_create(end, options);
	return *out ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* a: NtCreateFile's arguments, or NULL for NtOpenFile. */
static u32 file_open_call(u64 handle_to, u32 access, u64 attributes_at, u64 io_to, const u64 *a, u32 share, u32 disposition,
			  u32 options)
{
	enum file_outcome outcome = FILE_OPENED_;
	char name[FILE_PATH_MAX];
	const char *path;
	struct object *o = NULL;
	u32 attributes, status;
	bool console = false, pipe;

	if (!user_probe(handle_to, sizeof(u64)) || !user_probe(io_to, sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	if (disposition > FILE_OVERWRITE_IF_ || (options & OPTION_DIRECTORY && options & OPTION_NOT_DIRECTORY))
		return STATUS_INVALID_PARAMETER;
	status = user_object_attributes(attributes_at, name, sizeof(name), &attributes);
	if (status)
		return status;
	pipe = pipe_path(name, &path);
	if (!pipe)
		status = file_path_translate(name, &path, &console);
	if (status)
		return status;
	if (pipe) {
		status = open_pipe(path, access, disposition, options, &o);
	} else if (!console) {
		status = open_on_volume(path, &access, a, share, disposition, options, &o, &outcome);
	} else if (options & OPTION_DIRECTORY) {
		status = STATUS_NOT_A_DIRECTORY;
	} else {
		o = console_object_create();
		status = o ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
	}
	if (status)
		return status;
	if (!io_status_put(io_to, STATUS_SUCCESS, outcome))
		status = STATUS_ACCESS_VIOLATION;
	else
		status = handle_create_for_user(o, access, attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, handle_to);
	object_unref(o);
	return status;
}

/*
 * NtCreateFile(HANDLE *file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *io, LARGE_INTEGER
 * *size, ULONG file_attributes, ULONG share, ULONG disposition, ULONG options, void *ea, ULONG ea_size)
 */
u32 sys_NtCreateFile(const u64 *a)
{
	return file_open_call(a[0], (u32)a[1], a[2], a[3], a, (u32)a[6], (u32)a[7], (u32)a[8]);
}

/*
 * NtOpenFile(HANDLE *file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *io, ULONG share, ULONG
 * options)
 */
u32 sys_NtOpenFile(const u64 *a)
{
	return file_open_call(a[0], (u32)a[1], a[2], a[3], NULL, (u32)a[4], FILE_OPEN_, (u32)a[5]);
}

/* ---- reading ---- */

static u32 console_read_user(u64 to, u32 n, u64 *done)
{
	char bytes[CONSOLE_CHUNK];
	long got;

	n = MIN(n, sizeof(bytes));
	if (!n)
		return STATUS_SUCCESS;
	/* Input that is read can't be put back: look first whether it can be stored. */
	if (!user_probe(to, 1) || !user_probe(to + n - 1, 1))
		return STATUS_ACCESS_VIOLATION;
	got = console_read(bytes, n);
	if (got < 0)
		return STATUS_THREAD_IS_TERMINATING;
	if (got == 0)
		return STATUS_END_OF_FILE;
	*done = (u64)got;
	return copy_to_user(to, bytes, (size_t)got) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* Without buffering: from the device, which first gets what only memory has. */
static u32 device_read_user(struct file *f, u64 offset, u64 to, u64 n, u64 *done)
{
	u64 chunk = MIN(n, BOUNCE_MAX), part, got;
	u8 *bounce = kmalloc(chunk);
	u32 status;

	if (!bounce)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = file_status_nt(file_cache_flush_range(f, offset, n, true));
	while (*done < n && !status && !thread_ending()) {
		part = MIN(n - *done, chunk);
		status = file_status_nt(file_read(f, offset + *done, bounce, part, &got));
		if (!status && !copy_to_user(to + *done, bounce, got))
			status = STATUS_ACCESS_VIOLATION;
		if (!status)
			*done += got;
		if (got < part)
			break; /* somebody made the file shorter meanwhile */
	}
	kfree(bounce);
	return status;
}

/*
 * Where an operation begins: OFFSET_USE_POSITION, OFFSET_END, or a number of bytes. A handle that was not opened for
 * synchronous operations has no position; one without buffering reads and writes whole sectors.
 */
static u32 offset_get(struct file_object *o, u64 offset_at, u64 length, u64 *offset)
{
	*offset = OFFSET_USE_POSITION;
	if (o->file->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (offset_at && !get_user_u64(offset_at, offset))
		return STATUS_ACCESS_VIOLATION;
	if (*offset != OFFSET_USE_POSITION && *offset != OFFSET_END && (i64)*offset < 0)
		return STATUS_INVALID_PARAMETER;
	if (*offset == OFFSET_USE_POSITION && !(o->options & OPTION_SYNCHRONOUS))
		return STATUS_INVALID_PARAMETER;
	if (o->options & OPTION_NO_BUFFERING) {
		u64 from = *offset == OFFSET_USE_POSITION ? __atomic_load_n(&o->position, __ATOMIC_RELAXED) : *offset;

		if (length % SECTOR_SIZE || (*offset != OFFSET_END && from % SECTOR_SIZE))
			return STATUS_INVALID_PARAMETER;
	}
	return STATUS_SUCCESS;
}

/*
 * The read's range is taken from the position first, so that two readers with one handle get different bytes; a failure
 * gives it back, unless somebody moved on meanwhile.
 */
static u32 volume_read(struct file_object *o, u64 offset_at, u64 to, u64 length, u64 *done)
{
	u64 offset, size = __atomic_load_n(&o->file->size, __ATOMIC_RELAXED), n, before, after;
	u32 status = offset_get(o, offset_at, length, &offset);
	enum file_status fs;

	if (status)
		return status;
	if (offset == OFFSET_END)
		return STATUS_INVALID_PARAMETER;
	mutex_lock(&o->lock);
	before = o->position;
	if (offset == OFFSET_USE_POSITION)
		offset = before;
	n = offset < size ? MIN(length, size - offset) : 0;
	after = o->position = n || !length ? offset + n : before;
	mutex_unlock(&o->lock);
	if (!length)
		return STATUS_SUCCESS;
	if (!n)
		return STATUS_END_OF_FILE;

	fs = file_check_unlocked(o->file); /* memory may still have what the disk has no more */
	if (unlikely(fs != FILE_OK))
		status = file_status_nt(fs);
	else if (!file_lock_allows(o, offset, n, false))
		status = STATUS_FILE_LOCK_CONFLICT;
	else if (o->options & OPTION_NO_BUFFERING)
		status = device_read_user(o->file, offset, to, n, done);
	else
		status = file_cache_read(o->file, offset, to, n, done, &o->ahead);
	if (status) {
		mutex_lock(&o->lock);
		if (o->position == after)
			o->position = before;
		mutex_unlock(&o->lock);
	}
	return status;
}

/* The event of a call that signals one, or NULL; reset, because the operation begins. */
static u32 completion_event(u64 handle, struct object **event)
{
	u32 status;

	*event = NULL;
	if (!handle)
		return STATUS_SUCCESS;
	status = handle_lookup(process_current(), handle, &event_type, 2 /* EVENT_MODIFY_STATE */, event);
	if (!status)
		object_reset(*event);
	return status;
}

/* What NtReadFile, NtWriteFile and NtQueryDirectoryFile have in common at their end. */
u32 io_complete(u64 io_to, struct object *event, u32 status, u64 done)
{
	/* The caller's memory is there, but could not be had: the reason is told, as file systems of Windows do. */
	if (unlikely(status == STATUS_ACCESS_VIOLATION && thread_current()->in_page_status))
		status = thread_current()->in_page_status;
	if (!io_status_put(io_to, status, done))
		status = STATUS_ACCESS_VIOLATION;
	if (event) {
		object_signal(event);
		object_unref(event);
	}
	return status;
}

static u32 io_probe(const u64 *a)
{
	thread_current()->in_page_status = STATUS_SUCCESS; /* io_complete looks */
	if (!user_probe(a[4], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	return a[2] ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS; /* there are no user-mode APCs */
}

/* a: HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, ... The file and the event, checked. */
u32 io_begin(const u64 *a, u32 access, struct file_object **file, struct object **event)
{
	u32 status = io_probe(a);

	if (!status)
		status = file_handle_lookup(a[0], access, file);
	if (status)
		return status;
	status = completion_event(a[1], event);
	if (status)
		object_unref(&(*file)->object);
	return status;
}

/*
 * NtReadFile(HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, void *buffer, ULONG length,
 * LARGE_INTEGER *offset, ULONG *key). The console gives raw bytes, at least one; it has no ranges that a key could be for, and
 * refuses one with STATUS_INVALID_PARAMETER_9, by which ReadFile sees in one call that it has lines to make.
 */
u32 sys_NtReadFile(const u64 *a)
{
	struct file_object *o;
	struct object *event;
	u64 done = 0;
	u32 length = (u32)a[6];
	u32 status = io_begin(a, FILE_READ_DATA_, &o, &event);

	if (status)
		return status;
	if (o->file)
		status = volume_read(o, a[7], a[5], length, &done);
	else if (o->pipe.pipe)
		status = pipe_read_user(o, a[5], length, &done);
	else if (o->all_pipes)
		status = STATUS_INVALID_DEVICE_REQUEST;
	else if (a[8])
		status = STATUS_INVALID_PARAMETER_9;
	else
		status = console_read_user(a[5], length, &done);
	object_unref(&o->object);
	return io_complete(a[4], event, status, status ? 0 : done);
}

/* ---- writing ---- */

static u32 console_write_user(u64 from, u32 n, u64 *done)
{
	char bytes[CONSOLE_CHUNK];
	u32 part;

	for (; *done < n && !thread_ending(); *done += part) {
		part = (u32)MIN(n - *done, sizeof(bytes));
		if (!copy_from_user(bytes, from + *done, part))
			return STATUS_ACCESS_VIOLATION;
		console_write(bytes, part);
	}
	return STATUS_SUCCESS;
}

/* offset FILE_AT_END: each part goes where the end is by then. *end: behind the last byte. */
static u32 volume_write_user(struct file *f, u64 offset, u64 from, u64 n, u64 *done, u64 *end)
{
	u64 part, at = offset;
	u32 status = STATUS_SUCCESS;

	/* Room for all of it, or nothing is written. */
	if (n > FILE_CACHE_WRITE_MAX)
		status = file_status_nt(file_reserve(f, (offset == FILE_AT_END ? f->size : offset) + n));
	while (*done < n && !status && !thread_ending()) {
		part = MIN(n - *done, FILE_CACHE_WRITE_MAX);
		status = file_cache_write(f, offset == FILE_AT_END ? offset : offset + *done, from + *done, part, &at);
		if (!status) {
			*done += part;
			*end = at + part;
		}
	}
	return status;
}

/* Bytes that were just written go to the device: with their names to the disk itself, or out of memory, or both. */
static u32 write_through(struct file_object *o, u64 offset, u64 n)
{
	enum file_status status = FILE_OK;

	if (o->options & OPTION_NO_BUFFERING)
		status = file_cache_flush_range(o->file, offset, n, true);
	if (status == FILE_OK && o->options & OPTION_WRITE_THROUGH)
		status = file_flush(o->file);
	return file_status_nt(status);
}

/* A handle that may only append writes at the end, whatever it asks for. The position as for reads. */
static u32 volume_write(struct file_object *o, bool append, u64 offset_at, u64 from, u64 length, u64 *done)
{
	u64 offset, before, end = 0;
	bool use_position;
	u32 status = offset_get(o, offset_at, length, &offset);

	if (status)
		return status;
	if (offset == OFFSET_END)
		append = true;
	mutex_lock(&o->lock);
	before = o->position;
	use_position = !append && offset == OFFSET_USE_POSITION;
	if (use_position)
		offset = before;
	end = append ? before : offset + length;
	if (!append)
		o->position = end;
	mutex_unlock(&o->lock);
	if (!append && (length > FILE_SIZE_MAX || offset > FILE_SIZE_MAX))
		status = STATUS_DISK_FULL;
	else if (!file_lock_allows(o, append ? o->file->size : offset, length, true))
		status = STATUS_FILE_LOCK_CONFLICT;
	else if (length)
		status = volume_write_user(o->file, append ? FILE_AT_END : offset, from, length, done, &end);
	if (!status && length && o->options & (OPTION_WRITE_THROUGH | OPTION_NO_BUFFERING))
		status = write_through(o, end - length, length);
	mutex_lock(&o->lock);
	if (append && !status)
		o->position = end;
	else if (status && !append && o->position == offset + length)
		o->position = before;
	mutex_unlock(&o->lock);
	return status;
}

/* NtWriteFile: arguments as NtReadFile's */
u32 sys_NtWriteFile(const u64 *a)
{
	struct file_object *o;
	struct object *event;
	u64 done = 0;
	u32 length = (u32)a[6], access;
	u32 status = io_probe(a);

	if (!status)
		status = file_handle_query(a[0], FILE_WRITE_DATA_ | FILE_APPEND_DATA_, &o, &access);
	if (status)
		return status;
	status = completion_event(a[1], &event);
	if (status) {
		object_unref(&o->object);
		return status;
	}
	if (o->file)
		status = volume_write(o, !(access & FILE_WRITE_DATA_), a[7], a[5], length, &done);
	else if (o->pipe.pipe)
		status = pipe_write_user(o, a[5], length, &done);
	else if (o->all_pipes)
		status = STATUS_INVALID_DEVICE_REQUEST;
	else
		status = console_write_user(a[5], length, &done);
	object_unref(&o->object);
	return io_complete(a[4], event, status, done);
}

/* NtFlushBuffersFile(HANDLE file, IO_STATUS_BLOCK *io). A directory: the whole volume, as whole as it can be. */
u32 sys_NtFlushBuffersFile(const u64 *a)
{
	struct file_object *o;
	u32 status, access;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	status = file_handle_query(a[0], FILE_WRITE_DATA_ | FILE_APPEND_DATA_, &o, &access);
	if (status)
		return status;
	if (o->file)
		status = file_status_nt(o->file->attributes & FILE_ATTRIBUTE_DIRECTORY_ ? files_sync(o->file->volume) : file_flush(o->file));
	object_unref(&o->object);
	return io_status_put(a[1], status, 0) ? status : STATUS_ACCESS_VIOLATION;
}
