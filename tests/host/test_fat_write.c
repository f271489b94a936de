/*
 * The FAT32 code when it writes: random operations beside a model of what they should do, what lies on the disk after
 * them, and what would lie there if the power had gone at any moment.
 */
#include <string.h>
#include <unistd.h>

#include "fat_check.h"
#include "fat_world.h"

#define NODES 60
#define BYTES_MAX 6000

/* The model. A node without a parent is free; node 0 is the root. */
static struct node {
	struct node *parent;
	bool directory;
	char name[300];
	u8 *bytes;
	u32 size, attributes;
	struct file *open; /* a handle that is kept */
	bool touched;      /* since the last commit */
	/* As it was at the last commit, if it was there. */
	bool durable;
	char durable_path[FILE_PATH_MAX];
	u8 *durable_bytes;
	u32 durable_size;
} nodes[NODES];

static const struct file_request make_file = { .may = 7, .share = 7, .disposition = FILE_CREATE_, .not_directory = true };
static const struct file_request make_directory = { .may = 1, .share = 7, .disposition = FILE_CREATE_, .directory = true };
static const struct file_request open_any = { .may = 7, .share = 7, .disposition = FILE_OPEN_ };

static u8 buffer[BYTES_MAX * 2] __attribute__((aligned(4096)));

static void path_of(const struct node *n, char *path)
{
	if (n == &nodes[0]) {
		path[0] = 0;
		return;
	}
	path_of(n->parent, path);
	strcat(path, "\\");
	strcat(path, n->name);
}

static struct node *node_pick(bool directory)
{
	struct node *n;

	for (u32 i = 0; i < 200; i++) {
		n = &nodes[tap_below(NODES)];
		if ((n->parent || (directory && n == &nodes[0])) && n->directory == directory)
			return n;
	}
	return directory ? &nodes[0] : NULL;
}

static struct node *node_free(void)
{
	for (u32 i = 1; i < NODES; i++)
		if (!nodes[i].parent && !nodes[i].durable)
			return &nodes[i];
	return NULL;
}

static struct node *child_find(const struct node *directory, const char *name)
{
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent == directory && !strcasecmp(nodes[i].name, name))
			return &nodes[i];
	return NULL;
}

static bool has_children(const struct node *directory)
{
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent == directory)
			return true;
	return false;
}

static bool is_below(const struct node *n, const struct node *directory)
{
	for (; n != &nodes[0]; n = n->parent)
		if (n == directory)
			return true;
	return false;
}

static bool open_below(const struct node *directory)
{
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent && nodes[i].open && &nodes[i] != directory && is_below(&nodes[i], directory))
			return true;
	return false;
}

/* Names of all kinds; not too many, so that they meet again. No short name of one is the long name of another. */
static void name_make(char *name)
{
	u32 kind = tap_below(7), number = tap_below(12);

	switch (kind) {
	case 0: sprintf(name, "FILE%u.TXT", number); break;
	case 1: sprintf(name, "small%u.c", number); break;
	case 2: sprintf(name, "Mixed%u.Ext", number); break;
	case 3: sprintf(name, "a longer name number %u.text", number); break;
	case 4: sprintf(name, ".hidden.%u", number); break;
	case 5: sprintf(name, "%0*u", (int)(60 + number * 10), number); break;
	default: sprintf(name, "many begin like this %u", number + (u32)tap_below(30)); break;
	}
}

static void node_close(struct node *n)
{
	if (n->open)
		file_close(n->open, 7, 7, false);
	n->open = NULL;
}

static struct file *node_open(struct node *n)
{
	enum file_outcome outcome;
	char path[FILE_PATH_MAX];
	struct file *f;

	path_of(n, path);
	expect_equal(file_open_as(path, &open_any, &f, &outcome), FILE_OK);
	expect_equal(outcome, FILE_OPENED_);
	return f;
}

static bool volume_full; /* operations may fail for want of space */

