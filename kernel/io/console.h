/* The console: a 16550 at 0x3f8, output by polling, input by interrupt; input text from fw_cfg comes first. */
#ifndef IO_CONSOLE_H
#define IO_CONSOLE_H

#include "lib/types.h"

void console_write(const char *text, size_t n); /* any context; "\n" becomes "\r\n" */
void console_init(void);                        /* after arch_init: input works from here on */
void console_flush(void);                       /* waits until all has left the port; any context */
/*
 * Gives the console a text that is its input before anything typed, followed by end-of-file for ever (from fw_cfg's
 * opt/org.backstore/console). text is kept.
 */
void console_set_script(const char *text, size_t n);
/*
 * Reads at least one byte of raw input, up to n; no echo, no line editing (user space does that). Sleeps,
 * interruptible. Returns 0 at the end of a script, -1 if the thread was told to end.
 */
long console_read(char *to, size_t n);
bool console_is_script(void);
u64 console_overruns(void); /* bytes of input lost because nobody read them in time */

#endif
