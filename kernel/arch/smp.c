/* Starting the other CPUs, one after the other. */
#include "arch/internal.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/sched.h"

#define START_TIMEOUT_NS 10000000000ull /* virtual CPUs of a busy host are slow */

/* trampoline.S: code and the fields to fill in */
extern const u8 trampoline_start[], trampoline_end[], trampoline_gdt_pointer[], trampoline_gdt[], trampoline_jump[];
extern const u8 trampoline_long[], trampoline_pml4[], trampoline_stack[], trampoline_cpu[], trampoline_entry[];

/* A started CPU's first C function, on its idle thread's stack, still with the boot page tables. */
static noreturn void cpu_begin(struct cpu *c)
{
	descriptors_load(c);
	cpu_set_up();
	local_apic_enable();
	local_apic_timer_start();
	sched_cpu_start();
}

static void field_set(const u8 *field, u64 value, size_t bytes)
{
	memcpy((u8 *)phys_to_virt(trampoline_phys) + (field - trampoline_start), &value, bytes);
}

static void trampoline_fill(struct cpu *c)
{
	memcpy(phys_to_virt(trampoline_phys), trampoline_start, (size_t)(trampoline_end - trampoline_start));
	field_set(trampoline_gdt_pointer + 2, trampoline_phys + (u64)(trampoline_gdt - trampoline_start), 4);
	field_set(trampoline_jump, trampoline_phys + (u64)(trampoline_long - trampoline_start), 4);
	field_set(trampoline_pml4, kernel_pml4_phys(), 8);
	field_set(trampoline_stack, (u64)c->idle->kernel_stack + KERNEL_STACK_SIZE, 8);
	field_set(trampoline_cpu, (u64)c, 8);
	field_set(trampoline_entry, (u64)cpu_begin, 8);
}

static struct cpu *cpu_alloc(u32 id, u32 apic_id)
{
	struct cpu *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->self = c;
	c->id = id;
	c->apic_id = apic_id;
	if (descriptors_alloc(c) && sched_cpu_prepare(c))
		return c;
	return NULL; /* memory is so short that the machine is not going to live: what was taken is not worth code */
}

static bool cpu_start(u32 apic_id)
{
	u32 id = cpu_count;
	struct cpu *c = cpu_alloc(id, apic_id);
	u64 deadline;

	if (!c) {
		klog(LOG_WARNING, "no memory for CPU %u", id);
		return false;
	}
	cpus[id] = c;
	trampoline_fill(c);
	ipi_start(apic_id, (u32)(trampoline_phys >> PAGE_SHIFT));
	deadline = clock_ns() + START_TIMEOUT_NS;
	while (!c->online && clock_ns() < deadline)
		cpu_relax();
	if (!c->online) {
		klog(LOG_WARNING, "CPU %u (APIC %u) does not start", id, apic_id);
		return false;
	}
	cpu_count = id + 1;
	return true;
}

void smp_init(void)
{
	u32 i;

	if (acpi.cpu_count > 1 && !trampoline_phys)
		klog(LOG_WARNING, "no free page below 640 KiB: the other CPUs stay off");
	for (i = 1; i < acpi.cpu_count && trampoline_phys; i++)
		if (!cpu_start(acpi.cpu_apic_ids[i]))
			break;
	paging_drop_identity();
}
