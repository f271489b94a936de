/* The end: stops the other CPUs, tells what there is to tell, leaves. */
#include "arch/internal.h"
#include "lib/string.h"
#include "lib/symbols.h"
#include "proc/process.h"
#include "mm/pool.h"
#include "proc/sched.h"

#define STACK_LINES_MAX 40
#define STOP_TIMEOUT_NS 1000000000ull

volatile bool panicking;

static volatile u32 panic_cpu; /* id + 1 of the one that panics */
static volatile u32 panic_level;

/* Where each of the other CPUs was when it was stopped. */
static struct {
	volatile bool stopped;
	u64 rip, rbp;
} stops[CPU_MAX];

static void place_print(u64 address, bool is_return)
{
	u64 offset;
	const char *name = symbol_find(address - is_return, &offset);

	if (name)
		kprintf("  %016lx %s+%#lx\n", address, name, offset + is_return);
	else
		kprintf("  %016lx\n", address);
}

static bool frame_readable(u64 rbp)
{
	return IS_ALIGNED(rbp, 8) && kernel_address_mapped(rbp) && kernel_address_mapped(rbp + 8);
}

/*
 * Each frame is the caller's frame pointer and the return address; only mapped memory above the last frame is read. A
 * function that calls itself without end gives one line, so that one sees where that began.
 */
void stack_print(u64 rip, u64 rbp)
{
	u64 last = 0, repeated = 0;
	u32 lines = 0;

	place_print(rip, false);
	while (frame_readable(rbp) && lines < STACK_LINES_MAX) {
		u64 caller = ((const u64 *)rbp)[0], address = ((const u64 *)rbp)[1];

		if (address && address == last) {
			repeated++;
		} else {
			if (repeated)
				kprintf("  ... %lu more times\n", repeated);
			repeated = 0;
			if (!address)
				return;
			place_print(address, true);
			lines++;
		}
		if (caller <= rbp)
			return;
		last = address;
		rbp = caller;
	}
}

static void thread_print(const struct thread *t)
{
	kprintf("thread %u \"%s\"", t->id, t->name ? t->name : "");
	if (t->process)
		kprintf(", process %u \"%s\"", t->process->id, t->process->name);
}

static void locks_print(const struct cpu *c)
{
#ifdef DEBUG
	const struct mutex *m;
	u32 i;

	list_for_each(&c->current->mutexes, m, held)
		kprintf("holds mutex \"%s\"\n", m->name);
	for (i = 0; i < c->spin_depth && i < ARRAY_SIZE(c->spin_stack); i++)
		kprintf("holds spinlock \"%s\"\n", c->spin_stack[i]->name);
#else
	if (c->current->mutexes_held || c->spin_depth)
		kprintf("holds %u mutexes, %u spinlocks\n", c->current->mutexes_held, c->spin_depth);
#endif
}

/* Junk that BUILD=debug leaves in memory says where a wild pointer came from. */
static void junk_print(const char *name, u64 value)
{
	u64 freed = JUNK_FREED * 0x0101010101010101ull, fresh = JUNK_NEW * 0x0101010101010101ull;

	/* Also with a small offset added, as from a pointer to a structure. */
	if (value - freed < PAGE_SIZE)
		kprintf("%s comes from memory that was freed: use after free\n", name);
	else if (value - fresh < PAGE_SIZE)
		kprintf("%s comes from memory that was allocated and never written\n", name);
}

static void registers_print(const struct trap_frame *f)
{
	u64 cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	kprintf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	kprintf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
	kprintf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
	kprintf("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
	kprintf("rip %016lx rflags %06lx cs %02lx ss %02lx error %lx cr2 %016lx\n", f->rip, f->rflags, f->cs, f->ss,
		f->error, cr2);
	for (u32 i = 0; i < 15; i++) {
		static const char names[15][4] = { "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rdi", "rsi", "rbp",
						   "rbx", "rdx", "rcx", "rax" };

		junk_print(names[i], (&f->r15)[i]);
	}
}

void cpu_state_print(void)
{
	u32 i, me = this_cpu()->id;

	for (i = 0; i < cpu_count; i++) {
		if (i == me)
			continue;
		kprintf("cpu %u, ", i);
		thread_print(cpus[i]->current);
		kprintf("\n");
		locks_print(cpus[i]);
		if (stops[i].stopped)
			stack_print(stops[i].rip, stops[i].rbp);
	}
}

void panic_stop_this_cpu(const struct trap_frame *f)
{
	u32 me = this_cpu()->id;

	stops[me].rip = f->rip;
	stops[me].rbp = f->rbp;
	__atomic_store_n(&stops[me].stopped, true, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void others_stop(void)
{
	u64 deadline = clock_ns() + STOP_TIMEOUT_NS;
	u32 i, me = this_cpu()->id;

	if (cpu_count == 1)
		return;
	nmi_send_others();
	for (i = 0; i < cpu_count; i++)
		while (i != me && !stops[i].stopped && clock_ns() < deadline)
			cpu_relax();
}

/*
 * Only the first CPU that comes here goes on, and only as long as it does not fail again. f: NULL, or the trap's
 * registers.
 */
static noreturn void panic_with(const struct trap_frame *f, u64 rip, u64 rbp, const char *fmt, va_list ap)
{
	static char message[512];
	struct cpu *c = this_cpu();
	u32 nobody = 0;

	interrupts_off();
	if (!__atomic_compare_exchange_n(&panic_cpu, &nobody, c->id + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    panic_cpu != c->id + 1) {
		struct trap_frame here = { .rip = rip, .rbp = rbp };

		panic_stop_this_cpu(&here);
	}
	panicking = true;
	if (++panic_level > 2)
		machine_exit(EXIT_PANIC);
	kvsnprintf(message, sizeof(message), fmt, ap);
	if (panic_level == 2) {
		kprintf("\nbackstore: panic during a panic: %s\n", message);
		machine_exit(EXIT_PANIC);
	}
	others_stop();
	kprintf("\nbackstore: panic: %s\ncpu %u, ", message, c->id);
	thread_print(c->current);
	kprintf("\n");
	if (f)
		registers_print(f);
	locks_print(c);
	kprintf("stack:\n");
	stack_print(rip, rbp);
	cpu_state_print();
	machine_exit(EXIT_PANIC);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(NULL, (u64)__builtin_return_address(0), *(u64 *)__builtin_frame_address(0), fmt, ap);
}

void panic_frame(const struct trap_frame *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(f, f->rip, f->rbp, fmt, ap);
}
