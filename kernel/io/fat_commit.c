/*
 * What reaches the disk when. A commit writes the FATs, waits until they and all data are on the disk itself, writes the
 * directories, waits again, and then frees what they no longer need. See fat.h for what makes that safe.
 */
#include "arch/arch.h"
#include "io/file_internal.h"
#include "lib/string.h"
#include "proc/sched.h"

/* Offsets and values in FSInfo: "FSInfo Structure". */
enum { INFO_LEAD = 0, INFO_STRUCTURE = 484, INFO_FREE = 488, INFO_NEXT = 492 };
#define LEAD_SIGNATURE 0x41615252u
#define STRUCTURE_SIGNATURE 0x61417272u
#define FREE_UNKNOWN 0xffffffffu

#define COMMIT_INTERVAL_NS 1000000000ull

/* Under this lock: whether the thread has to do something; for which volumes, they say. */
static struct spinlock committer_lock = SPINLOCK_INIT("FAT committer", RANK_DISPATCH);
static struct wait_queue committer_queue = WAIT_QUEUE_INIT(committer_queue);
static bool committer_wanted;

u64 fat_now(void)
{
	return clock_boot_unix_seconds() + clock_ns() / 1000000000;
}

void fat_wrote(struct volume *v)
{
	__atomic_store_n(&v->unflushed, true, __ATOMIC_RELEASE);
}

enum file_status fat_barrier(struct volume *v)
{
	if (!__atomic_exchange_n(&v->unflushed, false, __ATOMIC_ACQ_REL))
		return FILE_OK;
	if (v->device && block_flush(v->device))
		return FILE_OK;
	fat_wrote(v);
	return FILE_IO_ERROR;
}

enum file_status fat_commit(struct volume *v)
{
	enum file_status status = volume_status(v);

	if (status == FILE_OK)
		status = fat_cache_write_tables(v);
	if (status == FILE_OK)
		status = fat_barrier(v);
	if (status == FILE_OK)
		status = fat_cache_write_directories(v);
	if (status == FILE_OK)
		status = fat_barrier(v);
	if (status == FILE_OK) {
		fat_chains_free(v);
		v->erased_count = 0;
	}
	return status;
}

/* FSInfo, if it is there and what it should be; to be changed, or only read. */
static u8 *info_get(struct volume *v, bool change)
{
	const u8 *b = v->info_sector ? fat_cache_get(v, v->info_sector) : NULL;

	if (!b || fat_get32(b + INFO_LEAD) != LEAD_SIGNATURE || fat_get32(b + INFO_STRUCTURE) != STRUCTURE_SIGNATURE)
		return NULL;
	return change ? fat_cache_change(v, v->info_sector) : (u8 *)b;
}

void fat_commit_init(struct volume *v)
{
	const u8 *info = info_get(v, false);
	u32 next = info ? fat_get32(info + INFO_NEXT) : 0;

	if (fat_cluster_valid(v, next))
		v->next_free = next;
}

/* Before the first change: the count of free clusters on the disk is not kept, and the disk says so from now on. */
static enum file_status info_forget(struct volume *v)
{
	u8 *info = info_get(v, true);
	enum file_status status;

	if (info) {
		fat_put32(info + INFO_FREE, FREE_UNKNOWN);
		status = fat_cache_write_tables(v);
		if (status == FILE_OK)
			status = fat_barrier(v);
		if (status != FILE_OK)
			return status;
	}
	v->info_stale = true;
	return FILE_OK;
}

enum file_status fat_begin(struct volume *v)
{
	enum file_status status = volume_status(v);

	assert(mutex_held(&v->lock));
	if (status != FILE_OK)
		return status;
	if (v->read_only)
		return FILE_READ_ONLY;
	if (!v->info_stale)
		status = info_forget(v);
	if (status == FILE_OK && (fat_cache_crowded(v) || v->freed_count > FAT_FREED_MAX - 2))
		status = fat_commit(v);
	if (status == FILE_OK && !v->commit_wanted) {
		v->commit_wanted = true;
		spin_lock(&committer_lock);
		committer_wanted = true;
		wait_wake_all(&committer_queue);
		spin_unlock(&committer_lock);
	}
	return status;
}

/* The second round writes that clusters are free. */
enum file_status fat_sync(struct volume *v)
{
	enum file_status status = FILE_OK;
	u32 count;
	u8 *info;

	status = fat_commit(v);
	if (status == FILE_OK && v->info_stale && info_get(v, false)) {
		status = fat_free_clusters(v, &count);
		/* All else first, or a crash could leave the count without what it counts. */
		if (status == FILE_OK)
			status = fat_cache_write_tables(v);
		if (status == FILE_OK)
			status = fat_barrier(v);
		if (status == FILE_OK && (info = info_get(v, true))) {
			fat_put32(info + INFO_FREE, count);
			fat_put32(info + INFO_NEXT, v->next_free);
			v->info_stale = false;
		}
	}
	if (status == FILE_OK)
		status = fat_commit(v);
	return status;
}

enum file_status volume_sync(struct volume *v)
{
	enum file_status status;

	mutex_lock(&v->lock);
	status = fat_sync(v);
	mutex_unlock(&v->lock);
	return status;
}

enum file_status volume_commit(struct volume *v)
{
	enum file_status status;

	mutex_lock(&v->lock);
	status = fat_commit(v);
	mutex_unlock(&v->lock);
	return status;
}

/* The locks are never given back: nobody changes what has just been made whole. Nobody else takes two, in any order. */
void file_shutdown(void)
{
	for (char letter = VOLUME_LETTER_FIRST; letter < VOLUME_LETTER_FIRST + VOLUMES_MAX; letter++) {
		struct volume *v = volume_get(letter);

		if (!v)
			continue;
		mutex_lock_nested(&v->lock);
		file_unlinked_drop(v);
		if (volume_status(v) == FILE_OK && fat_sync(v) != FILE_OK)
			klog(LOG_ERROR, "%c: not all changes could be written", v->letter);
	}
}

/* Changes since the last commit, if there are any. */
static void commit_wanted(struct volume *v)
{
	mutex_lock(&v->lock);
	if (v->commit_wanted) {
		v->commit_wanted = false;
		if (fat_commit(v) == FILE_OK && fat_cache_write_tables(v) == FILE_OK)
			fat_barrier(v);
	}
	mutex_unlock(&v->lock);
}

/* Changes are written a second after the first of them. */
static void committer_thread(void *arg)
{
	(void)arg;
	for (;;) {
		spin_lock(&committer_lock);
		while (!committer_wanted)
			wait_sleep(&committer_queue, &committer_lock, WAIT_FOREVER, false);
		committer_wanted = false;
		spin_unlock(&committer_lock);
		sleep_until(clock_ns() + COMMIT_INTERVAL_NS);
		for (char letter = VOLUME_LETTER_FIRST; letter < VOLUME_LETTER_FIRST + VOLUMES_MAX; letter++) {
			struct volume *v = volume_get(letter);

			if (!v)
				continue;
			commit_wanted(v);
			volume_unref(v);
		}
	}
}

void file_threads_start(void)
{
	check(thread_create_kernel("committer", committer_thread, NULL));
}
