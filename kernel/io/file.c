/* The table of files in use; opening and closing. */
#include "io/file_internal.h"

#include "lib/string.h"
#include "mm/pool.h"

static struct spinlock table_lock = SPINLOCK_INIT("file table", RANK_FILE_TABLE);
static struct list table = LIST_INIT(table);

/* ---- paths ---- */

bool file_path_append(char *path, const u16 *name, u32 length)
{
	size_t at = strlen(path);

	if (at > 1) {
		if (at + 1 >= FILE_PATH_MAX)
			return false;
		path[at++] = '\\';
	}
	return utf16_to_utf8(name, length, path + at, FILE_PATH_MAX - at) >= 0;
}

struct volume *file_path_volume(const char **path)
{
	const char *p = *path;
	char letter = VOLUME_LETTER_FIRST;

	if (p[0] && p[1] == ':') {
		letter = p[0] >= 'a' && p[0] <= 'z' ? (char)(p[0] - 'a' + 'A') : p[0];
		*path = p + 2;
	}
	return volume_get(letter);
}

enum file_status file_walk(const char *path, struct file_lookup *l)
{
	enum file_status status = path_normalize(path, l->normal);
	const char *rest = l->normal, *name;
	size_t bytes;

	if (status != FILE_OK)
		return status;
	fat_root_entry(l->volume, &l->entry);
	l->directory = l->entry.first_cluster;
	l->name_length = 0;
	strlcpy(l->canonical, "\\", FILE_PATH_MAX);
	while ((name = path_next(&rest, &bytes))) {
		int units = utf8_to_utf16(name, bytes, l->name, FILE_NAME_MAX);

		if (units <= 0)
			return FILE_BAD_NAME;
		if (!(l->entry.attributes & FILE_ATTRIBUTE_DIRECTORY_))
			return FILE_PATH_NOT_FOUND;
		l->name_length = (u32)units;
		l->directory = l->entry.first_cluster;
		status = fat_lookup(l->volume, l->directory, l->name, l->name_length, &l->entry);
		if (status == FILE_NOT_FOUND && *rest)
			return FILE_PATH_NOT_FOUND;
		if (status != FILE_OK)
			return status;
		if (!file_path_append(l->canonical, l->entry.name, l->entry.name_length))
			return FILE_BAD_NAME;
	}
	return FILE_OK;
}

void file_path(const struct file *f, char *to)
{
	spin_lock(&table_lock);
	to[0] = f->volume->letter;
	to[1] = ':';
	strlcpy(to + 2, f->path, FILE_PATH_MAX);
	spin_unlock(&table_lock);
}

/* The same for paths that differ in the case of ASCII letters. */
static u32 path_hash(const char *path)
{
	u32 hash = 0;

	for (; *path; path++)
		hash = (hash ^ (u8)ascii_lower(*path)) * 0x01000193;
	return hash;
}

void file_path_set(struct file *f, const char *path)
{
	spin_lock(&table_lock);
	strlcpy(f->path, path, sizeof(f->path));
	f->path_hash = path_hash(path);
	spin_unlock(&table_lock);
}

/* ---- the table ---- */

struct file *file_table_find(const struct volume *v, u64 entry_at)
{
	struct file *f, *found = NULL;

	spin_lock(&table_lock);
	list_for_each(&table, f, link)
		if (f->entry_at == entry_at && f->volume == v) {
			found = f;
			f->refs++;
			list_remove(&f->link);
			list_push_front(&table, &f->link);
			break;
		}
	spin_unlock(&table_lock);
	return found;
}

void file_table_remove(struct file *f)
{
	spin_lock(&table_lock);
	list_remove(&f->link);
	list_init(&f->link);
	spin_unlock(&table_lock);
}

bool file_table_below(const struct volume *v, const char *path)
{
	size_t length = strlen(path);
	bool below = false;
	struct file *f;

	spin_lock(&table_lock);
	list_for_each(&table, f, link)
		below = below || (f->volume == v && strncmp(f->path, path, length) == 0 && f->path[length] == '\\' &&
				  !(f->refs == 1 && f->data_section));
	spin_unlock(&table_lock);
	return below;
}

