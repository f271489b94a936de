/* Directories of a FAT32 volume: walking through entries, and looking a name up. */
#include "io/fat.h"

#include "io/fat_entry.h"
#include "lib/string.h"
#include "mm/pool.h"

void fat_walk_begin(struct volume *v, struct fat_walk *w, const struct fat_run *runs, u32 run_count, u32 slot)
{
	w->volume = v;
	w->runs = runs;
	w->run_count = run_count;
	w->slot = w->long_slot = slot;
	fat_long_reset(&w->long_name);
}

/* Fills e from a short entry and the long name that was before it. False: damaged. */
static bool entry_read(struct fat_entry *e, const struct fat_walk *w, const u8 *raw)
{
	e->short_length = fat_short_name(raw, e->short_name);
	if (!e->short_length)
		return false;
	e->name_length = fat_long_finish(&w->long_name, raw);
	e->place.slot = w->slot;
	if (e->name_length) {
		memcpy(e->name, w->long_name.units, e->name_length * sizeof(*e->name));
		e->place.slot = w->long_slot;
	} else {
		e->name_length = e->short_length;
		memcpy(e->name, e->short_name, e->short_length * sizeof(*e->name));
	}
	e->place.slots = w->slot - e->place.slot + 1;
	e->attributes = raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_MASK;
	e->first_cluster =
		(fat_get16(raw + ENTRY_CLUSTER_LOW) | (u32)fat_get16(raw + ENTRY_CLUSTER_HIGH) << 16) & 0x0fffffff;
	e->size = e->attributes & FILE_ATTRIBUTE_DIRECTORY_ ? 0 : fat_get32(raw + ENTRY_SIZE);
	e->modified_unix = fat_time_unix(fat_get16(raw + ENTRY_DATE), fat_get16(raw + ENTRY_TIME));
	e->created_unix = fat_time_unix(fat_get16(raw + ENTRY_CREATED_DATE), fat_get16(raw + ENTRY_CREATED_TIME));
	if (e->created_unix)
		e->created_unix += raw[ENTRY_CREATED_HUNDREDTHS] >= 100;
	e->accessed_unix = fat_time_unix(fat_get16(raw + ENTRY_ACCESSED_DATE), 0);
	return true;
}

enum file_status fat_walk_next(struct fat_walk *w, struct fat_entry *e)
{
	struct volume *v = w->volume;
	u64 bytes = fat_runs_bytes(v, w->runs, w->run_count), contiguous;

	for (; (u64)w->slot * FAT_ENTRY_SIZE < bytes; w->slot++) {
		u64 offset = (u64)w->slot * FAT_ENTRY_SIZE;
		u64 sector = fat_sector_at(v, w->runs, w->run_count, offset, &contiguous);
		const u8 *raw = fat_cache_get(v, sector);

		if (!raw)
			return FILE_IO_ERROR;
		raw += offset % SECTOR_SIZE;
		if (raw[0] == NAME_END)
			return FILE_END;
		if (raw[0] == NAME_ERASED) {
			fat_long_reset(&w->long_name);
			continue;
		}
		if ((raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_MASK) == FAT_ATTRIBUTE_LONG) {
			if (raw[0] & FAT_LONG_FIRST)
				w->long_slot = w->slot;
			fat_long_add(&w->long_name, raw);
			continue;
		}
		if (!(raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_VOLUME) && entry_read(e, w, raw)) {
			e->place.at = sector * SECTOR_SIZE + offset % SECTOR_SIZE;
			e->place.directory = w->runs[0].disk_cluster;
			fat_long_reset(&w->long_name);
			w->slot++;
			return FILE_OK;
		}
		fat_long_reset(&w->long_name);
	}
	return FILE_END;
}

void fat_root_entry(struct volume *v, struct fat_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->attributes = FILE_ATTRIBUTE_DIRECTORY_;
	e->first_cluster = v->root_cluster;
}

