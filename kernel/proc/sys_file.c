/*
 * System calls that open, read and write files and the console. The volume is read-only: whatever would change it gives
 * STATUS_MEDIA_WRITE_PROTECTED. Source: Windows documentation of these calls.
 */
#include "abi/nt_process.h"
#include "io/console.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/file_object.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"

/* Create dispositions and options (winternl.h). */
enum { SUPERSEDE, OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF };
#define OPTION_DIRECTORY 0x1u
#define OPTION_NOT_DIRECTORY 0x40u
#define OPTION_DELETE_ON_CLOSE 0x1000u

#define OFFSET_USE_POSITION 0xfffffffffffffffeull
#define OFFSET_END 0xffffffffffffffffull
#define BOUNCE_MAX KIB(64)
#define CONSOLE_CHUNK 256 /* bytes */

/* Rights that a file on this volume can't be opened with. */
#define WRITE_RIGHTS                                                                                                   \
	(FILE_WRITE_DATA_ | FILE_APPEND_DATA_ | FILE_WRITE_EA_ | FILE_DELETE_CHILD_ | FILE_WRITE_ATTRIBUTES_ |          \
	 DELETE_ | WRITE_DAC_ | WRITE_OWNER_)

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

/* ---- opening ---- */

static u32 open_on_volume(const char *path, u32 *access, u32 disposition, u32 options, struct object **out)
{
	struct file *f;
	enum file_status fs = file_open(path, &f);
	u32 status = STATUS_SUCCESS;

	if (fs == FILE_NOT_FOUND && disposition != OPEN && disposition != OVERWRITE)
		return STATUS_MEDIA_WRITE_PROTECTED; /* it would have been made */
	if (fs)
		return file_status_nt(fs);
	/* What may be read is all that "maximum allowed" can mean here. */
	if (*access & MAXIMUM_ALLOWED_ACCESS)
		*access = (*access & ~MAXIMUM_ALLOWED_ACCESS) | file_type.generic_read | file_type.generic_execute;
	if (disposition == CREATE)
		status = STATUS_OBJECT_NAME_COLLISION;
	else if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_ && options & OPTION_NOT_DIRECTORY)
		status = STATUS_FILE_IS_A_DIRECTORY;
	else if (!(f->attributes & FILE_ATTRIBUTE_DIRECTORY_) && options & OPTION_DIRECTORY)
		status = STATUS_NOT_A_DIRECTORY;
	else if ((disposition != OPEN && disposition != OPEN_IF) || options & OPTION_DELETE_ON_CLOSE ||
		 object_access_map(&file_type, *access) & WRITE_RIGHTS)
		status = STATUS_MEDIA_WRITE_PROTECTED;
	if (status) {
		file_unref(f);
		return status;
	}
	*out = file_object_create(f);
	return *out ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static u32 file_open_call(u64 handle_to, u32 access, u64 attributes_at, u64 io_to, u32 disposition, u32 options)
{
	char name[FILE_PATH_MAX];
	const char *path;
	struct object *o = NULL;
	u32 attributes, status;
	bool console;

	if (!user_probe(handle_to, sizeof(u64)) || !user_probe(io_to, sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	if (disposition > OVERWRITE_IF || (options & OPTION_DIRECTORY && options & OPTION_NOT_DIRECTORY))
		return STATUS_INVALID_PARAMETER;
	status = user_object_attributes(attributes_at, name, sizeof(name), &attributes);
	if (!status)
		status = file_path_translate(name, &path, &console);
	if (status)
		return status;
	if (!console) {
		status = open_on_volume(path, &access, disposition, options, &o);
	} else if (options & OPTION_DIRECTORY) {
		status = STATUS_NOT_A_DIRECTORY;
	} else {
		o = console_object_create();
		status = o ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
	}
	if (status)
		return status;
	if (!io_status_put(io_to, STATUS_SUCCESS, 1 /* FILE_OPENED */))
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
	return file_open_call(a[0], (u32)a[1], a[2], a[3], (u32)a[7], (u32)a[8]);
}

/*
 * NtOpenFile(HANDLE *file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *io, ULONG share, ULONG
 * options)
 */
u32 sys_NtOpenFile(const u64 *a)
{
	return file_open_call(a[0], (u32)a[1], a[2], a[3], OPEN, (u32)a[5]);
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

static u32 volume_read_user(struct file *f, u64 offset, u64 to, u64 n, u64 *done)
{
	u64 chunk = MIN(n, BOUNCE_MAX), part, got;
	u8 *bounce = kmalloc(chunk);
	u32 status = STATUS_SUCCESS;

	if (!bounce)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (*done < n && !status && !thread_ending()) {
		part = MIN(n - *done, chunk);
		status = file_status_nt(file_read(f, offset + *done, bounce, part, &got));
		if (!status && got < part)
			status = STATUS_DISK_CORRUPT_ERROR; /* n ends at the file's end or before */
		if (!status && !copy_to_user(to + *done, bounce, part))
			status = STATUS_ACCESS_VIOLATION;
		if (!status)
			*done += part;
	}
	kfree(bounce);
	return status;
}

/*
 * The read's range is taken from the position first, so that two readers with one handle get different bytes; a failure
 * gives it back, unless somebody moved on meanwhile.
 */
static u32 volume_read(struct file_object *o, u64 offset_at, u64 to, u64 length, u64 *done)
{
	u64 offset = OFFSET_USE_POSITION, size = o->file->size, n, before, after;
	u32 status;

	if (o->file->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (offset_at && !get_user_u64(offset_at, &offset))
		return STATUS_ACCESS_VIOLATION;
	if (offset != OFFSET_USE_POSITION && (i64)offset < 0)
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

	status = volume_read_user(o->file, offset, to, n, done);
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
	if (!io_status_put(io_to, status, done))
		status = STATUS_ACCESS_VIOLATION;
	if (event) {
		object_signal(event);
		object_unref(event);
	}
	return status;
}

/* a: HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, ... The file and the event, checked. */
u32 io_begin(const u64 *a, u32 access, struct file_object **file, struct object **event)
{
	u32 status;

	if (!user_probe(a[4], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	if (a[2])
		return STATUS_NOT_SUPPORTED; /* there are no user-mode APCs */
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
 * LARGE_INTEGER *offset, ULONG *key). The console gives raw bytes, at least one.
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

/* NtWriteFile: arguments as NtReadFile's */
u32 sys_NtWriteFile(const u64 *a)
{
	struct file_object *o;
	struct object *event;
	u64 done = 0;
	u32 length = (u32)a[6];
	u32 status = io_begin(a, FILE_WRITE_DATA_, &o, &event);

	if (status)
		return status;
	status = o->file ? STATUS_MEDIA_WRITE_PROTECTED : console_write_user(a[5], length, &done);
	object_unref(&o->object);
	return io_complete(a[4], event, status, done);
}
