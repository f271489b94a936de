/* The table of block devices, and what all drivers share: counting, checking and finishing requests. */
#include "io/block.h"

#include "lib/string.h"
#include "proc/sched.h"

static struct spinlock devices_lock = SPINLOCK_INIT("block devices", RANK_DEVICES);
static struct block_device *devices;

/*
 * Where threads wait for requests without a callback, by the request's address: a request has no room for a queue of
 * its own that would outlive it, and one queue for all would wake too many.
 */
#define WAIT_BUCKETS 16

static struct wait_bucket {
	struct spinlock lock;
	struct wait_queue queue;
} wait_buckets[WAIT_BUCKETS] = {
#define BUCKET(i) [i] = { SPINLOCK_INIT("block wait", RANK_DEVICE), WAIT_QUEUE_INIT(wait_buckets[i].queue) }
	BUCKET(0), BUCKET(1), BUCKET(2),  BUCKET(3),  BUCKET(4),  BUCKET(5),  BUCKET(6),  BUCKET(7),
	BUCKET(8), BUCKET(9), BUCKET(10), BUCKET(11), BUCKET(12), BUCKET(13), BUCKET(14), BUCKET(15),
#undef BUCKET
};

static struct wait_bucket *wait_bucket(const struct block_request *r)
{
	u64 a = (u64)r;
	return &wait_buckets[(a >> 6 ^ a >> 12) % WAIT_BUCKETS];
}