struct file *file_table_pick(bool (*is)(const struct file *f, const void *arg), const void *arg, bool oldest)
{
	struct file *f, *found = NULL;

	spin_lock(&table_lock);
	for (struct list *l = oldest ? table.prev : table.next; l != &table && !found; l = oldest ? l->prev : l->next) {
		f = list_entry(l, struct file, link);
		if (is(f, arg))
			found = f;
	}
	if (found)
		found->refs++;
	spin_unlock(&table_lock);
	return found;
}

bool file_is_idle(const struct file *f, u32 refs)
{
	bool idle;

	spin_lock(&table_lock);
	idle = f->refs <= refs && !f->handles && !f->images;
	spin_unlock(&table_lock);
	return idle;
}

/* Files that only their data section keeps follow their directory to its new name. Their handles are counted under the volume's lock. */
void file_table_move(const struct volume *v, const char *from, const char *to)
{
	size_t length = strlen(from);
	struct file *f;

	spin_lock(&table_lock);
	list_for_each(&table, f, link) {
		char rest[FILE_PATH_MAX];

		if (f->volume != v || strncmp(f->path, from, length) || f->path[length] != '\\')
			continue;
		strlcpy(rest, f->path + length, sizeof(rest));
		/* One that was cut is no path of it, and nobody finds it by that. */
		if (ksnprintf(f->path, sizeof(f->path), "%s%s", to, rest) < (int)sizeof(f->path))
			f->path_hash = path_hash(f->path);
		else
			f->path_hash = ~path_hash(f->path);
	}
	spin_unlock(&table_lock);
}

enum file_status file_make(struct volume *v, const struct fat_entry *e, const char *canonical, struct file **out)
{
	bool directory = e->attributes & FILE_ATTRIBUTE_DIRECTORY_;
	struct file *f = kzalloc(sizeof(*f));
	static u64 made; /* atomic */
	enum file_status status;

	if (!f)
		return FILE_NO_MEMORY;
	status = fat_chain_read(v, e->first_cluster, directory ? FAT_DIRECTORY : e->size, &f->runs, &f->run_count);
	if (status != FILE_OK) {
		kfree(f);
		return status;
	}
	mutex_init(&f->lock, "file", RANK_FILE_DATA);
	list_init(&f->locked);
	f->refs = 1;
	f->volume = v;
	volume_ref(v);
	f->first_cluster = e->first_cluster;
	f->size = f->entry_size = e->size;
	f->number = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	f->attributes = e->attributes;
	f->modified_unix = f->entry_modified_unix = e->modified_unix;
	f->created_unix = e->created_unix;
	f->accessed_unix = e->accessed_unix;
	f->entry_at = e->place.at;
	f->directory = e->place.directory;
	f->slot = e->place.slot;
	f->slots = e->place.slots;
	f->directory_changes = v->directory_changes;
	f->medium = v->medium;
	strlcpy(f->path, canonical, sizeof(f->path));
	f->path_hash = path_hash(canonical);
	spin_lock(&table_lock);
	list_push_front(&table, &f->link);
	spin_unlock(&table_lock);
	*out = f;
	return FILE_OK;
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
	check(!f->image_section && !f->data_section && !f->handles && !f->images);
	volume_unref(f->volume);
	kfree(f->runs);
	kfree(f);
}

/* ---- disks that were away ---- */

#define MEDIUM_LOST (~0u) /* of a file that will never be found again */

/* Whether entry and clusters of a file are what they were. */
static enum file_status on_disk_as_before(struct file *f, bool *so)
{
	bool directory = f->attributes & FILE_ATTRIBUTE_DIRECTORY_, named = directory || f->entry_size;
	enum file_status status = FILE_OK;
	struct fat_run *runs;
	u32 run_count;

