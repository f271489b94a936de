/*
 * Opening and closing user memory for the kernel: three bytes of nothing, which smap_patch (cpu.c) turns into STAC
 * and CLAC where the processor has SMAP. For assembly.
 */
#ifndef ARCH_SMAP_H
#define ARCH_SMAP_H

	.macro SMAP_PATCH last_byte
	.pushsection .smap_patches, "a", @progbits
	.quad 771f
	.quad \last_byte
	.popsection
771:	.byte 0x0f, 0x1f, 0x00
	.endm

#define SMAP_OPEN SMAP_PATCH 0xcb
#define SMAP_CLOSE SMAP_PATCH 0xca

#endif
