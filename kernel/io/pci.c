/* Finding PCI functions behind the first host bridge, and setting them up. */
#include "io/pci.h"

#include "arch/arch.h"
#include "io/block.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc

enum {
	VENDOR_ID = 0x00,
	DEVICE_ID = 0x02,
	COMMAND = 0x04,
	STATUS = 0x06,
	REVISION_AND_CLASS = 0x08,
	HEADER_TYPE = 0x0e,
	BAR_0 = 0x10,
	SECONDARY_BUS = 0x19, /* of a bridge */
	MEMORY_BASE = 0x20,   /* and what memory it passes on: base and limit, in MiB */
	PREFETCHABLE_BASE = 0x24,
	PREFETCHABLE_BASE_HIGH = 0x28,
	PREFETCHABLE_LIMIT_HIGH = 0x2c,
	CAPABILITIES = 0x34,
};

#define COMMAND_MEMORY (1u << 1)
#define COMMAND_BUS_MASTER (1u << 2)
#define COMMAND_INTERRUPT_OFF (1u << 10)
#define STATUS_CAPABILITIES (1u << 4)
#define HEADER_MULTIFUNCTION 0x80
#define HEADER_BRIDGE 1

#define EXPRESS_SLOT (1u << 8) /* in the capability's own flags */
#define EXPRESS_SLOT_CAPABILITIES 0x14
#define SLOT_HOT_PLUG (1u << 6)

#define BAR_IO 1u
#define BAR_TYPE_MASK 6u
#define BAR_TYPE_64 4u
#define BAR_PREFETCHABLE 8u

#define MSIX_CONTROL 2 /* offsets in the capability */
#define MSIX_TABLE 4
#define MSIX_ENABLE (1u << 15)
#define MSIX_MASK_ALL (1u << 14)
#define MSIX_COUNT_MASK 0x7ffu /* the table's entries - 1 */
#define MSIX_ENTRY_SIZE 16
#define MSIX_ENTRY_MASKED 1u

struct pci_device pci_devices[PCI_DEVICES_MAX];
u32 pci_device_count;
struct pci_port pci_ports[PCI_PORTS_MAX];
u32 pci_port_count;

static void address_set(const struct pci_device *d, u32 offset)
{
	out32(PORT_ADDRESS,
	      1u << 31 | (u32)d->bus << 16 | (u32)d->slot << 11 | (u32)d->function << 8 | (offset & 0xfc));
}

u32 pci_read32(const struct pci_device *d, u32 offset)
{
	address_set(d, offset);
	return in32(PORT_DATA);
}

u16 pci_read16(const struct pci_device *d, u32 offset)
{
	address_set(d, offset);
	return in16(PORT_DATA + (offset & 2));
}

u8 pci_read8(const struct pci_device *d, u32 offset)
{
	address_set(d, offset);
	return in8(PORT_DATA + (offset & 3));
}

void pci_write32(const struct pci_device *d, u32 offset, u32 value)
{
	address_set(d, offset);
	out32(PORT_DATA, value);
}

void pci_write16(const struct pci_device *d, u32 offset, u16 value)
{
	address_set(d, offset);
	out16(PORT_DATA + (offset & 2), value);
}

static void bus_scan(u8 bus);

/* Source: PCI Express Base Specification 3.0, section 7.8. */
static void port_found(const struct pci_device *d, u8 secondary)
{
	u32 at = pci_capability_find(d, PCI_CAPABILITY_EXPRESS, 0);

	if (!at || !(pci_read16(d, at + 2) & EXPRESS_SLOT) || !(pci_read32(d, at + EXPRESS_SLOT_CAPABILITIES) & SLOT_HOT_PLUG) ||
	    pci_port_count == PCI_PORTS_MAX)
		return;
	pci_ports[pci_port_count++] = (struct pci_port){ *d, at, secondary };
}

static void function_found(const struct pci_device *d)
{
	u8 header = pci_read8(d, HEADER_TYPE) & ~HEADER_MULTIFUNCTION;

	if (header == HEADER_BRIDGE) {
		u8 secondary = pci_read8(d, SECONDARY_BUS);
		if (secondary > d->bus)
			port_found(d, secondary);
		if (secondary > d->bus) /* as the firmware numbers them; anything else would be an endless descent */
			bus_scan(secondary);
		return;
	}
	if (header != 0)
		return;
	if (pci_device_count == PCI_DEVICES_MAX) {
		klog(LOG_WARNING, "PCI: more than %u functions; %02x:%02x.%u is left out", PCI_DEVICES_MAX, d->bus,
		     d->slot, d->function);
		return;
	}
	pci_devices[pci_device_count++] = *d;
	klog(LOG_DEBUG, "PCI %02x:%02x.%u: %04x:%04x class %06x", d->bus, d->slot, d->function, d->vendor, d->device,
	     d->class);
}

static void bus_scan(u8 bus)
{
	for (u8 slot = 0; slot < 32; slot++) {
		struct pci_device d = { .bus = bus, .slot = slot };
		u32 functions = 1;

		for (; d.function < functions; d.function++) {
			d.vendor = pci_read16(&d, VENDOR_ID);
			if (d.vendor == 0xffff)
				continue;
			d.device = pci_read16(&d, DEVICE_ID);
			d.class = pci_read32(&d, REVISION_AND_CLASS) >> 8;
			if (d.function == 0 && (pci_read8(&d, HEADER_TYPE) & HEADER_MULTIFUNCTION))
				functions = 8;
			function_found(&d);
		}
	}
}

void pci_init(void)
{
	pci_device_count = pci_port_count = 0;
	bus_scan(0);
}

