/*
 * Writing files: whole sectors from where the bytes are straight to the disk, parts of sectors through the volume's cache,
 * at once too. A file grows in this order: clusters, zeros up to where the new bytes begin, the bytes, its size.
 */
#include "io/file_internal.h"

#include "lib/string.h"

/* [offset, offset + n) lies inside the file's clusters. */
static enum file_status write_cached(const struct file *f, u64 offset, const u8 *from, u64 n)
{
	enum file_status status = FILE_OK;

	if (n == 0)
		return FILE_OK;
	mutex_lock(&f->volume->lock);
	while (n > 0 && status == FILE_OK) {
		u64 contiguous, sector = fat_sector_at(f->volume, f->runs, f->run_count, offset, &contiguous);
		u64 inside = offset % SECTOR_SIZE, part = MIN(n, SECTOR_SIZE - inside);

		status = fat_cache_store(f->volume, sector, (u32)inside, from, (u32)part);
		from += part;
		offset += part;
		n -= part;
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

/* Whole sectors of the file have been written past the cache: bytes, or zeros. */
void file_patch(const struct file *f, u64 offset, u64 n, const u8 *bytes)
{
	mutex_lock(&f->volume->lock);
	while (n > 0) {
		u64 contiguous, sector = fat_sector_at(f->volume, f->runs, f->run_count, offset, &contiguous);
		u64 count = MIN(contiguous, n / SECTOR_SIZE);

		fat_cache_patch(f->volume, sector, count, bytes);
		bytes = bytes ? bytes + count * SECTOR_SIZE : NULL;
		offset += count * SECTOR_SIZE;
		n -= count * SECTOR_SIZE;
	}
	mutex_unlock(&f->volume->lock);
}

static enum file_status write_inside(const struct file *f, u64 offset, const u8 *from, u64 n)
{
	u64 head = MIN(ALIGN_UP(offset, SECTOR_SIZE) - offset, n), body = ALIGN_DOWN(n - head, SECTOR_SIZE);
	enum file_status status = write_cached(f, offset, from, head);
	struct file_batch b;

	if (status == FILE_OK && body) {
		file_batch_begin(&b, f->volume, true);
		status = file_batch_add(&b, f, offset + head, body, virt_to_phys(from + head));
		if (status == FILE_OK)
			status = file_batch_send(&b);
		/* What a write that failed has left on the disk nobody knows: then the cache has it as it should be. */
		file_patch(f, offset + head, body, from + head);
	}
	if (status == FILE_OK)
		status = write_cached(f, offset + head + body, from + head + body, n - head - body);
	return status;
}

/* The rest of a last whole sector is zeroed too: it is behind the file's end, or about to be written. */
static enum file_status zero_inside(const struct file *f, u64 from, u64 to)
{
	static const u8 zeros[SECTOR_SIZE];
	u64 head = MIN(ALIGN_UP(from, SECTOR_SIZE), to) - from, n;
	enum file_status status = write_cached(f, from, zeros, head);

	from += head;
	n = from < to ? ALIGN_UP(to, SECTOR_SIZE) - from : 0;
	for (u64 done = 0; done < n && status == FILE_OK;) {
		u64 contiguous, sector = fat_sector_at(f->volume, f->runs, f->run_count, from + done, &contiguous);
		u64 count = MIN(contiguous, (n - done) / SECTOR_SIZE);

		status = fat_zero(f->volume, sector, count);
		done += count * SECTOR_SIZE;
	}
	if (status == FILE_OK && n)
		file_patch(f, from, n, NULL);
	return status;
}

/* Clusters for a file of size bytes. */
enum file_status file_room_take(struct file *f, u64 size)
{
	u32 clusters = (u32)DIV_UP(size, fat_cluster_bytes(f->volume)), first = f->first_cluster;
	enum file_status status;

	if (size > FILE_SIZE_MAX)
		return FILE_NO_SPACE;
	if (clusters <= fat_runs_clusters(f->runs, f->run_count))
		return FILE_OK;
	mutex_lock(&f->volume->lock);
	status = fat_begin(f->volume);
	if (status == FILE_OK)
		status = fat_chain_extend(f->volume, &first, &f->runs, &f->run_count, clusters, false);
	f->first_cluster = first;
	mutex_unlock(&f->volume->lock);
	return status;
}

/* Clusters behind the file's end: no directory entry on the disk has ever needed them, or a commit has seen to it. */
void file_trim(struct file *f)
{
	u32 need = (u32)DIV_UP(f->size, fat_cluster_bytes(f->volume));

	assert(mutex_held(&f->lock) && mutex_held(&f->volume->lock));
	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_ || file_image_fixed(f) || need >= fat_runs_clusters(f->runs, f->run_count))
		return;
	if (fat_begin(f->volume) != FILE_OK)
		return; /* they stay with the file */
	if (need) {
		fat_chain_cut(f->volume, &f->runs, &f->run_count, need);
		return;
	}
	/* They are dropped whole; the entry may say so already, or names them still. */
	fat_chain_drop(f->volume, f->first_cluster);
	f->first_cluster = 0;
	fat_runs_cut(&f->runs, &f->run_count, 0);
	file_entry_update(f);
}

void file_changed(struct file *f)
{
	f->modified_unix = f->accessed_unix = fat_now();
	f->attributes |= FILE_ATTRIBUTE_ARCHIVE_;
}

/* The entry with the smaller size is on the disk itself before clusters go that the larger one needs. */
static enum file_status shrink(struct file *f, u64 size)
{
	bool fewer = DIV_UP(size, fat_cluster_bytes(f->volume)) < DIV_UP(f->size, fat_cluster_bytes(f->volume));
	enum file_status status;

