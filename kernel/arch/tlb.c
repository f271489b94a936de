/*
 * Which page tables each CPU uses, and how the others learn that an entry changed.
 *
 * A CPU keeps the address space of the last user thread loaded while it runs kernel threads or idles: v->cpus tells.
 * The one who changes an entry sends an interrupt to exactly those CPUs and waits. A CPU that has v only left over
 * gets rid of it then, and so is not asked again. Loading sets the bit before it writes CR3, and the asker reads the
 * bits after it changed the entry: either it sees the bit, or the CPU sees the new entry.
 */
#include "arch/internal.h"
#include "mm/mm.h"
#include "proc/sched.h"

#define CR4_PGE (1ull << 7)
#define UNLOAD (~0ull) /* pages: not a flush, v is to go */
#define PAGES_MAX 32   /* beyond that, all of the address space is cheaper */

/* What a CPU asks of others; it asks one thing at a time, with preemption off. */
struct tlb_request {
	struct vspace *v; /* NULL: the kernel's half */
	u64 start, pages;
	volatile u32 pending; /* a bit for each CPU that has yet to do it */
};

static struct tlb_request requests[CPU_MAX];

static void cr3_load(u64 phys)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(phys) : "memory");
}

HOT void page_tables_switch(struct cpu *c, struct vspace *v)
{
	struct vspace *old = c->vspace;
	u32 bit = 1u << c->id;

	if (v)
		__atomic_or_fetch(&v->cpus, bit, __ATOMIC_SEQ_CST);
	cr3_load(v ? v->pml4_phys : kernel_pml4_phys());
	c->vspace = v;
	if (old)
		__atomic_and_fetch(&old->cpus, ~bit, __ATOMIC_SEQ_CST);
}

void page_tables_load(struct vspace *v)
{
	bool on = interrupts_save();
	struct cpu *c = this_cpu();

	if (v != c->vspace)
		page_tables_switch(c, v);
	interrupts_restore(on);
}

static void flush_user_here(struct cpu *c, struct vspace *v, u64 start, u64 pages)
{
	u64 i;

	if (c->vspace != v)
		return;
	if (pages == UNLOAD || c->current->vspace != v) {
		page_tables_load(NULL);
	} else if (pages > PAGES_MAX) {
		cr3_load(v->pml4_phys);
	} else {
		for (i = 0; i < pages; i++)
			tlb_flush_local(start + i * PAGE_SIZE);
	}
}

static void flush_kernel_here(u64 start, u64 pages)
{
	u64 i, cr4;

	if (pages <= PAGES_MAX) {
		for (i = 0; i < pages; i++)
			tlb_flush_local(start + i * PAGE_SIZE);
		return;
	}
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 ^ CR4_PGE) : "memory"); /* each change empties the TLB */
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4) : "memory");
}

static void flush_here(struct cpu *c, struct vspace *v, u64 start, u64 pages)
{
	if (v)
		flush_user_here(c, v, start, pages);
	else
		flush_kernel_here(start, pages);
}

/* Asks the CPUs of targets, and waits. Interrupts stay on, so that two CPUs may ask each other. */
static void ask(struct cpu *c, u32 targets, struct vspace *v, u64 start, u64 pages)
{
	struct tlb_request *r = &requests[c->id];
	u32 i;

	r->v = v;
	r->start = start;
	r->pages = pages;
	__atomic_store_n(&r->pending, targets, __ATOMIC_SEQ_CST);
	for (i = 0; i < cpu_count; i++)
		if (targets & 1u << i)
			ipi_send(cpus[i], VECTOR_TLB);
	while (r->pending)
		cpu_relax();
}

static void flush_everywhere(struct vspace *v, u64 start, u64 pages)
{
	struct cpu *c;
	u32 targets;
	bool on;

	preempt_disable();
	c = this_cpu();
	assert(c->spin_depth == 0);
	on = interrupts_save();
	flush_here(c, v, start, pages);
	interrupts_restore(on);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	targets = (v ? v->cpus : (1u << cpu_count) - 1) & ~(1u << c->id);
	if (targets) {
		assert(on);
		ask(c, targets, v, start, pages);
	}
	preempt_enable();
}

/*
 * One page of the thread's own address space, which this CPU alone has loaded: the usual case, without much ado. Should the
 * thread be moved to another CPU between these lines, that one has loaded v since, and the one it left is still in v->cpus.
 */
static bool flush_one_here(struct vspace *v, u64 va)
{
	if (thread_current()->vspace != v)
		return false;
	tlb_flush_local(va);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return v->cpus == 1u << this_cpu()->id;
}

void tlb_flush_range(struct vspace *v, u64 start, u64 pages)
{
	assert(!this_cpu()->spin_depth);
	if (pages == 1 && flush_one_here(v, start))
		return;
	flush_everywhere(v, start, MIN(pages, UNLOAD - 1));
}

void tlb_flush_kernel(u64 start, u64 pages)
{
	flush_everywhere(NULL, start, pages);
}

void vspace_unload_everywhere(struct vspace *v)
{
	flush_everywhere(v, 0, UNLOAD);
}

void tlb_interrupt(void)
{
	struct cpu *c = this_cpu();
	u32 bit = 1u << c->id, i;

	for (i = 0; i < CPU_MAX; i++) {
		struct tlb_request *r = &requests[i];

		if (r->pending & bit) {
			flush_here(c, r->v, r->start, r->pages);
			__atomic_and_fetch(&r->pending, ~bit, __ATOMIC_SEQ_CST);
		}
	}
}
