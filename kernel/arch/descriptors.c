/*
 * Descriptor tables: segments, the task-state segment with its stacks, the interrupt gates.
 * Source: Intel SDM volume 3A, sections 3.4.5 (segments), 6.14 (64-bit gates, IST), 7.7 (64-bit TSS).
 */
#include "arch/internal.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/sched.h"

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, io_map;
} __attribute__((packed));

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_middle;
	u32 offset_high, reserved;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

#define GDT_ENTRIES 10 /* the TSS takes the last two */
#define IST_FATAL 1    /* double fault, machine check */
#define IST_NMI 2

struct arch_cpu {
	struct tss tss;
	u64 gdt[GDT_ENTRIES];
	u8 *fatal_stacks; /* FATAL_STACK_SIZE for IST_FATAL, then as much for IST_NMI */
};

static struct gate idt[256] __attribute__((aligned(4096)));
static HOT_DATA struct arch_cpu arch_boot;
static u8 boot_fatal_stacks[2 * FATAL_STACK_SIZE] __attribute__((aligned(16)));

static void descriptors_fill(struct arch_cpu *a, u8 *fatal_stacks)
{
	u64 base = (u64)&a->tss;

	a->fatal_stacks = fatal_stacks;
	a->tss.ist[IST_FATAL - 1] = (u64)fatal_stacks + FATAL_STACK_SIZE;
	a->tss.ist[IST_NMI - 1] = (u64)fatal_stacks + 2 * FATAL_STACK_SIZE;
	a->tss.io_map = sizeof(a->tss);
	a->gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
	a->gdt[KERNEL_DS / 8] = 0x00cf93000000ffff;
	a->gdt[USER_CS32 / 8] = 0; /* there is no 32-bit mode: SYSRET only counts from here */
	a->gdt[USER_DS / 8] = 0x00cff3000000ffff;
	a->gdt[USER_CS / 8] = 0x00affb000000ffff;
	a->gdt[TSS_SELECTOR / 8] =
		(sizeof(a->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	a->gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
}

void descriptors_boot_init(void)
{
	u32 v;

	for (v = 0; v < 256; v++) {
		u64 stub = (u64)(v == TRAP_PAGE_FAULT ? page_fault_entry : trap_stubs[v]);
		bool fatal = v == TRAP_DOUBLE_FAULT || v == TRAP_MACHINE_CHECK;

		idt[v] = (struct gate){
			.offset_low = (u16)stub,
			.selector = KERNEL_CS,
			.ist = fatal ? IST_FATAL : v == TRAP_NMI ? IST_NMI : 0,
			.type = v == TRAP_BREAKPOINT ? 0xee : 0x8e, /* all turn interrupts off; int3 is for everyone */
			.offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
		};
	}
	descriptors_fill(&arch_boot, boot_fatal_stacks);
	cpu_boot.arch = &arch_boot;
}

bool descriptors_alloc(struct cpu *c)
{
	u8 *stacks = kmalloc(2 * FATAL_STACK_SIZE);

	c->arch = kzalloc(sizeof(*c->arch));
	if (!c->arch || !stacks) {
		kfree(stacks);
		kfree(c->arch);
		return false;
	}
	descriptors_fill(c->arch, stacks);
	return true;
}

void descriptors_load(struct cpu *c)
{
	struct table_pointer gdt = { sizeof(c->arch->gdt) - 1, (u64)c->arch->gdt };
	struct table_pointer gates = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmov %2, %%ds\n\t"
			 "mov %2, %%es\n\t"
			 "mov %2, %%ss\n\t"
			 "mov %3, %%fs\n\t"
			 "mov %3, %%gs" ::"m"(gdt), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0) : "rax", "memory");
	msr_write(MSR_GS_BASE, (u64)c); /* loading the selector cleared it */
	__asm__ volatile("lidt %0" ::"m"(gates));
	__asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
}

HOT void thread_set_kernel_stack(struct thread *t)
{
	struct cpu *c = this_cpu();

	c->kernel_rsp = (u64)t->kernel_stack + KERNEL_STACK_SIZE;
	c->arch->tss.rsp[0] = c->kernel_rsp;
}

bool fatal_stack_contains(const struct cpu *c, u64 address)
{
	return c->arch && address - (u64)c->arch->fatal_stacks < 2 * FATAL_STACK_SIZE;
}
