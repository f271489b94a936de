/* FAT32 volumes: the first sector, and chains of clusters. Source: FAT32 File System Specification (1.03). */
#include "io/fat.h"

#include "lib/string.h"
#include "mm/pool.h"

/* Offsets in the first sector: "Boot Sector and BPB". */
enum {
	BPB_SECTOR_BYTES = 11,
	BPB_CLUSTER_SECTORS = 13,
	BPB_RESERVED_SECTORS = 14,
	BPB_FAT_COUNT = 16,
	BPB_ROOT_ENTRIES = 17,
	BPB_TOTAL_16 = 19,
	BPB_FAT_SIZE_16 = 22,
	BPB_TOTAL_32 = 32,
	BPB_FAT_SIZE_32 = 36,
	BPB_FLAGS = 40,
	BPB_VERSION = 42,
	BPB_ROOT_CLUSTER = 44,
	BPB_INFO = 48,
	BPB_SERIAL = 67,
	BPB_LABEL = 71,
	BPB_SIGNATURE = 510,
};

#define FLAGS_ONE_FAT 0x80 /* only the FAT whose number is in the low 4 bits is kept up to date */

/* Values of a FAT entry, of which only 28 bits count: "FAT Data Structure". */
#define ENTRY_MASK 0x0fffffffu
#define CLUSTERS_MAX 0x0ffffff5u

/* An array of runs is one allocation. A file in more pieces than this, 8,191, can't be opened: FILE_NO_MEMORY. */
#define RUNS_BYTES_MAX KIB(64)

struct file_counters file_counters;
u32 volumes_left;

/* Fills v from the first sector. NULL, or why it is no volume for us. */
static const char *volume_read(struct volume *v, const struct block_device *d, const u8 *b)
{
	u32 sector_bytes = fat_get16(b + BPB_SECTOR_BYTES), scale = sector_bytes / SECTOR_SIZE;
	u32 cluster_sectors = b[BPB_CLUSTER_SECTORS], fats = b[BPB_FAT_COUNT], flags = fat_get16(b + BPB_FLAGS);
	u32 reserved = fat_get16(b + BPB_RESERVED_SECTORS), fat_size = fat_get32(b + BPB_FAT_SIZE_32);
	u64 total = fat_get32(b + BPB_TOTAL_32), data = reserved + (u64)fats * fat_size, clusters;
	u32 fat_used = flags & FLAGS_ONE_FAT ? flags & 15 : 0, info = fat_get16(b + BPB_INFO);

	if (fat_get16(b + BPB_SIGNATURE) != 0xaa55)
		return "no boot sector signature";
	if (sector_bytes < SECTOR_SIZE || sector_bytes > 4096 || (sector_bytes & (sector_bytes - 1)))
		return "not a FAT volume (bytes per sector)";
	if (!cluster_sectors || (cluster_sectors & (cluster_sectors - 1)) || !reserved || !fats)
		return "not a FAT volume (clusters, reserved sectors, FATs)";
	if (fat_get16(b + BPB_ROOT_ENTRIES) || fat_get16(b + BPB_FAT_SIZE_16) || fat_get16(b + BPB_TOTAL_16))
		return "a FAT12 or FAT16 volume";
	if (!fat_size || fat_get16(b + BPB_VERSION))
		return "not a FAT32 volume of version 0";
	if (data >= total || total * scale > d->sectors || fat_used >= fats)
		return "the volume is larger than the disk, or its FATs than the volume";
	clusters = (total - data) / cluster_sectors;
	if (clusters == 0 || clusters > CLUSTERS_MAX || (clusters + FAT_FIRST_CLUSTER) * 4 > (u64)fat_size * sector_bytes)
		return "the FAT does not fit the number of clusters";
	v->fat_sector = (reserved + (u64)fat_used * fat_size) * scale;
	v->fat_sectors = (u64)fat_size * scale;
	v->copies = flags & FLAGS_ONE_FAT ? 1 : fats;
	v->copies_sector = flags & FLAGS_ONE_FAT ? v->fat_sector : (u64)reserved * scale;
	v->info_sector = info && info < reserved ? (u64)info * scale : 0;
	v->serial = fat_get32(b + BPB_SERIAL);
	v->info_stale = v->free_known = false;
	v->next_free = FAT_FIRST_CLUSTER;
	v->freed_count = v->directory_changes = 0;
	v->data_sector = data * scale;
	v->cluster_sectors = cluster_sectors * scale;
	v->cluster_count = clusters;
	v->root_cluster = fat_get32(b + BPB_ROOT_CLUSTER) & ENTRY_MASK;
	if (v->root_cluster < FAT_FIRST_CLUSTER || v->root_cluster - FAT_FIRST_CLUSTER >= clusters)
		return "the root directory lies outside the volume";
	return NULL;
}

