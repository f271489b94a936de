/* System calls that list directories. Source: Windows documentation of NtQueryDirectoryFile. */
#include "abi/nt_process.h"
#include "io/fat_path.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"

#define ALLOCATION_UNIT 4096 /* what sizes on disk are rounded to: a cluster or more */

/* FileDirectoryInformation, FileFullDirectoryInformation, FileBothDirectoryInformation, FileIdBothDirectoryInformation */
enum { CLASS_DIRECTORY = 1, CLASS_FULL = 2, CLASS_BOTH = 3, CLASS_ID_BOTH = 37 };

/* Where the name begins in an entry; 0: there is no such class. */
static u32 name_offset(u32 class)
{
	switch (class) {
	case CLASS_DIRECTORY:
		return sizeof(struct nt_file_directory_information);
	case CLASS_FULL:
		return FILE_FULL_DIRECTORY_NAME;
	case CLASS_BOTH:
		return FILE_BOTH_DIRECTORY_NAME;
	case CLASS_ID_BOTH:
		return FILE_ID_BOTH_DIRECTORY_NAME;
	default:
		return 0;
	}
}

/*
 * One entry at at, of which room bytes are left. Returns its size; 0: no room, not even (first) for a part of the name,
 * which *cut then tells.
 */
static u32 entry_put(const struct file_entry *e, u32 index, u32 class, bool first, u8 *at, u32 room, bool *cut)
{
	u32 header = name_offset(class);
	struct nt_file_directory_information d = {
		.index = index,
		.end_of_file = e->size,
		.allocation_size = ALIGN_UP(e->size, ALLOCATION_UNIT),
		.attributes = file_attributes_nt(e->attributes),
		.creation_time = file_time_nt(e->created_unix),
		.access_time = file_time_nt(e->accessed_unix),
		.write_time = file_time_nt(e->modified_unix),
		.change_time = file_time_nt(e->modified_unix),
	};
	u16 name[FILE_NAME_MAX];
	int units = utf8_to_utf16(e->name, strlen(e->name), name, FILE_NAME_MAX);
	u32 bytes;

	if (units < 0)
		units = 0;
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
	if (class == CLASS_ID_BOTH)
		memcpy(at + FILE_ID_BOTH_DIRECTORY_ID, &e->number, sizeof(e->number));
	if ((class == CLASS_BOTH || class == CLASS_ID_BOTH) && ascii_compare_nocase(e->name, e->short_name)) {
		u16 short_name[12];
		int short_units = utf8_to_utf16(e->short_name, strlen(e->short_name), short_name, ARRAY_SIZE(short_name));

		if (short_units > 0) {
			at[FILE_BOTH_DIRECTORY_SHORT] = (u8)(short_units * 2);
			memcpy(at + FILE_BOTH_DIRECTORY_SHORT + 2, short_name, (u32)short_units * 2);
		}
	}
	memcpy(at + header, name, bytes);
	return header + bytes;
}

static bool matches(const struct name_pattern *p, const char *name)
{
	u16 units[FILE_NAME_MAX];
	int length = utf8_to_utf16(name, strlen(name), units, FILE_NAME_MAX);

	return length > 0 && fat_name_matches(p->text, p->length, units, (u32)length);
}

/* The next entry whose long or short name matches; *slot behind it. */
static enum file_status entry_next(struct file *directory, const struct name_pattern *p, u32 *slot, struct file_entry *e)
{
	enum file_status fs;

	do {
		fs = file_list(directory, slot, e);
	} while (fs == FILE_OK && p && !matches(p, e->name) && !matches(p, e->short_name));
	return fs;
}

/*
 * Fills buffer from slot *next of the directory on, and moves *next behind the last one that fits. Returns the status;
 * *size: the bytes.
 */