static void do_create(void)
{
	struct node *directory = node_pick(true), *n = node_free(), *other;
	bool make = tap_one_in(4);
	enum file_outcome outcome;
	enum file_status status;
	char path[FILE_PATH_MAX], name[300];
	struct file *f;

	if (!n)
		return;
	name_make(name);
	path_of(directory, path);
	if (strlen(path) + strlen(name) + 2 > FILE_PATH_MAX)
		return;
	strcat(path, "\\");
	strcat(path, name);
	other = child_find(directory, name);
	status = file_open_as(path, make ? &make_directory : &make_file, &f, &outcome);
	if (status == FILE_NO_SPACE && volume_full)
		return;
	if (other) {
		expect_equal(status, FILE_EXISTS);
		return;
	}
	expect_equal(status, FILE_OK);
	expect_equal(outcome, FILE_CREATED_);
	*n = (struct node){ .parent = directory, .directory = make, .touched = true };
	n->attributes = make ? 0x10 : 0x20;
	strcpy(n->name, name);
	if (!make) {
		n->bytes = calloc(BYTES_MAX, 1);
		if (tap_one_in(4)) {
			n->open = f;
			return;
		}
	}
	file_close(f, make ? 1 : 7, 7, false);
}

static void do_write(void)
{
	struct node *n = node_pick(false);
	u32 offset, count, most;
	enum file_status status;
	struct file *f;
	u64 at, got;
	bool end;

	if (!n)
		return;
	f = n->open ? n->open : node_open(n);
	offset = tap_one_in(2) ? (u32)tap_below(BYTES_MAX) : n->size;
	end = offset == n->size && tap_one_in(2);
	most = tap_one_in(2) ? 100 : BYTES_MAX;
	count = (u32)tap_below(MIN(BYTES_MAX - offset, most) + 1);
	for (u32 i = 0; i < count; i++)
		buffer[i] = (u8)tap_random();
	status = file_write(f, end ? FILE_AT_END : offset, buffer, count, &at);
	n->touched = true;
	if (status == FILE_NO_SPACE && volume_full) {
		expect_equal(f->size, n->size);
	} else {
		expect_equal(status, FILE_OK);
		expect_equal(at, offset);
		memcpy(n->bytes + offset, buffer, count);
		n->size = count ? MAX(n->size, offset + count) : n->size;
		n->attributes |= count ? 0x20 : 0;
	}
	expect_equal(file_read(f, 0, buffer, BYTES_MAX, &got), FILE_OK);
	expect_equal(got, n->size);
	expect(memcmp(buffer, n->bytes, n->size) == 0);
	if (!n->open)
		file_close(f, 7, 7, false);
}

static void do_resize(void)
{
	struct node *n = node_pick(false);
	u32 size = (u32)tap_below(BYTES_MAX);
	enum file_status status;
	struct file *f;

	if (!n)
		return;
	f = n->open ? n->open : node_open(n);
	n->touched = true;
	status = tap_one_in(4) ? file_set_allocation(f, size) : file_set_size(f, size);
	if (status == FILE_NO_SPACE && volume_full)
		size = n->size;
	else
		expect_equal(status, FILE_OK);
	if (f->size != n->size) {
		expect_equal(f->size, size);
		if (size < n->size)
			memset(n->bytes + size, 0, n->size - size);
		n->size = size;
		n->attributes |= 0x20;
	}
	if (!n->open)
		file_close(f, 7, 7, false);
}

static void node_remove(struct node *n)
{
	free(n->bytes);
	n->bytes = NULL;
	n->parent = NULL;
	n->open = NULL;
}

static void do_delete(void)
{
	struct node *n = node_pick(tap_one_in(3));
	struct file *f;

	if (!n || n == &nodes[0] || (n->directory && open_below(n)))
		return;
	f = n->open ? n->open : node_open(n);
	if (n->directory && has_children(n)) {
		expect_equal(file_set_delete(f, true), FILE_NOT_EMPTY);
		file_close(f, 7, 7, false);
		return;
	}
	expect_equal(file_set_delete(f, true), FILE_OK);
	file_close(f, 7, 7, false);
	n->touched = true;
	node_remove(n);
}

