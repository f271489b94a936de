/* Anonymous sections: pages begin as zeros and have the paging files for backing, if there are any. */
#include "mm/vspace.h"

#define SECTION_PAGES_MAX (1ull << (47 - PAGE_SHIFT))

static word_t initial(const struct section *s, u64 index)
{
	(void)index;
	return s->attributes & SEC_RESERVE ? 0 : word_zero(0);
}

const struct backing backing_anon = {
	.name = "paging file",
	.initial = initial,
};

u32 section_create_anonymous(u64 size, u32 protect, u32 attributes, struct section **out)
{
	u64 pages = DIV_UP(size, PAGE_SIZE);
	u32 prot, kind = attributes & (SEC_COMMIT | SEC_RESERVE);

	if (!prot_from_page(protect, &prot) || prot & (PROT_GUARD | PROT_COPY) || protect == PAGE_NOACCESS)
		return STATUS_INVALID_PAGE_PROTECTION;
	if (attributes & SEC_LARGE_PAGES)
		return attributes == (SEC_COMMIT | SEC_LARGE_PAGES) ? section_create_large(size, protect, out)
								    : STATUS_INVALID_PARAMETER_6;
	if ((kind != SEC_COMMIT && kind != SEC_RESERVE) || attributes & ~(SEC_COMMIT | SEC_RESERVE))
		return STATUS_INVALID_PARAMETER_6;
	if (!size)
		return STATUS_INVALID_PARAMETER_4;
	if (size > SECTION_PAGES_MAX << PAGE_SHIFT)
		return STATUS_SECTION_TOO_BIG;
	return section_setup(out, &backing_anon, pages, kind, protect, kind == SEC_COMMIT ? pages : 0);
}
