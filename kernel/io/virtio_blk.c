/*
 * Disks: the virtio block device. Source: Virtual I/O Device (VIRTIO) Version 1.1, section 5.2.
 *
 * A request becomes one chain of descriptors: header, pieces, status. If the device knows indirect descriptors, the
 * chain is in a table of its own and takes one entry of the ring; else it takes entries of the ring itself. A request
 * that finds no room waits in a list, first come, first served. Everything that is needed is allocated when the device
 * is found: writing out memory must never need memory.
 *
 * A place on the bus has an interrupt and a lock for good; a disk comes and goes, and is there until its block device has no
 * user any more (block.h).
 *
 * Locking: the place's lock, with interrupts off, over which disk is in it, and over ring and lists; requests are completed
 * after it was released.
 */
#include "arch/arch.h"
#include "io/block.h"
#include "io/virtio.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/lock.h"

#define DEVICE_BLOCK 0x1042
#define DEVICE_BLOCK_TRANSITIONAL 0x1001

#define FEATURE_SIZE_MAX (1ull << 1)
#define FEATURE_SEG_MAX (1ull << 2)
#define FEATURE_READ_ONLY (1ull << 5)
#define FEATURE_BLOCK_SIZE (1ull << 6)
#define FEATURE_FLUSH (1ull << 9)

/* The device's configuration: the beginning of it. */
struct disk_config {
	u32 capacity[2]; /* in 512-byte sectors; low, high */
	u32 size_max;    /* bytes of a piece */
	u32 seg_max;     /* pieces of a request */
	u32 geometry;
	u32 block_size;
};

enum disk_operation { OPERATION_READ = 0, OPERATION_WRITE = 1, OPERATION_FLUSH = 4, OPERATION_GET_ID = 8 };

#define STATUS_OK 0
#define STATUS_NONE 0xff /* not yet written by the device */
#define ID_BYTES 20

/* One for each entry of the ring: the chain that begins there. The device reads the header and writes the status. */
struct disk_slot {
	struct {
		u32 operation;
		u32 reserved;
		u64 sector;
	} header;
	struct block_request *request; /* NULL: no chain begins here */
	u16 descriptors;               /* of the ring, that the chain takes */
	volatile u8 status;
};

#define CHAIN_MAX (BLOCK_PIECES_MAX + 2)

struct disk_table {
	struct virtio_descriptor descriptors[CHAIN_MAX];
};

#define QUEUE_SIZE 256
#define TABLE_COUNT (KIB(64) / sizeof(struct disk_table)) /* requests in flight: what one allocation holds */

/* Where disks come and go. It stays: an interrupt can't be given back. */
struct place {
	struct pci_device pci;
	struct list link;  /* in places */
	u64 irq_address;
	u32 irq_data;      /* 0: none yet */
	struct spinlock lock;
	struct disk *disk; /* the one in use; under the lock */
};

struct disk {
	struct block_device block;
	struct place *place;
	struct virtio_device virtio;
	struct virtio_queue queue;
	struct disk_slot *slots;
	struct disk_table *tables; /* NULL: no indirect descriptors */
	u16 free_head, free_count; /* of the ring's entries, linked by next */
	struct list waiting;       /* requests that found no room */
	bool broken;               /* it contradicted itself and was reset, or is gone: everything fails */
};

static struct list places = LIST_INIT(places); /* changed by one thread: the one that starts the machine, then hotplug's */

static u16 descriptor_set(struct virtio_descriptor *table, u16 i, u64 phys, u32 bytes, u16 flags)
{
	table[i].phys = phys;
	table[i].bytes = bytes;
	table[i].flags = flags;
	return table[i].next;
}

/* Fills the chain that begins at table[i], along the next fields as they are. Returns the entry behind the chain. */
static u16 chain_fill(struct virtio_descriptor *table, u16 i, struct disk_slot *slot, const struct block_request *r)
{
	u16 data_flags = VIRTIO_DESCRIPTOR_NEXT;

	if (slot->header.operation != OPERATION_WRITE)
		data_flags |= VIRTIO_DESCRIPTOR_WRITE;
	i = descriptor_set(table, i, virt_to_phys(&slot->header), sizeof(slot->header), VIRTIO_DESCRIPTOR_NEXT);
	for (u32 n = 0; n < r->piece_count; n++)
		i = descriptor_set(table, i, r->pieces[n].phys, r->pieces[n].bytes, data_flags);
	return descriptor_set(table, i, virt_to_phys((const void *)&slot->status), 1, VIRTIO_DESCRIPTOR_WRITE);
}

