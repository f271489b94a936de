/* QEMU's firmware configuration device. Source: QEMU documentation, "Firmware Configuration Device". */
#ifndef IO_FW_CFG_H
#define IO_FW_CFG_H

#include "lib/types.h"

bool fw_cfg_present(void);
/*
 * Size in bytes of the named item; false if there is none. Works before interrupts and memory (port I/O, no
 * allocation).
 */
bool fw_cfg_find(const char *name, u16 *selector, u32 *size);
void fw_cfg_read(u16 selector, void *to, u32 size);

#endif
