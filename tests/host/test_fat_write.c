/*
 * The FAT32 code when it writes: random operations beside a model of what they should do, what lies on the disk after
 * them, and what would lie there if the power had gone at any moment.
 */
#include <string.h>

#include "fat_model.h"

static void random_operations_do_what_they_should(void)
{
	model_begin();
	for (u32 round = 0; round < 40; round++) {
		for (u32 i = 0; i < 100; i++)
			do_something();
		model_end();
		expect_equal(world_sync(), FILE_OK);
		volume_compare(0);
		if (tap_one_in(3))
			expect(world_mount());
		if (round % 13 == 0)
			fsck(image);
	}
	expect_equal(world_sync(), FILE_OK);
	fsck(image);
	expect(allocations <= baseline + 1); /* a block of zeros */
}

/* ---- crashes ---- */

static u8 *durable; /* the disk as it is when all writes before a flush have been done, and none behind it */

static struct undo {
	u64 sector;
	u8 bytes[SECTOR_SIZE];
} *undos;
static u32 undo_count, undo_room;

static void sector_apply(u64 sector, const u8 *bytes, bool undo)
{
	if (undo) {
		if (undo_count == undo_room) {
			undo_room = undo_room ? undo_room * 2 : 1024;
			undos = realloc(undos, undo_room * sizeof(*undos));
		}
		undos[undo_count].sector = sector;
		memcpy(undos[undo_count++].bytes, durable + sector * SECTOR_SIZE, SECTOR_SIZE);
	}
	memcpy(durable + sector * SECTOR_SIZE, bytes, SECTOR_SIZE);
}

static void undo_all(void)
{
	while (undo_count) {
		undo_count--;
		memcpy(durable + undos[undo_count].sector * SECTOR_SIZE, undos[undo_count].bytes, SECTOR_SIZE);
	}
}

static u64 crashes, tails, shared;

/* The disk is as after a crash in which the writes up to number end were under way. */
static void crash_judge(u32 end, u32 allow)
{
	struct check c;

	crashes++;
	if (!fat_check(&c, durable, CHECK_TAILS | allow))
		tap_fail(__FILE__, __LINE__, "a crash at write %u leaves: %s", end, c.problem);
	for (u32 i = 1; i < NODES; i++) {
		const struct check_file *f;

		if (!nodes[i].durable || nodes[i].touched)
			continue;
		f = fat_check_find(&c, nodes[i].durable_path);
		if (!f)
			tap_fail(__FILE__, __LINE__, "a crash at write %u loses %s", end, nodes[i].durable_path);
		if (f->size != nodes[i].durable_size || (nodes[i].durable_bytes && !fat_check_contents(&c, f, nodes[i].durable_bytes)))
			tap_fail(__FILE__, __LINE__, "a crash at write %u damages %s", end, nodes[i].durable_path);
	}
	fat_check_free(&c);
	if (allow)
		shared++;
	else if (fat_check(&c, durable, 0))
		fat_check_free(&c);
	else
		tails++, fat_check_free(&c);
}

/* Which writes fall into renames, where one file may have two names. */
static struct span {
	u32 from, to;
} spans[1000];
static u32 span_count;

static u32 allowed(u32 from, u32 to)
{
	for (u32 i = 0; i < span_count; i++)
		if (spans[i].from < to && spans[i].to > from)
			return CHECK_SHARED;
	return 0;
}

/* Each sector on its own either is on the disk, or is not. */
static void crash_try(u32 from, u32 to, u32 chance)
{
	for (u32 i = from; i < to; i++)
		for (u64 s = 0; s < writes[i].count; s++)
			if (tap_below(100) < chance)
				sector_apply(writes[i].sector + s, writes[i].bytes + s * SECTOR_SIZE, true);
	crash_judge(to, allowed(from, to));
	undo_all();
}

/* Only one sector is on the disk, whichever. */
static void crash_try_each(u32 from, u32 to)
{
	for (u32 i = from; i < to; i++)
		for (u64 s = 0; s < writes[i].count; s++) {
			sector_apply(writes[i].sector + s, writes[i].bytes + s * SECTOR_SIZE, true);
			crash_judge(to, allowed(from, to));
			undo_all();
		}
}