/* Puts the request on the ring. False: no room. */
static bool request_push(struct disk *d, struct block_request *r)
{
	u32 chain = r->piece_count + 2, need = d->tables ? 1 : chain;
	struct virtio_descriptor *ring = d->queue.descriptors;
	u16 head = d->free_head;
	struct disk_slot *slot = &d->slots[head];

	if (d->free_count < need)
		return false;
	slot->header.operation = r->driver_private;
	slot->header.sector = r->sector;
	slot->request = r;
	slot->descriptors = need;
	slot->status = STATUS_NONE;
	if (d->tables) {
		struct virtio_descriptor *table = d->tables[head].descriptors;
		chain_fill(table, 0, slot, r);
		d->free_head = descriptor_set(ring, head, virt_to_phys(table), chain * sizeof(*table),
					      VIRTIO_DESCRIPTOR_INDIRECT);
	} else {
		d->free_head = chain_fill(ring, head, slot, r);
	}
	d->free_count -= need;
	virtio_queue_push(&d->queue, head);
	return true;
}

static void slot_free(struct disk *d, u16 head)
{
	struct disk_slot *slot = &d->slots[head];
	u16 last = head;

	for (u32 n = 1; n < slot->descriptors; n++)
		last = d->queue.descriptors[last].next;
	d->queue.descriptors[last].next = d->free_head;
	d->free_head = head;
	d->free_count += slot->descriptors;
	slot->request = NULL;
}

/* After the reset the device touches no memory any more; every request fails. */
static void disk_stop(struct disk *d, struct list *finished)
{
	virtio_reset(&d->virtio);
	d->broken = true;
	for (u32 i = 0; i < d->queue.size; i++)
		if (d->slots[i].request) {
			list_push_back(finished, &d->slots[i].request->link);
			d->slots[i].request->driver_private = STATUS_NONE;
			d->slots[i].request = NULL;
		}
	while (!list_empty(&d->waiting)) {
		struct block_request *r = list_first(&d->waiting, struct block_request, link);
		list_remove(&r->link);
		r->driver_private = STATUS_NONE;
		list_push_back(finished, &r->link);
	}
}

/* Takes what the device has finished, with its status in driver_private, and refills the ring. */
static void queue_reap(struct disk *d, struct list *finished)
{
	u32 head;

	while (virtio_queue_pop(&d->queue, &head)) {
		struct block_request *r = head < d->queue.size ? d->slots[head].request : NULL;
		if (!r) {
			/* It broke its contract. */
			klog(LOG_ERROR, "%s: the device answers with what was not asked; it is not used any more",
			     d->block.name);
			disk_stop(d, finished);
			return;
		}
		r->driver_private = d->slots[head].status;
		slot_free(d, head);
		list_push_back(finished, &r->link);
	}
	while (!list_empty(&d->waiting)) {
		struct block_request *r = list_first(&d->waiting, struct block_request, link);
		if (!request_push(d, r))
			break;
		list_remove(&r->link);
	}
	virtio_queue_kick(&d->queue);
}

static void disk_interrupt(void *arg)
{
	struct place *p = arg;
	struct block_request *r, *next;
	struct list finished;

	list_init(&finished);
	spin_lock(&p->lock);
	if (p->disk && !p->disk->broken)
		queue_reap(p->disk, &finished);
	spin_unlock(&p->lock);
	list_for_each_safe(&finished, r, next, link)
		block_complete(r, r->driver_private != STATUS_OK);
}

static void disk_poll(struct block_device *b)
{
	struct disk *d = b->driver;

	if (virtio_queue_has(&d->queue))
		disk_interrupt(d->place);
}

static void request_start(struct disk *d, struct block_request *r, enum disk_operation operation)
{
	bool broken;

	r->driver_private = operation;
	spin_lock(&d->place->lock);
	broken = d->broken;
	if (!broken) {
		if (!list_empty(&d->waiting) || !request_push(d, r))
			list_push_back(&d->waiting, &r->link);
		else
			virtio_queue_kick(&d->queue);
	}
	spin_unlock(&d->place->lock);
	if (broken)
		block_complete(r, true);
}

