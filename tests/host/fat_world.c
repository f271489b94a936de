/* See fat_world.h. */
#include "options.h"
#include "fat_world.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct expected expected[FILES] = {
	{ "\\HELLO.TXT", "/hello.txt", 11, 1, 0x21 },
	{ "\\lower.txt", "\\LOWER.TXT", 512, 2, 0x20 },
	{ "\\Mixed.Txt", "\\\\mIXED.tXT", 513, 3, 0x20 },
	{ "\\empty", "\\.\\Empty", 0, 4, 0x20 },
	{ "\\A long file name with spaces.text", "\\alongf~1.tex", 5000, 5, 0x20 },
	{ "\\Grüße.dat", "\\GRÜßE.DAT", 4096, 6, 0x20 },
	{ "\\日本語.txt", "\\many\\..\\日本語.TXT", 100, 7, 0x20 },
	{ "\\smile 😀.bin", "\\SMILE 😀.BIN", 4097, 8, 0x20 },
	{ NULL, "\\nnnnnn~1", 77, 9, 0x20 }, /* 255 times n */
	{ "\\big.bin", "\\BIG.BIN", 1 << 20, 10, 0x20 },
	{ "\\Sub Directory\\nested\\deep.bin", "\\sub directory\\NESTED/Deep.Bin", 70001, 11, 0x20 },
	{ "\\Sub Directory\\UPPER", "\\subdir~1\\upper", 1, 12, 0x20 },
};
/* The disk. */

static char image_path[4096];
u8 *image;
size_t image_size;
struct block_device disk;
u64 requests, bad_from, bad_to;
bool image_changed;
u8 *touched;

/* Damage: what was there before, newest last. */
static struct {
	size_t at;
	u8 old;
} damages[256];
static u32 damage_count;

void damage(size_t at, u8 value)
{
	expect(damage_count < ARRAY_SIZE(damages) && at < image_size);
	damages[damage_count].at = at;
	damages[damage_count++].old = image[at];
	image[at] = value;
}

void damage32(size_t at, u32 value)
{
	for (int i = 0; i < 4; i++)
		damage(at + i, value >> 8 * i);
}

void repair(void)
{
	while (damage_count > 0) {
		damage_count--;
		image[damages[damage_count].at] = damages[damage_count].old;
	}
}

struct write *writes;
u32 write_count, flush_count;
static u32 write_room;
bool record;
u64 fail_writes_after = ~0ull;

static void write_record(u64 sector, u64 count, bool flush)
{
	if (!record)
		return;
	if (write_count == write_room) {
		write_room = write_room ? write_room * 2 : 1024;
		writes = realloc(writes, write_room * sizeof(*writes));
		expect(writes);
	}
	writes[write_count] = (struct write){ sector, count, NULL, flush };
	if (count) {
		writes[write_count].bytes = malloc(count * SECTOR_SIZE);
		memcpy(writes[write_count].bytes, image + sector * SECTOR_SIZE, count * SECTOR_SIZE);
	}
	write_count++;
}

void record_begin(void)
{
	for (u32 i = 0; i < write_count; i++)
		free(writes[i].bytes);
	write_count = 0;
	record = true;
}

void block_submit(struct block_device *d, struct block_request *r)
{
	u64 at = r->sector;

	expect(d == &disk && !r->complete);
	expect(r->piece_count >= 1 && r->piece_count <= BLOCK_PIECES_MAX);
	requests++;
	r->failed = r->write && fail_writes_after == 0;
	if (r->write && fail_writes_after && fail_writes_after != ~0ull)
		fail_writes_after--;
	for (u32 i = 0; i < r->piece_count; i++) {
		u32 n = r->pieces[i].bytes;

		expect(n > 0 && n % SECTOR_SIZE == 0 && at + n / SECTOR_SIZE <= d->sectors);
		if (bad_from < bad_to && at < bad_to && at + n / SECTOR_SIZE > bad_from)
			r->failed = true;
		if (r->write && !r->failed) {
			memcpy(image + at * SECTOR_SIZE, phys_to_virt(r->pieces[i].phys), n);
			write_record(at, n / SECTOR_SIZE, false);
		} else if (!r->write) {
			memcpy(phys_to_virt(r->pieces[i].phys), image + at * SECTOR_SIZE, n);
		}
		if (touched && n == FAT_BLOCK_SIZE && r->piece_count == 1)
			memset(touched + at, 1, n / SECTOR_SIZE);
		at += n / SECTOR_SIZE;
	}
	if (r->failed && !r->write)
		for (u32 i = 0; i < r->piece_count; i++)
			memset(phys_to_virt(r->pieces[i].phys), 0xdb, r->pieces[i].bytes);
	r->done = true;
}