/* ---- volumes ---- */

static struct spinlock volumes_lock = SPINLOCK_INIT("volumes", RANK_FILE_TABLE);
static struct volume *volumes[VOLUMES_MAX]; /* by letter; under the lock, as are their references */

struct volume *volume_get(char letter)
{
	u32 i = (u32)(letter - VOLUME_LETTER_FIRST);
	struct volume *v;

	spin_lock(&volumes_lock);
	v = i < VOLUMES_MAX ? volumes[i] : NULL;
	if (v)
		v->refs++;
	spin_unlock(&volumes_lock);
	return v;
}

void volume_ref(struct volume *v)
{
	spin_lock(&volumes_lock);
	v->refs++;
	spin_unlock(&volumes_lock);
}

struct block_device *volume_device(struct volume *v)
{
	struct block_device *d;

	spin_lock(&volumes_lock);
	d = v->device;
	if (d)
		block_ref(d);
	spin_unlock(&volumes_lock);
	return d;
}

enum file_status volume_transfer(struct volume *v, struct block_request *r)
{
	enum file_status status = volume_status(v);
	struct block_device *d = status == FILE_OK ? volume_device(v) : NULL;

	if (!d)
		return status == FILE_OK ? volume_status(v) : status;
	block_submit(d, r);
	status = block_wait(r) ? FILE_OK : FILE_IO_ERROR;
	block_unref(d);
	return volume_error(v, status);
}

/* Both locks say which disk the volume is on: either will do to read it. v->lock held. d is claimed; NULL: none. */
static void device_set(struct volume *v, struct block_device *d)
{
	assert(mutex_held(&v->lock));
	spin_lock(&volumes_lock);
	v->device = d;
	v->read_only = d ? d->read_only : v->read_only;
	spin_unlock(&volumes_lock);
}

void volume_unref(struct volume *v)
{
	bool last;

	spin_lock(&volumes_lock);
	check(v->refs > 0);
	last = --v->refs == 0;
	spin_unlock(&volumes_lock);
	if (!last)
		return;
	fat_cache_free(v);
	kfree(v);
}

u32 volume_letters(void)
{
	u32 letters = 0;

	spin_lock(&volumes_lock);
	for (u32 i = 0; i < VOLUMES_MAX; i++)
		letters |= volumes[i] ? 1u << (VOLUME_LETTER_FIRST - 'A' + i) : 0;
	spin_unlock(&volumes_lock);
	return letters;
}

char volume_letter(const struct volume *v)
{
	return v->letter;
}

bool volume_removable(const struct volume *v)
{
	return v->letter != VOLUME_LETTER_FIRST;
}

/* A label as the volume has it: 11 bytes, blanks behind it. */
static void label_read(const u8 *raw, struct volume_identity *out)
{
	out->label_length = FAT_SHORT_BYTES;
	while (out->label_length && raw[out->label_length - 1] == ' ')
		out->label_length--;
	for (u32 i = 0; i < out->label_length; i++)
		out->label[i] = raw[i] < 0x80 ? raw[i] : '_'; /* code pages are not known here */
}

enum file_status volume_identify(struct volume *v, struct volume_identity *out)
{
	u8 raw[FAT_SHORT_BYTES];
	enum file_status status;
	const u8 *first;

