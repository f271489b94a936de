/* Names and what directories say of files: made, changed, deleted, listed. */
#include "io/file_internal.h"

#include "lib/string.h"
#include "mm/pool.h"

/* ---- making ---- */

/* Makes what l->name names, in l->directory, and fills l->entry and l->canonical. */
enum file_status file_create_entry(struct file_lookup *l, const struct file_request *r)
{
	struct fat_name *name = kmalloc(sizeof(*name));
	struct fat_facts facts = { .attributes = r->attributes & FILE_ATTRIBUTES_SET };
	enum file_status status = name ? FILE_OK : FILE_NO_MEMORY;
	u32 erased;

	facts.modified_unix = facts.created_unix = facts.accessed_unix = fat_now();
	facts.attributes |= r->directory ? FILE_ATTRIBUTE_DIRECTORY_ : FILE_ATTRIBUTE_ARCHIVE_;
	if (status == FILE_OK && !fat_name_make(name, l->name, l->name_length))
		status = FILE_BAD_NAME;
	if (status == FILE_OK && !file_path_append(l->canonical, l->name, l->name_length))
		status = FILE_BAD_NAME;
	if (status == FILE_OK)
		status = fat_begin(l->volume);
	if (status == FILE_OK && r->directory)
		status = fat_dir_make(l->volume, l->directory, &facts, &facts.first_cluster);
	if (status == FILE_OK) {
		status = fat_dir_insert(l->volume, l->directory, name, &facts, NULL, 0, &l->entry.place, &erased);
		if (status != FILE_OK)
			fat_chain_drop(l->volume, facts.first_cluster);
	}
	if (status == FILE_OK) {
		l->entry.attributes = facts.attributes;
		l->entry.first_cluster = facts.first_cluster;
		l->entry.size = 0;
		l->entry.modified_unix = facts.modified_unix;
		l->entry.created_unix = facts.created_unix;
		l->entry.accessed_unix = facts.accessed_unix;
	}
	kfree(name);
	return status;
}

/* ---- changing ---- */

static struct fat_facts facts_of(const struct file *f)
{
	bool named = f->attributes & FILE_ATTRIBUTE_DIRECTORY_ || f->entry_size; /* by the entry: the clusters */

	return (struct fat_facts){
		.attributes = f->attributes,
		.first_cluster = named ? f->first_cluster : 0,
		.size = (u32)f->entry_size,
		.modified_unix = f->modified_unix,
		.created_unix = f->created_unix,
		.accessed_unix = f->accessed_unix,
	};
}

enum file_status file_entry_update(struct file *f)
{
	struct fat_facts facts = facts_of(f);
	enum file_status status = f->entry_at ? fat_dir_update(f->volume, f->entry_at, &facts) : FILE_OK;

	if (status == FILE_OK)
		f->entry_modified_unix = facts.modified_unix;
	return status;
}

enum file_status file_set_facts(struct file *f, u32 attributes, const struct file_times *times)
{
	enum file_status status;