bool block_wait(struct block_request *r)
{
	expect(r->done);
	return !r->failed;
}

bool block_transfer(struct block_device *d, bool write, u64 sector, u64 phys, u32 bytes)
{
	struct block_request r = { .sector = sector, .write = write, .piece_count = 1, .pieces = { { phys, bytes } } };

	block_submit(d, &r);
	return block_wait(&r);
}

void block_ref(struct block_device *d) { (void)d; }
void block_unref(struct block_device *d) { (void)d; }

bool block_claim(struct block_device *d)
{
	return !__atomic_exchange_n(&d->claimed, true, __ATOMIC_ACQUIRE);
}

void block_release(struct block_device *d)
{
	d->claimed = false;
}

bool block_flush(struct block_device *d)
{
	expect(d == &disk);
	if (fail_writes_after == 0)
		return false;
	flush_count++;
	write_record(0, 0, true);
	return true;
}

/* Kernel memory and locks. */

struct options options;
u64 allocations, fail_after = ~0ull;

void *kmalloc(size_t size)
{
	void *p;

	if (size > KMALLOC_MAX || fail_after == 0)
		return NULL;
	fail_after--;
	p = size >= PAGE_SIZE ? aligned_alloc(PAGE_SIZE, ALIGN_UP(size, PAGE_SIZE)) : malloc(size);
	expect(p);
	memset(p, 0xa5, size);
	allocations++;
	return p;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p)
{
	allocations -= p != NULL;
	free(p);
}

void page_zero(void *page)
{
	expect(IS_ALIGNED(page, PAGE_SIZE));
	memset(page, 0, PAGE_SIZE);
}

static struct mutex *mutexes_held[8];
static u32 mutexes_count;

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	m->rank = rank;
	m->name = name;
}

bool mutex_trylock(struct mutex *m)
{
	if (mutex_held(m))
		return false;
	expect(mutexes_count < ARRAY_SIZE(mutexes_held));
	mutexes_held[mutexes_count++] = m;
	return true;
}

void mutex_lock(struct mutex *m)
{
	for (u32 i = 0; i < mutexes_count; i++)
		expect(mutexes_held[i]->rank < m->rank);
	expect(mutex_trylock(m));
}

void mutex_lock_nested(struct mutex *m)
{
	mutex_lock(m);
}

void mutex_unlock(struct mutex *m)
{
	for (u32 i = 0; i < mutexes_count; i++)
		if (mutexes_held[i] == m) {
			mutexes_held[i] = mutexes_held[--mutexes_count];
			return;
		}
	tap_fail(__FILE__, __LINE__, "%s is not held", m->name);
}

bool mutex_held(const struct mutex *m)
{
	for (u32 i = 0; i < mutexes_count; i++)
		if (mutexes_held[i] == m)
			return true;
	return false;
}

static struct spinlock *spin_taken;

void spin_lock(struct spinlock *s)
{
	expect(!spin_taken);
	spin_taken = s;
}

void spin_unlock(struct spinlock *s)
{
	expect(spin_taken == s);
	spin_taken = NULL;
}

bool world_locked(void)
{
	return mutexes_count != 0 || spin_taken;
}

/* Time, and the thread that commits, which never runs here. */

u64 world_now = 1750000000;

u64 clock_boot_unix_seconds(void)
{
	return world_now;
}

u64 clock_ns(void)
{
	return 0;
}

void wait_wake_all(struct wait_queue *q)
{
	(void)q;
}

bool wait_sleep(struct wait_queue *q, struct spinlock *s, u64 deadline, bool interruptible)
{
	(void)q;
	(void)s;
	(void)deadline;
	(void)interruptible;
	abort();
}

void sleep_until(u64 deadline)
{
	(void)deadline;
}

struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
	(void)name;
	(void)entry;
	(void)arg;
	return NULL;
}

/* Nothing is in memory here: the file layer writes to the device at once. */

bool data_section_in_use(struct file *f)
{
	(void)f;
	return false;
}

bool data_section_writable(struct file *f)
{
	(void)f;
	return false;
}

enum file_status data_section_cut(struct file *f, u64 size)
{
	(void)f;
	(void)size;
	return FILE_OK;
}

enum file_status data_section_extend(struct file *f)
{
	(void)f;
	return FILE_OK;
}

void data_section_resized(struct file *f)
{
	(void)f;
}

u64 data_section_forget(struct file *f)
{
	(void)f;
	return 0;
}

void file_lost_report(const struct file *f, u64 pages, enum file_status why)
{
	(void)f;
	(void)pages;
	(void)why;
}

bool data_section_drop(struct file *f)
{
	(void)f;
	return true;
}

u64 baseline;

