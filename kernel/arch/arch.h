/* What the rest of the kernel may know of x86-64. Everything else stays inside kernel/arch. */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "boot/bootinfo.h"
#include "lib/debug.h"
#include "lib/types.h"

#define CPU_MAX 8

/* Kernel half of the address space; each region has a PML4 entry of its own that all address spaces share. */
#define FRAMES_BASE 0xffffc00000000000ull  /* struct frame[], mapped only where there is memory */
#define MAPPINGS_BASE 0xffffd00000000000ull /* device registers, kernel stacks with guard pages */
#define MAPPINGS_SIZE GIB(512)
/* User half: [USER_LOW, USER_HIGH). The lowest and highest 64 KiB never hold a view, as on Windows. */
#define USER_LOW 0x10000ull
#define USER_HIGH 0x7fffffff0000ull

static inline void *phys_to_virt(u64 phys)
{
	return (void *)(phys + DIRECT_MAP_BASE);
}

/* Only for addresses in the direct map. */
static inline u64 virt_to_phys(const void *virt)
{
	return (u64)virt - DIRECT_MAP_BASE;
}

struct spinlock;
struct thread;
struct vspace;

/*
 * One for each CPU; GS points at it in kernel mode. A pointer from this_cpu() is good only while the thread can't
 * move to another CPU: with preemption or interrupts off. The offsets of the first fields are known to entry.S
 * (arch/offsets.h).
 */
struct cpu {
	struct cpu *self;
	u64 user_rsp;     /* scratch of the system-call entry */
	u64 kernel_rsp;   /* top of the current thread's kernel stack */
	struct thread *current;
	u32 id, apic_id;  /* id: 0 to cpu_count - 1 */
	union {           /* changed as one word: see proc/lock.h */
		volatile u32 spins;
		struct {
			volatile u8 spin_depth;    /* spinlocks held; interrupts are off while it is not 0 */
			volatile u8 spin_saved_if; /* not 0: interrupts were on before the first spinlock */
		};
	};
	u32 preempt_off;  /* preemption is off while it is not 0 */
	volatile bool reschedule;
	bool slice_over;    /* why reschedule was set: the time slice ended */
	bool in_interrupt;  /* a handler of an interrupt runs */
	volatile bool online;
	struct thread *idle;
	struct vspace *vspace; /* whose page tables CR3 holds; NULL = the kernel's own */
	u64 interrupts, context_switches;
	struct arch_cpu *arch; /* descriptors, TSS: private to arch */
#ifdef DEBUG
	const struct spinlock *spin_stack[8]; /* the first spin_depth are held, oldest first */
#endif
	/* Per-CPU frame cache, see mm/frame.c. Touched with interrupts off. */
	u32 frame_cache_free_count, frame_cache_zero_count;
	u32 frame_cache_free[32], frame_cache_zero[32];
};

extern struct cpu *cpus[CPU_MAX];
extern u32 cpu_count; /* CPUs that run */

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

static inline u32 cpu_id(void)
{
	u32 id;
	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(id) : "i"(offsetof(struct cpu, id)));
	return id;
}

/* The same in all of a function's life, whatever CPU that is: so it need not be read twice. */
static inline struct thread *thread_current(void)
{
	struct thread *t;
	__asm__("mov %%gs:24, %0" : "=r"(t));
	return t;
}

#define RFLAGS_INTERRUPTS 0x200

/* RFLAGS_INTERRUPTS if interrupts are on, or 0. */
static inline u32 interrupts_flag(void)
{
	u64 flags;
	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	return (u32)flags & RFLAGS_INTERRUPTS;
}

static inline bool interrupts_enabled(void)
{
	return interrupts_flag();
}

