/*
 * The local APIC: timer, interrupts between processors, end of interrupt.
 * Source: Intel SDM volume 3A, chapter 10 (APIC), section 8.4.4 (start-up).
 */
#include "arch/internal.h"

/* Registers, in bytes from the base. */
#define APIC_ID 0x20
#define APIC_TASK_PRIORITY 0x80
#define APIC_END_OF_INTERRUPT 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_COMMAND 0x300
#define APIC_COMMAND_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0

#define SPURIOUS_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define DELIVER_NMI (4u << 8)
#define DELIVER_INIT (5u << 8)
#define DELIVER_STARTUP (6u << 8)
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)
#define COMMAND_TO_OTHERS (3u << 18)
#define DIVIDE_BY_16 3

static volatile u8 *registers;
static u32 timer_count; /* of a tick */

static u32 apic_read(u32 offset)
{
	return *(volatile u32 *)(registers + offset);
}

static void apic_write(u32 offset, u32 v)
{
	*(volatile u32 *)(registers + offset) = v;
}

void local_apic_map(void)
{
	registers = mmio_map(acpi.local_apic_phys, PAGE_SIZE);
	if (!registers)
		panic("no memory to map the local APIC");
}

u32 local_apic_id(void)
{
	return apic_read(APIC_ID) >> 24;
}

void local_apic_enable(void)
{
	apic_write(APIC_TASK_PRIORITY, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED); /* the old interrupt controller: off */
	apic_write(APIC_LVT_LINT1, DELIVER_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_END_OF_INTERRUPT, 0);
}

void local_apic_end_of_interrupt(void)
{
	apic_write(APIC_END_OF_INTERRUPT, 0);
}

void local_apic_timer_count_down(void)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
}

u32 local_apic_timer_read(void)
{
	return apic_read(APIC_TIMER_CURRENT);
}

void local_apic_timer_set_hz(u64 hz)
{
	timer_count = (u32)(hz / TICK_HZ);
	if (!timer_count)
		panic("the local APIC's timer does not count");
}

void local_apic_timer_start(void)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, timer_count);
}

/* Two writes make a command: no interrupt, which might send another one, may come between. */
static void command_send(u32 apic_id, u32 command)
{
	bool on = interrupts_save();

	while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
		cpu_relax();
	apic_write(APIC_COMMAND_HIGH, apic_id << 24);
	apic_write(APIC_COMMAND, command | COMMAND_ASSERT);
	interrupts_restore(on);
}

void ipi_send(struct cpu *c, u32 vector)
{
	command_send(c->apic_id, vector);
}

void ipi_reschedule(struct cpu *c)
{
	c->reschedule = true;
	if (c != this_cpu())
		ipi_send(c, VECTOR_RESCHEDULE);
}

void nmi_send_others(void)
{
	if (registers)
		command_send(0, DELIVER_NMI | COMMAND_TO_OTHERS);
}

void ipi_start(u32 apic_id, u32 page)
{
	command_send(apic_id, DELIVER_INIT);
	delay_us(10000);
	command_send(apic_id, DELIVER_STARTUP | page);
	delay_us(200);
	command_send(apic_id, DELIVER_STARTUP | page);
}