	mutex_lock(&v->lock);
	status = volume_status(v);
	if (status == FILE_OK)
		status = fat_label_read(v, raw);
	if (status == FILE_NOT_FOUND) {
		first = fat_cache_get(v, 0);
		status = first ? FILE_OK : FILE_IO_ERROR;
		if (first)
			memcpy(raw, memcmp(first + BPB_LABEL, "NO NAME    ", FAT_SHORT_BYTES) ? (const char *)first + BPB_LABEL : "           ",
			       FAT_SHORT_BYTES);
	}
	mutex_unlock(&v->lock);
	out->serial = v->serial;
	if (status == FILE_OK)
		label_read(raw, out);
	return status;
}

enum file_status volume_status(const struct volume *v)
{
	enum volume_state state = __atomic_load_n(&v->state, __ATOMIC_ACQUIRE);

	return likely(state == VOLUME_PRESENT) ? FILE_OK : state == VOLUME_AWAY ? FILE_NO_MEDIUM : FILE_STALE;
}

enum file_status volume_error(const struct volume *v, enum file_status status)
{
	enum file_status gone = volume_status(v);

	return status == FILE_OK || gone == FILE_OK ? status : gone;
}

static void volume_set(char letter, struct volume *v)
{
	struct volume **at = &volumes[letter - VOLUME_LETTER_FIRST], *old;

	spin_lock(&volumes_lock);
	old = *at;
	*at = v;
	spin_unlock(&volumes_lock);
	if (!old)
		return;
	mutex_lock(&old->lock);
	__atomic_add_fetch(&volumes_left, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&old->state, VOLUME_REPLACED, __ATOMIC_RELEASE);
	fat_cache_free(old); /* files may keep the rest for long */
	mutex_unlock(&old->lock);
	volume_unref(old);
}

static const char *volume_open(struct volume *v, struct block_device *d, char letter)
{
	const char *problem = "it can't be read";
	const u8 *first;

	v->refs = 1;
	v->letter = letter;
	v->device = d;
	v->read_only = d->read_only;
	list_init(&v->unlinked);
	mutex_init(&v->lock, "FAT volume", RANK_FS);
	if (!fat_cache_init(v))
		return "no memory";
	mutex_lock(&v->lock);
	first = fat_cache_get(v, 0);
	if (first) {
		memcpy(v->first, first, sizeof(v->first));
		problem = volume_read(v, d, first);
	}
	if (!problem)
		fat_commit_init(v);
	mutex_unlock(&v->lock);
	return problem;
}

bool fat_mount(struct block_device *d, char letter)
{
	struct volume *v = kzalloc(sizeof(*v));
	const char *problem = v ? volume_open(v, d, letter) : "no memory";

	volume_set(letter, problem ? NULL : v);
	if (problem) {
		if (v)
			volume_unref(v);
		klog(LOG_ERROR, "%s is not used as %c: (a FAT32 volume is wanted): %s", d->name, letter, problem);
		return false;
	}
	klog(LOG_INFO, "%s: %c:, FAT32, %u clusters of %u bytes", d->name, letter, v->cluster_count, fat_cluster_bytes(v));
	return true;
}

struct volume *volume_on(const struct block_device *d)
{
	for (char letter = VOLUME_LETTER_FIRST; letter < VOLUME_LETTER_FIRST + VOLUMES_MAX; letter++) {
		struct volume *v = volume_get(letter);

		if (v && v->device == d)
			return v;
		if (v)
			volume_unref(v);
	}
	return NULL;
}

static void away_set(struct volume *v)
{
	__atomic_add_fetch(&volumes_left, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&v->state, VOLUME_AWAY, __ATOMIC_RELEASE);
}

void volume_vanish(struct block_device *d)
{
	struct volume *v = volume_on(d);

	if (!v)
		return;
	away_set(v);
	volume_unref(v);
}

/*
 * A volume whose FATs and directories are on the disk itself may go on later; what files have modified is theirs, and waits
 * (mm/file_writer.c).
 */
void volume_leave(struct block_device *d)
{
	struct volume *v = volume_on(d);

	if (!v)
		return;
	mutex_lock(&v->lock);
	if (volume_status(v) == FILE_OK) {
		v->resumable = fat_sync(v) == FILE_OK;
		away_set(v);
	} else {
		v->resumable = !fat_cache_dirty(v) && !__atomic_load_n(&v->unflushed, __ATOMIC_ACQUIRE);
	}
	device_set(v, NULL);
	mutex_unlock(&v->lock);
	klog(LOG_WARNING, "%s: %c: is taken out%s", d->name, v->letter,
	     v->resumable ? "" : "; not all changes could be written");
	volume_unref(v);
	block_release(d);
}

