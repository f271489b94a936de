/*
 * Directories of a FAT32 volume: names that come, go and change. The entries of one name lie in one sector if they can:
 * then they reach the disk all at once.
 */
#include "io/fat.h"

#include "io/fat_entry.h"
#include "lib/string.h"
#include "mm/pool.h"

#define SLOTS_PER_SECTOR (SECTOR_SIZE / FAT_ENTRY_SIZE)
#define SLOT_NONE (~0u)

/* A directory that is being changed. */
struct target {
	struct volume *volume;
	u32 first;
	struct fat_run *runs;
	u32 run_count;
	u32 end; /* the first slot that was never used; as many as there are: none */
	const struct fat_place *vacated;
	u32 vacated_count;
};

static u32 slots_of(const struct target *t)
{
	return (u32)(fat_runs_bytes(t->volume, t->runs, t->run_count) / FAT_ENTRY_SIZE);
}

static u64 slot_sector(const struct target *t, u32 slot)
{
	u64 contiguous;

	return fat_sector_at(t->volume, t->runs, t->run_count, (u64)slot * FAT_ENTRY_SIZE, &contiguous);
}

static const u8 *slot_get(const struct target *t, u32 slot)
{
	const u8 *sector = fat_cache_get(t->volume, slot_sector(t, slot));

	return sector ? sector + slot % SLOTS_PER_SECTOR * FAT_ENTRY_SIZE : NULL;
}

static u8 *slot_change(const struct target *t, u32 slot)
{
	u8 *sector = fat_cache_change(t->volume, slot_sector(t, slot));

	return sector ? sector + slot % SLOTS_PER_SECTOR * FAT_ENTRY_SIZE : NULL;
}

static bool slot_vacated(const struct target *t, u32 slot)
{
	for (u32 i = 0; i < t->vacated_count; i++) {
		const struct fat_place *p = &t->vacated[i];

		if (p->directory == t->first && slot >= p->slot && slot < p->slot + p->slots)
			return true;
	}
	return false;
}

/* Bits of the candidates among the short names that somebody has; t->end. */
static enum file_status short_names_scan(struct target *t, const u8 (*candidates)[FAT_SHORT_BYTES], u32 count, u32 *used)
{
	u32 slots = slots_of(t);

	*used = 0;
	for (t->end = 0; t->end < slots; t->end++) {
		const u8 *raw = slot_get(t, t->end);

		if (!raw)
			return FILE_IO_ERROR;
		if (raw[0] == NAME_END)
			break;
		if (raw[0] == NAME_ERASED || (raw[ENTRY_ATTRIBUTES] & FAT_ATTRIBUTE_MASK) == FAT_ATTRIBUTE_LONG ||
		    slot_vacated(t, t->end))
			continue;
		for (u32 i = 0; i < count; i++)
			if (memcmp(raw, candidates[i], FAT_SHORT_BYTES) == 0)
				*used |= 1u << i;
	}
	return FILE_OK;
}

/* A short name for name that nobody else has in the directory. */
static enum file_status short_name_choose(struct target *t, const struct fat_name *name, u8 *chosen)
{
	u8 candidates[16][FAT_SHORT_BYTES];

	for (u32 attempt = 0;; attempt += ARRAY_SIZE(candidates)) {
		enum file_status status;
		u32 count = 0, used;

		while (count < ARRAY_SIZE(candidates) && fat_name_short(name, attempt + count, candidates[count]))
			count++;
		status = count ? short_names_scan(t, candidates, count, &used) : FILE_NO_SPACE;
		if (status != FILE_OK)
			return status;
		for (u32 i = 0; i < count; i++)
			if (!(used & 1u << i)) {
				memcpy(chosen, candidates[i], FAT_SHORT_BYTES);
				return FILE_OK;
			}
	}
}

/*
 * The first of need free slots one behind the other, in [from, end); of one sector, if they fit into one. *found:
 * SLOT_NONE if there are none.
 */
static enum file_status space_find(const struct target *t, u32 need, u32 from, u32 end, u32 *found)
{
	u32 length = 0;

	*found = SLOT_NONE;
	for (u32 slot = from; slot < end; slot++) {
		const u8 *raw = slot < t->end ? slot_get(t, slot) : NULL;

		if (slot < t->end && !raw)
			return FILE_IO_ERROR;
		if (slot % SLOTS_PER_SECTOR == 0 && need <= SLOTS_PER_SECTOR)
			length = 0;
		length = slot >= t->end || raw[0] == NAME_ERASED || slot_vacated(t, slot) ? length + 1 : 0;
		if (length == need) {
			*found = slot + 1 - need;
			return FILE_OK;
		}
	}
	return FILE_OK;
}

