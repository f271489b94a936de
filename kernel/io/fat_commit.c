/*
 * What reaches the disk when. A commit writes the FATs, waits until they and all data are on the disk itself, writes the
 * directories, waits again, and then frees what they no longer need. See fat.h for what makes that safe.
 */
#include "arch/arch.h"
#include "io/fat.h"
#include "lib/string.h"
#include "proc/sched.h"

/* Offsets and values in FSInfo: "FSInfo Structure". */
enum { INFO_LEAD = 0, INFO_STRUCTURE = 484, INFO_FREE = 488, INFO_NEXT = 492 };
#define LEAD_SIGNATURE 0x41615252u
#define STRUCTURE_SIGNATURE 0x61417272u
#define FREE_UNKNOWN 0xffffffffu

#define COMMIT_INTERVAL_NS 1000000000ull

static bool unflushed; /* atomic: the device may have in its own memory what was written to it */

/* Under this lock: whether the thread has to do something. */
static struct spinlock committer_lock = SPINLOCK_INIT("FAT committer", RANK_DISPATCH);
static struct wait_queue committer_queue = WAIT_QUEUE_INIT(committer_queue);
static bool committer_wanted;

u64 fat_now(void)
{
	return clock_boot_unix_seconds() + clock_ns() / 1000000000;
}

void fat_wrote(void)
{
	__atomic_store_n(&unflushed, true, __ATOMIC_RELEASE);
}

enum file_status fat_barrier(void)
{
	if (!__atomic_exchange_n(&unflushed, false, __ATOMIC_ACQ_REL))
		return FILE_OK;
	if (block_flush(fat_volume.device))
		return FILE_OK;
	fat_wrote();
	return FILE_IO_ERROR;
}

enum file_status fat_commit(void)
{
	enum file_status status = fat_cache_write_tables();

	if (status == FILE_OK)
		status = fat_barrier();
	if (status == FILE_OK)
		status = fat_cache_write_directories();
	if (status == FILE_OK)
		status = fat_barrier();
	if (status == FILE_OK) {
		fat_chains_free();
		fat_volume.erased_count = 0;
	}
	return status;
}

/* FSInfo, if it is there and what it should be; to be changed, or only read. */
static u8 *info_get(bool change)
{
	const u8 *b = fat_volume.info_sector ? fat_cache_get(fat_volume.info_sector) : NULL;

	if (!b || fat_get32(b + INFO_LEAD) != LEAD_SIGNATURE || fat_get32(b + INFO_STRUCTURE) != STRUCTURE_SIGNATURE)
		return NULL;
	return change ? fat_cache_change(fat_volume.info_sector) : (u8 *)b;
}

void fat_commit_init(void)
{
	const u8 *info = info_get(false);
	u32 next = info ? fat_get32(info + INFO_NEXT) : 0;

	unflushed = false;
	if (fat_cluster_valid(next))
		fat_volume.next_free = next;
}

/* Before the first change: the count of free clusters on the disk is not kept, and the disk says so from now on. */
static enum file_status info_forget(void)
{
	u8 *info = info_get(true);
	enum file_status status;

	if (info) {
		fat_put32(info + INFO_FREE, FREE_UNKNOWN);
		status = fat_cache_write_tables();
		if (status == FILE_OK)
			status = fat_barrier();
		if (status != FILE_OK)
			return status;
	}
	fat_volume.info_stale = true;
	return FILE_OK;
}

enum file_status fat_begin(void)
{
	enum file_status status = FILE_OK;

	assert(mutex_held(&fat_volume.lock));
	if (!fat_volume.device || fat_volume.device->read_only)
		return FILE_READ_ONLY;
	if (!fat_volume.info_stale)
		status = info_forget();
	if (status == FILE_OK && (fat_cache_crowded() || fat_volume.freed_count > FAT_FREED_MAX - 2))
		status = fat_commit();
	if (status == FILE_OK && !committer_wanted) {
		spin_lock(&committer_lock);
		committer_wanted = true;
		wait_wake_all(&committer_queue);
		spin_unlock(&committer_lock);
	}
	return status;
}

/* The second round writes that clusters are free. */
static enum file_status sync_locked(void)
{
	enum file_status status = FILE_OK;
	u32 count;
	u8 *info;

	if (!fat_volume.device)
		return FILE_OK;
	status = fat_commit();
	if (status == FILE_OK && fat_volume.info_stale && info_get(false)) {
		status = fat_free_clusters(&count);
		/* All else first, or a crash could leave the count without what it counts. */
		if (status == FILE_OK)
			status = fat_cache_write_tables();
		if (status == FILE_OK)
			status = fat_barrier();
		if (status == FILE_OK && (info = info_get(true))) {
			fat_put32(info + INFO_FREE, count);
			fat_put32(info + INFO_NEXT, fat_volume.next_free);
			fat_volume.info_stale = false;
		}
	}
	if (status == FILE_OK)
		status = fat_commit();
	return status;
}

enum file_status file_sync(void)
{
	enum file_status status;

	mutex_lock(&fat_volume.lock);
	status = sync_locked();
	mutex_unlock(&fat_volume.lock);
	return status;
}

enum file_status file_commit(void)
{
	enum file_status status;

	mutex_lock(&fat_volume.lock);
	status = fat_volume.device ? fat_commit() : FILE_OK;
	mutex_unlock(&fat_volume.lock);
	return status;
}

/* The lock is never given back: nobody changes what has just been made whole. */
void file_shutdown(void)
{
	mutex_lock(&fat_volume.lock);
	if (sync_locked() != FILE_OK)
		klog(LOG_ERROR, "%s: not all changes could be written", fat_volume.device->name);
}

/* Changes are written a second after the first of them. */
static void committer_thread(void *arg)
{
	(void)arg;
	for (;;) {
		spin_lock(&committer_lock);
		while (!committer_wanted)
			wait_sleep(&committer_queue, &committer_lock, WAIT_FOREVER, false);
		spin_unlock(&committer_lock);
		sleep_until(clock_ns() + COMMIT_INTERVAL_NS);
		mutex_lock(&fat_volume.lock);
		committer_wanted = false; /* under both locks or this one: fat_begin sees it */
		if (fat_commit() == FILE_OK && fat_cache_write_tables() == FILE_OK)
			fat_barrier();
		mutex_unlock(&fat_volume.lock);
	}
}

void file_threads_start(void)
{
	check(thread_create_kernel("committer", committer_thread, NULL));
}