/* Whether the disk is the one that v was on, as far as its first sector says. */
static bool volume_is_on(struct volume *v, struct block_device *d)
{
	u8 *first = kmalloc(sizeof(v->first));
	bool same = first && block_transfer(d, false, 0, virt_to_phys(first), sizeof(v->first)) &&
		    memcmp(first, v->first, sizeof(v->first)) == 0;

	kfree(first);
	return same;
}

/* What was cached may have been changed elsewhere; files are compared when they are used next. */
static bool volume_resume(struct volume *v, struct block_device *d)
{
	bool resumed;

	mutex_lock(&v->lock);
	resumed = volume_status(v) == FILE_NO_MEDIUM && v->resumable && volume_is_on(v, d);
	if (resumed) {
		fat_cache_forget(v);
		device_set(v, d);
		v->unflushed = false;
		v->free_known = v->info_stale = false;
		v->freed_count = v->erased_count = 0;
		v->directory_changes++;
		__atomic_store_n(&v->medium, v->medium + 1, __ATOMIC_RELEASE);
		__atomic_store_n(&v->state, VOLUME_PRESENT, __ATOMIC_RELEASE);
	}
	mutex_unlock(&v->lock);
	return resumed;
}

void volume_arrive(struct block_device *d)
{
	char letter = VOLUME_LETTER_FIRST + 1;
	struct volume *v = volume_get(letter);
	bool resumed = false, replaces = v != NULL, occupied = v && volume_status(v) == FILE_OK;

	if (strcmp(d->serial, VOLUME_SECOND_SERIAL) || occupied || !block_claim(d)) {
		if (v)
			volume_unref(v);
		return;
	}
	if (v) {
		resumed = volume_resume(v, d);
		volume_unref(v);
	}
	if (resumed)
		klog(LOG_WARNING, "%s: %c: is back", d->name, letter);
	else if (!fat_mount(d, letter))
		block_release(d);
	else if (replaces)
		klog(LOG_WARNING, "%s: another volume is %c: now", d->name, letter);
}

/* ---- clusters ---- */

bool fat_cluster_valid(const struct volume *v, u32 cluster)
{
	return cluster >= FAT_FIRST_CLUSTER && cluster - FAT_FIRST_CLUSTER < v->cluster_count;
}

enum file_status fat_entry_get(struct volume *v, u32 cluster, u32 *value)
{
	const u8 *sector = fat_cache_get(v, v->fat_sector + cluster / (SECTOR_SIZE / 4));

	if (!sector)
		return FILE_IO_ERROR;
	*value = MIN(fat_get32(sector + cluster % (SECTOR_SIZE / 4) * 4) & ENTRY_MASK, FAT_END);
	return FILE_OK;
}

/* The cluster that follows, or 0 at the end of the chain. */
static enum file_status cluster_next(struct volume *v, u32 cluster, u32 *next)
{
	enum file_status status = fat_entry_get(v, cluster, next);

	if (status != FILE_OK)
		return status;
	if (*next == FAT_END)
		*next = 0;
	else if (!fat_cluster_valid(v, *next)) /* free, reserved, bad, or beyond the end */
		return FILE_CORRUPT;
	return FILE_OK;
}

/* How many entries an array for so many runs and the one behind them has: it grows by doubling. */
static u32 runs_room(u32 count)
{
	u32 room = 4;

	while (room < count + 1)
		room *= 2;
	return room;
}

bool fat_runs_append(struct fat_run **runs, u32 *run_count, u32 cluster, u32 clusters)
{
	u32 count = *run_count, length = fat_runs_clusters(*runs, count), room = count ? runs_room(count) : 0;
	struct fat_run *list = *runs;

	if (count && cluster == list[count - 1].disk_cluster + (length - list[count - 1].file_cluster)) {
		list[count].file_cluster += clusters;
		return true;
	}
	if (runs_room(count + 1) > room) {
		room = runs_room(count + 1);
		if (room * sizeof(*list) > RUNS_BYTES_MAX)
			return false;
		list = kmalloc(room * sizeof(*list));
		if (!list)
			return false;
		if (count)
			memcpy(list, *runs, count * sizeof(*list));
		kfree(*runs);
		*runs = list;
	}
	list[count] = (struct fat_run){ length, cluster };
	list[count + 1] = (struct fat_run){ length + clusters, 0 };
	*run_count = count + 1;
	return true;
}

