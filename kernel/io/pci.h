/*
 * PCI functions and their configuration space, by the I/O ports that every PC has. Only while the kernel starts: one
 * thread, no locks. Source: PCI Local Bus Specification 3.0, chapter 6 and section 3.2.2.3.2; MSI-X: section 6.8.2.
 */
#ifndef IO_PCI_H
#define IO_PCI_H

#include "lib/types.h"

#define PCI_DEVICES_MAX 64

struct pci_device {
	u8 bus, slot, function;
	u16 vendor, device;
	u32 class; /* class, subclass, interface: 24 bits */
};

extern struct pci_device pci_devices[PCI_DEVICES_MAX];
extern u32 pci_device_count;

/* Offsets: 0 to 255, aligned to the size. */
u8 pci_read8(const struct pci_device *d, u32 offset);
u16 pci_read16(const struct pci_device *d, u32 offset);
u32 pci_read32(const struct pci_device *d, u32 offset);
void pci_write16(const struct pci_device *d, u32 offset, u16 value);

/* The offset of the first capability with this id behind the one at offset after (0: from the start). 0: none. */
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX 0x11
u32 pci_capability_find(const struct pci_device *d, u8 id, u32 after);

/*
 * Maps size bytes at offset of memory BAR bar (0 to 5), uncached. NULL: no such BAR, the firmware gave it no address,
 * or no memory.
 */
volatile void *pci_map_bar(const struct pci_device *d, u32 bar, u64 offset, u64 size);

/* Lets the device decode memory and be a bus master; line interrupts off. */
void pci_enable(const struct pci_device *d);

/* Enables MSI-X: entry (of its table) sends data to address, the others stay masked. False: it has no such entry. */
bool pci_msix_enable(const struct pci_device *d, u32 entry, u64 address, u32 data);

#endif
