/* A virtio device's registers, and the steps to bring it up. */
#include "arch/arch.h"
#include "io/virtio.h"

enum virtio_status {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128,
};

/* The vendor capability, which says where a set of registers is: section 4.1.4. Offsets in it: */
#define CAP_LENGTH 2
#define CAP_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_SIZE 12
#define CAP_NOTIFY_MULTIPLIER 16

enum virtio_cap_type { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_DEVICE = 4 };

#define NO_VECTOR 0xffff

/*
 * Maps the first usable set of registers of this type that is at least size_min bytes. *at is its capability's offset.
 * Unknown BARs (6 and 7 are reserved values) are passed over, as section 4.1.4.1 wants.
 */
static volatile void *registers_map(const struct pci_device *pci, enum virtio_cap_type type, u32 size_min, u32 *at)
{
	for (*at = 0; (*at = pci_capability_find(pci, PCI_CAPABILITY_VENDOR, *at));) {
		u32 size = pci_read32(pci, *at + CAP_SIZE);
		volatile void *mapped;

		if (pci_read8(pci, *at + CAP_TYPE) != type || size < size_min || pci_read8(pci, *at + CAP_LENGTH) < 16)
			continue;
		mapped = pci_map_bar(pci, pci_read8(pci, *at + CAP_BAR), pci_read32(pci, *at + CAP_OFFSET), size);
		if (mapped)
			return mapped;
	}
	return NULL;
}

bool virtio_open(struct virtio_device *v, const struct pci_device *pci)
{
	u32 at;

	v->pci = pci;
	v->features = 0;
	pci_enable(pci);
	v->common = registers_map(pci, CAP_COMMON, sizeof(struct virtio_common), &at);
	v->config = registers_map(pci, CAP_DEVICE, 1, &at);
	v->notify = registers_map(pci, CAP_NOTIFY, 2, &at);
	if (!v->common || !v->notify) {
		klog(LOG_WARNING, "PCI %02x:%02x.%u: a virtio device without the modern interface (disable-modern=on?)",
		     pci->bus, pci->slot, pci->function);
		return false;
	}
	v->notify_multiplier = pci_read32(pci, at + CAP_NOTIFY_MULTIPLIER);
	virtio_reset(v);
	v->common->status = STATUS_ACKNOWLEDGE;
	v->common->status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
	return true;
}

void virtio_reset(struct virtio_device *v)
{
	v->common->status = 0;
	/* All ones: it is not there any more. */
	while (v->common->status != 0 && v->common->status != 0xff)
		cpu_relax();
}

bool virtio_negotiate(struct virtio_device *v, u64 wanted)
{
	volatile struct virtio_common *c = v->common;
	u64 offered;

	c->device_feature_select = 0;
	offered = c->device_feature;
	c->device_feature_select = 1;
	offered |= (u64)c->device_feature << 32;
	v->features = offered & (wanted | VIRTIO_F_VERSION_1);
	c->driver_feature_select = 0;
	c->driver_feature = (u32)v->features;
	c->driver_feature_select = 1;
	c->driver_feature = (u32)(v->features >> 32);
	c->status |= STATUS_FEATURES_OK;
	if (!(v->features & VIRTIO_F_VERSION_1) || !(c->status & STATUS_FEATURES_OK)) {
		klog(LOG_WARNING,
		     "PCI %02x:%02x.%u: the virtio device wants features that are not known here (offers %#llx)",
		     v->pci->bus, v->pci->slot, v->pci->function, (unsigned long long)offered);
		c->status |= STATUS_FAILED;
		return false;
	}
	c->config_msix_vector = NO_VECTOR;
	return true;
}

void virtio_start(struct virtio_device *v)
{
	v->common->status |= STATUS_DRIVER_OK;
}