/* All moments since the last time: at each flush, and with any part (each: any one sector) of the writes before the next one. */
static void crashes_try(bool each)
{
	for (u32 from = 0, to; from < write_count; from = to + 1) {
		for (to = from; to < write_count && !writes[to].flush; to++)
			;
		for (u32 i = 0; i < 4; i++)
			crash_try(from, to, i == 0 ? 0 : (u32)tap_below(101));
		crash_try(from, from + (u32)tap_below(to - from + 1), 100);
		if (each)
			crash_try_each(from, to);
		for (u32 i = from; i < to; i++)
			for (u64 s = 0; s < writes[i].count; s++)
				sector_apply(writes[i].sector + s, writes[i].bytes + s * SECTOR_SIZE, false);
		if (to < write_count)
			crash_judge(to, allowed(from, to));
	}
	expect(memcmp(durable, image, image_size) == 0);
	span_count = 0;
	record_begin();
}

static void snapshot(void)
{
	for (u32 i = 1; i < NODES; i++) {
		struct node *n = &nodes[i];

		free(n->durable_bytes);
		n->durable_bytes = NULL;
		n->touched = false;
		n->durable = n->parent != NULL;
		if (!n->durable)
			continue;
		path_of(n, n->durable_path);
		n->durable_size = n->size;
		if (!n->directory) {
			n->durable_bytes = malloc(BYTES_MAX);
			memcpy(n->durable_bytes, n->bytes, BYTES_MAX);
		}
	}
}

static void crashes_lose_nothing_that_was_flushed(void)
{
	model_begin();
	durable = realloc(durable, image_size);
	memcpy(durable, image, image_size);
	record_begin();
	crashes = tails = shared = 0;
	for (u32 round = 0; round < 300; round++) {
		u32 n = (u32)tap_between(1, 20);

		for (u32 i = 0; i < n; i++) {
			rename_from = rename_to = 0;
			do_something();
			if (rename_from != rename_to && span_count < ARRAY_SIZE(spans))
				spans[span_count++] = (struct span){ rename_from, rename_to };
		}
		expect_equal(tap_one_in(5) ? world_sync() : world_commit(), FILE_OK);
		crashes_try(false);
		snapshot();
	}
	model_end();
	tap_note("%llu crashes: %llu with clusters behind a file's end, %llu in renames", (unsigned long long)crashes,
		 (unsigned long long)tails, (unsigned long long)shared);
	expect(crashes > 1000);
	record = false;
}

static void file_delete(const char *path)
{
	enum file_outcome outcome;
	struct file *f;

	expect_equal(file_open_as(path, &open_any, &f, &outcome), FILE_OK);
	expect_equal(file_set_delete(f, true), FILE_OK);
	file_close(f, 7, 7, false);
}

static void file_make(const char *path)
{
	enum file_outcome outcome;
	struct file *f;

	expect_equal(file_open_as(path, &make_file, &f, &outcome), FILE_OK);
	file_close(f, 7, 7, false);
}

/* Of 40: each begins in its own way, so that none is taken for another. */
static const char *name_of(u32 i)
{
	static char path[40];

	sprintf(path, "\\%c%cNAME", 'A' + i % 20, 'A' + i / 20);
	return path;
}

/* There is room for the name in a sector before that which it was erased in, and either may reach the disk first. */
static void a_name_made_again_is_never_there_twice(void)
{
	model_begin();
	for (u32 i = 0; i < 40; i++)
		file_make(name_of(i));
	for (u32 i = 0; i < 5; i++)
		file_delete(name_of(i));
	expect_equal(world_commit(), FILE_OK);
	durable = realloc(durable, image_size);
	memcpy(durable, image, image_size);
	record_begin();
	file_delete(name_of(39));
	file_make(name_of(39));
	for (u32 i = 5; i < 39; i++) /* more than are remembered one by one */
		file_delete(name_of(i));
	file_make(name_of(38));
	expect_equal(world_commit(), FILE_OK);
	crashes_try(true);
	model_end();
	record = false;
}

