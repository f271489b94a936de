/* The FAT32 code when the disk fails, memory runs out, or the volume is damaged: an error, and never harm. */
#include <string.h>

#include "fat_world.h"

#define PAGES 80
static u8 *pages;

static void disk_errors_are_told(void)
{
	u64 got, phys[4], sector;
	u8 *bytes;
	struct file *f;

	world_begin();
	cache_fill();
	bytes = aligned_alloc(PAGE_SIZE, KIB(64));
	for (u32 i = 0; i < 4; i++)
		phys[i] = virt_to_phys(bytes + i * PAGE_SIZE);
	expect_equal(file_open("\\Sub Directory\\nested\\deep.bin", &f), FILE_OK);
	sector = fat_sector_at(f->volume, f->runs, f->run_count, 20480, &got);
	bad_from = sector;
	bad_to = sector + 1;
	expect_equal(file_read(f, 0, bytes, KIB(64), &got), FILE_IO_ERROR);
	expect_equal(got, 0);
	expect_equal(file_read(f, 20480, bytes, 1, &got), FILE_IO_ERROR);
	expect_equal(image_read_pages(f, 20480, ~0ull, phys, 4), FILE_IO_ERROR);
	expect_equal(image_read_pages(f, 20479, ~0ull, phys, 1), FILE_IO_ERROR);
	expect_file("\\HELLO.TXT", &expected[0]);
	bad_to = bad_from;
	expect_equal(file_read(f, 0, bytes, KIB(64), &got), FILE_OK);
	file_unref(f);
	expect_equal(allocations, baseline);

	world_begin(); /* nothing cached */
	cache_fill();
	bad_from = fat_entry_at(0) / SECTOR_SIZE;
	bad_to = bad_from + 1;
	expect_equal(world_mount(), true);
	expect_equal(file_open("\\HELLO.TXT", &f), FILE_IO_ERROR);
	bad_from = 0;
	bad_to = 1;
	expect(!world_mount());
	expect_equal(file_open("\\HELLO.TXT", &f), FILE_PATH_NOT_FOUND);
	bad_to = 0;
	expect(world_mount());
	expect_file("\\HELLO.TXT", &expected[0]);
	free(bytes);
}

static void no_memory_is_told(void)
{
	u32 failures = 0;
	struct file *f;

	world_begin();
	cache_fill();
	for (u64 n = 0;; n++) {
		enum file_status status;

		fail_after = n;
		status = file_open("\\Sub Directory\\nested\\deep.bin", &f);
		fail_after = ~0ull;
		if (status == FILE_OK)
			break;
		expect_equal(status, FILE_NO_MEMORY);
		failures++;
		expect_equal(allocations, baseline);
	}
	file_unref(f);
	expect(failures >= 4);
	expect_equal(allocations, baseline);
}

/* Opens path on the damaged image, mounted anew. */
static enum file_status open_damaged(const char *path)
{
	struct file *f;
	enum file_status status;

	expect(world_mount());
	cache_fill();
	expect(world_mount());
	status = file_open(path, &f);
	if (status == FILE_OK)
		file_unref(f);
	expect_no_leak();
	return status;
}