/* As space_find, anywhere in a directory that grows if it must. */
static enum file_status space_get(struct target *t, u32 need, u32 *found)
{
	enum file_status status;

	for (;;) {
		u32 slots = slots_of(t), clusters = fat_runs_clusters(t->runs, t->run_count);

		status = space_find(t, need, 0, slots, found);
		if (status != FILE_OK || *found != SLOT_NONE)
			return status;
		if (((u64)clusters + 1) * fat_cluster_bytes(t->volume) > FAT_DIRECTORY_BYTES_MAX)
			return FILE_NO_SPACE;
		status = fat_chain_extend(t->volume, &t->first, &t->runs, &t->run_count, clusters + 1, true);
		if (status != FILE_OK)
			return status;
		t->volume->directory_changes++;
	}
}

/*
 * The entries [slot, slot + need) become used: the end of the directory moves behind them, and what they leap over is
 * marked as erased. What lies behind the end should be zeros; if it is not, it becomes so first.
 */
static enum file_status end_move(struct target *t, u32 slot, u32 need)
{
	u32 end = slot + need;
	enum file_status status;
	u8 *raw;

	if (end <= t->end)
		return FILE_OK;
	if (end < slots_of(t)) {
		const u8 *now = slot_get(t, end);

		if (!now)
			return FILE_IO_ERROR;
		if (now[0] != NAME_END) {
			raw = slot_change(t, end);
			raw[0] = NAME_END;
			status = end % SLOTS_PER_SECTOR ? FILE_OK : fat_commit(t->volume);
			if (status != FILE_OK)
				return status;
		}
	}
	for (; t->end < slot; t->end++) {
		raw = slot_change(t, t->end);
		if (!raw)
			return FILE_IO_ERROR;
		memset(raw, 0, FAT_ENTRY_SIZE);
		raw[0] = NAME_ERASED;
	}
	return FILE_OK;
}

static void created_put(u8 *raw, u64 unix_time)
{
	u16 date = 0, time = 0;

	if (unix_time)
		fat_time_from_unix(unix_time, &date, &time);
	raw[ENTRY_CREATED_HUNDREDTHS] = unix_time % 2 * 100;
	fat_put16(raw + ENTRY_CREATED_DATE, date);
	fat_put16(raw + ENTRY_CREATED_TIME, time);
}

static void facts_put(u8 *raw, const struct fat_facts *f)
{
	u16 date, time;

	raw[ENTRY_ATTRIBUTES] = (u8)f->attributes;
	created_put(raw, f->created_unix);
	fat_time_from_unix(f->accessed_unix, &date, &time);
	fat_put16(raw + ENTRY_ACCESSED_DATE, f->accessed_unix ? date : 0);
	fat_time_from_unix(f->modified_unix, &date, &time);
	fat_put16(raw + ENTRY_DATE, date);
	fat_put16(raw + ENTRY_TIME, time);
	fat_put16(raw + ENTRY_CLUSTER_LOW, (u16)f->first_cluster);
	fat_put16(raw + ENTRY_CLUSTER_HIGH, (u16)(f->first_cluster >> 16));
	fat_put32(raw + ENTRY_SIZE, f->size);
}

static enum file_status set_write(struct target *t, u32 slot, const struct fat_name *name, const u8 *short_name,
				  const struct fat_facts *facts, struct fat_place *out)
{
	u8 *raw;

	for (u32 order = name->long_entries; order; order--) {
		raw = slot_change(t, slot++);
		if (!raw)
			return FILE_IO_ERROR;
		fat_name_piece(name, order, short_name, raw);
	}
	raw = slot_change(t, slot);
	if (!raw)
		return FILE_IO_ERROR;
	memset(raw, 0, FAT_ENTRY_SIZE);
	memcpy(raw, short_name, FAT_SHORT_BYTES);
	raw[ENTRY_LETTER_CASE] = name->letter_case;
	facts_put(raw, facts);
	*out = (struct fat_place){
		.directory = t->first,
		.slot = slot - name->long_entries,
		.slots = name->long_entries + 1,
		.at = slot_sector(t, slot) * SECTOR_SIZE + slot % SLOTS_PER_SECTOR * FAT_ENTRY_SIZE,
	};
	return FILE_OK;
}