static void a_full_volume_refuses_and_loses_nothing(void)
{
	char path[FILE_PATH_MAX];
	enum file_outcome outcome;
	enum file_status status;
	struct file_space space;
	struct file *f;
	u64 got;

	model_begin();
	expect_equal(file_open_as("\\hog", &make_file, &f, &outcome), FILE_OK);
	expect_equal(world_space(&space), FILE_OK);
	expect_equal(file_set_size(f, (space.free_clusters + 1) * space.cluster_bytes), FILE_NO_SPACE);
	expect_equal(f->size, 0);
	expect_equal(file_set_size(f, (space.free_clusters - 20) * space.cluster_bytes), FILE_OK);
	volume_full = true;
	for (u32 i = 0; i < 1500; i++)
		do_something();
	model_end();
	expect_equal(file_set_size(f, 0), FILE_OK);
	expect_equal(file_write(f, 0, buffer, 10, NULL), FILE_OK); /* there is room again */
	expect_equal(file_set_delete(f, true), FILE_OK);
	status = file_open_as("\\hog", &open_any, &f, &outcome);
	expect_equal(status, FILE_DELETING);
	file_close(f, 7, 7, false);
	expect_equal(world_sync(), FILE_OK);
	volume_compare(0);
	for (u32 i = 1; i < NODES; i++) {
		if (!nodes[i].parent || nodes[i].directory)
			continue;
		path_of(&nodes[i], path);
		expect_equal(file_open(path, &f), FILE_OK);
		expect_equal(file_read(f, 0, buffer, BYTES_MAX, &got), FILE_OK);
		expect(got == nodes[i].size && memcmp(buffer, nodes[i].bytes, got) == 0);
		file_unref(f);
	}
	fsck(image);
}

/* What a directory on the disk says of a file's size, and whether it has clusters. */
static u32 entry_on_disk(const struct file *f, bool *clusters)
{
	const u8 *e = image + f->entry_at;

	*clusters = e[20] | e[21] | e[26] | e[27];
	return fat_get32(e + 28);
}

static void an_entry_follows_what_is_in_memory(void)
{
	static u8 page[4096] __attribute__((aligned(4096)));
	const struct file_times times = { .modified_unix = world_now };
	u64 offset = 0, phys = virt_to_phys(page), got;
	enum file_outcome outcome;
	struct file *f;
	bool clusters;

	model_begin();
	memset(page, 7, sizeof(page));
	expect_equal(file_open_as("\\late", &make_file, &f, &outcome), FILE_OK);
	mutex_lock(&f->lock);
	expect_equal(file_write_begin(f, &offset, 3000), FILE_OK);
	file_write_end(f, 3000);
	mutex_unlock(&f->lock);
	expect_equal(f->size, 3000);
	/* Whatever else changes the entry, it does not name what only memory has. */
	expect_equal(file_set_facts(f, ~0u, &times), FILE_OK);
	expect_equal(file_rename(f, "\\later", false), FILE_OK);
	expect_equal(world_commit(), FILE_OK);
	expect_equal(entry_on_disk(f, &clusters), 0);
	expect(!clusters);
	mutex_lock(&f->lock);
	expect_equal(file_pages_write(f, 0, &phys, 1), FILE_OK);
	expect_equal(file_entry_settle(f, 3000, false), FILE_OK);
	mutex_unlock(&f->lock);
	expect_equal(world_commit(), FILE_OK);
	expect_equal(entry_on_disk(f, &clusters), 3000);
	expect(clusters);
	expect_equal(file_read(f, 0, buffer, 4096, &got), FILE_OK);
	expect(got == 3000 && memcmp(buffer, page, 3000) == 0);
	/* It grows in memory, and is cut on the disk. */
	offset = FILE_AT_END;
	mutex_lock(&f->lock);
	expect_equal(file_write_begin(f, &offset, 5000), FILE_OK);
	file_write_end(f, offset + 5000);
	mutex_unlock(&f->lock);
	expect_equal(offset, 3000);
	expect_equal(file_set_size(f, 1000), FILE_OK);
	expect_equal(world_commit(), FILE_OK);
	expect_equal(entry_on_disk(f, &clusters), 1000);
	file_close(f, 7, 7, true);
	expect_equal(world_sync(), FILE_OK);
	fsck(image);
}