static void count(u64 *counter, u64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void block_register(struct block_device *d)
{
	struct block_device **end = &devices;

	spin_lock(&devices_lock);
	while (*end)
		end = &(*end)->next;
	d->next = NULL;
	d->refs++;
	*end = d;
	spin_unlock(&devices_lock);
	klog(LOG_INFO, "%s: %llu MiB%s%s%s%s", d->name, (unsigned long long)(d->sectors * SECTOR_SIZE >> 20),
	     d->serial[0] ? ", serial \"" : "", d->serial, d->serial[0] ? "\"" : "", d->read_only ? ", read-only" : "");
}

void block_unregister(struct block_device *d)
{
	struct block_device **at = &devices;

	spin_lock(&devices_lock);
	while (*at && *at != d)
		at = &(*at)->next;
	check(*at);
	*at = d->next;
	spin_unlock(&devices_lock);
	block_unref(d);
}

void block_ref(struct block_device *d)
{
	spin_lock(&devices_lock);
	assert(d->refs > 0);
	d->refs++;
	spin_unlock(&devices_lock);
}

void block_unref(struct block_device *d)
{
	bool last;

	if (!d)
		return;
	spin_lock(&devices_lock);
	check(d->refs > 0);
	last = --d->refs == 0;
	spin_unlock(&devices_lock);
	if (last && d->destroy)
		d->destroy(d);
}

static bool is_named(const struct block_device *d, const char *name) { return !strcmp(d->name, name); }
static bool has_serial(const struct block_device *d, const char *serial) { return !strcmp(d->serial, serial); }

static struct block_device *find(bool (*is)(const struct block_device *, const char *), const char *text)
{
	struct block_device *d;

	spin_lock(&devices_lock);
	for (d = devices; d && !is(d, text); d = d->next)
		;
	if (d)
		d->refs++;
	spin_unlock(&devices_lock);
	return d;
}

struct block_device *block_find(const char *name_or_serial)
{
	struct block_device *d = name_or_serial[0] ? find(is_named, name_or_serial) : NULL;

	return d || !name_or_serial[0] ? d : find(has_serial, name_or_serial);
}

struct block_device *block_next(struct block_device *d)
{
	struct block_device *next, *at;

	spin_lock(&devices_lock);
	for (at = devices; d && at && at != d; at = at->next)
		;
	next = d ? at ? at->next : NULL : devices;
	if (next)
		next->refs++;
	spin_unlock(&devices_lock);
	block_unref(d);
	return next;
}

bool block_claim(struct block_device *d)
{
	if (__atomic_exchange_n(&d->claimed, true, __ATOMIC_ACQUIRE))
		return false;
	block_ref(d);
	return true;
}

void block_release(struct block_device *d)
{
	__atomic_store_n(&d->claimed, false, __ATOMIC_RELEASE);
	block_unref(d);
}

static u64 request_bytes(const struct block_request *r)
{
	u64 bytes = 0;

	for (u32 i = 0; i < r->piece_count; i++)
		bytes += r->pieces[i].bytes;
	return bytes;
}

static bool request_valid(const struct block_device *d, const struct block_request *r, u64 bytes)
{
	if (r->piece_count == 0 || r->piece_count > BLOCK_PIECES_MAX || (r->write && d->read_only))
		return false;
	return r->sector < d->sectors && bytes / SECTOR_SIZE <= d->sectors - r->sector;
}

static void request_start(struct block_device *d, struct block_request *r, bool flush)
{
	r->device = d;
	r->flush = flush;
	r->failed = false;
	r->done = false;
}

void block_submit(struct block_device *d, struct block_request *r)
{
	u64 bytes;

	assert(r->piece_count <= BLOCK_PIECES_MAX);
	bytes = request_bytes(r);
	assert(IS_ALIGNED(bytes, SECTOR_SIZE));
	request_start(d, r, false);
	if (!request_valid(d, r, bytes)) {
		block_complete(r, true);
		return;
	}
	if (r->write) {
		count(&d->writes, 1);
		count(&d->written_bytes, bytes);
	} else {
		count(&d->reads, 1);
		count(&d->read_bytes, bytes);
	}
	d->submit(d, r);
}

void block_submit_flush(struct block_device *d, struct block_request *r)
{
	r->sector = 0;
	r->write = false;
	r->piece_count = 0;
	request_start(d, r, true);
	d->submit(d, r);
}

/* The first error is worth a line; a dying disk would fill the console with them. */
static void error_count(struct block_device *d, const struct block_request *r)
{
	const char *what = r->write ? "write" : "read";

	if (r->flush)
		what = "flush";
	if (__atomic_fetch_add(&d->errors, 1, __ATOMIC_RELAXED) == 0)
		klog(LOG_ERROR, "%s: %s at sector %llu failed; further errors are only counted", d->name, what,
		     (unsigned long long)r->sector);
}

void block_complete(struct block_request *r, bool failed)
{
	void (*complete)(struct block_request *) = r->complete;
	struct block_device *d = r->device;
	struct wait_bucket *b;

	if (failed)
		error_count(d, r);
	r->failed = failed;
	if (complete) {
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		complete(r);
		return;
	}
	b = wait_bucket(r);
	spin_lock(&b->lock);
	r->done = true;
	wait_wake_all(&b->queue);
	spin_unlock(&b->lock);
}

/*
 * A fast disk is done in less time than it takes to stop the CPU, be interrupted, and switch threads twice. So while nobody
 * else could run here we look for a moment. A disk that is not done by then several times in a row is slow: then only one
 * wait in some tries it.
 */
#define POLL_NS 300000
#define POLLS_LATE_MAX 4
#define POLLS_LEFT_OUT 32

void block_poll(struct block_request *r)
{
	struct block_device *d = r->device;
	u64 end;

	if (!d->poll || r->done || thread_is_ready())
		return;
	if (d->polls_late >= POLLS_LATE_MAX && ++d->polls_left_out % POLLS_LEFT_OUT)
		return;
	poll_begin();
	end = clock_ns() + POLL_NS;
	while (!r->done && !thread_is_ready() && clock_ns() < end)
		d->poll(d);
	poll_end();
	if (r->done)
		d->polls_late = 0;
	else if (!thread_is_ready())
		d->polls_late++;
}

/* Looks at done under the lock only: once the lock is free, block_complete has finished with the request. */
bool block_wait(struct block_request *r)
{
	struct wait_bucket *b = wait_bucket(r);

	check(!r->complete);
	spin_lock(&b->lock);
	while (!r->done)
		wait_sleep(&b->queue, &b->lock, WAIT_FOREVER, false);
	spin_unlock(&b->lock);
	return !r->failed;
}

bool block_transfer(struct block_device *d, bool write, u64 sector, u64 phys, u32 bytes)
{
	struct block_request r;

	r.sector = sector;
	r.write = write;
	r.complete = NULL;
	r.piece_count = 1;
	r.pieces[0].phys = phys;
	r.pieces[0].bytes = bytes;
	block_submit(d, &r);
	return block_wait(&r);
}

bool block_flush(struct block_device *d)
{
	struct block_request r;

	r.complete = NULL;
	block_submit_flush(d, &r);
	return block_wait(&r);
}
