/* What the data section of a file (mm/file_cache.h) reads and writes: whole pages, and when the directory entry follows. */
#include "io/file_internal.h"

#include "arch/arch.h"
#include "proc/sched.h"

#define BUSY_NS 1000000ull

void file_busy_wait(void)
{
	sleep_until(clock_ns() + BUSY_NS);
}

enum file_status file_pages_read(struct file *f, u64 offset, const u64 *phys, u32 count)
{
	assert(mutex_held(&f->lock));
	return f->gone ? FILE_NOT_FOUND : file_read_pages(f, offset, f->size, phys, count);
}

/* The rest of the last sector is in the file's last cluster too. */
enum file_status file_pages_write(struct file *f, u64 offset, const u64 *phys, u32 count)
{
	enum file_status status = FILE_OK;
	struct file_batch b;

	assert(mutex_held(&f->lock) && IS_ALIGNED(offset, PAGE_SIZE));
	if (f->gone && !f->unlinked)
		return FILE_OK;
	status = file_check_unlocked(f);
	if (status != FILE_OK)
		return status;
	if (f->volume->read_only)
		return FILE_READ_ONLY;
	file_batch_begin(&b, f->volume, true);
	for (u32 i = 0; i < count && status == FILE_OK; i++) {
		u64 start = offset + i * PAGE_SIZE;

		if (start < f->size)
			status = file_batch_add(&b, f, start, ALIGN_UP(MIN(f->size - start, PAGE_SIZE), SECTOR_SIZE), phys[i]);
	}
	if (status == FILE_OK)
		status = file_batch_send(&b);
	for (u32 i = 0; i < count; i++) {
		u64 start = offset + i * PAGE_SIZE;

		if (start < f->size)
			file_patch(f, start, ALIGN_UP(MIN(f->size - start, PAGE_SIZE), SECTOR_SIZE), phys_to_virt(phys[i]));
	}
	return status;
}

enum file_status file_write_begin(struct file *f, u64 *offset, u64 n)
{
	enum file_status status = file_change_check(f);

	if (status != FILE_OK)
		return status;
	if (*offset == FILE_AT_END)
		*offset = f->size;
	if (*offset > FILE_SIZE_MAX || n > FILE_SIZE_MAX - *offset)
		return FILE_NO_SPACE;
	if (!n)
		return FILE_OK;
	if (f->volume->read_only)
		return FILE_READ_ONLY;
	status = file_room_take(f, *offset + n);
	return status == FILE_OK && *offset > f->size ? file_resize(f, *offset) : status;
}

void file_write_end(struct file *f, u64 end)
{
	assert(mutex_held(&f->lock));
	mutex_lock(&f->volume->lock);
	file_changed(f);
	f->image_changes++;
	f->size = MAX(f->size, end);
	mutex_unlock(&f->volume->lock);
}

enum file_status file_entry_settle(struct file *f, u64 size, bool touched)
{
	enum file_status status;

	assert(mutex_held(&f->lock));
	if (f->gone)
		return FILE_OK;
	mutex_lock(&f->volume->lock);
	status = file_check(f);
	if (status == FILE_OK)
		status = fat_begin(f->volume);
	if (status == FILE_OK) {
		if (touched)
			file_changed(f);
		f->entry_size = MAX(f->entry_size, MIN(size, f->size));
		status = file_entry_update(f);
	}
	mutex_unlock(&f->volume->lock);
	return status == FILE_STALE ? FILE_OK : status;
}
