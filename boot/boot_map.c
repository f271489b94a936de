/*
 * The kernel's first page tables. Source: Intel SDM volume 3, section "4-Level Paging and 5-Level Paging". Every table
 * page comes from one run that was sized before, so that nothing here can fail.
 */
#include "boot/boot.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_LARGE (1ull << 7) /* in a page directory: 2 MiB */
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define ENTRIES 512

struct table_pool {
	uint64_t (*next)[ENTRIES];
};

static uint64_t *table_alloc(struct table_pool *pool)
{
	uint64_t *table = *pool->next++;

	__builtin_memset(table, 0, BOOT_PAGE);
	return table;
}

/* The table that an entry leads to: made when there is none; a 2 MiB page becomes 512 small ones that say the same. */
static uint64_t *table_below(struct table_pool *pool, uint64_t *entry)
{
	uint64_t old = *entry;
	uint64_t *table;

	if ((old & PTE_PRESENT) != 0 && (old & PTE_LARGE) == 0)
		return (uint64_t *)(old & PTE_ADDRESS);
	table = table_alloc(pool);
	*entry = (uint64_t)table | PTE_PRESENT | PTE_WRITE;
	if ((old & PTE_PRESENT) != 0) {
		for (unsigned int i = 0; i < ENTRIES; i++)
			table[i] = (old & ~PTE_LARGE) + i * BOOT_PAGE;
	}
	return table;
}

static uint64_t *entry_large(struct table_pool *pool, uint64_t *pml4, uint64_t address)
{
	uint64_t *pdpt = table_below(pool, &pml4[address >> 39 & (ENTRIES - 1)]);
	uint64_t *directory = table_below(pool, &pdpt[address >> 30 & (ENTRIES - 1)]);

	return &directory[address >> 21 & (ENTRIES - 1)];
}

static void map_small(struct table_pool *pool, uint64_t *pml4, uint64_t address, uint64_t physical, uint64_t flags)
{
	uint64_t *table = table_below(pool, entry_large(pool, pml4, address));

	table[address >> 12 & (ENTRIES - 1)] = physical | PTE_PRESENT | flags;
}

static void map_large(struct table_pool *pool, uint64_t *pml4, uint64_t address, uint64_t size, uint64_t flags)
{
	uint64_t physical = 0;

	for (; physical < size; physical += BOOT_LARGE_PAGE)
		*entry_large(pool, pml4, address + physical) = physical | PTE_PRESENT | PTE_LARGE | flags;
}

static uint64_t direct_map_size(uint64_t memory_end)
{
	uint64_t size = memory_end > GIB_4 ? memory_end : GIB_4;

	return (size + BOOT_LARGE_PAGE - 1) & ~(BOOT_LARGE_PAGE - 1);
}

uint64_t boot_map_pages(uint64_t memory_end, const struct elf_image *image)
{
	uint64_t direct_gib = (direct_map_size(memory_end) >> 30) + 1;
	uint64_t direct = direct_gib + direct_gib / ENTRIES + 1;
	uint64_t identity = 1 + 4;
	uint64_t kernel = 2 + image->pages / ENTRIES + 1;
	uint64_t split = image->pages / ENTRIES + 2; /* the image's run may begin anywhere in a 2 MiB page */

	return 1 + direct + identity + kernel + split;
}

uint64_t boot_map_build(void *pool_pages, uint64_t memory_end, const struct elf_image *image, uint64_t kernel)
{
	struct table_pool pool = { .next = pool_pages };
	uint64_t *pml4 = table_alloc(&pool);

	map_large(&pool, pml4, 0, GIB_4, PTE_WRITE);
	map_large(&pool, pml4, DIRECT_MAP_BASE, direct_map_size(memory_end), PTE_WRITE | PTE_NO_EXECUTE);

	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		uint64_t flags = (s->writable ? PTE_WRITE : 0) | (s->executable ? 0 : PTE_NO_EXECUTE);

		for (uint64_t page = 0; page < pages_of(s->memory_size); page++) {
			uint64_t address = s->address + page * BOOT_PAGE;
			uint64_t physical = kernel + (address - KERNEL_BASE);

			map_small(&pool, pml4, address, physical, flags);
			if (!s->writable)
				map_small(&pool, pml4, DIRECT_MAP_BASE + physical, physical, PTE_NO_EXECUTE);
		}
	}
	return (uint64_t)pml4;
}