enum file_status fat_lookup(struct volume *v, u32 directory, const u16 *name, u32 length, struct fat_entry *e)
{
	enum file_status status;
	struct fat_walk walk;
	struct fat_run *runs;
	u32 run_count;

	status = fat_chain_read(v, directory, FAT_DIRECTORY, &runs, &run_count);
	if (status != FILE_OK)
		return status;
	fat_walk_begin(v, &walk, runs, run_count, 0);
	while ((status = fat_walk_next(&walk, e)) == FILE_OK)
		if (fat_name_equal(e->name, e->name_length, name, length) ||
		    fat_name_equal(e->short_name, e->short_length, name, length))
			break;
	kfree(runs);
	return status == FILE_END ? FILE_NOT_FOUND : status;
}

enum file_status fat_label_read(struct volume *v, u8 *label)
{
	struct fat_run *runs;
	u32 run_count;
	enum file_status status = fat_chain_read(v, v->root_cluster, FAT_DIRECTORY, &runs, &run_count);
	u64 bytes = status == FILE_OK ? fat_runs_bytes(v, runs, run_count) : 0;

	if (status == FILE_OK)
		status = FILE_NOT_FOUND;
	for (u64 at = 0; at < bytes && status == FILE_NOT_FOUND; at += FAT_ENTRY_SIZE) {
		u64 contiguous;
		const u8 *raw = fat_cache_get(v, fat_sector_at(v, runs, run_count, at, &contiguous));

		if (!raw) {
			status = FILE_IO_ERROR;
			break;
		}
		raw += at % SECTOR_SIZE;
		if (raw[0] == NAME_END)
			break;
		if (raw[0] == NAME_ERASED || (raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_MASK) == FAT_ATTRIBUTE_LONG ||
		    !(raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_VOLUME))
			continue;
		memcpy(label, raw, FAT_SHORT_BYTES);
		status = FILE_OK;
	}
	kfree(runs);
	return status;
}

enum file_status fat_dir_compare(struct volume *v, u64 at, u32 attributes, u32 first_cluster, u32 size, u64 modified, bool *so)
{
	const u8 *raw = fat_cache_get(v, at / SECTOR_SIZE);
	u32 cluster;

	if (!raw)
		return FILE_IO_ERROR;
	raw += at % SECTOR_SIZE;
	cluster = (fat_get16(raw + ENTRY_CLUSTER_LOW) | (u32)fat_get16(raw + ENTRY_CLUSTER_HIGH) << 16) & 0x0fffffff;
	*so = raw[0] != NAME_END && raw[0] != NAME_ERASED && cluster == first_cluster &&
	      !((raw[ENTRY_ATTRIBUTES] ^ attributes) & FILE_ATTRIBUTE_DIRECTORY_) &&
	      (attributes & FILE_ATTRIBUTE_DIRECTORY_ ||
	       (fat_get32(raw + ENTRY_SIZE) == size && /* times are kept to two seconds */
		fat_time_unix(fat_get16(raw + ENTRY_DATE), fat_get16(raw + ENTRY_TIME)) / 2 == modified / 2));
	return FILE_OK;
}

static bool is_dots(const struct fat_entry *e)
{
	return e->short_name[0] == '.' && (e->short_length == 1 || (e->short_length == 2 && e->short_name[1] == '.'));
}

enum file_status fat_directory_empty(struct volume *v, u32 directory)
{
	struct fat_entry *e = kmalloc(sizeof(*e));
	enum file_status status = FILE_NO_MEMORY;
	struct fat_run *runs = NULL;
	struct fat_walk walk;
	u32 run_count;

	if (e)
		status = fat_chain_read(v, directory, FAT_DIRECTORY, &runs, &run_count);
	if (status == FILE_OK) {
		fat_walk_begin(v, &walk, runs, run_count, 0);
		do
			status = fat_walk_next(&walk, e);
		while (status == FILE_OK && is_dots(e));
		status = status == FILE_END ? FILE_OK : status == FILE_OK ? FILE_NOT_EMPTY : status;
	}
	kfree(runs);
	kfree(e);
	return status;
}
