/* See fat_model.h. */
#include "fat_model.h"

#include <string.h>
#include <unistd.h>

struct node nodes[NODES];

const struct file_request make_file = { .may = 7, .share = 7, .disposition = FILE_CREATE_, .not_directory = true };
static const struct file_request make_directory = { .may = 1, .share = 7, .disposition = FILE_CREATE_, .directory = true };
const struct file_request open_any = { .may = 7, .share = 7, .disposition = FILE_OPEN_ };

u8 buffer[BYTES_MAX * 2] __attribute__((aligned(4096)));

void path_of(const struct node *n, char *path)
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

bool volume_full;

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

u32 rename_from, rename_to;

/* Whether the paths of all that is below stay short enough to be opened when n's own gets this long. */
static bool paths_fit(const struct node *n, size_t length)
{
	char path[FILE_PATH_MAX];
	size_t old;

	path_of(n, path);
	old = strlen(path);
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent && is_below(&nodes[i], n)) {
			path_of(&nodes[i], path);
			if (strlen(path) - old + length >= FILE_PATH_MAX)
				return false;
		}
	return true;
}

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
	if (!paths_fit(n, strlen(path) + 1 + strlen(name)))
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

void do_something(void)
{
	static void (*const operations[])(void) = { do_create, do_create, do_write, do_write, do_write, do_resize,
						    do_delete, do_rename, do_open_or_close, do_facts };

	operations[tap_below(ARRAY_SIZE(operations))]();
	world_now += tap_below(3);
	expect(!world_locked());
}

void volume_compare(u32 allow)
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
	expect_equal(world_space(&space), FILE_OK);
	expect_equal(space.free_clusters, c.clusters - c.used);
	fat_check_free(&c);
}

void fsck(const u8 *disk)
{
	char name[] = "/tmp/fat_write_XXXXXX", command[200], text[4096] = "";
	int fd = mkstemp(name);
	FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL, *out;
	size_t n;

	expect(f && fwrite(disk, image_size, 1, f) == 1 && fclose(f) == 0);
	snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin fsck.fat -n %s 2>&1", name);
	out = popen(command, "r");
	expect(out);
	n = fread(text, 1, sizeof(text) - 1, out);
	text[n] = 0;
	if (pclose(out))
		tap_fail(__FILE__, __LINE__, "fsck.fat: %s", text);
	unlink(name);
}

void model_begin(void)
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

void model_end(void)
{
	for (u32 i = 1; i < NODES; i++)
		if (nodes[i].parent)
			node_close(&nodes[i]);
}