	mutex_lock(&f->volume->lock);
	status = fat_begin(f->volume);
	if (status == FILE_OK) {
		file_changed(f);
		f->size = size;
		f->entry_size = MIN(f->entry_size, size);
		f->cuts++;
		data_section_resized(f);
		if (!size) {
			file_trim(f);
			status = file_entry_update(f);
		} else {
			status = file_entry_update(f);
			if (status == FILE_OK && fewer)
				status = fat_commit(f->volume);
			if (status == FILE_OK && fewer)
				file_trim(f);
		}
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

/* After the clusters, the zeros and the bytes; what is in memory alone the entry does not say. */
static enum file_status size_set(struct file *f, u64 size)
{
	enum file_status status;

	mutex_lock(&f->volume->lock);
	status = fat_begin(f->volume);
	if (status == FILE_OK) {
		file_changed(f);
		if (f->entry_size == f->size)
			f->entry_size = MAX(f->size, size);
		f->size = MAX(f->size, size);
		data_section_resized(f);
		status = file_entry_update(f);
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

enum file_status file_change_check(struct file *f)
{
	enum file_status status;

	assert(mutex_held(&f->lock));
	status = file_check_unlocked(f);
	if (status != FILE_OK)
		return status;
	if (f->gone)
		return FILE_NOT_FOUND;
	return file_image_fixed(f) ? FILE_SHARING : FILE_OK;
}

enum file_status file_resize(struct file *f, u64 size)
{
	enum file_status status = file_change_check(f);

	if (status != FILE_OK || size == f->size)
		return status;
	f->image_changes++;
	if (size < f->size) {
		status = data_section_cut(f, size);
		return status == FILE_OK ? shrink(f, size) : status;
	}
	status = data_section_extend(f);
	if (status == FILE_OK)
		status = file_room_take(f, size);
	if (status == FILE_OK)
		status = zero_inside(f, f->size, size);
	return status == FILE_OK ? size_set(f, size) : status;
}

enum file_status file_set_size(struct file *f, u64 size)
{
	enum file_status status;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	do {
		mutex_lock(&f->lock);
		status = file_resize(f, size);
		mutex_unlock(&f->lock);
	} while (status == FILE_BUSY && (file_busy_wait(), true));
	return volume_error(f->volume, status);
}

enum file_status file_extend(struct file *f, u64 size)
{
	enum file_status status;

	do {
		mutex_lock(&f->lock);
		status = size > f->size ? file_resize(f, size) : FILE_OK;
		mutex_unlock(&f->lock);
	} while (status == FILE_BUSY && (file_busy_wait(), true));
	return volume_error(f->volume, status);
}

enum file_status file_reserve(struct file *f, u64 bytes)
{
	enum file_status status;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	mutex_lock(&f->lock);
	status = file_change_check(f);
	if (status == FILE_OK)
		status = file_room_take(f, bytes);
	mutex_unlock(&f->lock);
	return status;
}

enum file_status file_set_allocation(struct file *f, u64 bytes)
{
	bool cuts;
	enum file_status status = FILE_OK;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	do {
		mutex_lock(&f->lock);
		cuts = bytes < f->size;
		if (cuts)
			status = file_resize(f, bytes);
		mutex_unlock(&f->lock);
	} while (status == FILE_BUSY && (file_busy_wait(), true));
	return cuts ? status : file_reserve(f, bytes);
}

u64 file_allocation(struct file *f)
{
	u64 bytes;

	mutex_lock(&f->volume->lock);
	bytes = f->attributes & FILE_ATTRIBUTE_DIRECTORY_ ? 0 : fat_runs_bytes(f->volume, f->runs, f->run_count);
	mutex_unlock(&f->volume->lock);
	return bytes;
}

static enum file_status write_locked(struct file *f, u64 offset, const void *from, u64 n, u64 *at)
{
	enum file_status status = file_write_begin(f, &offset, n);

	*at = offset;
	if (status == FILE_OK && n)
		status = write_inside(f, offset, from, n);
	return status == FILE_OK && n ? size_set(f, offset + n) : status;
}

enum file_status file_write(struct file *f, u64 offset, const void *from, u64 n, u64 *at)
{
	enum file_status status;
	u64 where;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	if (f->volume->read_only)
		return FILE_READ_ONLY;
	mutex_lock(&f->lock);
	status = write_locked(f, offset, from, n, at ? at : &where);
	mutex_unlock(&f->lock);
	status = volume_error(f->volume, status);
	if (status == FILE_OK) {
		__atomic_fetch_add(&file_counters.writes, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&file_counters.written_bytes, n, __ATOMIC_RELAXED);
	}
	return status;
}
