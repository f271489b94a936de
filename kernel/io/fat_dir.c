/* Directories of the FAT32 volume: walking through entries, and looking a name up. */
#include "io/fat.h"

#include "lib/string.h"
#include "mm/pool.h"

/* Offsets in an entry: "FAT Directory Structure". */
enum {
	ENTRY_ATTRIBUTES = 11,
	ENTRY_CLUSTER_HIGH = 20,
	ENTRY_TIME = 22,
	ENTRY_DATE = 24,
	ENTRY_CLUSTER_LOW = 26,
	ENTRY_SIZE = 28,
};

#define NAME_END 0x00 /* the first byte of a name: this entry and all behind it were never used */
#define NAME_ERASED 0xe5

void fat_walk_begin(struct fat_walk *w, const struct fat_run *runs, u32 run_count, u32 slot)
{
	w->runs = runs;
	w->run_count = run_count;
	w->slot = slot;
	fat_long_reset(&w->long_name);
}

/* Fills e from a short entry and the long name that was before it. False: damaged. */
static bool entry_read(struct fat_entry *e, const struct fat_long_name *l, const u8 *raw)
{
	e->short_length = fat_short_name(raw, e->short_name);
	if (!e->short_length)
		return false;
	e->name_length = fat_long_finish(l, raw);
	if (e->name_length) {
		memcpy(e->name, l->units, e->name_length * sizeof(*e->name));
	} else {
		e->name_length = e->short_length;
		memcpy(e->name, e->short_name, e->short_length * sizeof(*e->name));
	}
	e->attributes = raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_MASK;
	e->first_cluster =
		(fat_get16(raw + ENTRY_CLUSTER_LOW) | (u32)fat_get16(raw + ENTRY_CLUSTER_HIGH) << 16) & 0x0fffffff;
	e->size = e->attributes & FILE_ATTRIBUTE_DIRECTORY_ ? 0 : fat_get32(raw + ENTRY_SIZE);
	e->modified_unix = fat_time_unix(fat_get16(raw + ENTRY_DATE), fat_get16(raw + ENTRY_TIME));
	return true;
}

enum file_status fat_walk_next(struct fat_walk *w, struct fat_entry *e)
{
	u64 bytes = fat_runs_bytes(w->runs, w->run_count), contiguous;

	for (; (u64)w->slot * FAT_ENTRY_SIZE < bytes; w->slot++) {
		u64 offset = (u64)w->slot * FAT_ENTRY_SIZE;
		u64 sector = fat_sector_at(w->runs, w->run_count, offset, &contiguous);
		const u8 *raw = fat_cache_get(sector);

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
			fat_long_add(&w->long_name, raw);
			continue;
		}
		if (!(raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_VOLUME) && entry_read(e, &w->long_name, raw)) {
			e->at = sector * SECTOR_SIZE + offset % SECTOR_SIZE;
			fat_long_reset(&w->long_name);
			w->slot++;
			return FILE_OK;
		}
		fat_long_reset(&w->long_name);
	}
	return FILE_END;
}

void fat_root_entry(struct fat_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->attributes = FILE_ATTRIBUTE_DIRECTORY_;
	e->first_cluster = fat_volume.root_cluster;
}

static enum file_status directory_search(const struct fat_run *runs, u32 run_count, struct fat_entry *e,
					 const u16 *name, u32 length)
{
	enum file_status status;
	struct fat_walk walk;

	fat_walk_begin(&walk, runs, run_count, 0);
	while ((status = fat_walk_next(&walk, e)) == FILE_OK)
		if (fat_name_equal(e->name, e->name_length, name, length) ||
		    fat_name_equal(e->short_name, e->short_length, name, length))
			return FILE_OK;
	return status == FILE_END ? FILE_NOT_FOUND : status;
}

enum file_status fat_lookup(struct fat_entry *e, const char *name, size_t length)
{
	u16 wanted[FILE_NAME_MAX];
	int units = utf8_to_utf16(name, length, wanted, FILE_NAME_MAX);
	enum file_status status;
	struct fat_run *runs;
	u32 run_count;

	if (units <= 0)
		return FILE_BAD_NAME;
	status = fat_chain_read(e->first_cluster, FAT_DIRECTORY, &runs, &run_count);
	if (status != FILE_OK)
		return status;
	status = directory_search(runs, run_count, e, wanted, units);
	kfree(runs);
	return status;
}
