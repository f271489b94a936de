/* Split virtqueues: the two rings between driver and device. */
#include "arch/arch.h"
#include "io/virtio.h"
#include "lib/string.h"
#include "mm/pool.h"

static void address_write(volatile u32 to[2], const volatile void *ring)
{
	u64 phys = virt_to_phys((const void *)ring);

	to[0] = (u32)phys;
	to[1] = (u32)(phys >> 32);
}

bool virtio_queue_open(struct virtio_queue *q, struct virtio_device *v, u16 number, u16 size_max, u16 vector)
{
	volatile struct virtio_common *c = v->common;
	u32 size, available_at, used_at;
	u8 *memory;

	c->queue_select = number;
	size = MIN(c->queue_size, size_max);
	if (number >= c->queue_count || size == 0 || (size & (size - 1)) != 0 || c->queue_enable)
		return false;
	available_at = size * sizeof(struct virtio_descriptor);
	used_at = ALIGN_UP(available_at + 6 + 2 * size, 4);
	memory = kzalloc(MAX(used_at + 6 + 8 * size, PAGE_SIZE));
	if (!memory)
		return false;
	memset(q, 0, sizeof(*q));
	q->size = size;
	q->number = number;
	q->descriptors = (struct virtio_descriptor *)memory;
	q->available = (volatile struct virtio_available *)(memory + available_at);
	q->used = (volatile struct virtio_used *)(memory + used_at);
	q->notify = (volatile u16 *)(v->notify + (u64)c->queue_notify_offset * v->notify_multiplier);
	c->queue_size = size;
	c->queue_msix_vector = vector;
	address_write(c->queue_descriptors, q->descriptors);
	address_write(c->queue_available, q->available);
	address_write(c->queue_used, q->used);
	if (c->queue_msix_vector != vector) {
		virtio_queue_close(q);
		return false;
	}
	c->queue_enable = 1;
	return true;
}

void virtio_queue_close(struct virtio_queue *q)
{
	kfree(q->descriptors);
	memset(q, 0, sizeof(*q));
}

void virtio_queue_push(struct virtio_queue *q, u16 head)
{
	q->available->ring[q->available_index % q->size] = head;
	/* The device may look at the index at any time: what it covers is written first. */
	__atomic_store_n(&q->available->index, ++q->available_index, __ATOMIC_RELEASE);
}

/*
 * The device is told each time. It may say that it need not be (VIRTIO_F_EVENT_IDX, VIRTQ_USED_F_NO_NOTIFY), but to believe
 * that takes a full barrier between our write of the index and our read of its wish; and QEMU's translator leaves barriers
 * out for a machine with one CPU (7.2 does), though the device runs on another thread of the host: now and then each side
 * missed the other's last word, and the request waited for ever. For the same reason interrupts are never turned off.
 */
void virtio_queue_kick(struct virtio_queue *q)
{
	if (q->available_index == q->kicked_index)
		return;
	q->kicked_index = q->available_index;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*q->notify = q->number;
}

bool virtio_queue_pop(struct virtio_queue *q, u32 *head)
{
	if (__atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) == q->used_index)
		return false;
	*head = q->used->ring[q->used_index++ % q->size].id;
	return true;
}
