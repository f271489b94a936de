/* Reading files: from the disk straight to where the bytes belong, in requests as large as the file's runs allow. */
#include "io/fat.h"
#include "io/file.h"
#include "lib/string.h"

/* Pieces are merged while memory is contiguous too, up to what every disk takes. */
#define PIECE_BYTES_MAX MIB(1)

/* A request that grows, and is sent when the next bytes do not join it. */
struct batch {
	struct block_request request;
	u64 sectors; /* so far */
};

static void batch_begin(struct batch *b)
{
	b->request.write = false;
	b->request.complete = NULL;
	b->request.piece_count = 0;
	b->sectors = 0;
}

static enum file_status batch_send(struct batch *b)
{
	if (b->request.piece_count == 0)
		return FILE_OK;
	__atomic_fetch_add(&file_counters.device_reads, 1, __ATOMIC_RELAXED);
	block_submit(fat_volume.device, &b->request);
	if (!block_wait(&b->request))
		return FILE_IO_ERROR;
	batch_begin(b);
	return FILE_OK;
}

/* Adds count sectors from sector on, which go to phys; sends what was there if they do not follow it. */
static enum file_status batch_add(struct batch *b, u64 sector, u64 count, u64 phys)
{
	struct block_request *r = &b->request;

	while (count > 0) {
		u32 last = r->piece_count - 1;
		u64 n;

		if (r->piece_count && r->sector + b->sectors == sector &&
		    r->pieces[last].phys + r->pieces[last].bytes == phys && r->pieces[last].bytes < PIECE_BYTES_MAX) {
			n = MIN(count, (PIECE_BYTES_MAX - r->pieces[last].bytes) / SECTOR_SIZE);
			r->pieces[last].bytes += n * SECTOR_SIZE;
		} else {
			if (r->piece_count == BLOCK_PIECES_MAX ||
			    (r->piece_count && r->sector + b->sectors != sector)) {
				enum file_status status = batch_send(b);
				if (status != FILE_OK)
					return status;
			}
			if (r->piece_count == 0)
				r->sector = sector;
			n = MIN(count, PIECE_BYTES_MAX / SECTOR_SIZE);
			r->pieces[r->piece_count].phys = phys;
			r->pieces[r->piece_count++].bytes = n * SECTOR_SIZE;
		}
		b->sectors += n;
		sector += n;
		count -= n;
		phys += n * SECTOR_SIZE;
	}
	return FILE_OK;
}

/* Adds sectors of the file: offset is a multiple of 512, and so is n; both inside the file's clusters. */
static enum file_status batch_add_file(struct batch *b, const struct file *f, u64 offset, u64 n, u64 phys)
{
	while (n > 0) {
		u64 contiguous, sector = fat_sector_at(f->runs, f->run_count, offset, &contiguous);
		u64 count = MIN(contiguous, n / SECTOR_SIZE);
		enum file_status status = batch_add(b, sector, count, phys);

		if (status != FILE_OK)
			return status;
		offset += count * SECTOR_SIZE;
		phys += count * SECTOR_SIZE;
		n -= count * SECTOR_SIZE;
	}
	return FILE_OK;
}

/* Small and odd pieces go through the volume's cache: [offset, offset + n) lies inside the file. */
static enum file_status read_cached(const struct file *f, u64 offset, u8 *to, u64 n)
{
	enum file_status status = FILE_OK;

	if (n == 0)
		return FILE_OK;
	mutex_lock(&fat_volume.lock);
	while (n > 0) {
		u64 contiguous, inside = offset % SECTOR_SIZE, part = MIN(n, SECTOR_SIZE - inside);
		const u8 *sector = fat_cache_get(fat_sector_at(f->runs, f->run_count, offset, &contiguous));

		if (!sector) {
			status = FILE_IO_ERROR;
			break;
		}
		memcpy(to, sector + inside, part);
		to += part;
		offset += part;
		n -= part;
	}
	mutex_unlock(&fat_volume.lock);
	return status;
}

/* [offset, offset + n) lies inside the file. */
static enum file_status read_inside(const struct file *f, u64 offset, u8 *to, u64 n)
{
	u64 head = ALIGN_UP(offset, SECTOR_SIZE) - offset, body;
	enum file_status status;
	struct batch b;

	if (n < head + PAGE_SIZE)
		return read_cached(f, offset, to, n);
	body = ALIGN_DOWN(n - head, SECTOR_SIZE);
	status = read_cached(f, offset, to, head);
	if (status != FILE_OK)
		return status;
	batch_begin(&b);
	status = batch_add_file(&b, f, offset + head, body, virt_to_phys(to + head));
	if (status == FILE_OK)
		status = batch_send(&b);
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
	enum file_status status;

	*got = 0;
	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	if (offset >= f->size || n == 0)
		return FILE_OK;
	n = MIN(n, f->size - offset);
	status = read_inside(f, offset, to, n);
	if (status == FILE_OK) {
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
	struct batch b;

	if (f->attributes & FILE_ATTRIBUTE_DIRECTORY_)
		return FILE_IS_DIRECTORY;
	batch_begin(&b);
	for (u32 i = 0; i < count && status == FILE_OK; i++) {
		u64 start = offset + i * PAGE_SIZE, n;

		if (start >= end)
			break;
		n = MIN(end - start, PAGE_SIZE);
		/* The rest of the last sector is in the file's last cluster too, and zeroed below. */
		if (IS_ALIGNED(start, SECTOR_SIZE))
			status = batch_add_file(&b, f, start, ALIGN_UP(n, SECTOR_SIZE), phys[i]);
		else
			status = read_cached(f, start, phys_to_virt(phys[i]), n);
	}
	if (status == FILE_OK)
		status = batch_send(&b);
	if (status != FILE_OK)
		return status;
	pages_zero_beyond(offset, end, phys, count);
	if (end > offset)
		count_read(end - offset);
	return FILE_OK;
}
