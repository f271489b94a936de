/* Page protections: Windows' constants and our bits. Source: Windows documentation, "Memory Protection Constants". */
#include "mm/vspace.h"

static const struct { u32 page, prot; } protections[] = {
	{ PAGE_NOACCESS, PROT_NONE },
	{ PAGE_READONLY, PROT_READ },
	{ PAGE_READWRITE, PROT_READ | PROT_WRITE },
	{ PAGE_WRITECOPY, PROT_READ | PROT_WRITE | PROT_COPY },
	{ PAGE_EXECUTE, PROT_EXECUTE },
	{ PAGE_EXECUTE_READ, PROT_READ | PROT_EXECUTE },
	{ PAGE_EXECUTE_READWRITE, PROT_READ | PROT_WRITE | PROT_EXECUTE },
	{ PAGE_EXECUTE_WRITECOPY, PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY },
};

bool prot_from_page(u32 page, u32 *prot)
{
	u32 base = page & 0xff, more = page & ~0xffu;

	if (more & ~(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE))
		return false;
	/* Guarded, uncached and write-combined pages must be accessible, and are only one of these. */
	if (more && (base == PAGE_NOACCESS || more & (more - 1)))
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(protections); i++)
		if (protections[i].page == base) {
			*prot = protections[i].prot | (more & PAGE_GUARD ? PROT_GUARD : 0) |
				(more & PAGE_NOCACHE ? PROT_NOCACHE : 0) |
				(more & PAGE_WRITECOMBINE ? PROT_WRITECOMBINE : 0);
			return true;
		}
	return false;
}

u32 prot_to_page(u32 prot)
{
	u32 more = (prot & PROT_GUARD ? PAGE_GUARD : 0) | (prot & PROT_NOCACHE ? PAGE_NOCACHE : 0) |
		   (prot & PROT_WRITECOMBINE ? PAGE_WRITECOMBINE : 0);

	for (u32 i = 0; i < ARRAY_SIZE(protections); i++)
		if (protections[i].prot == (prot & (PROT_READ | PROT_WRITE | PROT_EXECUTE | PROT_COPY)))
			return protections[i].page | more;
	return PAGE_NOACCESS;
}
