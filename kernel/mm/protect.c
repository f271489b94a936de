/* Page protections: Windows' constants and our bits. Source: Windows documentation, "Memory Protection Constants". */
#include "mm/vspace.h"

/* Each PAGE_* constant is a bit: PAGE_NOACCESS the lowest, ... */
static const u8 prots[] = {
	PROT_NONE,                                             /* PAGE_NOACCESS */
	PROT_READ,                                             /* PAGE_READONLY */
	PROT_READ | PROT_WRITE,                                /* PAGE_READWRITE */
	PROT_READ | PROT_WRITE | PROT_COPY,                    /* PAGE_WRITECOPY */
	PROT_EXECUTE,                                          /* PAGE_EXECUTE */
	PROT_READ | PROT_EXECUTE,                              /* PAGE_EXECUTE_READ */
	PROT_READ | PROT_WRITE | PROT_EXECUTE,                 /* PAGE_EXECUTE_READWRITE */
	PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY,     /* PAGE_EXECUTE_WRITECOPY */
};

bool prot_from_page(u32 page, u32 *prot)
{
	u32 base = page & 0xff, more = page & ~0xffu;

	if (!base || base & (base - 1) || more & ~(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE))
		return false;
	/* Guarded, uncached and write-combined pages must be accessible, and are only one of these. */
	if (more && (base == PAGE_NOACCESS || more & (more - 1)))
		return false;
	*prot = prots[__builtin_ctz(base)];
	if (unlikely(more))
		*prot |= more == PAGE_GUARD ? PROT_GUARD : more == PAGE_NOCACHE ? PROT_NOCACHE : PROT_WRITECOMBINE;
	return true;
}

u32 prot_to_page(u32 prot)
{
	static const u8 pages[16] = {
		[PROT_NONE] = PAGE_NOACCESS,
		[PROT_READ] = PAGE_READONLY,
		[PROT_READ | PROT_WRITE] = PAGE_READWRITE,
		[PROT_READ | PROT_WRITE | PROT_COPY] = PAGE_WRITECOPY,
		[PROT_EXECUTE] = PAGE_EXECUTE,
		[PROT_READ | PROT_EXECUTE] = PAGE_EXECUTE_READ,
		[PROT_READ | PROT_WRITE | PROT_EXECUTE] = PAGE_EXECUTE_READWRITE,
		[PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY] = PAGE_EXECUTE_WRITECOPY,
	};
	u32 base = pages[prot & (PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY)];

	if (!base)
		return PAGE_NOACCESS;
	if (unlikely(prot & (PROT_GUARD | PROT_CACHING)))
		base |= (prot & PROT_GUARD ? PAGE_GUARD : 0) | (prot & PROT_NOCACHE ? PAGE_NOCACHE : 0) |
			(prot & PROT_WRITECOMBINE ? PAGE_WRITECOMBINE : 0);
	return base;
}
