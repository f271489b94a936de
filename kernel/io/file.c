/* The table of files in use, and reading them. */
#include "io/file.h"

#include "io/fat.h"
#include "lib/string.h"
#include "mm/pool.h"

static struct spinlock table_lock = SPINLOCK_INIT("file table", RANK_FILE_TABLE);
static struct list table = LIST_INIT(table);

/* Appends the name of e, as it is on the disk, to a path. */
static bool path_append(char *path, const struct fat_entry *e)
{
	size_t at = strlen(path);

	if (at > 1) {
		if (at + 1 >= FILE_PATH_MAX)
			return false;
		path[at++] = '\\';
	}
	return utf16_to_utf8(e->name, e->name_length, path + at, FILE_PATH_MAX - at) >= 0;
}

/* Walks from the root along a normalized path. canonical gets the path as the disk writes it. */
static enum file_status path_walk(const char *path, struct fat_entry *e, char *canonical)
{
	enum file_status status;
	const char *name;
	size_t length;

	fat_root_entry(e);
	strlcpy(canonical, "\\", FILE_PATH_MAX);
	while ((name = path_next(&path, &length))) {
		if (!(e->attributes & FILE_ATTRIBUTE_DIRECTORY_))
			return FILE_PATH_NOT_FOUND;
		status = fat_lookup(e, name, length);
		if (status == FILE_NOT_FOUND && *path)
			return FILE_PATH_NOT_FOUND;
		if (status != FILE_OK)
			return status;
		if (!path_append(canonical, e))
			return FILE_BAD_NAME;
	}
	return FILE_OK;
}

/* The file in the table with this entry, with one more reference, or NULL. */
static struct file *table_find(u64 entry_at)
{
	struct file *f, *found = NULL;

	spin_lock(&table_lock);
	list_for_each(&table, f, link)
		if (f->entry_at == entry_at) {
			found = f;
			f->refs++;
			break;
		}
	spin_unlock(&table_lock);
	return found;
}

static enum file_status file_create(const struct fat_entry *e, const char *canonical, struct file **out)
{
	bool directory = e->attributes & FILE_ATTRIBUTE_DIRECTORY_;
	struct file *f = kzalloc(sizeof(*f));
	enum file_status status;

	if (!f)
		return FILE_NO_MEMORY;
	status = fat_chain_read(e->first_cluster, directory ? FAT_DIRECTORY : e->size, &f->runs, &f->run_count);
	if (status != FILE_OK) {
		kfree(f);
		return status;
	}
	f->refs = 1;
	f->first_cluster = e->first_cluster;
	f->size = e->size;
	f->attributes = e->attributes;
	f->modified_unix = e->modified_unix;
	f->entry_at = e->at;
	strlcpy(f->path, canonical, sizeof(f->path));
	spin_lock(&table_lock);
	list_push_front(&table, &f->link);
	spin_unlock(&table_lock);
	*out = f;
	return FILE_OK;
}

enum file_status file_open(const char *path, struct file **out)
{
	char normal[FILE_PATH_MAX], canonical[FILE_PATH_MAX];
	enum file_status status = path_normalize(path, normal);
	struct fat_entry e;

	if (status != FILE_OK)
		return status;
	if (!fat_volume.device)
		return FILE_PATH_NOT_FOUND;
	/* Held over search and insertion, so that no second struct file is made for one file. */
	mutex_lock(&fat_volume.lock);
	status = path_walk(normal, &e, canonical);
	if (status == FILE_OK) {
		*out = table_find(e.at);
		if (!*out)
			status = file_create(&e, canonical, out);
	}
	mutex_unlock(&fat_volume.lock);
	if (status == FILE_OK)
		__atomic_fetch_add(&file_counters.opens, 1, __ATOMIC_RELAXED);
	return status;
}

void file_ref(struct file *f)
{
	spin_lock(&table_lock);
	f->refs++;
	spin_unlock(&table_lock);
}

void file_unref(struct file *f)
{
	bool last;

	spin_lock(&table_lock);
	check(f->refs > 0);
	last = --f->refs == 0;
	if (last)
		list_remove(&f->link);
	spin_unlock(&table_lock);
	if (!last)
		return;
	check(!f->image_section);
	kfree(f->runs);
	kfree(f);
}

enum file_status file_list(struct file *directory, u32 index, struct file_entry *out)
{
	enum file_status status = FILE_OK;
	struct fat_walk walk;
	struct fat_entry e;

	if (!(directory->attributes & FILE_ATTRIBUTE_DIRECTORY_))
		return FILE_NOT_DIRECTORY;
	mutex_lock(&fat_volume.lock);
	/* Whoever lists all of it asks for one index after the other: go on where the last call ended. */
	if (index < directory->list_index)
		directory->list_index = directory->list_slot = 0;
	fat_walk_begin(&walk, directory->runs, directory->run_count, directory->list_slot);
	while (directory->list_index <= index && (status = fat_walk_next(&walk, &e)) == FILE_OK) {
		directory->list_index++;
		directory->list_slot = walk.slot;
	}
	mutex_unlock(&fat_volume.lock);
	if (status != FILE_OK)
		return status;
	check(utf16_to_utf8(e.name, e.name_length, out->name, sizeof(out->name)) >= 0);
	out->size = e.size;
	out->attributes = e.attributes;
	out->modified_unix = e.modified_unix;
	return FILE_OK;
}