static void disk_submit(struct block_device *b, struct block_request *r)
{
	struct disk *d = b->driver;

	if (!r->flush)
		request_start(d, r, r->write ? OPERATION_WRITE : OPERATION_READ);
	else if (d->virtio.features & FEATURE_FLUSH)
		request_start(d, r, OPERATION_FLUSH);
	else /* each write that is done is on the disk: section 5.2.6.2 */
		block_complete(r, false);
}

/* Asks for the serial, by polling: there may be no scheduler yet. Not all devices have one, which is not an error. */
static void serial_read(struct disk *d)
{
	struct block_request *r = kzalloc(sizeof(*r));
	char *id = kzalloc(ID_BYTES + 1);
	u64 end = clock_ns() + 1000000000;

	if (r && id) {
		r->piece_count = 1;
		r->pieces[0].phys = virt_to_phys(id);
		r->pieces[0].bytes = ID_BYTES;
		r->device = &d->block;
		d->block.errors = 1; /* keeps block_complete quiet */
		request_start(d, r, OPERATION_GET_ID);
		while (!r->done && clock_ns() < end) {
			disk_interrupt(d->place);
			cpu_relax();
		}
		d->block.errors = 0;
		if (!r->done) /* it may answer at any time later: the memory stays lent */
			return;
		if (!r->failed)
			strlcpy(d->block.serial, id, sizeof(d->block.serial));
	}
	kfree(r);
	kfree(id);
}

/* Reads size and limits. NULL if the disk can be used, else why not. */
static const char *config_read(struct disk *d)
{
	volatile struct disk_config *c = (volatile struct disk_config *)d->virtio.config;
	u64 features = d->virtio.features;
	u8 generation;

	do { /* two halves of one moment */
		generation = d->virtio.common->config_generation;
		d->block.sectors = c->capacity[0] | (u64)c->capacity[1] << 32;
	} while (generation != d->virtio.common->config_generation);
	d->block.read_only = features & FEATURE_READ_ONLY;
	if ((features & FEATURE_BLOCK_SIZE) && c->block_size != SECTOR_SIZE)
		return "its sectors are not 512 bytes";
	if ((features & FEATURE_SEG_MAX) && c->seg_max < BLOCK_PIECES_MAX)
		return "it takes fewer than 64 pieces a request (queue-size under 128?)";
	if ((features & FEATURE_SIZE_MAX) && c->size_max < MIB(1))
		return "it takes only pieces under 1 MiB";
	return NULL;
}

static bool queue_memory(struct disk *d)
{
	struct virtio_descriptor *ring = d->queue.descriptors;

	d->slots = kzalloc(QUEUE_SIZE * sizeof(*d->slots));
	if (!d->slots)
		return false;
	d->free_count = d->queue.size;
	if (d->virtio.features & VIRTIO_F_INDIRECT_DESC) {
		d->tables = kzalloc(TABLE_COUNT * sizeof(*d->tables));
		if (!d->tables)
			return false;
		d->free_count = MIN(d->queue.size, TABLE_COUNT);
		for (u32 t = 0; t < TABLE_COUNT; t++)
			for (u32 i = 0; i < CHAIN_MAX; i++)
				d->tables[t].descriptors[i].next = i + 1;
	}
	for (u32 i = 0; i < d->queue.size; i++)
		ring[i].next = i + 1;
	d->free_head = 0;
	return true;
}

/* NULL if the disk works, else why not. */
static const char *disk_start(struct disk *d)
{
	u64 wanted = FEATURE_SIZE_MAX | FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_BLOCK_SIZE | FEATURE_FLUSH |
		     VIRTIO_F_INDIRECT_DESC;
	struct place *p = d->place;
	const char *problem;

	if (!virtio_negotiate(&d->virtio, wanted))
		return "no agreement on features";
	if (!d->virtio.config)
		return "it has no configuration";
	problem = config_read(d);
	if (problem)
		return problem;
	if (!p->irq_data && irq_msi_alloc(disk_interrupt, p, &p->irq_address, &p->irq_data) < 0)
		return "no interrupt vector is left";
	if (!pci_msix_enable(d->virtio.pci, 0, p->irq_address, p->irq_data))
		return "it has no MSI-X interrupts (vectors=0?)";
	if (!virtio_queue_open(&d->queue, &d->virtio, 0, QUEUE_SIZE, 0))
		return "its queue can't be set up";
	if (!queue_memory(d))
		return "no memory for its queue";
	/* The longest chain must fit: section 2.6.5.3.1 bounds an indirect one by the queue's size too. */
	if (d->queue.size < CHAIN_MAX)
		return "its queue is too short (queue-size under 128?)";
	return NULL;
}