static void image_load(void)
{
	int fd = open(image_path, O_RDONLY);
	struct stat status;

	expect(fd >= 0 && fstat(fd, &status) == 0);
	image_size = status.st_size;
	image = mmap(NULL, image_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	expect(image != MAP_FAILED);
	close(fd);
}

bool world_mount(void)
{
	mutexes_count = 0;
	spin_taken = NULL;
	fail_after = fail_writes_after = ~0ull;
	strcpy(disk.name, "vd0");
	disk.sectors = image_size / SECTOR_SIZE;
	return fat_mount(&disk, VOLUME_LETTER_FIRST);
}

void world_begin(void)
{
	static char longest[1 + 255 + 1];

	bad_from = bad_to = 0;
	repair();
	record = false;
	if (!image || image_changed) {
		if (image)
			munmap(image, image_size);
		image_load();
		image_changed = false;
	}
	memset(longest, 'n', 256);
	longest[0] = '\\';
	expected[8].path = longest;
	expect(world_mount());
}

static enum file_status of_volume(enum file_status (*what)(struct volume *))
{
	struct volume *v = volume_get(VOLUME_LETTER_FIRST);
	enum file_status status = v ? what(v) : FILE_OK;

	if (v)
		volume_unref(v);
	return status;
}

enum file_status world_sync(void)
{
	return of_volume(volume_sync);
}

enum file_status world_commit(void)
{
	return of_volume(volume_commit);
}

enum file_status world_space(struct file_space *out)
{
	struct volume *v = volume_get(VOLUME_LETTER_FIRST);
	enum file_status status = volume_space(v, out);

	volume_unref(v);
	return status;
}

void cache_fill(void)
{
	struct volume *v = volume_get(VOLUME_LETTER_FIRST);

	mutex_lock(&v->lock);
	for (u64 sector = 0; sector < 80 * 8; sector += 8)
		fat_cache_get(v, sector);
	mutex_unlock(&v->lock);
	volume_unref(v);
	baseline = allocations;
}

void expect_no_leak(void)
{
	u64 before = baseline;

	cache_fill();
	expect_equal(baseline, before);
}

void world_image(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');

	if (image)
		munmap(image, image_size);
	image = NULL;
	damage_count = 0;
	snprintf(image_path, sizeof(image_path), "%.*s/%s", slash ? (int)(slash - program) : 1, slash ? program : ".",
		 name);
	tap_note("%s", name);
}

size_t fat_entry_at(u32 cluster)
{
	return (fat_get16(image + 11) * (size_t)fat_get16(image + 14)) + cluster * 4;
}

size_t cluster_at(u32 cluster)
{
	size_t sector =
		fat_get16(image + 14) + image[16] * (size_t)fat_get32(image + 36) + (cluster - 2) * (size_t)image[13];

	return sector * fat_get16(image + 11);
}

u32 cluster_bytes(void)
{
	return image[13] * fat_get16(image + 11);
}

enum file_status image_read_pages(struct file *f, u64 offset, u64 limit, const u64 *phys, u32 count)
{
	enum file_status status = file_image_begin(f);

	if (status != FILE_OK)
		return status;
	status = file_read_pages(f, offset, limit, phys, count);
	file_image_end(f);
	return status;
}

void expect_contents(const u8 *bytes, u64 offset, u64 n, u32 seed)
{
	for (u64 i = 0; i < n; i++) {
		u32 word = (u32)((offset + i) / 4) * CONTENT_STEP + seed;
		u8 want = word >> 8 * ((offset + i) % 4);

		if (bytes[i] != want)
			tap_fail(__FILE__, __LINE__, "byte %llu of the file is %02x, not %02x",
				 (unsigned long long)(offset + i), bytes[i], want);
	}
}

void expect_file(const char *path, const struct expected *e)
{
	u8 *bytes = kmalloc(MIN(e->size + 1, KMALLOC_MAX));
	struct file *f;
	u64 got;

	if (file_open(path, &f) != FILE_OK)
		tap_fail(__FILE__, __LINE__, "cannot open %s", path);
	expect_text(f->path, e->path);
	expect_equal(f->size, e->size);
	expect_equal(f->attributes, e->attributes);
	expect_equal(f->modified_unix, MODIFIED);
	for (u64 at = 0; at < e->size; at += got) {
		expect_equal(file_read(f, at, bytes, MIN(e->size + 1, KMALLOC_MAX), &got), FILE_OK);
		expect_equal(got, MIN(e->size - at, MIN(e->size + 1, KMALLOC_MAX)));
		expect_contents(bytes, at, got, e->seed);
	}
	expect_equal(file_read(f, e->size, bytes, 1, &got), FILE_OK);
	expect_equal(got, 0);
	file_unref(f);
	kfree(bytes);
}
