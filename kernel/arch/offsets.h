/* Offsets and constants that assembly needs; arch/trap.c asserts that they are what C says. */
#ifndef ARCH_OFFSETS_H
#define ARCH_OFFSETS_H

/* struct cpu, relative to GS in kernel mode */
#define CPU_USER_RSP 8
#define CPU_KERNEL_RSP 16
#define CPU_CURRENT 24
#define CPU_PREEMPT_OFF 44
#define CPU_RESCHEDULE 48

/* struct thread */
#define THREAD_VSPACE 32
#define THREAD_ENDING 60

/* struct trap_frame */
#define FRAME_R10 48
#define FRAME_RDI 88
#define FRAME_RSI 96
#define FRAME_VECTOR 120
#define FRAME_ERROR 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SIZE 176

/*
 * Segment selectors, the same as on Windows, because user programs see theirs in CONTEXT records. SYSCALL wants the
 * kernel's data behind its code, SYSRET wants user data and 64-bit code behind a place for 32-bit code.
 */
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_CS32 0x23
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#endif
