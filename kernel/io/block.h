/* Block devices: disks and RAM disks. Sectors are 512 bytes. */
#ifndef IO_BLOCK_H
#define IO_BLOCK_H

#include "lib/list.h"
#include "lib/types.h"
#include "proc/lock.h"

#define SECTOR_SIZE 512
#define BLOCK_PIECES_MAX 64

struct block_device;

/*
 * One request: a run of sectors to or from up to 64 pieces of memory in the direct map. The caller owns it until it is
 * done; it is never copied and submitting it allocates nothing, so a caller that must not allocate keeps its own.
 *
 * How its end is told, one of two ways:
 * - complete is NULL: block_wait, or poll done.
 * - complete is set: done and failed are set, then complete is called, with no lock held, and the request is not
 * touched again: complete may free it, or fill it anew and submit it. In interrupt or thread context, perhaps before
 *   block_submit returns; it must not sleep. Such a request can't be given to block_wait.
 */
struct block_request {
	u64 sector;
	bool write;
	bool flush;  /* set by block_submit (false) and block_submit_flush (true) */
	bool failed; /* result */
	volatile bool done;
	u32 piece_count;
	struct {
		u64 phys;  /* any alignment */
		u32 bytes; /* a multiple of 512, at most 1 MiB */
	} pieces[BLOCK_PIECES_MAX];
	void (*complete)(struct block_request *);
	void *context;               /* the caller's */
	struct block_device *device; /* set by block_submit */
	struct list link;            /* the driver's */
	u32 driver_private;
};

/*
 * It is there as long as somebody has a reference: the list of those that can be found, from block_register to
 * block_unregister; who has claimed it (a paging file; a volume, while the disk is there); who has found it, until block_unref.
 * Who submits a request has one until the request is done. The last one calls destroy. RAM disks that are not registered are
 * their maker's.
 */
struct block_device {
	char name[16];   /* "vd0", "vd1", "ram0" in the order they were found */
	char serial[21]; /* virtio's device id string, or "" */
	u64 sectors;
	bool read_only;
	struct block_device *next; /* in the list; under its lock, as is refs */
	u32 refs;
	/* The driver's. Any context; never sleeps: a request that finds no room waits in a list. */
	void (*submit)(struct block_device *, struct block_request *);
	void (*poll)(struct block_device *); /* finishes what is done, as its interrupt would. NULL: nothing ever is */
	u32 polls_late, polls_left_out;      /* block_poll's, see there. Races are harmless */
	void (*destroy)(struct block_device *); /* nobody has it any more, no request is under way. Sleeps not. NULL: never */
	void *driver;
	bool claimed; /* atomic; by block_claim */
	u64 reads, writes, read_bytes, written_bytes, errors; /* counters, atomic */
};

void block_register(struct block_device *d); /* the list gets a reference of its own */
void block_unregister(struct block_device *d); /* nobody finds it any more */
void block_ref(struct block_device *d);
void block_unref(struct block_device *d); /* NULL: nothing. No lock of rank RANK_DEVICE or above held */
/* The device with this name, or else with this serial; NULL if there is none. One more reference. */
struct block_device *block_find(const char *name_or_serial);
/* The one registered behind d (NULL: the first), with one more reference; d's goes. NULL: there are no others. */
struct block_device *block_next(struct block_device *d);
/* For one who alone uses the device: until block_release it has a reference. False: somebody else does. */
bool block_claim(struct block_device *d);
void block_release(struct block_device *d);
/*
 * Starts the request: sets done = failed = false and counts it. A request beyond the end, without data, or a write to a
 * read-only device completes as failed. Any context; no lock of rank RANK_DEVICE or above held.
 */
void block_submit(struct block_device *d, struct block_request *r);
/* The same for a request without data: done when all writes that were done before are on the disk itself. */
void block_submit_flush(struct block_device *d, struct block_request *r);
/*
 * Before block_wait, for one who waits often: looks for a moment whether it is done, as long as nobody else could run. Thread
 * context, no spinlock.
 */
void block_poll(struct block_request *r);
/* Sleeps until it is done; afterwards the request is the caller's again. True if it succeeded. Thread context. */
bool block_wait(struct block_request *r);
/* Submit and wait for one piece: bytes from sector on, at phys. The request (1 KiB) is on the stack. */
bool block_transfer(struct block_device *d, bool write, u64 sector, u64 phys, u32 bytes);
/* Waits until all that was written is on the disk itself. False: the device says that it failed. */
bool block_flush(struct block_device *d);
/* For drivers: the request is done. Any context, no lock of rank RANK_DEVICE or above held. */
void block_complete(struct block_request *r, bool failed);

/* Finds devices. */
void pci_init(void);
/* From here on disks may come and go. */
void pci_hotplug_start(void);
/* Drives and registers every virtio-blk device that PCI found. After mm_init and arch_init; needs no scheduler. */
void virtio_blk_init(void);
/*
 * The disk that the function is, registered, with one more reference; NULL, with a message: it is none, or can't be used.
 * Thread context.
 */
struct pci_device;
struct block_device *virtio_blk_add(const struct pci_device *p);
struct block_device *virtio_blk_at(const struct pci_device *p); /* the one in use there, one more reference; or NULL */
/* The disk goes: what is under way fails, and all that is asked of it later. Its struct stays for who still has it. */
void virtio_blk_remove(struct block_device *b);
/*
 * RAM disks are "ram0", "ram1", ...: the lowest number that none has. NULL: no memory, or RAMDISKS_MAX exist.
 * Of size bytes (a multiple of the page size) in the contiguous physical run at phys; registered, for good; a reference.
 */
#define RAMDISKS_MAX 32
struct block_device *ramdisk_create(u64 phys, u64 size);
/* Of these page frames, in this order; not registered. The table stays the caller's, who keeps it until ramdisk_destroy. */
struct block_device *ramdisk_create_of_frames(u32 *pfns, u64 count);
/* No request is under way. Returns the table of frames. */
u32 *ramdisk_destroy(struct block_device *d);
u64 ramdisk_phys(const struct block_device *d); /* of a contiguous one; else 0. Any device */
bool ramdisk_is_of_frames(const struct block_device *d); /* any device */

#endif