static u32 rename_from, rename_to; /* writes that the last rename made */

static void do_rename(void)
{
	struct node *n = node_pick(tap_one_in(4)), *directory = node_pick(true), *other;
	bool replace = tap_one_in(2);
	enum file_status status, want = FILE_OK;
	char path[FILE_PATH_MAX], name[300];
	struct file *f;

	if (!n || n == &nodes[0])
		return;
	if (tap_one_in(3))
		directory = n->parent;
	name_make(name);
	path_of(directory, path);
	if (strlen(path) + strlen(name) > 300)
		return;
	strcat(path, "\\");
	strcat(path, name);
	other = child_find(directory, name);
	if (n->directory && is_below(directory, n))
		want = FILE_ACCESS;
	else if (n->directory && open_below(n))
		want = FILE_SHARING;
	else if (other && other != n && !replace)
		want = FILE_EXISTS;
	else if (other && other != n && (other->directory || other->open))
		want = FILE_ACCESS;
	f = n->open ? n->open : node_open(n);
	rename_from = write_count;
	status = file_rename(f, path, replace);
	rename_to = write_count;
	if (!n->open)
		file_close(f, 7, 7, false);
	if (status == FILE_NO_SPACE && volume_full)
		return;
	expect_equal(status, want);
	if (status != FILE_OK)
		return;
	if (other && other != n) {
		other->touched = true;
		node_remove(other);
	}
	n->parent = directory;
	strcpy(n->name, name);
	for (u32 i = 1; i < NODES; i++) /* what lies below has another path */
		if (nodes[i].parent && is_below(&nodes[i], n))
			nodes[i].touched = true;
}

static void do_open_or_close(void)
{
	struct node *n = node_pick(false);

	if (n && n->open)
		node_close(n);
	else if (n)
		n->open = node_open(n);
}

static void do_facts(void)
{
	struct node *n = node_pick(false);
	struct file_times times = { .modified_unix = 1600000000, .created_unix = 1600000001 };
	struct file *f;

	if (!n)
		return;
	f = n->open ? n->open : node_open(n);
	n->attributes = (u32)tap_below(64) & 0x26;
	expect_equal(file_set_facts(f, n->attributes, &times), FILE_OK);
	if (!n->open)
		file_close(f, 7, 7, false);
}

static void do_something(void)
{
	static void (*const operations[])(void) = { do_create, do_create, do_write, do_write, do_write, do_resize,
						    do_delete, do_rename, do_open_or_close, do_facts };

	operations[tap_below(ARRAY_SIZE(operations))]();
	world_now += tap_below(3);
	expect(!world_locked());
}

/* The code under test and the disk's bytes both show what the model has. */
static void volume_compare(u32 allow)
{
	struct file_space space;
	struct check c;
	u32 count = 0;

	if (!fat_check(&c, image, allow))
		tap_fail(__FILE__, __LINE__, "%s", c.problem);
	for (u32 i = 1; i < NODES; i++) {
		const struct check_file *on_disk;
		char path[FILE_PATH_MAX];

		if (!nodes[i].parent)
			continue;
		path_of(&nodes[i], path);
		on_disk = fat_check_find(&c, path);
		if (!on_disk)
			tap_fail(__FILE__, __LINE__, "%s is not on the disk", path);
		expect_equal(on_disk->size, nodes[i].size);
		expect_equal(on_disk->attributes, nodes[i].attributes);
		if (!nodes[i].directory && !fat_check_contents(&c, on_disk, nodes[i].bytes))
			tap_fail(__FILE__, __LINE__, "%s holds something else", path);
		count++;
	}
	expect_equal(c.count, count);
	expect_equal(c.lost, 0);
	expect_equal(file_space(&space), FILE_OK);
	expect_equal(space.free_clusters, c.clusters - c.used);
	fat_check_free(&c);
}

