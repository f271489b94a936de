/*
 * Interrupts of devices: message-signalled ones, and ISA lines through the I/O APIC.
 * Source: Intel 82093AA I/O APIC datasheet, section 3.2; Intel SDM volume 3A, section 10.11 (message-signalled
 * interrupts).
 */
#include "arch/internal.h"
#include "proc/lock.h"
#include "proc/sched.h"

#define IO_APIC_SELECT 0x00
#define IO_APIC_WINDOW 0x10
#define IO_APIC_VERSION 1
#define IO_APIC_REDIRECTION 0x10 /* two registers for each input */
#define REDIRECTION_ACTIVE_LOW (1u << 13)
#define REDIRECTION_LEVEL (1u << 15)
#define REDIRECTION_MASKED (1u << 16)
#define MSI_ADDRESS 0xfee00000ull

static struct {
	irq_handler *handler;
	void *arg;
} handlers[256];
static u32 next_vector = VECTOR_DEVICE_FIRST;
static struct spinlock irq_lock = SPINLOCK_INIT("irq", RANK_DEVICE);
static volatile u32 *io_apic;
static u32 io_apic_inputs;

static u32 io_apic_read(u32 reg)
{
	io_apic[IO_APIC_SELECT / 4] = reg;
	return io_apic[IO_APIC_WINDOW / 4];
}

static void io_apic_write(u32 reg, u32 v)
{
	io_apic[IO_APIC_SELECT / 4] = reg;
	io_apic[IO_APIC_WINDOW / 4] = v;
}

void irq_init(void)
{
	u32 i;

	out8(0x21, 0xff); /* the old pair of 8259s: all lines masked */
	out8(0xa1, 0xff);
	io_apic = mmio_map(acpi.io_apic_phys, PAGE_SIZE);
	if (!io_apic)
		panic("no memory to map the I/O APIC");
	io_apic_inputs = (io_apic_read(IO_APIC_VERSION) >> 16 & 0xff) + 1;
	for (i = 0; i < io_apic_inputs; i++)
		io_apic_write(IO_APIC_REDIRECTION + 2 * i, REDIRECTION_MASKED);
}

static int vector_alloc(irq_handler *handler, void *arg)
{
	u32 v;

	if (next_vector > VECTOR_DEVICE_LAST)
		return -1;
	v = next_vector++;
	handlers[v].arg = arg;
	handlers[v].handler = handler;
	return (int)v;
}

int irq_msi_alloc(irq_handler *handler, void *arg, u64 *address, u32 *data)
{
	int v;

	spin_lock(&irq_lock);
	v = vector_alloc(handler, arg);
	spin_unlock(&irq_lock);
	if (v >= 0) {
		*address = MSI_ADDRESS | (u64)cpus[0]->apic_id << 12;
		*data = (u32)v;
	}
	return v;
}

bool irq_isa_enable(u32 line, irq_handler *handler, void *arg)
{
	const struct acpi_override *o = &acpi.isa[line & 15];
	u32 input = o->gsi - acpi.io_apic_gsi_base, low;
	int v = -1;

	spin_lock(&irq_lock);
	if (line < 16 && input < io_apic_inputs)
		v = vector_alloc(handler, arg);
	if (v >= 0) {
		low = (u32)v | (o->active_low ? REDIRECTION_ACTIVE_LOW : 0) | (o->level ? REDIRECTION_LEVEL : 0);
		io_apic_write(IO_APIC_REDIRECTION + 2 * input + 1, cpus[0]->apic_id << 24);
		io_apic_write(IO_APIC_REDIRECTION + 2 * input, low);
	}
	spin_unlock(&irq_lock);
	return v >= 0;
}

HOT void irq_dispatch(u32 vector)
{
	struct cpu *c = this_cpu();

	if (vector == VECTOR_SPURIOUS) /* wants no end of interrupt */
		return;
	c->interrupts++;
	c->in_interrupt = true;
	switch (vector) {
	case VECTOR_TIMER:
		sched_tick();
		break;
	case VECTOR_RESCHEDULE: /* cpu->reschedule is set: trap_dispatch looks at it */
		break;
	case VECTOR_TLB:
		tlb_interrupt();
		break;
	default:
		if (handlers[vector].handler)
			handlers[vector].handler(handlers[vector].arg);
		else
			klog(LOG_WARNING, "unexpected interrupt, vector %u", vector);
	}
	c->in_interrupt = false;
	local_apic_end_of_interrupt();
}