	*so = true;
	if (f->entry_at)
		status = fat_dir_compare(f->volume, f->entry_at, f->attributes, named ? f->first_cluster : 0, (u32)f->entry_size,
					 f->entry_modified_unix, so);
	if (status != FILE_OK || !*so)
		return status;
	status = fat_chain_read(f->volume, f->first_cluster, directory ? FAT_DIRECTORY : f->entry_size, &runs, &run_count);
	if (status == FILE_CORRUPT) {
		*so = false;
		return FILE_OK;
	}
	if (status == FILE_OK)
		*so = run_count == f->run_count &&
		      (!run_count || memcmp(runs, f->runs, (run_count + 1) * sizeof(*runs)) == 0);
	if (status == FILE_OK)
		kfree(runs);
	return status;
}

void file_lose(struct file *f)
{
	f->gone = true;
	file_table_remove(f);
	__atomic_store_n(&f->medium, MEDIUM_LOST, __ATOMIC_RELEASE);
}

enum file_status file_check(struct file *f)
{
	struct volume *v = f->volume;
	enum file_status status = volume_status(v);
	bool same;

	assert(mutex_held(&v->lock));
	if (status != FILE_OK || f->medium == v->medium)
		return status;
	if (f->medium == MEDIUM_LOST)
		return FILE_STALE;
	if (f->unlinked) { /* its clusters may be anybody's by now */
		__atomic_store_n(&f->medium, MEDIUM_LOST, __ATOMIC_RELEASE);
		return FILE_STALE;
	}
	if (!f->gone) {
		status = on_disk_as_before(f, &same);
		if (status != FILE_OK)
			return status;
		if (!same) {
			file_lose(f);
			return FILE_STALE;
		}
	}
	__atomic_store_n(&f->medium, v->medium, __ATOMIC_RELEASE);
	return FILE_OK;
}

enum file_status file_check_slow(struct file *f)
{
	struct volume *v = f->volume;
	enum file_status status;

	if (likely(volume_status(v) == FILE_OK &&
		   __atomic_load_n(&f->medium, __ATOMIC_ACQUIRE) == __atomic_load_n(&v->medium, __ATOMIC_ACQUIRE)))
		return FILE_OK;
	mutex_lock(&v->lock);
	status = file_check(f);
	mutex_unlock(&v->lock);
	return status;
}

/* ---- opening ---- */

/*
 * A file of the volume in use whose path it is, letter for letter but for the case of ASCII letters, with one more reference;
 * NULL: the directories have to be asked. The volume's lock is held: no path changes.
 */
static struct file *in_use_get(const struct volume *v, const char *path)
{
	u32 hash = path_hash(path);
	struct file *f, *found = NULL;

	assert(mutex_held(&v->lock));
	spin_lock(&table_lock);
	list_for_each(&table, f, link)
		if (f->path_hash == hash && f->volume == v && !ascii_compare_nocase(f->path, path)) {
			found = f;
			f->refs++;
			list_remove(&f->link);
			list_push_front(&table, &f->link); /* as file_table_find */
			break;
		}
	spin_unlock(&table_lock);
	if (found && file_check(found) != FILE_OK) {
		file_unref(found);
		found = NULL;
	}
	return found;
}

/* The file that was walked to, which exists. The volume's lock is held. */
static enum file_status existing_get(struct file_lookup *l, struct file **out)
{
	*out = file_table_find(l->volume, l->entry.place.at);
	if (*out) {
		enum file_status status = file_check(*out);

		if (status != FILE_OK) {
			file_unref(*out);
			*out = NULL;
		}
		if (status != FILE_OK && status != FILE_STALE)
			return status;
	}
	return *out ? FILE_OK : file_make(l->volume, &l->entry, l->canonical, out);
}

/*
 * FILE_OK: *out is to be given to lookup_end. The volume's lock is held from here to there, over search and insertion, so that no
 * second struct file is made for one file.
 */
static enum file_status lookup_begin(const char **path, struct file_lookup **out)
{
	struct file_lookup *l = kmalloc(sizeof(*l));

	if (!l)
		return FILE_NO_MEMORY;
	l->volume = file_path_volume(path);
	if (!l->volume) {
		kfree(l);
		return FILE_PATH_NOT_FOUND;
	}
	mutex_lock(&l->volume->lock);
	*out = l;
	return FILE_OK;
}