static void damaged_chains_are_corrupt(void)
{
	const char *path = "\\Sub Directory\\nested\\deep.bin";
	u32 first, directory, count, cluster;
	struct file *f;

	world_begin();
	expect_equal(file_open(path, &f), FILE_OK);
	first = f->first_cluster;
	file_unref(f);
	count = DIV_UP(70001, cluster_bytes());
	cluster = fat_get32(image + fat_entry_at(first)); /* the second */

	static const u32 wrong[] = { 0, 1, 0x0ffffff7, 0x0ffffff0, 0x0fffffff };
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) { /* free, reserved, bad, beyond the volume, an early end */
		damage32(fat_entry_at(cluster), wrong[i]);
		expect_equal(open_damaged(path), FILE_CORRUPT);
		repair();
	}
	expect_equal(open_damaged(path), FILE_OK);
	damage32(fat_entry_at(cluster), first); /* loops: to the first, to itself */
	expect_equal(open_damaged(path), FILE_CORRUPT);
	damage32(fat_entry_at(cluster), cluster);
	expect_equal(open_damaged(path), FILE_CORRUPT);
	repair();
	for (u32 i = 1; i < count; i++) /* a loop behind the file's end */
		cluster = fat_get32(image + fat_entry_at(cluster));
	for (cluster = first; fat_get32(image + fat_entry_at(cluster)) < 0x0ffffff8;)
		cluster = fat_get32(image + fat_entry_at(cluster));
	damage32(fat_entry_at(cluster), first);
	expect_equal(open_damaged(path), FILE_CORRUPT);
	repair();
	/* More clusters than the size needs are no harm: the chain goes on in free ones. */
	damage32(fat_entry_at(cluster), 60000);
	damage32(fat_entry_at(60000), 60001);
	damage32(fat_entry_at(60001), 0x0fffffff);
	expect_equal(open_damaged(path), FILE_OK);
	repair();

	expect_equal(file_open("\\many", &f), FILE_OK); /* a directory that loops */
	directory = f->first_cluster;
	file_unref(f);
	cluster = fat_get32(image + fat_entry_at(directory));
	damage32(fat_entry_at(cluster), directory);
	expect_equal(open_damaged("\\many\\nothing"), FILE_CORRUPT);
	expect_equal(open_damaged("\\many"), FILE_CORRUPT);
	repair();
	damage32(fat_entry_at(directory), 0);
	expect_equal(open_damaged("\\many\\nothing"), FILE_CORRUPT);
	repair();
	expect_equal(open_damaged("\\many\\nothing"), FILE_NOT_FOUND);
}

static void long_names_need_their_checksum(void)
{
	u8 *at;

	world_begin();
	/* The short name changes, the pieces of the long one stay: only the short one is left. */
	at = memmem(image, MIB(4), "MIXED   TXT", 11);
	expect(at);
	damage(at - image, 'F');
	expect_equal(open_damaged("\\Mixed.Txt"), FILE_NOT_FOUND);
	expect_equal(open_damaged("\\fixed.txt"), FILE_OK);
	repair();
	damage(at - image - FAT_ENTRY_SIZE, 0x43);          /* the last piece says that there are three */
	expect_equal(open_damaged("\\Mixed.Txt"), FILE_OK); /* by its short name, letters' case aside */
	repair();
	damage(at - image - FAT_ENTRY_SIZE + 1, '/'); /* no name holds this */
	expect_equal(open_damaged("\\mixed.txt"), FILE_OK);
	repair();
	damage(at - image + 1, '/'); /* a short name that holds it is damaged: the entry is passed over */
	expect_equal(open_damaged("\\mixed.txt"), FILE_NOT_FOUND);
	expect_equal(open_damaged("\\many"), FILE_OK);
	repair();
}

static void other_volumes_are_refused(void)
{
	static const struct {
		u32 at;
		u8 value;
	} wrong[] = {
		{ 510, 0 },   { 511, 0 }, { 11, 1 }, { 12, 3 }, { 12, 0 }, { 12, 0x20 }, { 13, 0 },
		{ 13, 3 },    { 16, 0 },  { 17, 1 }, { 19, 1 }, { 22, 1 }, { 33, 0xff }, { 35, 0xff },
		{ 39, 0xff }, { 42, 1 },  { 47, 1 }, { 44, 1 }, { 44, 0 },
	};

	world_begin();
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		damage(wrong[i].at, wrong[i].value);
		if (world_mount())
			tap_fail(__FILE__, __LINE__, "mounted with byte %u = %02x", wrong[i].at, wrong[i].value);
		repair();
	}
	damage32(36, 0); /* no FAT at all */
	expect(!world_mount());
	repair();
	damage32(36, 1); /* a FAT too short for the clusters */
	expect(!world_mount());
	repair();
	damage(40, 0x81); /* only the second FAT is good */
	damage(fat_entry_at(2) + 3, 0x0f);
	expect(world_mount());
	expect_file("\\HELLO.TXT", &expected[0]);
	damage(40, 0x82); /* there is no third */
	expect(!world_mount());
	repair();
	image_size -= SECTOR_SIZE * 1024; /* a disk that is too small */
	expect(!world_mount());
	image_size += SECTOR_SIZE * 1024;
	expect(world_mount());
}