/* ---- rules ---- */

static enum file_status try_open(const char *path, u32 may, u32 share, enum file_disposition disposition, struct file **f)
{
	struct file_request r = { .may = may, .share = share, .disposition = disposition };
	enum file_outcome outcome;

	return file_open_as(path, &r, f, &outcome);
}

static void handles_keep_others_out(void)
{
	static const u32 read = FILE_MAY_READ, write = FILE_MAY_WRITE, all = 7;
	struct file *a, *b;

	model_begin();
	expect_equal(try_open("\\f", read | write, read, FILE_CREATE_, &a), FILE_OK);
	expect_equal(try_open("\\f", read, all, FILE_CREATE_, &b), FILE_EXISTS);
	expect_equal(try_open("\\f", read, read, FILE_OPEN_, &b), FILE_SHARING); /* it does not share writing */
	expect_equal(try_open("\\f", read, all, FILE_OPEN_, &b), FILE_OK);
	file_close(b, read, all, false);
	expect_equal(try_open("\\f", write, all, FILE_OPEN_, &b), FILE_SHARING);
	expect_equal(try_open("\\f", 0, 0, FILE_OPEN_, &b), FILE_OK); /* only asks about it */
	file_close(b, 0, 0, false);
	expect_equal(file_image_begin(a), FILE_SHARING);
	file_close(a, read | write, read, false);
	expect_equal(try_open("\\f", all, all, FILE_OPEN_, &a), FILE_OK);
	file_close(a, all, all, false);
	expect_equal(file_open("\\f", &a), FILE_OK);
	expect_equal(file_image_begin(a), FILE_OK);
	expect_equal(try_open("\\f", write, all, FILE_OPEN_, &b), FILE_SHARING);
	expect_equal(try_open("\\f", read, all, FILE_OVERWRITE_, &b), FILE_SHARING);
	expect_equal(try_open("\\f", FILE_MAY_DELETE, all, FILE_OPEN_, &b), FILE_OK);
	expect_equal(file_set_delete(b, true), FILE_NO_DELETE);
	expect_equal(file_rename(b, "\\g", false), FILE_OK);
	expect_text(b->path, "\\g");
	file_close(b, FILE_MAY_DELETE, all, false);
	expect_equal(try_open("\\f", write, all, FILE_CREATE_, &b), FILE_OK);
	expect(a != b);
	expect_equal(file_rename(b, "\\g", true), FILE_ACCESS);
	file_close(b, write, all, true);
	expect_equal(file_open("\\f", &b), FILE_NOT_FOUND);
	file_image_end(a);
	expect_equal(file_write(a, 0, "x", 1, NULL), FILE_OK);
	file_unref(a);
	struct volume *v = volume_get(VOLUME_LETTER_FIRST);
	v->read_only = true;
	expect_equal(try_open("\\g", write, all, FILE_OPEN_, &b), FILE_READ_ONLY);
	expect_equal(try_open("\\h", read, all, FILE_CREATE_, &b), FILE_READ_ONLY);
	expect_equal(try_open("\\g", read, all, FILE_OPEN_, &b), FILE_OK);
	file_close(b, read, all, false);
	v->read_only = false;
	volume_unref(v);
	expect(!world_locked());
}

static void errors_of_the_disk_are_told(void)
{
	u32 failures = 0;

	for (u64 n = 0; n < 60; n++) {
		enum file_outcome outcome;
		enum file_status status;
		struct file *f;

		model_begin();
		fail_writes_after = n;
		status = file_open_as("\\a file that may fail", &make_file, &f, &outcome);
		if (status == FILE_OK) {
			status = file_write(f, 0, buffer, BYTES_MAX, NULL);
			if (status == FILE_OK)
				status = file_rename(f, "\\another name", false);
			if (status == FILE_OK)
				status = file_set_size(f, 3);
			if (status == FILE_OK)
				status = world_sync();
			file_close(f, 7, 7, true);
		}
		expect(status == FILE_OK || status == FILE_IO_ERROR);
		failures += status == FILE_IO_ERROR;
		expect(!world_locked());
		fail_writes_after = ~0ull;
		world_sync();
	}
	expect(failures > 5 && failures < 60);
}

