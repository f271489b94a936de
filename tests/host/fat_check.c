/* See fat_check.h. */
#include "fat_check.h"

#include <stdarg.h>
#include <string.h>

#define DEPTH_MAX 260 /* a path has at most 519 bytes */

static u32 get16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

static u32 get32(const u8 *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void problem(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->problem[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->problem, sizeof(c->problem), fmt, ap);
	va_end(ap);
}

static u32 next_of(const struct check *c, u32 cluster)
{
	return get32(c->disk + get16(c->disk + 14) * 512u * (get16(c->disk + 11) / 512) + cluster * 4ull) & 0x0fffffff;
}

static u32 cluster_size(const struct check *c)
{
	return c->disk[13] * get16(c->disk + 11);
}

static const u8 *cluster_of(const struct check *c, u32 cluster)
{
	u64 sector = get16(c->disk + 14) + c->disk[16] * (u64)get32(c->disk + 36) + (u64)(cluster - 2) * c->disk[13];

	return c->disk + sector * get16(c->disk + 11);
}

static bool valid(const struct check *c, u32 cluster)
{
	return cluster >= 2 && cluster < c->clusters + 2;
}

/* Takes a chain for path; its clusters. */
static u32 chain_take(struct check *c, const char *path, u32 first)
{
	u32 n = 0;

	for (u32 cluster = first; cluster < 0x0ffffff8; cluster = next_of(c, cluster)) {
		if (!valid(c, cluster) || !next_of(c, cluster)) {
			problem(c, "%s: cluster %u of its chain is free or beyond the end", path, cluster);
			break;
		}
		if (c->owners[cluster] && !(c->allow & CHECK_SHARED)) {
			problem(c, "%s: cluster %u belongs to another file too", path, cluster);
			break;
		}
		c->owners[cluster] = 1;
		if (++n > c->clusters) {
			problem(c, "%s: its chain is a loop", path);
			break;
		}
	}
	return n;
}

/* One entry of a directory, at any of its slots. */
static const u8 *slot_at(const struct check *c, u32 first, u32 slot)
{
	u32 per = cluster_size(c) / 32;

	for (; slot >= per; slot -= per) {
		first = next_of(c, first);
		if (!valid(c, first))
			return NULL;
	}
	return cluster_of(c, first) + slot * 32;
}

static u8 checksum(const u8 *e)
{
	u8 sum = 0;

	for (u32 i = 0; i < 11; i++)
		sum = (u8)((sum & 1) << 7 | sum >> 1) + e[i];
	return sum;
}

/* The name of the short entry at slot: by its long pieces before it, or from its own bytes. Returns the pieces. */
static u32 name_read(struct check *c, u32 directory, u32 slot, char *name)
{
	static const u8 places[] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	const u8 *e = slot_at(c, directory, slot);
	u8 sum = checksum(e);
	u32 pieces = 0, at = 0;

	while (pieces < slot) {
		const u8 *l = slot_at(c, directory, slot - pieces - 1);

		if (l[0] == 0xe5 || (l[11] & 0x3f) != 0x0f || (l[0] & 0x3f) != pieces + 1 || l[13] != sum)
			break;
		pieces++;
		for (u32 i = 0; i < 13; i++) {
			u32 unit = get16(l + places[i]);

			if (!unit || unit == 0xffff)
				continue;
			name[at++] = unit < 0x80 ? (char)unit : '?';
		}
		if (l[0] & 0x40) {
			name[at] = 0;
			return pieces;
		}
	}
	if (pieces && !(c->allow & CHECK_LONG_TORN))
		problem(c, "a long name lacks its beginning");
	at = 0;
	for (u32 i = 0; i < 11; i++) {
		bool lower = e[12] & (i < 8 ? 0x08 : 0x10);

		if (e[i] == ' ')
			continue;
		if (i == 8 || (i > 8 && !strchr(name, '.') && at && !memchr(name, '.', at)))
			name[at++] = '.';
		name[at++] = lower && e[i] >= 'A' && e[i] <= 'Z' ? (char)(e[i] + 32) : (char)e[i];
	}
	name[at] = 0;
	return 0;
}

static void directory_check(struct check *c, const char *path, u32 first, u32 parent, u32 depth);

static void entry_check(struct check *c, const char *directory_path, const char *name, const u8 *e, u32 directory, u32 depth)
{
	u32 first = get16(e + 26) | get16(e + 20) << 16, size = get32(e + 28), n, root = get32(c->disk + 44), at = c->count;
	struct check_file *f;

	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 256;
		c->files = realloc(c->files, c->room * sizeof(*c->files));
	}
	f = &c->files[c->count++];
	snprintf(f->path, sizeof(f->path), "%s\\%.300s", directory_path, name);
	for (u32 i = 0; i < at; i++)
		if (!strcasecmp(c->files[i].path, f->path) && !(c->allow & CHECK_SHARED))
			problem(c, "%s is there twice", f->path);
	f->first = first;
	f->size = size;
	f->attributes = e[11];
	f->time = (u16)get16(e + 22);
	f->date = (u16)get16(e + 24);
	if (e[11] & 0x10) {
		char copy[600];

		if (size)
			problem(c, "%s: a directory with a size", f->path);
		strcpy(copy, f->path);
		directory_check(c, copy, first, directory == root ? 0 : directory, depth + 1);
		return;
	}
	n = first ? chain_take(c, f->path, first) : 0;
	if ((u64)n * cluster_size(c) < size)
		problem(c, "%s: %u bytes in %u clusters", f->path, size, n);
	if (n > (size + cluster_size(c) - 1) / cluster_size(c) && !(c->allow & CHECK_TAILS))
		problem(c, "%s: %u clusters for %u bytes", f->path, n, size);
}