static void fsck(const u8 *disk)
{
	FILE *f = fopen("/tmp/fat_write_test.img", "wb"), *out;
	char text[4096] = "";
	size_t n;

	expect(f && fwrite(disk, image_size, 1, f) == 1 && fclose(f) == 0);
	out = popen("PATH=$PATH:/sbin:/usr/sbin fsck.fat -n /tmp/fat_write_test.img 2>&1", "r");
	expect(out);
	n = fread(text, 1, sizeof(text) - 1, out);
	text[n] = 0;
	if (pclose(out))
		tap_fail(__FILE__, __LINE__, "fsck.fat: %s", text);
	unlink("/tmp/fat_write_test.img");
}

static void model_begin(void)
{
	image_changed = true;
	for (u32 i = 0; i < NODES; i++) {
		free(nodes[i].bytes);
		free(nodes[i].durable_bytes);
	}
	memset(nodes, 0, sizeof(nodes));
	nodes[0].directory = true;
	volume_full = false;
	world_begin();
	cache_fill();
}

static void model_end(void)
{
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent)
			node_close(&nodes[i]);
}

static void random_operations_do_what_they_should(void)
{
	model_begin();
	for (u32 round = 0; round < 40; round++) {
		for (u32 i = 0; i < 100; i++)
			do_something();
		model_end();
		expect_equal(file_sync(), FILE_OK);
		volume_compare(0);
		if (tap_one_in(3))
			expect(world_mount());
		if (round % 13 == 0)
			fsck(image);
	}
	expect_equal(file_sync(), FILE_OK);
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

/* All moments since the last time: at each flush, and with any part of the writes before the next one. */
static void crashes_try(void)
{
	for (u32 from = 0, to; from < write_count; from = to + 1) {
		for (to = from; to < write_count && !writes[to].flush; to++)
			;
		for (u32 i = 0; i < 4; i++)
			crash_try(from, to, i == 0 ? 0 : (u32)tap_below(101));
		crash_try(from, from + (u32)tap_below(to - from + 1), 100);
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
		expect_equal(tap_one_in(5) ? file_sync() : file_commit(), FILE_OK);
		crashes_try();
		snapshot();
	}
	model_end();
	tap_note("%llu crashes: %llu with clusters behind a file's end, %llu in renames", (unsigned long long)crashes,
		 (unsigned long long)tails, (unsigned long long)shared);
	expect(crashes > 1000);
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
	expect_equal(file_space(&space), FILE_OK);
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
	expect_equal(file_sync(), FILE_OK);
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
	disk.read_only = true;
	expect_equal(try_open("\\g", write, all, FILE_OPEN_, &b), FILE_READ_ONLY);
	expect_equal(try_open("\\h", read, all, FILE_CREATE_, &b), FILE_READ_ONLY);
	expect_equal(try_open("\\g", read, all, FILE_OPEN_, &b), FILE_OK);
	file_close(b, read, all, false);
	disk.read_only = false;
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
				status = file_sync();
			file_close(f, 7, 7, true);
		}
		expect(status == FILE_OK || status == FILE_IO_ERROR);
		failures += status == FILE_IO_ERROR;
		expect(!world_locked());
		fail_writes_after = ~0ull;
		file_sync();
	}
	expect(failures > 5 && failures < 60);
}

/* Random damage, then random operations, whatever they return. */
static void damaged_volumes_are_written_without_harm(void)
{
	for (u32 round = 0; round < 120; round++) {
		struct file *f;

		model_begin();
		for (u32 i = 0; i < 60; i++)
			do_something();
		model_end();
		file_sync();
		for (u32 i = 0; i < 30; i++) {
			u64 area = tap_one_in(2) ? fat_volume.data_sector : fat_volume.fat_sector;
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
		file_sync();
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
	tap_run(random_operations_do_what_they_should);
	tap_run(a_full_volume_refuses_and_loses_nothing);
	tap_run(crashes_lose_nothing_that_was_flushed);
	tap_run(errors_of_the_disk_are_told);
	tap_run(damaged_volumes_are_written_without_harm);
	return tap_end();
}
