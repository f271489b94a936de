/* Assertions, panic, and the kernel's log. */
#ifndef LIB_DEBUG_H
#define LIB_DEBUG_H

#include "lib/types.h"

/* Ends everything: registers, symbolised stack, the reason; QEMU exits with EXIT_PANIC. Safe in any context. */
noreturn void panic(const char *fmt, ...) printf_like(1, 2);

/* check: always tested. assert: in BUILD=debug only. Both panic; neither may have side effects. */
#define check(e) ((e) ? (void)0 : panic("%s:%d: check failed: %s", __FILE__, __LINE__, #e))
#ifdef DEBUG
#define assert(e) ((e) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #e))
#else
#define assert(e) ((void)sizeof(e))
#endif

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
extern enum log_level log_limit; /* boot option log=; the default is LOG_WARNING */

/* Prints "backstore: ..." and a newline on the console, if level <= log_limit. Any context. */
void klog(enum log_level level, const char *fmt, ...) printf_like(2, 3);

/* Prints as it is, no prefix, no newline added. Any context. */
void kprintf(const char *fmt, ...) printf_like(1, 2);

#endif