/* status: how it went; the result is what the caller is told. */
static enum file_status lookup_end(struct file_lookup *l, enum file_status status)
{
	mutex_unlock(&l->volume->lock);
	status = volume_error(l->volume, status);
	volume_unref(l->volume);
	kfree(l);
	if (status == FILE_OK)
		__atomic_fetch_add(&file_counters.opens, 1, __ATOMIC_RELAXED);
	return status;
}

enum file_status file_open(const char *path, struct file **out)
{
	struct file_lookup *l;
	enum file_status status = lookup_begin(&path, &l);

	if (status != FILE_OK)
		return status;
	status = volume_status(l->volume);
	*out = status == FILE_OK ? in_use_get(l->volume, path) : NULL;
	if (!*out) {
		if (status == FILE_OK)
			status = file_walk(path, l);
		if (status == FILE_OK)
			status = existing_get(l, out);
	}
	return lookup_end(l, status);
}

/* As IoCheckShareAccess: each handle allows what all others do, and may do what all others allow. */
static bool sharing_allows(const struct file *f, const struct file_request *r)
{
	if (!r->may)
		return true;
	if ((r->may & FILE_MAY_READ && f->shares_read < f->handles) ||
	    (r->may & FILE_MAY_WRITE && f->shares_write < f->handles) ||
	    (r->may & FILE_MAY_DELETE && f->shares_delete < f->handles))
		return false;
	return !((!(r->share & FILE_MAY_READ) && f->readers) || (!(r->share & FILE_MAY_WRITE) && f->writers) ||
		 (!(r->share & FILE_MAY_DELETE) && f->deleters));
}

/* Adds (1) or takes back (-1) a handle. One that neither reads, writes nor deletes keeps nobody out. */
static void sharing_count(struct file *f, u32 may, u32 share, u32 by)
{
	f->handles += by;
	f->readers += may & FILE_MAY_READ ? by : 0;
	f->writers += may & FILE_MAY_WRITE ? by : 0;
	f->deleters += may & FILE_MAY_DELETE ? by : 0;
	f->shares_read += !may || share & FILE_MAY_READ ? by : 0;
	f->shares_write += !may || share & FILE_MAY_WRITE ? by : 0;
	f->shares_delete += !may || share & FILE_MAY_DELETE ? by : 0;
}

/* Whether a file that exists may be opened like that. */
enum file_status file_open_check(const struct file *f, const struct file_request *r)
{
	bool directory = f->attributes & FILE_ATTRIBUTE_DIRECTORY_;
	bool overwrite = r->disposition == FILE_SUPERSEDE_ || r->disposition >= FILE_OVERWRITE_;
	u32 hiding = FILE_ATTRIBUTE_HIDDEN_ | FILE_ATTRIBUTE_SYSTEM_;

	if (f->delete_pending)
		return FILE_DELETING;
	if (r->disposition == FILE_CREATE_)
		return FILE_EXISTS;
	if (directory && r->not_directory)
		return FILE_IS_DIRECTORY;
	if (!directory && r->directory)
		return FILE_NOT_DIRECTORY;
	if (directory && overwrite)
		return FILE_EXISTS;
	if (f->attributes & FILE_ATTRIBUTE_READONLY_ && !directory && (r->may & FILE_MAY_WRITE || overwrite))
		return FILE_ACCESS;
	if (overwrite && f->attributes & hiding & ~r->attributes)
		return FILE_ACCESS;
	if (r->delete_on_close &&
	    (f->attributes & FILE_ATTRIBUTE_READONLY_ || file_image_keeps(f) || data_section_in_use((struct file *)f) || !f->entry_at))
		return FILE_NO_DELETE;
	if (!sharing_allows(f, r) || (file_image_fixed(f) && (r->may & FILE_MAY_WRITE || overwrite)))
		return FILE_SHARING;
	/* What would change the disk is refused here, not at the first write. */
	if (f->volume->read_only && (r->may & (FILE_MAY_WRITE | FILE_MAY_DELETE) || overwrite))
		return FILE_READ_ONLY;
	return FILE_OK;
}

