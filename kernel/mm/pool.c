/*
 * Kernel memory. Blocks of 16 bytes to 1 KiB come from pages cut into one size each, whose header says the size and
 * links its free blocks; larger ones from runs of frames. Every page is charged to the commit limit.
 */
#include "mm/pool.h"

#include "lib/list.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "proc/lock.h"

#define CLASS_MIN_SHIFT 4
#define CLASSES 7 /* 16 ... 1024; a block of 2048 and the header would fill a page */

#define POOL_MAGIC 0x6c6f6f70u /* "pool" */

/* At the start of each page that is cut into blocks. */
struct pool_page {
	u32 magic;
	u16 class, used;
	void *free;        /* chain through the blocks' first words */
	struct list link;  /* pages of the class with a free block */
};

static struct spinlock pool_lock = SPINLOCK_INIT("pool", RANK_POOL);
static struct list partial[CLASSES];
static u64 pages_in_use;


static void *run_alloc(size_t size)
{
	u32 count = 1, pfn;

	while (count * PAGE_SIZE < size)
		count *= 2;
	if (count == 1) {
		u64 phys = frame_alloc_kernel();

		pfn = phys >> PAGE_SHIFT;
	} else {
		if (!commit_charge(COMMIT_KERNEL, count))
			return NULL;
		pfn = frame_alloc_run(count);
		if (!pfn)
			commit_release(COMMIT_KERNEL, count);
	}
	if (!pfn)
		return NULL;
	frames[pfn].backing = count; /* a kernel frame has no backing store: the field says how long the run is */
	__atomic_add_fetch(&pages_in_use, count, __ATOMIC_RELAXED);
	return frame_address(pfn);
}

static void run_free(void *p)
{
	u32 pfn = frame_of_address(p), count = frames[pfn].backing;

	check(frames[pfn].state == FRAME_KERNEL && count >= 1 && count <= KMALLOC_MAX / PAGE_SIZE);
	frames[pfn].backing = 0;
	__atomic_sub_fetch(&pages_in_use, count, __ATOMIC_RELAXED);
	for (u32 i = 0; i < count; i++)
		frame_free_kernel((u64)(pfn + i) << PAGE_SHIFT);
}

static size_t class_size(u32 class) { return 1ull << (class + CLASS_MIN_SHIFT); }

/* A new page for class, with its blocks chained; NULL: no memory. */
static struct pool_page *page_make(u32 class)
{
	u64 phys = frame_alloc_kernel();
	struct pool_page *page = phys_to_virt(phys);
	size_t size = class_size(class), first = MAX(size, ALIGN_UP(sizeof(*page), 16));

	if (!phys)
		return NULL;
	page->magic = POOL_MAGIC;
	page->class = class;
	page->used = 0;
	page->free = NULL;
	for (size_t at = PAGE_SIZE - size; at >= first; at -= size) {
		void **block = (void **)((char *)page + at);

		*block = page->free;
		page->free = block;
	}
	__atomic_add_fetch(&pages_in_use, 1, __ATOMIC_RELAXED);
	return page;
}

void *kmalloc(size_t size)
{
	struct pool_page *page;
	u32 class;
	void **block;

	check(size <= KMALLOC_MAX);
	if (size > class_size(CLASSES - 1))
		return run_alloc(size);
	class = size <= class_size(0) ? 0 : 64 - CLASS_MIN_SHIFT - __builtin_clzll(size - 1);
	spin_lock(&pool_lock);
	if (!partial[class].next)
		list_init(&partial[class]);
	while (list_empty(&partial[class])) {
		spin_unlock(&pool_lock);
		page = page_make(class);
		if (!page)
			return NULL;
		spin_lock(&pool_lock);
		list_push_front(&partial[class], &page->link);
	}
	page = list_first(&partial[class], struct pool_page, link);
	block = page->free;
	page->free = *block;
	page->used++;
	if (!page->free)
		list_remove(&page->link);
	spin_unlock(&pool_lock);
#ifdef DEBUG
	memset(block, JUNK_NEW, class_size(class));
#endif
	return block;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	struct pool_page *page = (struct pool_page *)ALIGN_DOWN((u64)p, PAGE_SIZE);
	bool empty;

	if (!p)
		return;
	if ((void *)page == p) {
		run_free(p);
		return;
	}
	check(page->magic == POOL_MAGIC);
#ifdef DEBUG
	memset(p, JUNK_FREED, class_size(page->class));
#endif
	spin_lock(&pool_lock);
	if (!page->free)
		list_push_front(&partial[page->class], &page->link);
	*(void **)p = page->free;
	page->free = p;
	empty = --page->used == 0;
	if (empty)
		list_remove(&page->link);
	spin_unlock(&pool_lock);
	if (empty) {
		page->magic = 0;
		__atomic_sub_fetch(&pages_in_use, 1, __ATOMIC_RELAXED);
		frame_free_kernel(virt_to_phys(page));
	}
}

u64 pool_pages(void)
{
	return pages_in_use;
}
