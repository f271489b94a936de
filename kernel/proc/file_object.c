#include "proc/file_object.h"

#include "abi/status.h"
#include "lib/string.h"
#include "mm/pool.h"

static void file_object_destroy(struct object *o)
{
	struct file_object *f = file_object_of(o);

	if (f->file) {
		file_lock_release_all(f);
		file_close(f->file, f->may, f->share, f->options & OPTION_DELETE_ON_CLOSE);
	}
	if (f->pipe.pipe)
		pipe_close(&f->pipe);
	kfree(f->pattern);
	kfree(f);
}

HOT_CONST const struct object_type file_type = {
	.name = "file",
	.generic_read = 0x120089,
	.generic_write = 0x120116,
	.generic_execute = 0x1200a0,
	.all_access = 0x1f01ff,
	.destroy = file_object_destroy,
};

static struct file_object *create(void)
{
	struct file_object *f = kzalloc(sizeof(*f));

	if (!f)
		return NULL;
	object_setup(&f->object, &file_type);
	mutex_init(&f->lock, "file position", RANK_FILE);
	return f;
}

struct object *file_object_create(struct file *file, u32 may, u32 share, u32 options)
{
	struct file_object *f = create();

	if (!f) {
		file_close(file, may, share, options & OPTION_DELETE_ON_CLOSE);
		return NULL;
	}
	f->file = file;
	f->may = may;
	f->share = share;
	f->options = options;
	return &f->object;
}

struct object *console_object_create(void)
{
	struct file_object *f = create();

	return f ? &f->object : NULL;
}

struct object *pipe_object_create(struct pipe_end end, u32 options)
{
	struct file_object *f = create();

	if (!f) {
		if (end.pipe)
			pipe_close(&end);
		return NULL;
	}
	f->pipe = end;
	f->all_pipes = !end.pipe;
	f->options = options;
	return &f->object;
}

bool pipe_path(const char *nt_path, const char **name)
{
	static const char prefix[] = "\\??\\pipe\\";
	u32 i = 0;

	while (prefix[i] && ascii_lower((u8)nt_path[i]) == prefix[i])
		i++;
	*name = nt_path + i;
	return !prefix[i];
}

u32 file_path_translate(const char *nt_path, const char **path, bool *console)
{
	static const char prefix[] = "\\??\\";
	static const char *const consoles[] = { "CONIN$", "CONOUT$", "CON" };
	const char *rest = nt_path + sizeof(prefix) - 1;
	u32 i;

	*console = false;
	if (strncmp(nt_path, prefix, sizeof(prefix) - 1))
		return nt_path[0] == '\\' ? STATUS_OBJECT_PATH_NOT_FOUND : STATUS_OBJECT_PATH_SYNTAX_BAD;
	for (i = 0; i < ARRAY_SIZE(consoles); i++)
		if (!ascii_compare_nocase(rest, consoles[i])) {
			*console = true;
			return STATUS_SUCCESS;
		}
	if (!rest[0] || rest[1] != ':')
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (rest[2] != '\\')
		return STATUS_OBJECT_NAME_INVALID;
	*path = rest;
	return STATUS_SUCCESS;
}

static const struct {
	u32 status;
	const char *text;
} statuses[] = {
	[FILE_OK] = { STATUS_SUCCESS, "no error" },
	[FILE_NOT_FOUND] = { STATUS_OBJECT_NAME_NOT_FOUND, "not found" },
	[FILE_PATH_NOT_FOUND] = { STATUS_OBJECT_PATH_NOT_FOUND, "path not found" },
	[FILE_BAD_NAME] = { STATUS_OBJECT_NAME_INVALID, "bad name" },
	[FILE_IO_ERROR] = { STATUS_IO_DEVICE_ERROR, "the disk reports an error" },
	[FILE_NO_MEMORY] = { STATUS_INSUFFICIENT_RESOURCES, "no memory" },
	[FILE_IS_DIRECTORY] = { STATUS_FILE_IS_A_DIRECTORY, "it is a directory" },
	[FILE_NOT_DIRECTORY] = { STATUS_NOT_A_DIRECTORY, "it is no directory" },
	[FILE_CORRUPT] = { STATUS_DISK_CORRUPT_ERROR, "the volume is damaged" },
	[FILE_END] = { STATUS_NO_MORE_FILES, "no more entries" },
	[FILE_EXISTS] = { STATUS_OBJECT_NAME_COLLISION, "it exists already" },
	[FILE_SHARING] = { STATUS_SHARING_VIOLATION, "it is in use" },
	[FILE_ACCESS] = { STATUS_ACCESS_DENIED, "it may not be changed" },
	[FILE_NO_DELETE] = { STATUS_CANNOT_DELETE, "it may not be deleted" },
	[FILE_DELETING] = { STATUS_DELETE_PENDING, "it is being deleted" },
	[FILE_NOT_EMPTY] = { STATUS_DIRECTORY_NOT_EMPTY, "the directory is not empty" },
	[FILE_NO_SPACE] = { STATUS_DISK_FULL, "the disk is full" },
	[FILE_OTHER_VOLUME] = { STATUS_NOT_SAME_DEVICE, "another volume" },
	[FILE_NO_MEDIUM] = { STATUS_NO_MEDIA_IN_DEVICE, "the disk was taken out" },
	[FILE_STALE] = { STATUS_FILE_INVALID, "its disk was changed" },
	[FILE_TOO_SHORT] = { STATUS_END_OF_FILE, "it has become too short" },
	[FILE_USER_MAPPED] = { STATUS_USER_MAPPED_FILE, "a program has mapped it" },
	[FILE_BUSY] = { STATUS_RETRY, "it is busy" },
	[FILE_READ_ONLY] = { STATUS_MEDIA_WRITE_PROTECTED, "the disk is read-only" },
};

u32 file_status_nt(enum file_status status)
{
	return status < ARRAY_SIZE(statuses) ? statuses[status].status : STATUS_UNSUCCESSFUL;
}

const char *file_status_text(enum file_status status)
{
	return status < ARRAY_SIZE(statuses) ? statuses[status].text : "error";
}
