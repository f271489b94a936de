/* Split virtqueues: the two rings between driver and device. */
#include "arch/arch.h"
#include "io/virtio.h"
#include "lib/string.h"
#include "mm/pool.h"

#define USED_NO_NOTIFY 1u

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
	q->event_index = v->features & VIRTIO_F_EVENT_IDX;
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
		kfree(memory);
		return false;
	}
	c->queue_enable = 1;
	return true;
}

void virtio_queue_push(struct virtio_queue *q, u16 head)
{
	q->available->ring[q->available_index % q->size] = head;
	/* The device may look at the index at any time: what it covers is written first. */
	__atomic_store_n(&q->available->index, ++q->available_index, __ATOMIC_RELEASE);
}

void virtio_queue_kick(struct virtio_queue *q)
{
	u16 added = q->available_index - q->kicked_index;
	bool wanted;

	if (added == 0)
		return;
	/* The index must be visible before the wish is read, or device and driver each miss the other's last word. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->event_index) {
		/* It wants to be told when the index passes this value; all in 16-bit arithmetic that wraps. */
		u16 event = *(volatile u16 *)&q->used->ring[q->size];
		wanted = (u16)(q->available_index - event - 1) < added;
	} else {
		wanted = !(q->used->flags & USED_NO_NOTIFY);
	}
	q->kicked_index = q->available_index;
	if (wanted)
		*q->notify = q->number;
}

bool virtio_queue_pop(struct virtio_queue *q, u32 *head)
{
	if (__atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE) == q->used_index)
		return false;
	*head = q->used->ring[q->used_index++ % q->size].id;
	return true;
}

bool virtio_queue_rearm(struct virtio_queue *q)
{
	if (!q->event_index)
		return false; /* interrupts were never off */
	q->available->ring[q->size] = q->used_index;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return q->used->index != q->used_index;
}
