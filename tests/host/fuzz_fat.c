/*
 * libFuzzer target: a small FAT32 volume with some files, damaged as the input says, and then used as the rest of it says.
 * Anything may come of it but a crash, a lock that stays, or memory that is lost. See host.mk.
 * Input: a count, so many changes of 4 bytes (sector of metadata, offset's low and high byte, value), then operations of 2 bytes.
 */
#include <string.h>

#include "fat_world.h"
#include "io/file.h"

#define NAMES 6

static const char *const paths[NAMES] = { "\\file", "\\directory", "\\directory\\a longer name of a file", "\\directory\\b",
					  "\\FILE2.TXT", "\\directory\\nested" };
static u8 *clean; /* the volume as it is before each input */
static u32 metadata[64], metadata_count;

static enum file_status open_path(u32 n, enum file_disposition how, bool directory, struct file **f)
{
	struct file_request r = {
		.may = directory ? FILE_MAY_READ : FILE_MAY_READ | FILE_MAY_WRITE | FILE_MAY_DELETE,
		.share = 7,
		.disposition = how,
		.directory = directory,
		.not_directory = !directory,
	};
	enum file_outcome outcome;

	return file_open_as(paths[n % NAMES], &r, f, &outcome);
}

static void close_file(struct file *f, bool directory, bool delete_it)
{
	file_close(f, directory ? FILE_MAY_READ : FILE_MAY_READ | FILE_MAY_WRITE | FILE_MAY_DELETE, 7, delete_it);
}

static void list(struct file *directory)
{
	struct file_entry *e = kmalloc(sizeof(*e));
	u32 slot = 0;

	for (u32 i = 0; i < 100 && file_list(directory, &slot, e) == FILE_OK; i++)
		;
	kfree(e);
}

static void operate(u8 what, u8 argument)
{
	bool directory = what & 1;
	enum file_disposition how = what & 2 ? FILE_OPEN_IF_ : FILE_OPEN_;
	u8 *bytes;
	struct file *f;
	u64 got;

	if (open_path(argument, how, directory, &f) != FILE_OK)
		return;
	bytes = kzalloc(KMALLOC_MAX);
	switch (what >> 2 & 7) {
	case 0:
		file_read(f, argument * 300u, bytes, argument * 256u + 1, &got);
		break;
	case 1:
		file_write(f, argument & 0x80 ? FILE_AT_END : argument * 200u, bytes, (argument & 0x7f) * 60u + 1, NULL);
		break;
	case 2:
		file_set_size(f, argument * 100u);
		break;
	case 3:
		file_rename(f, paths[(argument >> 3) % NAMES], argument & 0x80);
		break;
	case 4:
		file_reserve(f, argument * 1000u);
		break;
	case 5:
		world_commit();
		break;
	default:
		break;
	}
	kfree(bytes);
	if (directory)
		list(f);
	close_file(f, directory, (what >> 2 & 7) == 6);
}

/* The volume that all inputs begin with, and which of its sectors are metadata. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct file *f;

	(void)argc;
	log_limit = LOG_ERROR;
	world_image((*argv)[0], "fat_small.img");
	world_begin();
	for (u32 n = 0; n < NAMES; n++) {
		bool directory = n == 1 || n == 5;

		expect(open_path(n, FILE_CREATE_, directory, &f) == FILE_OK);
		if (!directory) {
			u8 *bytes = kzalloc(5000);

			file_write(f, 0, bytes, 5000, NULL);
			kfree(bytes);
		}
		close_file(f, directory, false);
	}
	expect(world_sync() == FILE_OK);
	clean = malloc(image_size);
	memcpy(clean, image, image_size);
	touched = calloc(disk.sectors + 8, 1);
	expect(world_mount());
	for (u32 n = 0; n < NAMES; n++)
		if (open_path(n, FILE_OPEN_, n == 1 || n == 5, &f) == FILE_OK)
			close_file(f, n == 1 || n == 5, false);
	for (u64 i = 0; i < disk.sectors && metadata_count < ARRAY_SIZE(metadata); i++)
		if (touched[i] || i < 8)
			metadata[metadata_count++] = (u32)i;
	free(touched);
	touched = NULL;
	expect(metadata_count > 10);
	expect(world_mount());
	baseline = allocations; /* of a volume that was just mounted */
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t at = 1, changes = size ? data[0] % 64 : 0;

	for (; changes && at + 4 <= size; changes--, at += 4)
		image[metadata[data[at] % metadata_count] * (size_t)SECTOR_SIZE + (data[at + 1] | (data[at + 2] & 1) << 8)] = data[at + 3];
	if (world_mount()) {
		for (u32 operations = 0; at + 2 <= size && operations < 100; at += 2, operations++)
			operate(data[at], data[at + 1]);
		world_sync();
	}
	expect(!world_locked());
	memcpy(image, clean, image_size);
	expect(world_mount());
	expect_equal(allocations, baseline);
	return 0;
}