static void directory_check(struct check *c, const char *path, u32 first, u32 parent, u32 depth)
{
	u32 slots = chain_take(c, path, first) * (cluster_size(c) / 32), pending = 0;

	if (depth > DEPTH_MAX)
		problem(c, "%s: directories lie deeper than a path can say", path);
	if (c->problem[0])
		return;
	for (u32 slot = 0; slot < slots && !c->problem[0]; slot++) {
		const u8 *e = slot_at(c, first, slot);
		char name[600];

		if (!e || !e[0])
			break;
		if (depth && slot < 2) {
			u32 leads = get16(e + 26) | get16(e + 20) << 16;

			if (memcmp(e, slot ? "..         " : ".          ", 11) || !(e[11] & 0x10))
				problem(c, "%s: it does not begin with . and ..", path);
			else if (leads != (slot ? parent : first) && !(slot && c->allow & CHECK_SHARED))
				problem(c, "%s: %s leads to %u, not %u", path, slot ? ".." : ".", leads, slot ? parent : first);
			continue;
		}
		if (e[0] != 0xe5 && (e[11] & 0x3f) == 0x0f) {
			pending++;
			continue;
		}
		if (e[0] == 0xe5 || e[11] & 8) {
			if (pending && !(c->allow & CHECK_LONG_TORN))
				problem(c, "%s: %u pieces of a long name before slot %u belong to nothing", path, pending, slot);
			pending = 0;
			continue;
		}
		if (name_read(c, first, slot, name) != pending && !(c->allow & CHECK_LONG_TORN))
			problem(c, "%s: %s has pieces of a long name that are not its own", path, name);
		pending = 0;
		entry_check(c, path, name, e, first, depth);
	}
	if (pending && !c->problem[0] && !(c->allow & CHECK_LONG_TORN))
		problem(c, "%s: it ends with pieces of a long name", path);
}

bool fat_check(struct check *c, const u8 *disk, u32 allow)
{
	u32 scale = get16(disk + 11) / 512;

	memset(c, 0, sizeof(*c));
	c->disk = disk;
	c->allow = allow;
	c->clusters = (get32(disk + 32) - get16(disk + 14) - disk[16] * get32(disk + 36)) / disk[13];
	c->owners = calloc(c->clusters + 2, 1);
	expect(scale);
	directory_check(c, "", get32(disk + 44), 0, 0);
	for (u32 i = 2; i < c->clusters + 2; i++) {
		c->used += next_of(c, i) != 0;
		c->lost += next_of(c, i) && !c->owners[i];
	}
	return !c->problem[0];
}

const struct check_file *fat_check_find(const struct check *c, const char *path)
{
	for (u32 i = 0; i < c->count; i++)
		if (!strcmp(c->files[i].path, path))
			return &c->files[i];
	return NULL;
}

bool fat_check_contents(const struct check *c, const struct check_file *f, const u8 *bytes)
{
	u32 cluster = f->first, done = 0;

	while (done < f->size) {
		u32 n = MIN(f->size - done, cluster_size(c));

		if (memcmp(cluster_of(c, cluster), bytes + done, n))
			return false;
		done += n;
		cluster = next_of(c, cluster);
	}
	return true;
}

void fat_check_free(struct check *c)
{
	free(c->owners);
	free(c->files);
}
