/* Requests to the disk for runs of a file: as large as its clusters and the memory allow. */
#include "io/file_internal.h"

/* Pieces are merged while memory is contiguous too, up to what every disk takes. */
#define PIECE_BYTES_MAX MIB(1)

void file_batch_begin(struct file_batch *b, struct volume *v, bool write)
{
	b->volume = v;
	b->request.write = write;
	b->request.complete = NULL;
	b->request.piece_count = 0;
	b->sectors = 0;
}

enum file_status file_batch_send(struct file_batch *b)
{
	enum file_status status;

	if (b->request.piece_count == 0)
		return FILE_OK;
	if (!b->request.write)
		__atomic_fetch_add(&file_counters.device_reads, 1, __ATOMIC_RELAXED);
	status = volume_transfer(b->volume, &b->request);
	if (status != FILE_OK)
		return status;
	if (b->request.write)
		fat_wrote(b->volume);
	file_batch_begin(b, b->volume, b->request.write);
	return FILE_OK;
}

/* Adds count sectors from sector on, which go to phys; sends what was there if they do not follow it. */
static enum file_status sectors_add(struct file_batch *b, u64 sector, u64 count, u64 phys)
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
				enum file_status status = file_batch_send(b);
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

enum file_status file_batch_add(struct file_batch *b, const struct file *f, u64 offset, u64 n, u64 phys)
{
	while (n > 0) {
		u64 contiguous, sector = fat_sector_at(b->volume, f->runs, f->run_count, offset, &contiguous);
		u64 count = MIN(contiguous, n / SECTOR_SIZE);
		enum file_status status = sectors_add(b, sector, count, phys);

		if (status != FILE_OK)
			return status;
		offset += count * SECTOR_SIZE;
		phys += count * SECTOR_SIZE;
		n -= count * SECTOR_SIZE;
	}
	return FILE_OK;
}
