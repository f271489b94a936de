/* A disk that is memory: a request is copied at once. */
#include "io/block.h"
#include "lib/string.h"
#include "mm/pool.h"

struct ramdisk {
	struct block_device block;
	u8 *memory;
};

static void ramdisk_submit(struct block_device *d, struct block_request *r)
{
	struct ramdisk *ram = d->driver;
	u8 *at = ram->memory + r->sector * SECTOR_SIZE;

	for (u32 i = 0; i < r->piece_count; i++) {
		void *piece = phys_to_virt(r->pieces[i].phys);
		if (r->write)
			memcpy(at, piece, r->pieces[i].bytes);
		else
			memcpy(piece, at, r->pieces[i].bytes);
		at += r->pieces[i].bytes;
	}
	block_complete(r, false);
}

struct block_device *ramdisk_create(u64 phys, u64 size)
{
	static u32 number;
	struct ramdisk *ram = kzalloc(sizeof(*ram));

	if (!ram)
		return NULL;
	ram->memory = phys_to_virt(phys);
	ksnprintf(ram->block.name, sizeof(ram->block.name), "ram%u", number++);
	ram->block.sectors = size / SECTOR_SIZE;
	ram->block.submit = ramdisk_submit;
	ram->block.driver = ram;
	block_register(&ram->block);
	return &ram->block;
}
