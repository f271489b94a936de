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
	.use = BS_USE_SECTION,
	.initial = initial,
};

u32 section_create_anonymous(u64 size, u32 protect, u32 attributes, struct section **out)
{
	u64 pages = DIV_UP(size, PAGE_SIZE);

	if (attributes & SEC_LARGE_PAGES)
		return section_create_large(size, protect, out);
	if (!size)
		return STATUS_INVALID_PARAMETER_4;
	if (size > SECTION_PAGES_MAX << PAGE_SHIFT)
		return STATUS_SECTION_TOO_BIG;
	return section_setup(out, &backing_anon, pages, attributes, protect, attributes & SEC_COMMIT ? pages : 0);
}