	mutex_lock(&f->volume->lock);
	status = file_check(f);
	if (status == FILE_OK)
		status = f->gone ? FILE_NOT_FOUND : fat_begin(f->volume);
	if (status == FILE_OK && !f->entry_at)
		status = FILE_ACCESS; /* the root has no entry to keep them in */
	if (status == FILE_OK) {
		if (attributes != ~0u)
			f->attributes = (f->attributes & FILE_ATTRIBUTE_DIRECTORY_) | (attributes & FILE_ATTRIBUTES_SET);
		f->modified_unix = times->modified_unix ? times->modified_unix : f->modified_unix;
		f->created_unix = times->created_unix ? times->created_unix : f->created_unix;
		f->accessed_unix = times->accessed_unix ? times->accessed_unix : f->accessed_unix;
		status = file_entry_update(f);
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

/* ---- deleting ---- */

enum file_status file_set_delete(struct file *f, bool delete_it)
{
	enum file_status status;

	mutex_lock(&f->volume->lock);
	status = file_check(f);
	if (status != FILE_OK)
		;
	else if (f->gone)
		status = FILE_DELETING;
	else if (f->volume->read_only)
		status = FILE_READ_ONLY;
	else if (delete_it && (!f->entry_at || file_image_keeps(f) || f->attributes & FILE_ATTRIBUTE_READONLY_))
		status = FILE_NO_DELETE;
	else if (delete_it && f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		status = fat_directory_empty(f->volume, f->first_cluster);
	if (status == FILE_OK) {
		/* Who maps it looks whether it is to be deleted after he has begun to use it: one of us two sees the other. */
		__atomic_store_n(&f->delete_pending, delete_it, __ATOMIC_SEQ_CST);
		if (delete_it && data_section_in_use(f)) {
			f->delete_pending = false;
			status = FILE_NO_DELETE;
		}
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

/* Nothing of it is on the volume any more, or only what images read; its entries are erased, or will be. */
static void file_forget(struct file *f)
{
	if (f->images) {
		f->gone = f->unlinked = true;
		file_table_remove(f);
		list_push_back(&f->volume->unlinked, &f->link);
		return;
	}
	fat_chain_drop(f->volume, f->first_cluster);
	kfree(f->runs);
	f->runs = NULL;
	f->run_count = 0;
	f->first_cluster = 0;
	f->size = f->entry_size = 0;
	f->gone = true;
	data_section_forget(f);
	file_table_remove(f);
}

enum file_status file_delete(struct file *f)
{
	struct fat_place place = file_place(f);
	enum file_status status = FILE_OK;

	assert(mutex_held(&f->lock) && mutex_held(&f->volume->lock));
	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		status = fat_directory_empty(f->volume, f->first_cluster);
	if (status == FILE_OK)
		status = fat_dir_erase(f->volume, &place);
	if (status == FILE_OK)
		file_forget(f);
	return status;
}

/* ---- renaming ---- */

struct rename {
	struct file_lookup l;
	struct fat_name name;
	struct fat_place places[2]; /* of what is replaced, if anything, and of the file's old name */
	u32 place_count;
	bool existed;          /* the new name, be it the file's own */
	struct file *replaced; /* in use, but by nobody who has a handle; its lock is held */
	u32 replaced_cluster;
};

/* The file that has the new name already: may it go? */
static enum file_status replaced_check(struct rename *r, bool replace)
{
	const struct fat_entry *e = &r->l.entry;
	struct file *f;

	if (!replace)
		return FILE_EXISTS;
	if (e->attributes & (FILE_ATTRIBUTE_DIRECTORY_ | FILE_ATTRIBUTE_READONLY_))
		return FILE_ACCESS;
	f = file_table_find(r->l.volume, e->place.at);
	if (f && (f->handles || file_image_keeps(f) || data_section_in_use(f))) {
		file_unref(f);
		return FILE_ACCESS;
	}
	/* Somebody who has no handle: he asks about it, or writes what it holds. It will not take long. */
	if (f && !mutex_trylock(&f->lock)) {
		file_unref(f);
		return FILE_BUSY;
	}
	r->replaced = f;
	r->replaced_cluster = e->first_cluster;
	r->places[r->place_count++] = e->place;
	return FILE_OK;
}

/* What can't be renamed like that; fills r->l. */
static enum file_status rename_check(struct file *f, const char *path, bool replace, struct rename *r)
{
	enum file_status status;
	size_t length = strlen(f->path);

	if (f->gone || f->delete_pending)
		return FILE_DELETING;
	if (!f->entry_at)
		return FILE_ACCESS;
	r->l.volume = f->volume;
	status = file_walk(path, &r->l);
	if (status != FILE_OK && status != FILE_NOT_FOUND)
		return status;
	if (!r->l.name_length || !fat_name_make(&r->name, r->l.name, r->l.name_length))
		return FILE_BAD_NAME;
	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_) {
		/* A directory can't go into itself, nor away from under files that are in use. */
		if (strncmp(r->l.canonical, f->path, length) == 0 && r->l.canonical[length] == '\\')
			return FILE_ACCESS;
		if (status == FILE_NOT_FOUND && strcmp(r->l.canonical, f->path) == 0)
			return FILE_ACCESS;
		if (file_table_below(f->volume, f->path))
			return FILE_SHARING;
	}
	r->existed = status == FILE_OK;
	if (r->existed && r->l.entry.place.at != f->entry_at)
		return replaced_check(r, replace);
	return FILE_OK;
}

/* The canonical path of the new name: the directory's, and the name as it was typed. */
static bool rename_path(struct file_lookup *l, bool existed)
{
	char *end;

	if (existed) {
		for (end = l->canonical + strlen(l->canonical); *end != '\\'; end--)
			;
		*(end == l->canonical ? end + 1 : end) = 0;
	}
	return file_path_append(l->canonical, l->name, l->name_length);
}

/* The rest of what goes, after the new name is on the disk itself. */
static enum file_status rename_finish(struct rename *r, u32 erased)
{
	enum file_status status = fat_commit(r->l.volume);

	for (u32 i = erased; i < r->place_count && status == FILE_OK; i++)
		status = fat_dir_erase(r->l.volume, &r->places[i]);
	return status == FILE_OK ? fat_commit(r->l.volume) : status;
}

static enum file_status rename_write(struct file *f, struct rename *r)
{
	bool moved = f->attributes & FILE_ATTRIBUTE_DIRECTORY_ && f->directory != r->l.directory;
	enum file_status status = moved ? fat_dir_set_parent(f->volume, f->first_cluster, r->l.directory) : FILE_OK;
	struct fat_facts facts = facts_of(f);
	struct fat_place place;
	u32 erased;

	if (status != FILE_OK)
		return status;
	status = fat_dir_insert(f->volume, r->l.directory, &r->name, &facts, r->places, r->place_count, &place, &erased);
	if (status != FILE_OK) {
		if (moved)
			fat_dir_set_parent(f->volume, f->first_cluster, f->directory);
		return status;
	}
	f->directory = place.directory;
	f->slot = place.slot;
	f->slots = place.slots;
	f->entry_at = place.at;
	f->entry_modified_unix = facts.modified_unix;
	return erased < r->place_count ? rename_finish(r, erased) : FILE_OK;
}

static enum file_status rename_locked(struct file *f, const char *path, bool replace, struct rename *r)
{
	enum file_status status = file_check(f);

	if (status == FILE_OK)
		status = fat_begin(f->volume);
	if (status == FILE_OK)
		status = rename_check(f, path, replace, r);
	if (status != FILE_OK)
		return status;
	if (!rename_path(&r->l, r->existed))
		status = FILE_BAD_NAME;
	r->places[r->place_count++] = file_place(f);
	if (status == FILE_OK)
		status = rename_write(f, r);
	if (status == FILE_OK) {
		if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
			file_table_move(f->volume, f->path, r->l.canonical);
		file_path_set(f, r->l.canonical);
		if (r->replaced)
			file_forget(r->replaced);
		else if (r->place_count == 2)
			fat_chain_drop(f->volume, r->replaced_cluster);
	}
	if (r->replaced) {
		mutex_unlock(&r->replaced->lock);
		file_unref(r->replaced);
	}
	return status;
}

enum file_status file_rename(struct file *f, const char *path, bool replace)
{
	struct rename *r = kzalloc(sizeof(*r));
	enum file_status status;
	struct volume *v;

	if (!r)
		return FILE_NO_MEMORY;
	v = file_path_volume(&path);
	status = v == f->volume ? FILE_OK : v ? FILE_OTHER_VOLUME : FILE_PATH_NOT_FOUND;
	if (v)
		volume_unref(v);
	while (status == FILE_OK) {
		mutex_lock(&f->volume->lock);
		status = rename_locked(f, path, replace, r);
		mutex_unlock(&f->volume->lock);
		if (status != FILE_BUSY)
			break;
		file_busy_wait();
		memset(r, 0, sizeof(*r));
		status = FILE_OK;
	}
	kfree(r);
	return status;
}

/* ---- listing ---- */

/* The directory may have grown since it was opened. */
static enum file_status directory_refresh(struct file *d)
{
	struct fat_run *runs;
	enum file_status status;
	u32 run_count;

	if (d->directory_changes == d->volume->directory_changes)
		return FILE_OK;
	status = fat_chain_read(d->volume, d->first_cluster, FAT_DIRECTORY, &runs, &run_count);
	if (status != FILE_OK)
		return status;
	kfree(d->runs);
	d->runs = runs;
	d->run_count = run_count;
	d->directory_changes = d->volume->directory_changes;
	return FILE_OK;
}

/* A file in use may be ahead of its entry: then that is not what it is. */
static void entry_correct(const struct volume *v, struct fat_entry *e)
{
	struct file *f = e->attributes & FILE_ATTRIBUTE_DIRECTORY_ ? NULL : file_table_find(v, e->place.at);

	if (!f)
		return;
	e->size = (u32)f->size;
	e->attributes = f->attributes;
	e->modified_unix = f->modified_unix;
	e->accessed_unix = f->accessed_unix;
	file_unref(f);
}

enum file_status file_list(struct file *directory, u32 *slot, struct file_entry *out)
{
	struct fat_entry *e = kmalloc(sizeof(*e));
	enum file_status status = e ? FILE_OK : FILE_NO_MEMORY;
	struct fat_walk walk;

	if (status == FILE_OK && !(directory->attributes & FILE_ATTRIBUTE_DIRECTORY_))
		status = FILE_NOT_DIRECTORY;
	mutex_lock(&directory->volume->lock);
	if (status == FILE_OK)
		status = file_check(directory);
	if (status == FILE_OK)
		status = directory->gone ? FILE_END : directory_refresh(directory);
	if (status == FILE_OK) {
		fat_walk_begin(directory->volume, &walk, directory->runs, directory->run_count, *slot);
		status = fat_walk_next(&walk, e);
	}
	if (status == FILE_OK)
		entry_correct(directory->volume, e);
	mutex_unlock(&directory->volume->lock);
	status = status == FILE_END ? status : volume_error(directory->volume, status);
	if (status == FILE_OK) {
		*slot = walk.slot;
		check(utf16_to_utf8(e->name, e->name_length, out->name, sizeof(out->name)) >= 0);
		check(utf16_to_utf8(e->short_name, e->short_length, out->short_name, sizeof(out->short_name)) >= 0);
		out->size = e->size;
		out->attributes = e->attributes;
		out->modified_unix = e->modified_unix;
		out->created_unix = e->created_unix;
		out->accessed_unix = e->accessed_unix;
		out->number = e->place.at;
	}
	kfree(e);
	return status;
}

enum file_status volume_space(struct volume *v, struct file_space *out)
{
	enum file_status status;
	u32 free_clusters;

	mutex_lock(&v->lock);
	status = volume_status(v);
	/* What was deleted counts as free, and the next commit makes it so: now. */
	if (status == FILE_OK && v->freed_count)
		status = fat_commit(v);
	if (status == FILE_OK)
		status = fat_free_clusters(v, &free_clusters);
	if (status == FILE_OK) {
		out->clusters = v->cluster_count;
		out->free_clusters = free_clusters;
		out->cluster_bytes = fat_cluster_bytes(v);
	}
	mutex_unlock(&v->lock);
	return status;
}
