/* Hardware exceptions of user threads, and how they reach user space. */
#ifndef PROC_EXCEPTION_H
#define PROC_EXCEPTION_H

#include "arch/arch.h"
#include "mm/mm.h"

/*
 * From arch's trap code, for traps from user mode; interrupts on. The frame is changed to enter
 * KiUserExceptionDispatcher, or the process ends.
 */
void exception_from_trap(struct trap_frame *f, enum fault_result result, u64 address, u32 access);
void exception_from_vector(struct trap_frame *f);
/* On the way back to user mode of a thread that was told to end. */
noreturn void thread_exit_ending(void);

#endif
