/*
 * ACPI tables: who the CPUs and interrupt controllers are, where the timer and the power switch are.
 * Source: ACPI Specification 6.4, sections 5.2.5 (RSDP), 5.2.8 (XSDT), 5.2.9 (FADT), 5.2.12 (MADT), 7.4.2 (_Sx).
 */
#include "arch/internal.h"
#include "lib/string.h"

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	u32 firmware_control, dsdt;
	u8 reserved0, profile;
	u16 sci_interrupt;
	u32 smi_command;
	u8 acpi_enable, acpi_disable, s4bios_request, pstate_control;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	u8 gpe0_length, gpe1_length, gpe1_base, cst_control;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved1;
	u32 flags;
} __attribute__((packed));

struct acpi_madt {
	struct acpi_header header;
	u32 local_apic, flags;
	u8 entries[];
} __attribute__((packed));

#define FADT_TIMER_32_BITS (1u << 8)
#define MADT_LOCAL_APIC 0
#define MADT_IO_APIC 1
#define MADT_OVERRIDE 2
#define MADT_LOCAL_APIC_ADDRESS 5

struct acpi_machine acpi;
static const struct acpi_header *xsdt;

static bool sum_is_zero(const void *bytes, size_t n)
{
	const u8 *b = bytes;
	u8 sum = 0;

	while (n--)
		sum += *b++;
	return sum == 0;
}

const void *acpi_table(const char *signature)
{
	u64 i, at;

	for (i = sizeof(*xsdt); xsdt && i + 8 <= xsdt->length; i += 8) {
		const struct acpi_header *h;

		memcpy(&at, (const u8 *)xsdt + i, 8);
		h = phys_to_virt(at);
		if (!memcmp(h->signature, signature, 4) && h->length >= sizeof(*h) && sum_is_zero(h, h->length))
			return h;
	}
	return NULL;
}

static void cpu_found(u32 apic_id)
{
	if (apic_id == acpi.cpu_apic_ids[0]) /* the one that runs has been entered first */
		return;
	if (acpi.cpu_count < CPU_MAX)
		acpi.cpu_apic_ids[acpi.cpu_count++] = apic_id;
}

static u32 read32(const u8 *at)
{
	u32 v;

	memcpy(&v, at, 4);
	return v;
}

static void override_found(const u8 *e)
{
	struct acpi_override *o;
	u32 polarity = e[8] & 3, trigger = e[8] >> 2 & 3;

	if (e[2] != 0 || e[3] >= 16)
		return;
	o = &acpi.isa[e[3]];
	o->gsi = read32(e + 4);
	o->active_low = polarity == 3;
	o->level = trigger == 3;
}

static void madt_read(void)
{
	const struct acpi_madt *madt = acpi_table("APIC");
	const u8 *e, *end;
	u64 address;
	u32 i;

	if (!madt)
		panic("no ACPI table of interrupt controllers (MADT)");
	for (i = 0; i < 16; i++)
		acpi.isa[i].gsi = i;
	acpi.local_apic_phys = madt->local_apic;
	end = (const u8 *)madt + madt->header.length;
	for (e = madt->entries; e + 2 <= end && e[1] >= 2 && e + e[1] <= end; e += e[1]) {
		switch (e[0]) {
		case MADT_LOCAL_APIC:
			if (e[4] & 1)
				cpu_found(e[3]);
			break;
		case MADT_IO_APIC:
			if (!acpi.io_apic_phys || read32(e + 8) == 0) {
				acpi.io_apic_phys = read32(e + 4);
				acpi.io_apic_gsi_base = read32(e + 8);
			}
			break;
		case MADT_OVERRIDE:
			override_found(e);
			break;
		case MADT_LOCAL_APIC_ADDRESS:
			memcpy(&address, e + 4, 8);
			acpi.local_apic_phys = address;
			break;
		}
	}
	if (!acpi.io_apic_phys)
		panic("no I/O APIC in ACPI's MADT");
}

/* An integer of AML's, as it stands in a package: a byte prefix 0x0a, or the opcodes of 0 and 1. */
static const u8 *aml_byte(const u8 *at, u8 *value)
{
	if (*at == 0x0a) {
		*value = at[1];
		return at + 2;
	}
	*value = *at <= 1 ? *at : 0;
	return at + 1;
}

/*
 * Looks for Name(_S5, Package() { SLP_TYPa, SLP_TYPb, ... }) in the DSDT's bytes, without an interpreter: firmware
 * writes it as these constants. Source: ACPI Specification 6.4, section 20.2 (AML encoding).
 */
static void sleep_type_find(const struct acpi_header *dsdt)
{
	const u8 *at = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length;

	for (; at + 16 <= end; at++) {
		if (memcmp(at, "_S5_", 4) || at[4] != 0x12)
			continue;
		at += 5;
		at += 1 + (*at >> 6); /* the package's length: its first byte says how many follow */
		at += 1;              /* the number of elements */
		at = aml_byte(at, &acpi.sleep_a);
		aml_byte(at, &acpi.sleep_b);
		acpi.can_sleep = true;
		return;
	}
}

static void fadt_read(void)
{
	const struct acpi_fadt *fadt = acpi_table("FACP");

	if (!fadt || !fadt->pm_timer || fadt->pm_timer_length != 4)
		panic("no ACPI timer");
	acpi.pm_timer_port = (u16)fadt->pm_timer;
	acpi.pm_timer_32_bits = fadt->flags & FADT_TIMER_32_BITS;
	acpi.pm1a_control = (u16)fadt->pm1a_control;
	acpi.pm1b_control = (u16)fadt->pm1b_control;
	acpi.century_register = fadt->century;
	if (fadt->dsdt)
		sleep_type_find(phys_to_virt(fadt->dsdt));
}

void acpi_init(u64 rsdp_phys, u32 boot_apic_id)
{
	const struct acpi_rsdp *rsdp = phys_to_virt(rsdp_phys);

	if (!rsdp_phys || memcmp(rsdp->signature, "RSD PTR ", 8) || rsdp->revision < 2 ||
	    !sum_is_zero(rsdp, rsdp->length))
		panic("no ACPI 2.0 tables");
	xsdt = phys_to_virt(rsdp->xsdt);
	if (memcmp(xsdt->signature, "XSDT", 4) || !sum_is_zero(xsdt, xsdt->length))
		panic("ACPI's root table is damaged");
	acpi.cpu_apic_ids[0] = boot_apic_id;
	acpi.cpu_count = 1;
	madt_read();
	fadt_read();
}