/* Walks as much of the tree as budget says, reads a little of each file. Anything may come out of it but no crash. */
static void explore(const char *path, u32 depth, u32 *budget)
{
	struct file_entry *e;
	struct file *f;
	u32 slot = 0;

	if (*budget == 0 || file_open(path, &f) != FILE_OK)
		return;
	--*budget;
	e = kmalloc(sizeof(*e));
	for (u32 i = 0; i < 300 && file_list(f, &slot, e) == FILE_OK; i++) {
		char child[FILE_PATH_MAX * 3];

		snprintf(child, sizeof(child), "%s\\%s", path, e->name);
		if (depth < 4 && strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0)
			explore(child, depth + 1, budget);
	}
	if (!(f->attributes & FILE_ATTRIBUTE_DIRECTORY_)) {
		u64 phys[PAGES], got, size = f->size;
		u8 *bytes = kmalloc(KMALLOC_MAX);

		if (!pages)
			pages = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
		for (u32 i = 0; i < PAGES; i++)
			phys[i] = virt_to_phys(pages + i * PAGE_SIZE);
		file_read(f, size / 2, bytes, KMALLOC_MAX, &got);
		file_read(f, size ? size - 1 : 0, bytes, KMALLOC_MAX, &got);
		image_read_pages(f, tap_below(size + 1), tap_below(size + 1), phys, PAGES);
		image_read_pages(f, ALIGN_DOWN(size, PAGE_SIZE), ~0ull, phys, 1);
		kfree(bytes);
	}
	kfree(e);
	file_unref(f);
}

static void damaged_volumes_do_no_harm(void)
{
	u32 sectors = 0, *list;
	u32 budget;

	world_begin();
	touched = calloc(disk.sectors + 8, 1);
	expect(world_mount());
	budget = 1000;
	explore("\\", 0, &budget);
	expect(budget < 900);
	list = malloc(disk.sectors * sizeof(*list));
	for (u64 i = 0; i < disk.sectors; i++)
		if (touched[i])
			list[sectors++] = i;
	free(touched);
	touched = NULL;
	cache_fill();
	for (u32 round = 0; round < 250; round++) {
		u32 n = tap_one_in(3) ? 100 : tap_between(1, 10);

		for (u32 i = 0; i < n; i++) {
			u64 sector = tap_one_in(20) ? 0 : list[tap_below(sectors)];
			size_t at = sector * SECTOR_SIZE + tap_below(SECTOR_SIZE);

			damage(at, tap_one_in(3) ? (u8)(image[at] ^ 1 << tap_below(8)) : (u8)tap_random());
		}
		if (world_mount()) {
			budget = 200;
			explore("\\", 0, &budget);
		}
		expect(!world_locked());
		repair();
	}
	free(list);
	expect(world_mount());
	expect_no_leak();
}

int main(int argc, char **argv)
{
	static const char *const images[] = { "fat_512.img", "fat_1024.img" }; /* sectors of 512 and of 1024 bytes */

	tap_begin(argc, argv);
	for (u32 i = 0; i < ARRAY_SIZE(images); i++) {
		world_image(argv[0], images[i]);
		tap_run(disk_errors_are_told);
		tap_run(no_memory_is_told);
		tap_run(damaged_chains_are_corrupt);
		tap_run(long_names_need_their_checksum);
		tap_run(other_volumes_are_refused);
		tap_run(damaged_volumes_do_no_harm);
	}
	free(pages);
	return tap_end();
}