static struct place *place_find(const struct pci_device *pci)
{
	struct place *p;

	list_for_each(&places, p, link)
		if (p->pci.bus == pci->bus && p->pci.slot == pci->slot && p->pci.function == pci->function)
			return p;
	return NULL;
}

/* The place of the function, made if it is new. NULL: no memory. */
static struct place *place_of(const struct pci_device *pci)
{
	struct place *p = place_find(pci);

	if (p || !(p = kzalloc(sizeof(*p))))
		return p;
	spin_init(&p->lock, "disk", RANK_DEVICE);
	p->pci = *pci;
	list_push_back(&places, &p->link);
	return p;
}

/* Nobody has the block device, so nobody waits for a request; and it is not in its place any more. */
static void disk_destroy(struct block_device *b)
{
	struct disk *d = b->driver;

	check(d->place->disk != d && list_empty(&d->waiting));
	for (u32 i = 0; d->slots && i < d->queue.size; i++)
		assert(!d->slots[i].request);
	virtio_queue_close(&d->queue);
	kfree(d->slots);
	kfree(d->tables);
	kfree(d);
}

/* Which disk is in the place from now on. */
static void place_set(struct place *p, struct disk *d)
{
	spin_lock(&p->lock);
	p->disk = d;
	spin_unlock(&p->lock);
}

static struct disk *disk_make(struct place *p)
{
	static u32 number;
	struct disk *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	list_init(&d->waiting);
	d->place = p;
	d->block.refs = 1;
	d->block.submit = disk_submit;
	d->block.poll = disk_poll;
	d->block.destroy = disk_destroy;
	d->block.driver = d;
	ksnprintf(d->block.name, sizeof(d->block.name), "vd%u", number++);
	return d;
}

/* One reference. */
static struct block_device *disk_found(const struct pci_device *pci)
{
	struct place *p = place_of(pci);
	struct disk *d = p ? disk_make(p) : NULL;
	const char *problem;

	if (!d)
		return NULL;
	problem = virtio_open(&d->virtio, &p->pci) ? disk_start(d) : "it can't be set up";
	if (problem) {
		if (d->virtio.common)
			virtio_reset(&d->virtio);
		klog(LOG_ERROR, "%s (PCI %02x:%02x.%u) is not used: %s", d->block.name, pci->bus, pci->slot,
		     pci->function, problem);
		block_unref(&d->block);
		return NULL;
	}
	place_set(p, d);
	virtio_start(&d->virtio);
	serial_read(d);
	block_register(&d->block);
	return &d->block;
}

static bool is_disk(const struct pci_device *p)
{
	return p->vendor == VIRTIO_VENDOR && (p->device == DEVICE_BLOCK || p->device == DEVICE_BLOCK_TRANSITIONAL);
}

struct block_device *virtio_blk_add(const struct pci_device *p)
{
	return is_disk(p) ? disk_found(p) : NULL;
}

struct block_device *virtio_blk_at(const struct pci_device *pci)
{
	struct place *p = place_find(pci);
	struct block_device *b = NULL;

	if (!p)
		return NULL;
	spin_lock(&p->lock);
	if (p->disk)
		b = &p->disk->block;
	spin_unlock(&p->lock);
	if (b) /* only the caller's thread takes disks away */
		block_ref(b);
	return b;
}

void virtio_blk_remove(struct block_device *b)
{
	struct disk *d = b->driver;
	struct block_request *r, *next;
	struct list finished;

	list_init(&finished);
	spin_lock(&d->place->lock);
	if (!d->broken)
		disk_stop(d, &finished);
	d->place->disk = NULL;
	spin_unlock(&d->place->lock);
	list_for_each_safe(&finished, r, next, link)
		block_complete(r, true);
	block_unregister(b);
}

void virtio_blk_init(void)
{
	for (u32 i = 0; i < pci_device_count; i++)
		if (is_disk(&pci_devices[i]))
			block_unref(disk_found(&pci_devices[i]));
}