static u32 entries_put(const struct file_object *o, u32 class, bool single, u8 *buffer, u32 room, u32 *next, u32 *size)
{
	struct file_entry *e = kmalloc(sizeof(*e));
	u32 previous = 0, at = 0, n, status = STATUS_SUCCESS;
	bool cut = false;
	enum file_status fs;

	*size = 0;
	if (!e)
		return STATUS_INSUFFICIENT_RESOURCES;
	do {
		u32 slot = *next;

		fs = entry_next(o->file, o->pattern, &slot, e);
		if (fs) {
			if (!*size)
				status = fs != FILE_END ? file_status_nt(fs) :
					 *next ? STATUS_NO_MORE_FILES : STATUS_NO_SUCH_FILE;
			break;
		}
		n = at < room ? entry_put(e, slot, class, !*size, buffer + at, room - at, &cut) : 0;
		if (!n) {
			if (!*size)
				status = STATUS_INFO_LENGTH_MISMATCH;
			break;
		}
		if (*size) {
			u32 offset = at - previous;

			memcpy(buffer + previous, &offset, sizeof(offset));
		}
		*next = slot;
		previous = at;
		*size = at + n;
		memset(buffer + *size, 0, MIN(ALIGN_UP(*size, 8), room) - *size);
		at = (u32)ALIGN_UP(*size, 8);
	} while (!single && !cut);
	kfree(e);
	return cut ? STATUS_BUFFER_OVERFLOW : status;
}

/* The pattern at a UNICODE_STRING; NULL if there is none, or it is empty or "*". */
static u32 pattern_get(u64 address, struct name_pattern **out)
{
	char *text = NULL;
	u32 status = STATUS_SUCCESS;
	int length;

	*out = NULL;
	if (!address)
		return STATUS_SUCCESS;
	text = kmalloc(FILE_NAME_MAX * 3 + 1);
	*out = kmalloc(sizeof(**out));
	if (!text || !*out)
		status = STATUS_INSUFFICIENT_RESOURCES;
	if (!status)
		status = user_unicode_string(address, text, FILE_NAME_MAX * 3 + 1);
	if (!status) {
		length = utf8_to_utf16(text, strlen(text), (*out)->text, FILE_NAME_MAX);
		(*out)->length = (u32)length;
		if (length < 0 || strchr(text, '\\') || strchr(text, '/'))
			status = STATUS_OBJECT_NAME_INVALID;
	}
	if (status || !*text || !strcmp(text, "*")) {
		kfree(*out);
		*out = NULL;
	}
	kfree(text);
	return status;
}

/* pattern becomes the handle's if this is the first call, or begins anew with one; else it is freed. */
static u32 directory_read(struct file_object *o, struct name_pattern *pattern, bool given, const u64 *a, u64 *done)
{
	u64 to = a[5];
	u32 room = MIN((u32)a[6], KMALLOC_MAX), class = (u32)a[7], before, after, size, status;
	bool single = (u8)a[8], restart = (u8)a[10];
	u8 *buffer = kmalloc(MAX(room, 8u));

	if (!buffer) {
		kfree(pattern);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	mutex_lock(&o->lock);
	before = o->next_slot;
	if (!o->listed || (restart && given)) {
		kfree(o->pattern);
		o->pattern = pattern;
		o->listed = true;
	} else {
		kfree(pattern);
	}
	after = restart ? 0 : before;
	status = entries_put(o, class, single, buffer, room, &after, &size);
	if (size)
		o->next_slot = after;
	mutex_unlock(&o->lock);
	if (size && !copy_to_user(to, buffer, size)) {
		status = STATUS_ACCESS_VIOLATION;
		mutex_lock(&o->lock);
		if (o->next_slot == after)
			o->next_slot = before;
		mutex_unlock(&o->lock);
	}
	kfree(buffer);
	*done = size;
	return status;
}

/*
 * NtQueryDirectoryFile(HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, void *buffer, ULONG length,
 * FILE_INFORMATION_CLASS class, BOOLEAN single, UNICODE_STRING *pattern, BOOLEAN restart). The first call's pattern is the
 * handle's, until a restart brings another one; without one all names match.
 */
u32 sys_NtQueryDirectoryFile(const u64 *a)
{
	u32 class = (u32)a[7];
	struct name_pattern *pattern;
	struct file_object *o;
	struct object *event;
	u64 done = 0;
	u32 status;

	if (!name_offset(class))
		return STATUS_INVALID_INFO_CLASS;
	status = pattern_get(a[9], &pattern);
	if (status)
		return status;
	status = io_begin(a, FILE_READ_DATA_ /* FILE_LIST_DIRECTORY */, &o, &event);
	if (status) {
		kfree(pattern);
		return status;
	}
	if (!o->file || !(o->file->attributes & FILE_ATTRIBUTE_DIRECTORY_)) {
		kfree(pattern);
		status = STATUS_INVALID_PARAMETER;
	} else {
		status = directory_read(o, pattern, a[9] != 0, a, &done);
	}
	object_unref(&o->object);
	return io_complete(a[4], event, status, NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW ? done : 0);
}
