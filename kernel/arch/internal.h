/* What the files of kernel/arch share among themselves. */
#ifndef ARCH_INTERNAL_H
#define ARCH_INTERNAL_H

#include "arch/arch.h"
#include "arch/offsets.h"
#include "mm/mm.h"

/* Interrupt vectors: 32 to 239 are devices'. */
#define VECTOR_DEVICE_FIRST 32
#define VECTOR_DEVICE_LAST 239
#define VECTOR_TIMER 240
#define VECTOR_RESCHEDULE 241
#define VECTOR_TLB 242
#define VECTOR_SPURIOUS 255 /* its low four bits are set, as the oldest local APICs want */

#define TICK_HZ 100

static inline u64 msr_read(u32 msr)
{
	u32 low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void msr_write(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/* Interrupts off; returns what interrupts_restore wants. */
static inline bool interrupts_save(void)
{
	bool on = interrupts_enabled();

	interrupts_off();
	return on;
}

static inline void interrupts_restore(bool on)
{
	if (on)
		interrupts_on();
}

/* cpu.c */
extern struct cpu cpu_boot;
extern bool cpu_has_smep, cpu_has_smap, cpu_has_umip;
void cpu_detect(void);   /* once, on the first CPU; ends the machine if something indispensable is missing */
void cpu_set_up(void);   /* each CPU: control registers, system-call registers */
void smap_patch(void);   /* once: makes the kernel's text use SMAP if there is SMAP */

/* descriptors.c */
#define FATAL_STACK_SIZE KIB(8)
void descriptors_boot_init(void);             /* the IDT; the first CPU's GDT and TSS */
bool descriptors_alloc(struct cpu *c);        /* for another CPU. False: no memory */
void descriptors_load(struct cpu *c);         /* on that CPU: GDT, TSS, IDT, GS */
bool fatal_stack_contains(const struct cpu *c, u64 address);

/* context.c */
void frame_make_safe(struct trap_frame *f);   /* whatever user space put into f, iretq will not fault */
void return_to_user(void);                       /* work before going back to user mode; interrupts off on return */

/* entry.S */
extern const u8 trap_stubs[256][16];
extern const u8 page_fault_entry[];
extern u8 boot_stack_guard[], boot_stack[], boot_stack_top[];
void syscall_entry(void);
/* Called by entry.S: */
void trap_dispatch(struct trap_frame *f);
void page_fault_unresolved(struct trap_frame *f, enum fault_result result);
extern const u8 page_fault_access[32];
noreturn void trap_fatal(struct trap_frame *f);
noreturn void frame_restore_user(struct trap_frame *f);
void stack_switch(u64 *save_rsp, u64 load_rsp);
void context_begin(void);

/* user_copy.S */
bool user_copy(void *to, const void *from, size_t n);
bool user_zero(void *to, size_t n);
bool user_string(char *to, const char *from, size_t size);

/* acpi.c */
struct acpi_override {
	u32 gsi;
	bool active_low, level;
};
struct acpi_machine {
	u32 cpu_apic_ids[CPU_MAX]; /* enabled ones, the first CPU's first */
	u32 cpu_count;
	u64 local_apic_phys;
	u64 io_apic_phys; /* of the one that serves interrupt 0 */
	u32 io_apic_gsi_base;
	struct acpi_override isa[16];
	u16 pm_timer_port;
	bool pm_timer_32_bits;
	u16 pm1a_control, pm1b_control; /* ports; 0 = none */
	u8 sleep_a, sleep_b;            /* SLP_TYP values for S5 */
	bool can_sleep;
	u8 century_register;            /* of the CMOS clock; 0 = none */
};
extern struct acpi_machine acpi;
void acpi_init(u64 rsdp_phys, u32 boot_apic_id);

/* apic.c */
void local_apic_map(void);
u32 local_apic_id(void);
void local_apic_enable(void);                 /* each CPU */
void local_apic_timer_start(void);            /* each CPU */
void local_apic_end_of_interrupt(void);
void local_apic_timer_count_down(void);       /* from 2^32 - 1, without interrupts */
u32 local_apic_timer_read(void);
void local_apic_timer_set_hz(u64 hz);         /* how fast it counts */
void ipi_send(struct cpu *c, u32 vector);
void ipi_start(u32 apic_id, u32 page);        /* INIT, start-up, start-up: the CPU begins at page * 4096 in real mode */
void nmi_send_others(void);                   /* no effect before local_apic_enable */

/* irq.c */
void irq_init(void);
void irq_dispatch(u32 vector);

/* clock.c */
void clock_init(void);                        /* calibrates TSC and local APIC timer, reads the CMOS clock */
void delay_us(u64 us);                        /* after clock_init; busy */

/* paging.c */
void paging_early_init(void);
void paging_init(void);                       /* global pages; the guard of the boot stack; the shared PML4 entries */
void paging_drop_identity(void);

/* tlb.c */
void tlb_interrupt(void);

/* panic.c */
noreturn void panic_stop_this_cpu(const struct trap_frame *f);

/* The trampoline's page, chosen from the memory map by arch_early_init. */
extern u64 trampoline_phys; /* 0 = there is no such page */

#endif
