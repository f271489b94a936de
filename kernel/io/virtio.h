/*
 * Virtio devices on PCI, modern interface only, with split queues. Source: Virtual I/O Device (VIRTIO) Version 1.1:
 * sections 2.6 (split virtqueues), 3.1 (device initialisation), 4.1 (virtio over PCI bus).
 */
#ifndef IO_VIRTIO_H
#define IO_VIRTIO_H

#include "io/pci.h"
#include "lib/types.h"

#define VIRTIO_VENDOR 0x1af4

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* The common configuration, in the device's registers: section 4.1.4.3. */
struct virtio_common {
	u32 device_feature_select;
	u32 device_feature;
	u32 driver_feature_select;
	u32 driver_feature;
	u16 config_msix_vector;
	u16 queue_count;
	u8 status;
	u8 config_generation;
	u16 queue_select;
	u16 queue_size;
	u16 queue_msix_vector;
	u16 queue_enable;
	u16 queue_notify_offset;
	u32 queue_descriptors[2]; /* low, high */
	u32 queue_available[2];
	u32 queue_used[2];
};

struct virtio_device {
	const struct pci_device *pci;
	volatile struct virtio_common *common;
	volatile u8 *config; /* the device's own; NULL if it has none */
	volatile u8 *notify;
	u32 notify_multiplier;
	u64 features; /* agreed on */
};

/* The rings, in memory that the device reads and writes: section 2.6.5 to 2.6.8. */
#define VIRTIO_DESCRIPTOR_NEXT 1
#define VIRTIO_DESCRIPTOR_WRITE 2 /* by the device */
#define VIRTIO_DESCRIPTOR_INDIRECT 4

struct virtio_descriptor {
	u64 phys;
	u32 bytes;
	u16 flags;
	u16 next;
};

struct virtio_available {
	u16 flags;
	u16 index;
	u16 ring[]; /* size entries */
};

struct virtio_used {
	u16 flags;
	u16 index;
	struct {
		u32 id;
		u32 bytes;
	} ring[]; /* size entries */
};

/* The owner locks. */
struct virtio_queue {
	u16 size; /* entries, a power of two */
	u16 number;
	struct virtio_descriptor *descriptors; /* the owner's to fill */
	volatile struct virtio_available *available;
	volatile struct virtio_used *used;
	volatile u16 *notify;
	u16 available_index; /* what available->index is */
	u16 kicked_index;    /* what it was at the last kick */
	u16 used_index;      /* how far used was read */
};

/* Maps the registers of a modern device, resets it, says that it is driven. False, with a message, if that can't be. */
bool virtio_open(struct virtio_device *v, const struct pci_device *pci);
/* Agrees on VERSION_1 and those of wanted that the device offers. False, with a message, if it refuses. */
bool virtio_negotiate(struct virtio_device *v, u64 wanted);
/* From here on the device works. */
void virtio_start(struct virtio_device *v);
/* Returns when the device has stopped, however long that takes: until then, it may write memory that was lent to it. */
void virtio_reset(struct virtio_device *v);

/*
 * Sets up queue number with at most size_max entries (a power of two), its interrupts going to the entry vector of the
 * MSI-X table. Between negotiate and start. False: no such queue, no memory, or the device refuses the vector.
 */
bool virtio_queue_open(struct virtio_queue *q, struct virtio_device *v, u16 number, u16 size_max, u16 vector);
void virtio_queue_close(struct virtio_queue *q); /* its memory goes. The device was reset, or is gone */
/* Makes the chain that begins at descriptor head available to the device. */
void virtio_queue_push(struct virtio_queue *q, u16 head);
/* Tells the device of all that was pushed since the last time. */
void virtio_queue_kick(struct virtio_queue *q);
/* The head of a chain that the device has finished. False: none. The caller checks it: the device may say anything. */
bool virtio_queue_pop(struct virtio_queue *q, u32 *head);
/* Would pop find one? A glance, without the owner's lock. */
static inline bool virtio_queue_has(const struct virtio_queue *q)
{
	return __atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) != q->used_index;
}
#endif
