/* The console line about an exception that ends a process. */
#ifndef PROC_EXCEPTION_REPORT_H
#define PROC_EXCEPTION_REPORT_H

#include "abi/nt_process.h"

/* One line about the current process: where, what, at which address, what is mapped there. why: NULL, or a remark. */
void exception_report(const struct nt_exception_record *r, const char *why);

#endif