u32 pci_capability_find(const struct pci_device *d, u8 id, u32 after)
{
	u32 at;

	if (!(pci_read16(d, STATUS) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read8(d, after ? after + 1 : CAPABILITIES) & 0xfc;
	/* At most 48 fit into the space: a list that is longer is a loop. */
	for (u32 n = 0; at >= 0x40 && n < 48; n++) {
		if (pci_read8(d, at) == id)
			return at;
		at = pci_read8(d, at + 1) & 0xfc;
	}
	return 0;
}

bool pci_port_device(const struct pci_port *p, struct pci_device *d)
{
	*d = (struct pci_device){ .bus = p->bus };
	d->vendor = pci_read16(d, VENDOR_ID);
	if (d->vendor == 0xffff)
		return false;
	d->device = pci_read16(d, DEVICE_ID);
	d->class = pci_read32(d, REVISION_AND_CLASS) >> 8;
	return (pci_read8(d, HEADER_TYPE) & ~HEADER_MULTIFUNCTION) == 0;
}

bool pci_port_enabled(const struct pci_port *p)
{
	struct pci_device d;

	return pci_port_device(p, &d) && pci_read16(&d, COMMAND) & COMMAND_BUS_MASTER;
}

/* What a bridge passes on: [*at, *end). */
static void port_window(const struct pci_port *p, bool prefetchable, u64 *at, u64 *end)
{
	u32 window = pci_read32(&p->bridge, prefetchable ? PREFETCHABLE_BASE : MEMORY_BASE);

	*at = (u64)(window & 0xfff0) << 16;
	*end = ((u64)(window >> 16 & 0xfff0) << 16) + MIB(1);
	if (prefetchable && (window & 0xf) == 1) {
		*at |= (u64)pci_read32(&p->bridge, PREFETCHABLE_BASE_HIGH) << 32;
		*end += (u64)pci_read32(&p->bridge, PREFETCHABLE_LIMIT_HIGH) << 32;
	}
}

bool pci_port_assign(const struct pci_port *p, const struct pci_device *d)
{
	u64 at[2], end[2];

	port_window(p, false, &at[0], &end[0]);
	port_window(p, true, &at[1], &end[1]);
	for (u32 bar = 0; bar < 6; bar++) {
		u32 low = pci_read32(d, BAR_0 + bar * 4), window = 0;
		bool wide = !(low & BAR_IO) && (low & BAR_TYPE_MASK) == BAR_TYPE_64;
		u64 size;

		pci_write32(d, BAR_0 + bar * 4, ~0u);
		size = pci_read32(d, BAR_0 + bar * 4) & ~0xfu;
		if (low & BAR_IO || !size) {
			pci_write32(d, BAR_0 + bar * 4, low);
			bar += wide; /* none of a size above 4 GiB is known here */
			continue;
		}
		size = (u32)-size;
		/* What can't be above 4 GiB has to be in the window that is not. */
		if (low & BAR_PREFETCHABLE && (wide || end[1] <= GIB(4)) && ALIGN_UP(at[1], size) + size <= end[1])
			window = 1;
		at[window] = ALIGN_UP(at[window], size);
		if (at[window] + size > end[window])
			return false;
		pci_write32(d, BAR_0 + bar * 4, (u32)at[window]);
		if (wide)
			pci_write32(d, BAR_0 + ++bar * 4, (u32)(at[window] >> 32));
		at[window] += size;
	}
	return true;
}

static u64 bar_address(const struct pci_device *d, u32 bar)
{
	u32 low;
	u64 high = 0;

	if (bar > 5)
		return 0;
	low = pci_read32(d, BAR_0 + bar * 4);
	if (low & BAR_IO)
		return 0;
	if ((low & BAR_TYPE_MASK) == BAR_TYPE_64) {
		if (bar == 5)
			return 0;
		high = pci_read32(d, BAR_0 + bar * 4 + 4);
	}
	return high << 32 | (low & ~0xfu);
}

volatile void *pci_map_bar(const struct pci_device *d, u32 bar, u64 offset, u64 size)
{
	u64 base = bar_address(d, bar);

	if (!base || !size || base + offset < base || base + offset + size < base + offset)
		return NULL;
	return mmio_map(base + offset, size);
}

void pci_enable(const struct pci_device *d)
{
	u16 command = pci_read16(d, COMMAND);

	pci_write16(d, COMMAND, command | COMMAND_MEMORY | COMMAND_BUS_MASTER | COMMAND_INTERRUPT_OFF);
}

bool pci_msix_enable(const struct pci_device *d, u32 entry, u64 address, u32 data)
{
	u32 at = pci_capability_find(d, PCI_CAPABILITY_MSIX, 0), table, count;
	volatile u32 *entries;
	u16 control;

	if (!at)
		return false;
	control = pci_read16(d, at + MSIX_CONTROL);
	count = (control & MSIX_COUNT_MASK) + 1;
	if (entry >= count)
		return false;
	table = pci_read32(d, at + MSIX_TABLE);
	entries = pci_map_bar(d, table & 7, table & ~7u, (u64)count * MSIX_ENTRY_SIZE);
	if (!entries)
		return false;
	/* Nothing is sent while the table is half written. */
	pci_write16(d, at + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
	for (u32 i = 0; i < count; i++)
		entries[i * 4 + 3] = MSIX_ENTRY_MASKED;
	entries[entry * 4] = (u32)address;
	entries[entry * 4 + 1] = (u32)(address >> 32);
	entries[entry * 4 + 2] = data;
	entries[entry * 4 + 3] = 0;
	pci_write16(d, at + MSIX_CONTROL, (control | MSIX_ENABLE) & ~MSIX_MASK_ALL);
	return true;
}
