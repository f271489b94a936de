/* What this processor can do, and its control registers. */
#include "arch/internal.h"
#include "io/console.h"
#include "lib/string.h"
#include "proc/sched.h"

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_SCE 1
#define EFER_NXE (1 << 11)

/*
 * System calls start with these flags clear: trap, interrupt, direction, nested task, alignment check (SMAP's
 * switch).
 */
#define SYSCALL_FLAGS_CLEAR 0x44700

/* The first CPU's; GS points here from the kernel's first instructions on, so that locks work at once. */
HOT_DATA struct cpu cpu_boot = { .self = &cpu_boot, .current = &thread_boot, .online = true };
struct cpu *cpus[CPU_MAX] = { &cpu_boot };
u32 cpu_count = 1;

bool cpu_has_smep, cpu_has_smap, cpu_has_umip;

struct smap_patch {
	u8 *at;
	u64 last_byte;
};
extern const struct smap_patch __smap_patches_start[], __smap_patches_end[];

static void cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(0));
}

/* Source: Intel SDM volume 2A, CPUID; AMD64 Architecture Programmer's Manual volume 3, appendix D. */
void cpu_detect(void)
{
	u32 a, b, c, d, leaves;

	cpuid(0x80000001, &a, &b, &c, &d);
	if (!(d & 1u << 20)) {
		kprintf("backstore: this processor has no NX (no-execute) bit; the kernel needs it\n");
		machine_exit(EXIT_PANIC);
	}
	if (!(d & 1u << 11)) {
		kprintf("backstore: this processor has no SYSCALL instruction; the kernel needs it\n");
		machine_exit(EXIT_PANIC);
	}
	cpuid(0, &leaves, &b, &c, &d);
	if (leaves < 7)
		return;
	cpuid(7, &a, &b, &c, &d);
	cpu_has_smep = b & 1u << 7;
	cpu_has_smap = b & 1u << 20;
	cpu_has_umip = c & 1u << 2;
}

/*
 * FSGSBASE stays off although it would be there: user programs could then put a kernel address into GS, and NMIs tell
 * the two sides apart by it. OSXSAVE stays off: threads' floating-point areas have room for SSE's registers alone.
 */
void cpu_set_up(void)
{
	u64 cr0, cr4;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP | CR0_AM;
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (cpu_has_umip)
		cr4 |= CR4_UMIP;
	if (cpu_has_smep)
		cr4 |= CR4_SMEP;
	if (cpu_has_smap)
		cr4 |= CR4_SMAP;
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));

	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
	msr_write(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
	msr_write(MSR_LSTAR, (u64)syscall_entry);
	msr_write(MSR_SFMASK, SYSCALL_FLAGS_CLEAR);
	msr_write(MSR_KERNEL_GS_BASE, 0);
}

void smap_patch(void)
{
	const struct smap_patch *p;
	u64 cr0;

	if (!cpu_has_smap)
		return;
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0 & ~CR0_WP) : "memory"); /* the text is read-only everywhere */
	for (p = __smap_patches_start; p < __smap_patches_end; p++) {
		p->at[1] = 0x01; /* 0f 01 ca: CLAC; 0f 01 cb: STAC */
		p->at[2] = (u8)p->last_byte;
	}
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0) : "memory");
}
