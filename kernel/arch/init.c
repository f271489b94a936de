/* The order in which this machine is set up. */
#include "arch/internal.h"
#include "lib/string.h"

#define LOW_MEMORY_END 0xa0000 /* video memory begins */

u64 trampoline_phys;
static u64 rsdp_phys, jump_tsc;

/* mm never gives out memory below 1 MiB: a free page there is ours. Page 0 stays unused, so that 0 can mean none. */
static u64 trampoline_choose(const struct bootinfo *b)
{
	const struct boot_memory *m = phys_to_virt(b->memory);
	u64 page = 0, end;
	u32 i;

	for (i = 0; i < b->memory_count; i++) {
		end = MIN(m[i].base + m[i].pages * PAGE_SIZE, LOW_MEMORY_END);
		if (m[i].kind == BOOT_USABLE && end > m[i].base && end > PAGE_SIZE)
			page = end - PAGE_SIZE;
	}
	return page;
}

static u32 boot_apic_id(void)
{
	u32 a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 24;
}

u64 clock_jump_tsc(void)
{
	return jump_tsc;
}

void arch_early_init(const struct bootinfo *b)
{
	cpu_detect();
	descriptors_boot_init();
	descriptors_load(&cpu_boot);
	cpu_set_up();
	smap_patch();
	paging_early_init();
	if (b->magic != BOOTINFO_MAGIC || b->version != BOOTINFO_VERSION)
		panic("the boot application and the kernel do not belong together");
	rsdp_phys = b->rsdp;
	jump_tsc = b->boot_tsc;
	trampoline_phys = trampoline_choose(b);
}

void arch_init(void)
{
	paging_init();
	cpu_boot.apic_id = boot_apic_id();
	acpi_init(rsdp_phys, cpu_boot.apic_id);
	local_apic_map();
	local_apic_enable();
	irq_init();
	clock_init();
	local_apic_timer_start();
	interrupts_on();
}
