/* System calls that ask about files, and change what is not their contents. Source: Windows documentation of these calls. */
#include "abi/nt_process.h"
#include "io/block.h"
#include "io/fat_path.h"
#include "lib/string.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define FILE_ATTRIBUTE_NORMAL_ 0x80u

u32 file_attributes_nt(u32 attributes)
{
	return attributes ? attributes : FILE_ATTRIBUTE_NORMAL_;
}

u64 file_time_nt(u64 unix_seconds)
{
	return unix_seconds ? time_from_unix(unix_seconds) : 0;
}

/* 0 and -1 leave a time as it is; what lies before 1970 is that year's beginning. */
static u64 unix_from_nt(u64 time)
{
	u64 seconds = time / TIME_UNITS_PER_SECOND;

	if ((i64)time <= 0)
		return 0;
	return seconds > TIME_1601_TO_1970 ? seconds - TIME_1601_TO_1970 : 1;
}

static void basic_fill(const struct file *f, struct nt_file_basic_information *b)
{
	memset(b, 0, sizeof(*b));
	b->creation_time = file_time_nt(f->created_unix);
	b->access_time = file_time_nt(f->accessed_unix);
	b->write_time = b->change_time = file_time_nt(f->modified_unix);
	b->attributes = file_attributes_nt(f->attributes);
}

static void network_fill(struct file *f, struct nt_file_network_open_information *n)
{
	struct nt_file_basic_information b;

	basic_fill(f, &b);
	*n = (struct nt_file_network_open_information){
		.creation_time = b.creation_time,
		.access_time = b.access_time,
		.write_time = b.write_time,
		.change_time = b.change_time,
		.allocation_size = file_allocation(f),
		.end_of_file = f->size,
		.attributes = b.attributes,
	};
}

/* ---- about one file ---- */

