/*
 * PCI functions and their configuration space, by the I/O ports that every PC has. Only one thread uses it, without locks: the
 * one that starts the machine, then pci_hotplug.c's. Source: PCI Local Bus Specification 3.0, chapter 6 and section 3.2.2.3.2; MSI-X: section 6.8.2.
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

/* Bridges to a slot whose device can come and go while the machine runs (PCI Express hot-plug), as pci_init found them. */
#define PCI_PORTS_MAX 8
struct pci_port {
	struct pci_device bridge;
	u32 express; /* offset of its PCI Express capability */
	u8 bus;      /* behind it */
};
extern struct pci_port pci_ports[PCI_PORTS_MAX];
extern u32 pci_port_count;
/* Fills d with what is function 0 of the slot behind the port. False: nothing is there. */
bool pci_port_device(const struct pci_port *p, struct pci_device *d);
/* Whether the slot holds what pci_enable was called for: not nothing, nor another one that came in its place. */
bool pci_port_enabled(const struct pci_port *p);
/* Gives the memory BARs of a device that has just come addresses in the port's windows. False: they do not fit. */
bool pci_port_assign(const struct pci_port *p, const struct pci_device *d);

/* Offsets: 0 to 255, aligned to the size. */
u8 pci_read8(const struct pci_device *d, u32 offset);
u16 pci_read16(const struct pci_device *d, u32 offset);
u32 pci_read32(const struct pci_device *d, u32 offset);
void pci_write32(const struct pci_device *d, u32 offset, u32 value);
void pci_write16(const struct pci_device *d, u32 offset, u16 value);

/* The offset of the first capability with this id behind the one at offset after (0: from the start). 0: none. */
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_EXPRESS 0x10
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
