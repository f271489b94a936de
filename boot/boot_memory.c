/* A sorted list of memory ranges, painted one over the other: what is set last wins. */
#include "boot/boot.h"

static uint64_t range_end(const struct boot_memory *range)
{
	return range->base + range->pages * BOOT_PAGE;
}

static void range_insert(struct memory_list *list, uint32_t at, uint64_t base, uint64_t end, uint32_t kind)
{
	if (list->count == list->max)
		return; /* cannot be: the caller has counted two entries for each call */
	for (uint32_t i = list->count++; i > at; i--)
		list->ranges[i] = list->ranges[i - 1];
	list->ranges[at] = (struct boot_memory){ .base = base, .pages = (end - base) / BOOT_PAGE, .kind = kind };
}

static void range_remove(struct memory_list *list, uint32_t at)
{
	list->count--;
	for (uint32_t i = at; i < list->count; i++)
		list->ranges[i] = list->ranges[i + 1];
}

/* Takes [base, end) out of the list. Returns the place where a range with this base belongs. */
static uint32_t memory_list_cut(struct memory_list *list, uint64_t base, uint64_t end)
{
	uint32_t i = 0;

	while (i < list->count && list->ranges[i].base < end) {
		struct boot_memory *range = &list->ranges[i];
		uint64_t old_base = range->base, old_end = range_end(range);
		uint32_t kind = range->kind;

		if (old_end <= base) {
			i++;
			continue;
		}
		range_remove(list, i);
		if (old_base < base)
			range_insert(list, i++, old_base, base, kind);
		if (old_end > end) {
			range_insert(list, i, end, old_end, kind);
			break;
		}
	}
	return i;
}

void memory_list_set(struct memory_list *list, uint64_t base, uint64_t pages, enum boot_memory_kind kind)
{
	uint64_t end = base + pages * BOOT_PAGE;

	if (pages != 0)
		range_insert(list, memory_list_cut(list, base, end), base, end, kind);
}

void memory_list_merge(struct memory_list *list)
{
	uint32_t i = 0;

	while (i + 1 < list->count) {
		struct boot_memory *a = &list->ranges[i], *b = &list->ranges[i + 1];

		if (a->kind == b->kind && range_end(a) == b->base) {
			a->pages += b->pages;
			range_remove(list, i + 1);
		} else {
			i++;
		}
	}
}
