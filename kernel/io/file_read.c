/* Reading files: from the disk straight to where the bytes belong, in requests as large as the file's runs allow. */
#include "io/file_internal.h"
#include "lib/string.h"

/* Small and odd pieces go through the volume's cache: [offset, offset + n) lies inside the file. */
static enum file_status read_cached(const struct file *f, u64 offset, u8 *to, u64 n)
{
	enum file_status status = FILE_OK;

	if (n == 0)
		return FILE_OK;
	mutex_lock(&f->volume->lock);
	while (n > 0) {
		u64 contiguous, inside = offset % SECTOR_SIZE, part = MIN(n, SECTOR_SIZE - inside);
		const u8 *sector = fat_cache_get(f->volume, fat_sector_at(f->volume, f->runs, f->run_count, offset, &contiguous));

		if (!sector) {
			status = FILE_IO_ERROR;
			break;
		}
		memcpy(to, sector + inside, part);
		to += part;
		offset += part;
		n -= part;
	}
	mutex_unlock(&f->volume->lock);
	return status;
}

/* [offset, offset + n) lies inside the file. */
static enum file_status read_inside(const struct file *f, u64 offset, u8 *to, u64 n)
{
	u64 head = ALIGN_UP(offset, SECTOR_SIZE) - offset, body;
	enum file_status status;
	struct file_batch b;

	if (n < head + PAGE_SIZE)
		return read_cached(f, offset, to, n);
	body = ALIGN_DOWN(n - head, SECTOR_SIZE);
	status = read_cached(f, offset, to, head);
	if (status != FILE_OK)
		return status;
	file_batch_begin(&b, f->volume, false);
	status = file_batch_add(&b, f, offset + head, body, virt_to_phys(to + head));
	if (status == FILE_OK)
		status = file_batch_send(&b);
	if (status != FILE_OK)
		return status;
	return read_cached(f, offset + head + body, to + head + body, n - head - body);
}

static void count_read(u64 bytes)
{
	__atomic_fetch_add(&file_counters.reads, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&file_counters.read_bytes, bytes, __ATOMIC_RELAXED);
}

enum file_status file_read(struct file *f, u64 offset, void *to, u64 n, u64 *got)
{
	enum file_status status = FILE_OK;

	*got = 0;
	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	status = file_check_unlocked(f);
	if (status != FILE_OK)
		return status;
	mutex_lock(&f->lock);
	n = offset < f->size ? MIN(n, f->size - offset) : 0;
	if (f->gone && !f->unlinked)
		status = FILE_NOT_FOUND;
	else if (n)
		status = read_inside(f, offset, to, n);
	mutex_unlock(&f->lock);
	status = volume_error(f->volume, status);
	if (status == FILE_OK && n) {
		*got = n;
		count_read(n);
	}
	return status;
}

/* Zeroes what lies beyond end in the pages that were read from offset on. */
static void pages_zero_beyond(u64 offset, u64 end, const u64 *phys, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		u64 start = offset + i * PAGE_SIZE, valid = start < end ? MIN(end - start, PAGE_SIZE) : 0;
		u8 *page = phys_to_virt(phys[i]);

		if (valid == 0)
			page_zero(page);
		else
			memset(page + valid, 0, PAGE_SIZE - valid);
	}
}

enum file_status file_read_pages(struct file *f, u64 offset, u64 limit, const u64 *phys, u32 count)
{
	u64 end = MIN(MIN(limit, f->size), offset + count * PAGE_SIZE);
	enum file_status status = FILE_OK;
	struct file_batch b;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	status = file_check_unlocked(f);
	if (status != FILE_OK)
		return status;
	assert(__atomic_load_n(&f->images, __ATOMIC_RELAXED) || mutex_held(&f->lock));
	file_batch_begin(&b, f->volume, false);
	for (u32 i = 0; i < count && status == FILE_OK; i++) {
		u64 start = offset + i * PAGE_SIZE, n;

		if (start >= end)
			break;
		n = MIN(end - start, PAGE_SIZE);
		/* The rest of the last sector is in the file's last cluster too, and zeroed below. */
		if (IS_ALIGNED(start, SECTOR_SIZE))
			status = file_batch_add(&b, f, start, ALIGN_UP(n, SECTOR_SIZE), phys[i]);
		else
			status = read_cached(f, start, phys_to_virt(phys[i]), n);
	}
	if (status == FILE_OK)
		status = file_batch_send(&b);
	if (status != FILE_OK)
		return status;
	pages_zero_beyond(offset, end, phys, count);
	if (end > offset)
		count_read(end - offset);
	return FILE_OK;
}