static bool place_in_sector(const struct target *t, const struct fat_place *p, u32 slot)
{
	return p->directory == t->first && p->slot / SLOTS_PER_SECTOR == slot / SLOTS_PER_SECTOR &&
	       (p->slot + p->slots - 1) / SLOTS_PER_SECTOR == slot / SLOTS_PER_SECTOR;
}

/*
 * A name that was erased and is made again, in another sector, must not be on the disk twice after a crash: the commit that
 * erases it has to come first. The key is equal for equal names: of the short one, that part which is the same whatever
 * number makes it unique. For names that differ it may be equal, and costs a commit.
 */
static u64 name_key(const struct target *t, const u8 *short_name)
{
	const u8 *extension = short_name + FAT_SHORT_BYTES - 3;
	u8 second = short_name[1] == '~' ? ' ' : short_name[1];

	return (u64)t->first ^ (u64)short_name[0] << 32 ^ (u64)second << 40 ^
	       ((u64)extension[0] << 16 ^ (u64)extension[1] << 8 ^ extension[2]) * 0x9e3779b97f4a7c15ull;
}

static void erased_note(const struct target *t, u32 short_slot, const u8 *short_name)
{
	if (t->volume->erased_count < FAT_ERASED_MAX)
		t->volume->erased[t->volume->erased_count] =
			(struct fat_erased){ name_key(t, short_name), slot_sector(t, short_slot) };
	t->volume->erased_count = MIN(t->volume->erased_count + 1, FAT_ERASED_MAX + 1);
}

static bool erased_elsewhere(const struct target *t, u32 slot, const u8 *short_name)
{
	u64 key = name_key(t, short_name), sector = slot_sector(t, slot);

	for (u32 i = 0; i < MIN(t->volume->erased_count, FAT_ERASED_MAX); i++)
		if (t->volume->erased[i].key == key && t->volume->erased[i].sector != sector)
			return true;
	return t->volume->erased_count > FAT_ERASED_MAX;
}

static enum file_status set_erase(const struct target *t, const struct fat_place *p)
{
	/* The pieces of the long name belong to the short entry, which is the last: it goes last. */
	for (u32 i = 0; i < p->slots; i++) {
		u8 *raw = p->slot + i < slots_of(t) ? slot_change(t, p->slot + i) : NULL;

		if (!raw)
			return FILE_IO_ERROR;
		if (i == p->slots - 1)
			erased_note(t, p->slot + i, raw);
		raw[0] = NAME_ERASED;
	}
	return FILE_OK;
}

/*
 * Looks for room in the sector where the first count vacated places all are, which they then leave. *found: SLOT_NONE if
 * there is none, or no such sector.
 */
static enum file_status space_find_vacated(struct target *t, const struct fat_place *vacated, u32 count, u32 need, u32 *found)
{
	u32 from = ALIGN_DOWN(vacated[0].slot, SLOTS_PER_SECTOR);

	*found = SLOT_NONE;
	for (u32 i = 0; i < count; i++)
		if (!place_in_sector(t, &vacated[i], from))
			return FILE_OK;
	if (from + SLOTS_PER_SECTOR > slots_of(t) || need > SLOTS_PER_SECTOR)
		return FILE_OK;
	return space_find(t, need, from, from + SLOTS_PER_SECTOR, found);
}

static enum file_status insert(struct target *t, const struct fat_name *name, const struct fat_facts *facts,
			       const struct fat_place *vacated, u32 count, struct fat_place *out, u32 *erased)
{
	u32 need = name->long_entries + 1, slot = SLOT_NONE;
	u8 short_name[FAT_SHORT_BYTES];
	enum file_status status;

	t->vacated = vacated;
	for (t->vacated_count = count; t->vacated_count; t->vacated_count--) {
		status = short_name_choose(t, name, short_name);
		if (status == FILE_OK)
			status = space_find_vacated(t, vacated, t->vacated_count, need, &slot);
		if (status != FILE_OK)
			return status;
		if (slot != SLOT_NONE)
			break;
	}
	*erased = t->vacated_count;
	status = FILE_OK;
	if (slot == SLOT_NONE) {
		status = short_name_choose(t, name, short_name);
		if (status == FILE_OK)
			status = space_get(t, need, &slot);
	}
	if (status == FILE_OK && erased_elsewhere(t, slot + need - 1, short_name))
		status = fat_commit(t->volume);
	if (status == FILE_OK)
		status = end_move(t, slot, need);
	for (u32 i = 0; i < *erased && status == FILE_OK; i++)
		status = set_erase(t, &vacated[i]);
	return status == FILE_OK ? set_write(t, slot, name, short_name, facts, out) : status;
}

