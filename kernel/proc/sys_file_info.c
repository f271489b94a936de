/* System calls that ask about files and list directories. Source: Windows documentation of these calls. */
#include "abi/nt_process.h"
#include "io/fat_path.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define FILE_ATTRIBUTE_NORMAL_ 0x80u
#define ALLOCATION_UNIT 4096 /* what sizes on disk are rounded to: a cluster or more */

/* Windows wants at least one bit. */
static u32 attributes_of(u32 attributes)
{
	return attributes ? attributes : FILE_ATTRIBUTE_NORMAL_;
}

static void basic_fill(const struct file *f, struct nt_file_basic_information *b)
{
	memset(b, 0, sizeof(*b));
	b->creation_time = b->access_time = b->write_time = b->change_time = time_from_unix(f->modified_unix);
	b->attributes = attributes_of(f->attributes);
}

/* ---- about one file ---- */

static u32 query_name(const struct file *f, const u64 *a, u64 *size)
{
	struct {
		u32 bytes;
		u16 name[FILE_PATH_MAX];
	} out;
	u32 length = (u32)a[3];
	int units = utf8_to_utf16(f->path, strlen(f->path), out.name, FILE_PATH_MAX);

	if (units < 0)
		return STATUS_OBJECT_NAME_INVALID;
	if (length < sizeof(u32))
		return STATUS_INFO_LENGTH_MISMATCH;
	out.bytes = (u32)units * 2;
	*size = MIN(length, sizeof(u32) + out.bytes);
	if (!copy_to_user(a[2], &out, *size))
		return STATUS_ACCESS_VIOLATION;
	return *size < sizeof(u32) + out.bytes ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* A structure of fixed size; the buffer may be larger. */
static u32 query_fixed(const u64 *a, const void *data, u32 needed, u64 *size)
{
	if ((u32)a[3] < needed)
		return STATUS_INFO_LENGTH_MISMATCH;
	*size = needed;
	return copy_to_user(a[2], data, needed) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

static u32 query_file(struct file_object *o, const u64 *a, u64 *size)
{
	const struct file *f = o->file;
	struct nt_file_basic_information basic;
	struct nt_file_standard_information standard;
	u64 position;

	switch ((u32)a[4]) {
	case 4: /* FileBasicInformation */
		basic_fill(f, &basic);
		return query_fixed(a, &basic, sizeof(basic), size);
	case 5: /* FileStandardInformation */
		standard = (struct nt_file_standard_information){
			.allocation_size = ALIGN_UP(f->size, ALLOCATION_UNIT),
			.end_of_file = f->size,
			.links = 1,
			.directory = !!(f->attributes & FILE_ATTRIBUTE_DIRECTORY_),
		};
		return query_fixed(a, &standard, sizeof(standard), size);
	case 9: /* FileNameInformation */
		return query_name(f, a, size);
	case 14: /* FilePositionInformation */
		mutex_lock(&o->lock);
		position = o->position;
		mutex_unlock(&o->lock);
		return query_fixed(a, &position, sizeof(position), size);
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
}

/* NtQueryInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *buffer, ULONG size, FILE_INFORMATION_CLASS class) */
u32 sys_NtQueryInformationFile(const u64 *a)
{
	struct file_object *o;
	u64 size = 0;
	u32 status;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	status = file_handle_lookup(a[0], 0, &o);
	if (status)
		return status;
	status = o->file ? query_file(o, a, &size) : STATUS_INVALID_DEVICE_REQUEST;
	object_unref(&o->object);
	return io_status_put(a[1], status, size) ? status : STATUS_ACCESS_VIOLATION;
}

/*
 * NtSetInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *buffer, ULONG size, class FilePositionInformation
 * (14))
 */
u32 sys_NtSetInformationFile(const u64 *a)
{
	struct file_object *o;
	u64 position;
	u32 status;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	status = file_handle_lookup(a[0], 0, &o);
	if (status)
		return status;
	if (!o->file)
		status = STATUS_INVALID_DEVICE_REQUEST;
	else if ((u32)a[4] != 14) /* all others would change the volume */
		status = (u32)a[4] == 4 || (u32)a[4] == 10 || (u32)a[4] == 13 || (u32)a[4] == 19 || (u32)a[4] == 20 ?
			 STATUS_MEDIA_WRITE_PROTECTED : STATUS_INVALID_INFO_CLASS;
	else if ((u32)a[3] < sizeof(position))
		status = STATUS_INFO_LENGTH_MISMATCH;
	else if (!get_user_u64(a[2], &position))
		status = STATUS_ACCESS_VIOLATION;
	else if ((i64)position < 0)
		status = STATUS_INVALID_PARAMETER;
	if (!status) {
		mutex_lock(&o->lock);
		o->position = position;
		mutex_unlock(&o->lock);
	}
	object_unref(&o->object);
	return io_status_put(a[1], status, 0) ? status : STATUS_ACCESS_VIOLATION;
}

/*
 * NtQueryVolumeInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *buffer, ULONG size, class
 * FileFsDeviceInformation (4))
 */
u32 sys_NtQueryVolumeInformationFile(const u64 *a)
{
	struct nt_file_device_information device = { .type = FILE_DEVICE_DISK_ };
	struct file_object *o;
	u64 size = 0;
	u32 status;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	status = file_handle_lookup(a[0], 0, &o);
	if (status)
		return status;
	if (!o->file)
		device.type = FILE_DEVICE_CONSOLE_;
	object_unref(&o->object);
	status = (u32)a[4] == 4 ? query_fixed(a, &device, sizeof(device), &size) : STATUS_INVALID_INFO_CLASS;
	return io_status_put(a[1], status, size) ? status : STATUS_ACCESS_VIOLATION;
}

/* NtQueryAttributesFile(OBJECT_ATTRIBUTES *attributes, FILE_BASIC_INFORMATION *out) */
u32 sys_NtQueryAttributesFile(const u64 *a)
{
	struct nt_file_basic_information basic;
	char name[FILE_PATH_MAX];
	const char *path;
	struct file *f;
	u32 attributes, status;
	bool console;

	status = user_object_attributes(a[0], name, sizeof(name), &attributes);
	if (!status)
		status = file_path_translate(name, &path, &console);
	if (!status && console)
		status = STATUS_INVALID_DEVICE_REQUEST;
	if (!status)
		status = file_status_nt(file_open(path, &f));
	if (status)
		return status;
	basic_fill(f, &basic);
	file_unref(f);
	return copy_to_user(a[1], &basic, sizeof(basic)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* ---- directories ---- */

enum { CLASS_DIRECTORY = 1, CLASS_BOTH = 3 }; /* FileDirectoryInformation, FileBothDirectoryInformation */

/*
 * One entry at at, of which room bytes are left. Returns its size; 0: no room, not even (first) for a part of the name,
 * which *cut then tells.
 */
static u32 entry_put(const struct file_entry *e, u32 index, u32 class, bool first, u8 *at, u32 room, bool *cut)
{
	u32 header = class == CLASS_BOTH ? FILE_BOTH_DIRECTORY_NAME : sizeof(struct nt_file_directory_information);
	struct nt_file_directory_information d = {
		.index = index,
		.end_of_file = e->size,
		.allocation_size = ALIGN_UP(e->size, ALLOCATION_UNIT),
		.attributes = attributes_of(e->attributes),
	};
	u16 name[FILE_NAME_MAX];
	int units = utf8_to_utf16(e->name, strlen(e->name), name, FILE_NAME_MAX);
	u32 bytes;

	if (units < 0)
		units = 0;
	d.creation_time = d.access_time = d.write_time = d.change_time = time_from_unix(e->modified_unix);
	d.name_bytes = bytes = (u32)units * 2;
	if (header > room)
		return 0;
	if (header + bytes > room) {
		if (!first)
			return 0;
		bytes = room - header;
		*cut = true;
	}
	memset(at, 0, header);
	memcpy(at, &d, sizeof(d));
	memcpy(at + header, name, bytes);
	return header + bytes;
}

/*
 * Fills buffer from entry *next of the directory on, and moves *next behind the last one that fits. Returns the status;
 * *size: the bytes.
 */
static u32 entries_put(struct file *directory, u32 class, bool single, u8 *buffer, u32 room, u32 *next, u32 *size)
{
	struct file_entry *e = kmalloc(sizeof(*e));
	u32 previous = 0, at = 0, n, status = STATUS_SUCCESS;
	bool cut = false;
	enum file_status fs;

	*size = 0;
	if (!e)
		return STATUS_INSUFFICIENT_RESOURCES;
	do {
		fs = file_list(directory, *next, e);
		if (fs) {
			if (!*size)
				status = fs != FILE_END ? file_status_nt(fs) :
					 *next ? STATUS_NO_MORE_FILES : STATUS_NO_SUCH_FILE;
			break;
		}
		n = at < room ? entry_put(e, *next, class, !*size, buffer + at, room - at, &cut) : 0;
		if (!n) {
			if (!*size)
				status = STATUS_INFO_LENGTH_MISMATCH;
			break;
		}
		if (*size) {
			u32 offset = at - previous;

			memcpy(buffer + previous, &offset, sizeof(offset));
		}
		++*next;
		previous = at;
		*size = at + n;
		memset(buffer + *size, 0, MIN(ALIGN_UP(*size, 8), room) - *size);
		at = (u32)ALIGN_UP(*size, 8);
	} while (!single && !cut);
	kfree(e);
	return cut ? STATUS_BUFFER_OVERFLOW : status;
}

static bool pattern_is_all(u64 address)
{
	char pattern[FILE_NAME_MAX];

	return !address || (!user_unicode_string(address, pattern, sizeof(pattern)) &&
			    (!pattern[0] || !strcmp(pattern, "*")));
}

static u32 directory_read(struct file_object *o, u64 to, u32 length, u32 class, bool single, bool restart, u64 *done)
{
	u32 room = MIN(length, KMALLOC_MAX), before, after, size, status;
	u8 *buffer = kmalloc(MAX(room, 8u));

	if (!buffer)
		return STATUS_INSUFFICIENT_RESOURCES;
	mutex_lock(&o->lock);
	before = o->next_entry;
	after = restart ? 0 : before;
	status = entries_put(o->file, class, single, buffer, room, &after, &size);
	if (size)
		o->next_entry = after;
	mutex_unlock(&o->lock);
	if (size && !copy_to_user(to, buffer, size)) {
		status = STATUS_ACCESS_VIOLATION;
		mutex_lock(&o->lock);
		if (o->next_entry == after)
			o->next_entry = before;
		mutex_unlock(&o->lock);
	}
	kfree(buffer);
	*done = size;
	return status;
}

/*
 * NtQueryDirectoryFile(HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, void *buffer, ULONG length,
 * FILE_INFORMATION_CLASS class, BOOLEAN single, UNICODE_STRING *pattern, BOOLEAN restart). Patterns other than "*" are
 * matched in user space.
 */
u32 sys_NtQueryDirectoryFile(const u64 *a)
{
	u32 class = (u32)a[7];
	struct file_object *o;
	struct object *event;
	u64 done = 0;
	u32 status;

	if (class != CLASS_DIRECTORY && class != CLASS_BOTH)
		return STATUS_INVALID_INFO_CLASS;
	if (!pattern_is_all(a[9]))
		return STATUS_NOT_SUPPORTED;
	status = io_begin(a, FILE_READ_DATA_ /* FILE_LIST_DIRECTORY */, &o, &event);
	if (status)
		return status;
	if (!o->file || !(o->file->attributes & FILE_ATTRIBUTE_DIRECTORY_))
		status = STATUS_INVALID_PARAMETER;
	else
		status = directory_read(o, a[5], (u32)a[6], class, (u8)a[8], (u8)a[10], &done);
	object_unref(&o->object);
	return io_complete(a[4], event, status, NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW ? done : 0);
}