/* The array keeps its size as long as it has runs, or gets a smaller one if there is memory. */
void fat_runs_cut(struct fat_run **runs, u32 *run_count, u32 clusters)
{
	u32 count = *run_count;
	struct fat_run *smaller;

	while (count && (*runs)[count - 1].file_cluster >= clusters)
		count--;
	if (!count) {
		kfree(*runs);
		*runs = NULL;
		*run_count = 0;
		return;
	}
	(*runs)[count] = (struct fat_run){ clusters, 0 };
	if (runs_room(count) < runs_room(*run_count)) {
		smaller = kmalloc(runs_room(count) * sizeof(*smaller));
		if (smaller) {
			memcpy(smaller, *runs, (count + 1) * sizeof(*smaller));
			kfree(*runs);
			*runs = smaller;
		}
	}
	*run_count = count;
}

/*
 * A chain that reaches its end has no loop: each cluster has one successor. Brent's algorithm finds those that don't: a
 * cluster is remembered at each power of two, and meeting it again is a loop.
 */
enum file_status fat_chain_read(struct volume *v, u32 first, u64 size, struct fat_run **runs, u32 *run_count)
{
	u64 cluster_bytes = (u64)v->cluster_sectors * SECTOR_SIZE;
	u64 need = size == FAT_DIRECTORY ? 1 : DIV_UP(size, cluster_bytes);
	u64 most = size == FAT_DIRECTORY ? MAX(FAT_DIRECTORY_BYTES_MAX / cluster_bytes, 1) : v->cluster_count;
	u32 cluster = first, remembered = 0, count = 0;
	struct fat_run *list = NULL;
	enum file_status status = FILE_OK;
	u64 length = 0;

	*runs = NULL;
	*run_count = 0;
	if (need == 0 && !first)
		return FILE_OK;
	if (!fat_cluster_valid(v, first))
		return FILE_CORRUPT;
	while (cluster) {
		if (cluster == remembered || length == most) {
			status = FILE_CORRUPT;
			break;
		}
		if ((length & (length - 1)) == 0)
			remembered = cluster;
		if (!fat_runs_append(&list, &count, cluster, 1)) {
			status = FILE_NO_MEMORY;
			break;
		}
		length++;
		status = cluster_next(v, cluster, &cluster);
		if (status != FILE_OK)
			break;
	}
	if (status == FILE_OK && length < need)
		status = FILE_CORRUPT;
	if (status != FILE_OK) {
		kfree(list);
		return status;
	}
	*runs = list;
	*run_count = count;
	return FILE_OK;
}

/* The run that a cluster of the file lies in: runs[i].file_cluster <= cluster < runs[i + 1].file_cluster. */
static u32 run_find(const struct fat_run *runs, u32 run_count, u32 cluster)
{
	u32 low = 0, high = run_count;

	assert(cluster < runs[run_count].file_cluster);
	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (runs[middle].file_cluster <= cluster)
			low = middle;
		else
			high = middle;
	}
	return low;
}

u64 fat_sector_at(const struct volume *v, const struct fat_run *runs, u32 run_count, u64 offset, u64 *count)
{
	u64 sector = offset / SECTOR_SIZE, in_run;
	u32 i = run_find(runs, run_count, (u32)(sector / v->cluster_sectors));

	in_run = sector - (u64)runs[i].file_cluster * v->cluster_sectors;
	*count = (u64)(runs[i + 1].file_cluster - runs[i].file_cluster) * v->cluster_sectors - in_run;
	return fat_cluster_sector(v, runs[i].disk_cluster) + in_run;
}

u32 fat_run_cluster(const struct fat_run *runs, u32 run_count, u32 file_cluster)
{
	u32 i = run_find(runs, run_count, file_cluster);

	return runs[i].disk_cluster + (file_cluster - runs[i].file_cluster);
}