enum file_status fat_dir_insert(struct volume *v, u32 directory, const struct fat_name *name,
				const struct fat_facts *facts, const struct fat_place *vacated, u32 count,
				struct fat_place *out, u32 *erased)
{
	struct target t = { .volume = v, .first = directory };
	enum file_status status = fat_chain_read(v, directory, FAT_DIRECTORY, &t.runs, &t.run_count);

	if (status == FILE_OK)
		status = insert(&t, name, facts, vacated, count, out, erased);
	kfree(t.runs);
	return status;
}

enum file_status fat_dir_erase(struct volume *v, const struct fat_place *place)
{
	struct target t = { .volume = v, .first = place->directory };
	enum file_status status = fat_chain_read(v, place->directory, FAT_DIRECTORY, &t.runs, &t.run_count);

	if (status == FILE_OK)
		status = set_erase(&t, place);
	kfree(t.runs);
	return status;
}

enum file_status fat_dir_update(struct volume *v, u64 at, const struct fat_facts *facts)
{
	const u8 *sector = fat_cache_get(v, at / SECTOR_SIZE);
	u8 raw[FAT_ENTRY_SIZE], *to;

	if (!sector)
		return FILE_IO_ERROR;
	memcpy(raw, sector + at % SECTOR_SIZE, sizeof(raw));
	facts_put(raw, facts);
	if (memcmp(raw, sector + at % SECTOR_SIZE, sizeof(raw)) == 0)
		return FILE_OK; /* nothing that would have to be written */
	to = fat_cache_change(v, at / SECTOR_SIZE);
	if (!to)
		return FILE_IO_ERROR;
	memcpy(to + at % SECTOR_SIZE, raw, sizeof(raw));
	return FILE_OK;
}

static void dots_put(u8 *raw, const char *name, const struct fat_facts *facts, u32 cluster)
{
	struct fat_facts own = *facts;

	own.first_cluster = cluster;
	own.size = 0;
	memset(raw, 0, FAT_ENTRY_SIZE);
	memset(raw, ' ', FAT_SHORT_BYTES);
	memcpy(raw, name, strlen(name));
	facts_put(raw, &own);
}

/* The first sector is written at once, like data: nothing on the disk knows it yet. */
enum file_status fat_dir_make(struct volume *v, u32 parent, const struct fat_facts *facts, u32 *cluster)
{
	struct fat_run *runs = NULL;
	u32 run_count = 0;
	u8 dots[2 * FAT_ENTRY_SIZE];
	enum file_status status = fat_chain_extend(v, cluster, &runs, &run_count, 1, true);

	kfree(runs);
	if (status != FILE_OK)
		return status;
	dots_put(dots, ".", facts, *cluster);
	dots_put(dots + FAT_ENTRY_SIZE, "..", facts, parent == v->root_cluster ? 0 : parent);
	status = fat_cache_store(v, fat_cluster_sector(v, *cluster), 0, dots, sizeof(dots));
	if (status != FILE_OK)
		fat_chain_drop(v, *cluster);
	return status;
}

enum file_status fat_dir_set_parent(struct volume *v, u32 directory, u32 parent)
{
	const u8 *sector = fat_cache_get(v, fat_cluster_sector(v, directory));
	u32 cluster = parent == v->root_cluster ? 0 : parent;
	u8 *raw;

	if (sector && memcmp(sector + FAT_ENTRY_SIZE, "..         ", FAT_SHORT_BYTES))
		return FILE_CORRUPT;
	raw = sector ? fat_cache_change(v, fat_cluster_sector(v, directory)) : NULL;
	if (!raw)
		return FILE_IO_ERROR;
	raw += FAT_ENTRY_SIZE;
	fat_put16(raw + ENTRY_CLUSTER_LOW, (u16)cluster);
	fat_put16(raw + ENTRY_CLUSTER_HIGH, (u16)(cluster >> 16));
	return FILE_OK;
}