static inline void interrupts_on(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline u64 tsc_read(void)
{
	u32 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void out8(u16 port, u8 v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static inline void out16(u16 port, u16 v) { __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
static inline void out32(u16 port, u32 v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
static inline u8 in8(u16 port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 in16(u16 port) { u16 v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 in32(u16 port) { u32 v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }

/* Order of initialisation: called by kernel/main.c, one CPU, interrupts off, in this order. */
void console_early_init(void); /* serial output by polling works from here on */
/* Descriptors, traps: a fault now prints a panic. Keeps what arch needs of b; ends the machine if the CPU lacks NX. */
void arch_early_init(const struct bootinfo *b);
/* After mm_init: ACPI tables, local APIC, I/O APIC, timer calibration; interrupts are on at the end. */
void arch_init(void);
void smp_init(void);  /* after sched_init: starts the other CPUs; drops the identity mapping */

/* An ACPI table by its signature ("APIC", "MCFG"), in the direct map; NULL if there is none. After arch_init. */
const void *acpi_table(const char *signature);

/* Time since arch_init, from the time-stamp counter. */
u64 clock_ns(void);
u64 clock_tsc_hz(void);
u64 clock_jump_tsc(void); /* the time-stamp counter when the boot application jumped to the kernel */
/* Seconds since 1970-01-01 UTC at arch_init, from the CMOS clock. */
u64 clock_boot_unix_seconds(void);

/* Interrupts. Handlers run with interrupts off on the CPU's kernel stack and end quickly. */
typedef void irq_handler(void *arg);
/* A free vector for message-signalled interrupts to CPU 0, with their address and data. 32 to 239, or -1: none left. */
int irq_msi_alloc(irq_handler *handler, void *arg, u64 *address, u32 *data);
/* Routes ISA interrupt line (0..15) through the I/O APIC to CPU 0. */
bool irq_isa_enable(u32 line, irq_handler *handler, void *arg);
/* Makes cpu look at cpu->reschedule soon (an IPI). */
void ipi_reschedule(struct cpu *cpu);

/*
 * User memory. May sleep (faults are served); never with a spinlock or a lock that the fault path takes held: an
 * address space's or a section's. False if the range is not user memory or a page can't be had; part may have been
 * copied. With SMAP, access is opened only inside. copy_string: at most size - 1 bytes and a 0; false if no 0 byte is
 * found within size.
 */
bool copy_from_user(void *to, u64 from, size_t n);
bool copy_to_user(u64 to, const void *from, size_t n);
bool zero_user(u64 to, size_t n);
bool copy_string_from_user(char *to, u64 from, size_t size);

/* Page tables: raw hardware. See arch/pte.h for the entry's format. */
/*
 * Switches CR3 to v (NULL: the kernel's own) and keeps cpu->vspace and v->cpus. Any context. The scheduler does it for
 * threads that have a vspace; a CPU whose thread has another one, or none, may lose v at any time to a TLB flush.
 */
void page_tables_load(struct vspace *v);
/* Every CPU that still has v loaded, this one included, goes to the kernel's own tables. As for tlb_flush_range. */
void vspace_unload_everywhere(struct vspace *v);
u64 kernel_pml4_phys(void);
/* Copies the kernel half of the PML4 into a new top-level table; the lower half is left alone. */
void kernel_half_copy(u64 *pml4);
/*
 * Maps one 4 KiB page of kernel space in the regions above (virt is not mapped yet); tables come from
 * frame_alloc_table. flags: PTE_* of pte.h; PTE_VALID and PTE_GLOBAL are added. False: no memory. Spinlocks below
 * RANK_PAGING may be held.
 */
bool kernel_map_page(u64 virt, u64 phys, u64 flags);
void kernel_unmap_page(u64 virt); /* does not flush: see tlb_flush_kernel; its table stays */
u64 kernel_page_phys(u64 virt); /* the frame that kernel_map_page mapped there; 0 = none */
/* Whether a byte of kernel space can be read. Any context; for the printing of stacks. */
bool kernel_address_mapped(u64 virt);
/* A kernel stack: KERNEL_STACK_SIZE bytes, an unmapped page below it. Thread context, no spinlock. NULL: no memory. */
void *kernel_stack_alloc(void);
void kernel_stack_free(void *stack);
/* Frames that kernel stacks hold: in use, and kept for the next thread. */
void kernel_stack_frames(u64 *used, u64 *cached);
/* Maps device registers uncached; never unmapped. NULL: no memory. */
void *mmio_map(u64 phys, u64 size);

/*
 * TLB. Called with interrupts on and no spinlock held: waits for the other CPUs. tlb_flush_range drops [start, start
 * + pages * 4096) of v on every CPU that has v loaded (all of v if that is cheaper).
 */
void tlb_flush_range(struct vspace *v, u64 start, u64 pages);
void tlb_flush_kernel(u64 start, u64 pages);
static inline void tlb_flush_local(u64 virt) { __asm__ volatile("invlpg (%0)" ::"r"(virt) : "memory"); }

/* Fills and copies one page in the direct map, by quadwords: what QEMU's translator and hardware both do well. */
void page_zero(void *page);
void page_copy(void *to, const void *from);

/* Leaves QEMU with code (see boot/bootinfo.h); without that device, powers off through ACPI or halts. */
noreturn void machine_exit(u32 code);

/* Registers at a trap or system call, as entry.S saves them. */
struct trap_frame {
	u64 r15, r14, r13, r12, rbx, rbp;   /* those that C functions keep */
	u64 r10, rdx, r8, r9;               /* in this order a system call's arguments */
	u64 r11, rdi, rsi, rcx, rax;
	u64 vector, error;                  /* vector: 0 to 255 a trap's or interrupt's, or TRAP_SYSCALL */
	u64 rip, cs, rflags, rsp, ss;
};
#define TRAP_SYSCALL 0x100

/* What the processor calls its exceptions. Source: Intel SDM volume 3A, section 6.3.1. */
enum trap_vector {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_NO_FPU = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_NO_SEGMENT = 11,
	TRAP_STACK_SEGMENT = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_X87 = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
};

static inline bool trap_from_user(const struct trap_frame *f)
{
	return f->cs & 3;
}

/* Kernel context of a thread: the callee-saved registers are on its stack. */
struct arch_context {
	u64 rsp;
	u64 user_gs;    /* the thread's TEB */
	void *fpu;      /* 512 bytes (FXSAVE), 16-byte aligned; NULL for kernel threads */
};
/* Saves into from, resumes to. Interrupts off. FPU state is saved and restored here for threads that have one. */
void context_switch(struct thread *from, struct thread *to);
/*
 * A thread's first switch will call entry(arg) on its kernel stack (stack_top: the address behind it), with
 * interrupts off and the scheduler's lock held.
 */
void context_init(struct arch_context *c, void *stack_top, void (*entry)(void *), void *arg);
void fpu_init_state(void *fpu); /* 512 bytes: x87 and SSE as Windows starts a thread (FCW 0x27f, MXCSR 0x1f80) */
/*
 * The current thread's registers, in FXSAVE's format, 16-byte aligned. Loading drops reserved bits: any bytes will
 * do.
 */
void fpu_store(void *area);
void fpu_load(void *area);
/*
 * Leaves for user mode for the first time: rcx and rdx are the first two arguments there. Thread context, interrupts
 * on.
 */
noreturn void enter_user(u64 rip, u64 rsp, u64 rcx, u64 rdx);
/* The same with all registers as in f (made safe: segments, flags, rip), as for the copy of a thread. */
noreturn void trap_return(const struct trap_frame *f);
/* Ends a system call whose frame f now has other registers: all of them, rax too, are taken from it. No locks held. */
noreturn void trap_restore(struct trap_frame *f);
void thread_set_kernel_stack(struct thread *t); /* TSS.rsp0 and cpu->kernel_rsp at a switch */

/* Prints a symbolised stack that begins at frame pointer rbp. */
void stack_print(u64 rip, u64 rbp);
/* Prints what the other CPUs do: thread, process, locks; and their stacks, once panic has stopped them. */
void cpu_state_print(void);
/* As panic (lib/debug.h), for the registers of a trap. */
noreturn void panic_frame(const struct trap_frame *f, const char *fmt, ...) printf_like(2, 3);
extern volatile bool panicking; /* some CPU panics: the console needs no lock any more */

#endif