/* Random damage, then random operations, whatever they return. */
static void damaged_volumes_are_written_without_harm(void)
{
	for (u32 round = 0; round < 120; round++) {
		u64 fat_sector, data_sector;
		struct volume *v;
		struct file *f;

		model_begin();
		v = volume_get(VOLUME_LETTER_FIRST);
		fat_sector = v->fat_sector;
		data_sector = v->data_sector;
		volume_unref(v);
		for (u32 i = 0; i < 60; i++)
			do_something();
		model_end();
		world_sync();
		for (u32 i = 0; i < 30; i++) {
			u64 area = tap_one_in(2) ? data_sector : fat_sector;
			size_t at = (area + tap_below(12)) * SECTOR_SIZE + tap_below(SECTOR_SIZE);

			image[at] = tap_one_in(2) ? (u8)tap_random() : image[at] ^ (u8)(1u << tap_below(8));
		}
		if (!world_mount())
			continue;
		for (u32 i = 0; i < 60; i++) {
			enum file_outcome outcome;
			char path[FILE_PATH_MAX], other[FILE_PATH_MAX];
			struct node *n = &nodes[tap_below(NODES)];
			struct file_request r = { .may = 7, .share = 7, .disposition = FILE_OPEN_IF_ };

			if (!n->parent)
				continue;
			path_of(n, path);
			r.directory = n->directory && tap_one_in(3);
			if (file_open_as(path, &r, &f, &outcome) != FILE_OK)
				continue;
			file_write(f, tap_below(BYTES_MAX), buffer, BYTES_MAX, NULL);
			file_set_size(f, tap_below(BYTES_MAX));
			path_of(n, other);
			strcat(other, "x");
			file_rename(f, other, true);
			file_set_delete(f, tap_one_in(2));
			file_close(f, 7, 7, false);
		}
		world_sync();
		expect(!world_locked());
	}
}

static void short_names_are_made(void)
{
	static const struct {
		const char *name, *raw;
		u32 attempt, pieces;
	} cases[] = {
		{ "FILE.TXT", "FILE    TXT", 0, 0 },
		{ "file.txt", "FILE    TXT", 0, 0 },
		{ "File.txt", "FILE    TXT", 0, 1 },
		{ "A longer name.text", "ALONGE~1TEX", 0, 2 },
		{ "A longer name.text", "ALONGE~4TEX", 3, 2 },
		{ ".bashrc", "BASHRC~1   ", 0, 1 },
		{ "a.b.c", "AB~1    C  ", 0, 1 },
		{ "x+y", "X_Y~1      ", 0, 1 },
		{ "abcdefgh.ijk", "ABCDEFGHIJK", 0, 0 },
		{ "abcdefghi", "ABCDEF~1   ", 0, 1 },
	};
	u16 units[64];
	u8 raw[11];

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fat_name n;
		int length = utf8_to_utf16(cases[i].name, strlen(cases[i].name), units, 64);

		expect(fat_name_make(&n, units, (u32)length));
		expect_equal(n.long_entries, cases[i].pieces);
		expect(fat_name_short(&n, cases[i].attempt, raw));
		if (memcmp(raw, cases[i].raw, 11))
			tap_fail(__FILE__, __LINE__, "%s becomes \"%.11s\"", cases[i].name, raw);
	}
	units[0] = 'a';
	units[1] = '.';
	struct fat_name n;
	expect(!fat_name_make(&n, units, 2));
	units[1] = ' ';
	expect(!fat_name_make(&n, units, 2));
	expect(!fat_name_make(&n, units, 0));
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	world_image(argv[0], "fat_small.img");
	tap_run(short_names_are_made);
	tap_run(handles_keep_others_out);
	tap_run(an_entry_follows_what_is_in_memory);
	tap_run(random_operations_do_what_they_should);
	tap_run(a_full_volume_refuses_and_loses_nothing);
	tap_run(crashes_lose_nothing_that_was_flushed);
	tap_run(a_name_made_again_is_never_there_twice);
	tap_run(errors_of_the_disk_are_told);
	tap_run(damaged_volumes_are_written_without_harm);
	return tap_end();
}
