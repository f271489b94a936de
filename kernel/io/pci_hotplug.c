/*
 * Disks that come and go while the machine runs: PCI Express hot-plug. A port tells of it by an interrupt; a thread looks at
 * the slot and does what has to be done. Whoever takes a disk out presses the slot's button first (QEMU's device_del does),
 * and waits until the slot's power is off: there is time to write what waits. One that goes without that is found by the
 * interrupt, or, if the slot does not even tell, by a look each second: then what is under way fails, and nothing is written.
 * Source: PCI Express Base Specification 3.0, sections 6.7 and 7.8.
 */
#include "arch/arch.h"
#include "io/block.h"
#include "io/file.h"
#include "io/pci.h"
#include "mm/file_cache.h"
#include "proc/sched.h"

/* Registers of the PCI Express capability, and their bits. */
enum { SLOT_CONTROL = 0x18, SLOT_STATUS = 0x1a };
#define CONTROL_BUTTON (1u << 0) /* interrupts: the button; what is in the slot has changed */
#define CONTROL_PRESENCE (1u << 3)
#define CONTROL_INTERRUPT (1u << 5)
#define CONTROL_INDICATOR_MASK (3u << 8)
#define CONTROL_INDICATOR_ON (1u << 8)
#define CONTROL_INDICATOR_OFF (3u << 8)
#define CONTROL_POWER_OFF (1u << 10)
#define LOOK_NS 1000000000ull
#define STATUS_BUTTON (1u << 0)
#define STATUS_PRESENCE_CHANGED (1u << 3)
#define STATUS_CHANGES 0x11fu /* bits that are cleared by writing them */
#define STATUS_PRESENT (1u << 6)

static struct spinlock hotplug_lock = SPINLOCK_INIT("hotplug", RANK_DISPATCH);
static struct wait_queue hotplug_queue = WAIT_QUEUE_INIT(hotplug_queue);
static bool hotplug_wanted = true; /* under the lock; what happened before is looked for once */

static void hotplug_interrupt(void *arg)
{
	(void)arg;
	spin_lock(&hotplug_lock);
	hotplug_wanted = true;
	wait_wake_all(&hotplug_queue);
	spin_unlock(&hotplug_lock);
}

static void slot_power(const struct pci_port *p, bool on)
{
	u16 control = pci_read16(&p->bridge, p->express + SLOT_CONTROL);

	control &= ~(CONTROL_INDICATOR_MASK | CONTROL_POWER_OFF);
	control |= on ? CONTROL_INDICATOR_ON : CONTROL_INDICATOR_OFF | CONTROL_POWER_OFF;
	pci_write16(&p->bridge, p->express + SLOT_CONTROL, control);
}

/* The disk behind the port that is in use, one more reference; NULL: there is none. */
static struct block_device *port_disk(const struct pci_port *p)
{
	struct pci_device place = { .bus = p->bus };

	return virtio_blk_at(&place);
}

static void disk_goes(const struct pci_port *p, struct block_device *b)
{
	struct volume *v = volume_on(b);

	if (v) {
		file_cache_flush_all(v);
		volume_unref(v);
	}
	volume_leave(b);
	virtio_blk_remove(b);
	slot_power(p, false);
}

/* First nobody begins anything any more, then what is under way fails: so who waits for it with a lock lets go of it. */
static void disk_lost(struct block_device *b)
{
	volume_vanish(b);
	virtio_blk_remove(b);
	volume_leave(b);
}

static void disk_comes(const struct pci_port *p)
{
	struct pci_device d;
	struct block_device *b;

	slot_power(p, true);
	/* A device may take a second until it answers: section 6.6.1. */
	for (u32 i = 0; i < 10 && !pci_port_device(p, &d); i++)
		sleep_until(clock_ns() + 100000000);
	if (!pci_port_device(p, &d))
		return;
	if (!pci_port_assign(p, &d)) {
		klog(LOG_ERROR, "PCI %02x:%02x.%u: its registers do not fit into the port's windows", d.bus, d.slot, d.function);
		return;
	}
	b = virtio_blk_add(&d);
	if (b)
		volume_arrive(b);
	block_unref(b);
	files_forget_lost();
}

/* True: a disk is there, which may go. */
static bool port_look(const struct pci_port *p)
{
	struct block_device *b = port_disk(p);
	bool present, button;
	u16 status, all = 0;

	/* The interrupt comes again only after all changes were cleared: also those that came since they were read. */
	do {
		status = pci_read16(&p->bridge, p->express + SLOT_STATUS);
		pci_write16(&p->bridge, p->express + SLOT_STATUS, status & STATUS_CHANGES);
		all |= status;
	} while (status & STATUS_CHANGES);
	present = status & STATUS_PRESENT;
	button = all & STATUS_BUTTON;
	if (b && !(present && pci_port_enabled(p))) {
		disk_lost(b); /* the slot keeps its power, if it has it: the next disk may be in it already */
	} else if (b && button) {
		disk_goes(p, b);
		present = false;
	}
	block_unref(b);
	b = port_disk(p);
	if (!b && present && (button || all & STATUS_PRESENCE_CHANGED)) {
		disk_comes(p);
		b = port_disk(p);
	}
	block_unref(b);
	return b;
}

static void hotplug_thread(void *arg)
{
	bool look = true;

	(void)arg;
	for (;;) {
		u64 until = look ? clock_ns() + LOOK_NS : WAIT_FOREVER;

		spin_lock(&hotplug_lock);
		while (!hotplug_wanted && clock_ns() < until)
			wait_sleep(&hotplug_queue, &hotplug_lock, until, false);
		hotplug_wanted = false;
		spin_unlock(&hotplug_lock);
		look = false;
		for (u32 i = 0; i < pci_port_count; i++)
			look |= port_look(&pci_ports[i]);
	}
}

void pci_hotplug_start(void)
{
	u64 address;
	u32 data;

	if (!pci_port_count)
		return;
	if (irq_msi_alloc(hotplug_interrupt, NULL, &address, &data) < 0)
		return;
	for (u32 i = 0; i < pci_port_count; i++) {
		const struct pci_port *p = &pci_ports[i];
		u16 control = pci_read16(&p->bridge, p->express + SLOT_CONTROL);

		pci_enable(&p->bridge);
		if (!pci_msix_enable(&p->bridge, 0, address, data))
			continue;
		pci_write16(&p->bridge, p->express + SLOT_CONTROL, control | CONTROL_BUTTON | CONTROL_PRESENCE | CONTROL_INTERRUPT);
	}
	/* Last: from here on the configuration space is that thread's (pci.h). */
	check(thread_create_kernel("hotplug", hotplug_thread, NULL));
}