static u32 query_name(const struct file *f, const u64 *a, u64 *size)
{
	struct {
		u32 bytes;
		u16 name[FILE_PATH_MAX];
	} out;
	u32 length = (u32)a[3];
	char path[FILE_FULL_PATH_MAX], *name = path + 2; /* without the drive */
	int units;

	file_path(f, path);
	units = utf8_to_utf16(name, strlen(name), out.name, FILE_PATH_MAX);
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
	struct nt_file_network_open_information network;
	struct nt_file_standard_information standard;
	struct nt_file_basic_information basic;
	struct file *f = o->file;
	u64 position;

	switch ((u32)a[4]) {
	case 4: /* FileBasicInformation */
		basic_fill(f, &basic);
		return query_fixed(a, &basic, sizeof(basic), size);
	case 5: /* FileStandardInformation */
		standard = (struct nt_file_standard_information){
			.allocation_size = file_allocation(f),
			.end_of_file = f->size,
			.links = !f->delete_pending,
			.delete_pending = f->delete_pending,
			.directory = !!(f->attributes & FILE_ATTRIBUTE_DIRECTORY_),
		};
		return query_fixed(a, &standard, sizeof(standard), size);
	case 6: /* FileInternalInformation: a number that no other file has */
		position = f->entry_at;
		return query_fixed(a, &position, sizeof(position), size);
	case 9: /* FileNameInformation */
		return query_name(f, a, size);
	case 14: /* FilePositionInformation */
		mutex_lock(&o->lock);
		position = o->position;
		mutex_unlock(&o->lock);
		return query_fixed(a, &position, sizeof(position), size);
	case 34: /* FileNetworkOpenInformation */
		network_fill(f, &network);
		return query_fixed(a, &network, sizeof(network), size);
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
	if (o->pipe.pipe)
		status = pipe_query(o, a[2], (u32)a[3], (u32)a[4], &size);
	else
		status = o->file ? query_file(o, a, &size) : STATUS_INVALID_DEVICE_REQUEST;
	object_unref(&o->object);
	return io_status_put(a[1], status, size) ? status : STATUS_ACCESS_VIOLATION;
}

/* ---- changing ---- */

static u32 set_basic(struct file *f, u64 from)
{
	struct nt_file_basic_information b;
	struct file_times times;

	if (!copy_from_user(&b, from, sizeof(b)))
		return STATUS_ACCESS_VIOLATION;
	if (b.attributes & FILE_ATTRIBUTE_DIRECTORY_ && !(f->attributes & FILE_ATTRIBUTE_DIRECTORY_))
		return STATUS_INVALID_PARAMETER;
	times.created_unix = unix_from_nt(b.creation_time);
	times.accessed_unix = unix_from_nt(b.access_time);
	times.modified_unix = unix_from_nt(b.write_time);
	return file_status_nt(file_set_facts(f, b.attributes ? b.attributes : ~0u, &times));
}

/* A name with a path is a whole one; without, it stays in its directory. */
static u32 set_name(struct file *f, u64 from, u32 length)
{
	struct nt_file_rename_information r;
	char name[FILE_FULL_PATH_MAX + 4], full[FILE_FULL_PATH_MAX];
	const char *path = name;
	bool console = false;
	u32 status;
	size_t at;

	if (!copy_from_user(&r, from, FILE_RENAME_NAME))
		return STATUS_ACCESS_VIOLATION;
	if (r.name_bytes > length - FILE_RENAME_NAME)
		return STATUS_INFO_LENGTH_MISMATCH;
	if (r.root)
		return STATUS_INVALID_HANDLE;
	status = user_utf16(from + FILE_RENAME_NAME, r.name_bytes, name, sizeof(name));
	if (!status && name[0] == '\\') {
		status = file_path_translate(name, &path, &console);
	} else if (!status) {
		if (strchr(name, '\\') || strchr(name, ':'))
			return STATUS_OBJECT_NAME_INVALID;
		file_path(f, full);
		for (at = strlen(full); at && full[at - 1] != '\\'; at--)
			;
		if (at + strlen(name) >= sizeof(full))
			return STATUS_OBJECT_NAME_INVALID;
		strlcpy(full + at, name, sizeof(full) - at);
		path = full;
	}
	if (status)
		return status;
	return console ? STATUS_NOT_SAME_DEVICE : file_status_nt(file_rename(f, path, r.replace));
}

static u32 set_number(struct file_object *o, u64 from, u32 class)
{
	u64 value;

	if (!get_user_u64(from, &value))
		return STATUS_ACCESS_VIOLATION;
	if ((i64)value < 0)
		return STATUS_INVALID_PARAMETER;
	if (class == 19)
		return file_status_nt(file_set_allocation(o->file, value));
	if (class == 20)
		return file_status_nt(file_set_size(o->file, value));
	if (o->options & OPTION_NO_BUFFERING && value % SECTOR_SIZE)
		return STATUS_INVALID_PARAMETER;
	mutex_lock(&o->lock);
	o->position = value;
	mutex_unlock(&o->lock);
	return STATUS_SUCCESS;
}

/* The classes, with the right that each wants and the bytes that it needs at least. */
static const struct {
	u32 class, access, size;
} set_classes[] = {
	{ 4 /* FileBasicInformation */, FILE_WRITE_ATTRIBUTES_, sizeof(struct nt_file_basic_information) },
	{ 10 /* FileRenameInformation */, DELETE_, FILE_RENAME_NAME },
	{ 13 /* FileDispositionInformation */, DELETE_, 1 },
	{ 14 /* FilePositionInformation */, 0, 8 },
	{ 19 /* FileAllocationInformation */, FILE_WRITE_DATA_, 8 },
	{ 20 /* FileEndOfFileInformation */, FILE_WRITE_DATA_, 8 },
	{ 23 /* FilePipeInformation */, 0, 8 },
};

static u32 set_file(struct file_object *o, const u64 *a)
{
	u8 flag;

	switch ((u32)a[4]) {
	case 4:
		return set_basic(o->file, a[2]);
	case 10:
		return set_name(o->file, a[2], (u32)a[3]);
	case 13:
		if (!copy_from_user(&flag, a[2], 1))
			return STATUS_ACCESS_VIOLATION;
		return file_status_nt(file_set_delete(o->file, flag));
	case 23:
		return STATUS_INVALID_PARAMETER; /* it is no pipe */
	default:
		return set_number(o, a[2], (u32)a[4]);
	}
}

/* NtSetInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *buffer, ULONG size, FILE_INFORMATION_CLASS class) */
u32 sys_NtSetInformationFile(const u64 *a)
{
	struct file_object *o;
	u32 status, i = 0;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	while (i < ARRAY_SIZE(set_classes) && set_classes[i].class != (u32)a[4])
		i++;
	if (i == ARRAY_SIZE(set_classes))
		return STATUS_INVALID_INFO_CLASS;
	if ((u32)a[3] < set_classes[i].size)
		return STATUS_INFO_LENGTH_MISMATCH;
	status = file_handle_lookup(a[0], set_classes[i].access, &o);
	if (status)
		return status;
	if (o->pipe.pipe)
		status = pipe_set(o, a[2], (u32)a[3], (u32)a[4]);
	else
		status = o->file ? set_file(o, a) : STATUS_INVALID_DEVICE_REQUEST;
	object_unref(&o->object);
	return io_status_put(a[1], status, 0) ? status : STATUS_ACCESS_VIOLATION;
}

/* ---- about a volume ---- */

/* A structure with a text at its end, of which the caller may want less. */
static u32 query_texts(const u64 *a, const void *data, u32 bytes, u64 *size)
{
	*size = MIN((u32)a[3], bytes);
	if (!copy_to_user(a[2], data, *size))
		return STATUS_ACCESS_VIOLATION;
	return *size < bytes ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static u32 query_identity(struct volume *v, const u64 *a, u64 *size)
{
	struct nt_file_fs_volume_information out = { 0 };
	struct volume_identity id;
	enum file_status fs = volume_identify(v, &id);

	if (fs)
		return file_status_nt(fs);
	if ((u32)a[3] < FILE_FS_VOLUME_LABEL)
		return STATUS_INFO_LENGTH_MISMATCH;
	out.serial = id.serial;
	out.label_bytes = id.label_length * 2;
	memcpy(out.label, id.label, out.label_bytes);
	return query_texts(a, &out, FILE_FS_VOLUME_LABEL + out.label_bytes, size);
}

static u32 query_volume(struct file_object *o, const u64 *a, u64 *size)
{
	struct nt_file_device_information device = { .type = FILE_DEVICE_CONSOLE_ };
	struct volume *v = o->file ? o->file->volume : NULL;
	struct nt_file_fs_full_size_information full;
	struct nt_file_fs_size_information fixed;
	static const struct nt_file_fs_attribute_information attributes = {
		.attributes = FILE_CASE_PRESERVED_NAMES_ | FILE_UNICODE_ON_DISK_,
		.component_length_max = FILE_NAME_MAX,
		.name_bytes = 10,
		.name = { 'F', 'A', 'T', '3', '2' },
	};
	struct file_space space;
	u32 class = (u32)a[4];
	enum file_status fs;

	if (v)
		device.type = FILE_DEVICE_DISK_;
	else if (o->pipe.pipe || o->all_pipes)
		device.type = FILE_DEVICE_NAMED_PIPE_;
	if (class == 4 && v && volume_removable(v))
		device.characteristics = FILE_REMOVABLE_MEDIA_;
	if (class == 4) /* FileFsDeviceInformation */
		return query_fixed(a, &device, sizeof(device), size);
	if (class != 1 && class != 3 && class != 5 && class != 7)
		return STATUS_INVALID_INFO_CLASS;
	if (!v)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (class == 1) /* FileFsVolumeInformation */
		return query_identity(v, a, size);
	if (class == 5) /* FileFsAttributeInformation */
		return query_texts(a, &attributes, offsetof(struct nt_file_fs_attribute_information, padding), size);
	fs = volume_space(v, &space);
	if (fs)
		return file_status_nt(fs);
	full = (struct nt_file_fs_full_size_information){
		.total_units = space.clusters,
		.caller_available_units = space.free_clusters,
		.available_units = space.free_clusters,
		.sectors_per_unit = space.cluster_bytes / SECTOR_SIZE,
		.bytes_per_sector = SECTOR_SIZE,
	};
	if (class == 7) /* FileFsFullSizeInformation */
		return query_fixed(a, &full, sizeof(full), size);
	fixed = (struct nt_file_fs_size_information){ /* FileFsSizeInformation */
		.total_units = full.total_units,
		.available_units = full.available_units,
		.sectors_per_unit = full.sectors_per_unit,
		.bytes_per_sector = full.bytes_per_sector,
	};
	return query_fixed(a, &fixed, sizeof(fixed), size);
}

/* NtQueryVolumeInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *buffer, ULONG size, FS_INFORMATION_CLASS class) */
u32 sys_NtQueryVolumeInformationFile(const u64 *a)
{
	struct file_object *o;
	u64 size = 0;
	u32 status;

	if (!user_probe(a[1], sizeof(struct nt_io_status_block)))
		return STATUS_ACCESS_VIOLATION;
	status = file_handle_lookup(a[0], 0, &o);
	if (status)
		return status;
	status = query_volume(o, a, &size);
	object_unref(&o->object);
	return io_status_put(a[1], status, size) ? status : STATUS_ACCESS_VIOLATION;
}

/* ---- by name ---- */

/* The file that OBJECT_ATTRIBUTES name, with one reference. */
static u32 file_by_name(u64 attributes_at, struct file **f)
{
	char name[FILE_PATH_MAX];
	const char *path;
	u32 attributes, status;
	bool console;

	status = user_object_attributes(attributes_at, name, sizeof(name), &attributes);
	if (!status)
		status = file_path_translate(name, &path, &console);
	if (!status && console)
		status = STATUS_INVALID_DEVICE_REQUEST;
	return status ? status : file_status_nt(file_open(path, f));
}

/* NtQueryAttributesFile(OBJECT_ATTRIBUTES *attributes, FILE_BASIC_INFORMATION *out) */
u32 sys_NtQueryAttributesFile(const u64 *a)
{
	struct nt_file_basic_information basic;
	struct file *f;
	u32 status = file_by_name(a[0], &f);

	if (status)
		return status;
	basic_fill(f, &basic);
	file_unref(f);
	return copy_to_user(a[1], &basic, sizeof(basic)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* NtQueryFullAttributesFile(OBJECT_ATTRIBUTES *attributes, FILE_NETWORK_OPEN_INFORMATION *out) */
u32 sys_NtQueryFullAttributesFile(const u64 *a)
{
	struct nt_file_network_open_information network;
	struct file *f;
	u32 status = file_by_name(a[0], &f);

	if (status)
		return status;
	network_fill(f, &network);
	file_unref(f);
	return copy_to_user(a[1], &network, sizeof(network)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