/* The directory that a new file is to be in goes itself? The volume's lock is held. */
static bool directory_deleting(const struct file_lookup *l)
{
	bool deleting = false;
	struct file *f;

	spin_lock(&table_lock);
	list_for_each(&table, f, link)
		deleting = deleting || (f->volume == l->volume && f->delete_pending && f->first_cluster == l->directory &&
					f->attributes & FILE_ATTRIBUTE_DIRECTORY_);
	spin_unlock(&table_lock);
	return deleting;
}

/* The volume's lock is held. One more reference, and the handle is counted. */
static enum file_status open_locked(const char *path, struct file_lookup *l, const struct file_request *r,
				    struct file **out, enum file_outcome *outcome)
{
	enum file_status status = FILE_OK;

	*out = in_use_get(l->volume, path);
	if (!*out)
		status = file_walk(path, l);
	*outcome = FILE_OPENED_;
	if (status == FILE_NOT_FOUND && r->disposition != FILE_OPEN_ && r->disposition != FILE_OVERWRITE_) {
		if (directory_deleting(l))
			return FILE_DELETING;
		*outcome = FILE_CREATED_;
		status = file_create_entry(l, r);
		if (status == FILE_OK)
			status = existing_get(l, out);
	} else if (status == FILE_OK) {
		status = *out ? FILE_OK : existing_get(l, out);
		if (status != FILE_OK)
			return status;
		status = file_open_check(*out, r);
		if (status != FILE_OK)
			file_unref(*out);
	}
	if (status == FILE_OK)
		sharing_count(*out, r->may, r->share, 1);
	return status;
}

static enum file_status overwrite(struct file *f, const struct file_request *r)
{
	enum file_status status;

	mutex_lock(&f->lock);
	while ((status = file_resize(f, 0)) == FILE_BUSY) {
		mutex_unlock(&f->lock);
		file_busy_wait();
		mutex_lock(&f->lock);
	}
	mutex_lock(&f->volume->lock);
	if (status == FILE_OK) {
		f->attributes = (r->attributes & FILE_ATTRIBUTES_SET) | FILE_ATTRIBUTE_ARCHIVE_;
		f->modified_unix = f->accessed_unix = fat_now();
		status = fat_begin(f->volume);
		if (status == FILE_OK)
			status = file_entry_update(f);
	}
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	return status;
}

enum file_status file_open_as(const char *path, const struct file_request *r, struct file **out, enum file_outcome *outcome)
{
	struct file_lookup *l;
	enum file_status status = lookup_begin(&path, &l);

	if (status != FILE_OK)
		return status;
	status = volume_status(l->volume);
	if (status == FILE_OK)
		status = open_locked(path, l, r, out, outcome);
	status = lookup_end(l, status);
	if (status != FILE_OK)
		return status;
	if (*outcome == FILE_CREATED_ || r->disposition == FILE_OPEN_ || r->disposition == FILE_OPEN_IF_)
		return FILE_OK;
	*outcome = r->disposition == FILE_SUPERSEDE_ ? FILE_SUPERSEDED_ : FILE_OVERWRITTEN_;
	status = overwrite(*out, r);
	if (status != FILE_OK)
		file_close(*out, r->may, r->share, false);
	return status;
}

void file_close(struct file *f, u32 may, u32 share, bool delete_it)
{
	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	sharing_count(f, may, share, -1u);
	if (file_check(f) == FILE_STALE && !f->handles) {
		if (!f->gone)
			file_lose(f);
		if (!data_section_in_use(f))
			file_lost_report(f, data_section_forget(f), FILE_STALE); /* nobody will want what is in memory */
	}
	f->delete_pending = f->delete_pending || delete_it;
	if (!f->handles && f->delete_pending && !f->gone) {
		/* A directory that got files meanwhile stays; so does what the disk does not let go. */
		if (file_image_keeps(f) || data_section_in_use(f) || fat_begin(f->volume) != FILE_OK || file_delete(f) != FILE_OK)
			f->delete_pending = false;
	} else if (!f->handles && !f->gone && may & FILE_MAY_WRITE) {
		file_trim(f);
	}
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	file_unref(f);
}
