/*
 * The floor: what memory operations can't do without. A program on the bare machine, which QEMU starts by its PVH entry
 * (-kernel), does the processor's part of each row and nothing else: it enters and leaves the kernel, saves the registers
 * that a C function may change, fills or copies the page, changes one page-table entry. The rows have the names and the
 * format of userland/programs/bench.
 *
 * Ring 3 does the measuring; it may use ports. All of the first GiB is mapped one to one, for both rings. Behind it lies the
 * region that faults, with its own page tables. "int $0x80" prepares a row. Sources: Intel SDM volume 3, chapters 4
 * to 6; the PVH boot protocol of Xen (docs/misc/pvh.pandoc), entry note 18.
 */
#include <stdint.h>

#define PAGE 4096ull
#define PAGES 512ull /* few: a round should not be interrupted by what else the host does */
#define REGION 0x40000000ull
#define FRAMES 0x4000000ull /* of the region's pages */
#define COPIES 0x6025000ull /* of those that copy-on-write makes. An emulator's TLB has others than the region's for them */
#define CALLS 500
#define ROUNDS 50
#define CODE 0x08
#define DATA 0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TASK 0x28
#define VALID 1ull
#define WRITE 2ull
#define USER 4ull

/* The way from 32 bits without paging to main_kernel; what the processor enters; the same for each kind of page fault. */
__asm__(".section .note.pvh, \"a\", @note\n"
	".long 4, 4, 18\n.asciz \"Xen\"\n.long start32\n"
	".text\n.code32\n"
	"start32:\n"
	"	mov $pml4, %edi\n	mov %edi, %cr3\n"
	"	movl $pdpt + 7, pml4\n	movl $pd_low + 7, pdpt\n	movl $pd_region + 7, pdpt + 8\n"
	"	mov $pd_low, %edi\n	mov $0x87, %eax\n	mov $512, %ecx\n"
	"1:	mov %eax, (%edi)\n	add $0x200000, %eax\n	add $8, %edi\n	dec %ecx\n	jnz 1b\n"
	"	mov $0x20, %eax\n	mov %eax, %cr4\n"                              /* PAE */
	"	mov $0xc0000080, %ecx\n	rdmsr\n	or $0x101, %eax\n	wrmsr\n"       /* EFER: LME, SCE */
	"	mov $0x80010001, %eax\n	mov %eax, %cr0\n"                              /* PG, WP, PE */
	"	lgdt gdt_pointer\n	ljmp $0x08, $start64\n"
	".code64\n"
	"start64:\n"
	"	mov $0x10, %eax\n	mov %eax, %ds\n	mov %eax, %es\n	mov %eax, %ss\n"
	"	mov $stack_kernel + 16384, %rsp\n	call main_kernel\n"
	/* to ring 3, with ports allowed (IOPL 3) */
	"	push $0x1b\n	push $stack_user + 16384\n	push $0x3002\n	push $0x23\n	push $main_user\n	iretq\n"

	".macro save\n push %rax\n push %rcx\n push %rdx\n push %rsi\n push %rdi\n push %r8\n push %r9\n push %r10\n"
	" push %r11\n .endm\n"
	".macro restore\n pop %r11\n pop %r10\n pop %r9\n pop %r8\n pop %rdi\n pop %rsi\n pop %rdx\n pop %rcx\n"
	" pop %rax\n .endm\n"

	".macro enter\n swapgs\n mov %rsp, stack_saved\n mov $stack_kernel + 16384, %rsp\n save\n .endm\n"
	".macro leave_call\n restore\n mov stack_saved, %rsp\n swapgs\n sysretq\n .endm\n"
	"call_null:	enter\n	leave_call\n"
	"call_switch:	enter\n	mov %cr3, %rax\n	mov %rax, %cr3\n	leave_call\n"

	/* rax: the number of the page in the region */
	".macro fault\n save\n mov %cr2, %rax\n shr $12, %rax\n and $511, %eax\n .endm\n"
	".macro leave_fault\n restore\n add $8, %rsp\n iretq\n .endm\n"
	"fault_map:	fault\n	orl $7, pt(, %rax, 8)\n	leave_fault\n"
	"fault_zero:	fault\n	mov %rax, %rdx\n	mov %rax, %rdi\n	shl $12, %rdi\n	add $0x4000000, %rdi\n"
	"	xor %eax, %eax\n	mov $512, %ecx\n	rep stosq\n	orl $7, pt(, %rdx, 8)\n	leave_fault\n"
	"fault_write:	fault\n	orl $7, pt(, %rax, 8)\n	mov %cr2, %rdi\n	invlpg (%rdi)\n	leave_fault\n"
	"fault_copy:	fault\n	mov %rax, %rdx\n	mov %rax, %rsi\n	shl $12, %rsi\n"
	"	lea 0x6025000(%rsi), %rdi\n	add $0x4000000, %rsi\n	lea 7(%rdi), %r8\n	mov $512, %ecx\n"
	"	rep movsq\n	mov %r8, pt(, %rdx, 8)\n	mov %cr2, %rdi\n	invlpg (%rdi)\n	leave_fault\n"
	"fault_large:	fault\n	mov $0x4000000, %edi\n	lea 0x87(%rdi), %r8\n	xor %eax, %eax\n	mov $262144, %ecx\n"
	"	rep stosq\n	mov %r8, pd_region\n	leave_fault\n"
	"prepare_entry:	save\n	call prepare\n	restore\n	iretq\n");

uint64_t pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096))),
	pd_low[512] __attribute__((aligned(4096))), pd_region[512] __attribute__((aligned(4096))),
	pt[PAGES] __attribute__((aligned(4096)));
char stack_kernel[16384] __attribute__((aligned(4096))), stack_user[16384] __attribute__((aligned(4096)));
uint64_t stack_saved __attribute__((aligned(4096)));
static uint32_t task[26] __attribute__((aligned(128)));
static uint64_t idt[129 * 2] __attribute__((aligned(4096)));
uint64_t gdt[] __attribute__((aligned(4096))) = {
	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0,
};
struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};
const struct table_pointer gdt_pointer = { sizeof(gdt) - 1, (uint64_t)gdt };

void call_null(void), call_switch(void), prepare_entry(void), fault_map(void), fault_zero(void), fault_write(void),
	fault_copy(void), fault_large(void), main_kernel(void), main_user(void);

enum row { NULL_CALL, SWITCH, ZERO, LARGE_PAGES, MAP, COPY, LAST_OWNER };

static void gate_set(unsigned int vector, void (*entry)(void))
{
	uint64_t at = (uint64_t)entry;

	idt[vector * 2] = (at & 0xffff) | CODE << 16 | 0xee00ull << 32 | (at >> 16 & 0xffff) << 48;
	idt[vector * 2 + 1] = at >> 32;
}

static void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* Makes the region and the entries into the kernel what a row wants. */
__attribute__((used)) static void prepare(enum row row)
{
	static void (*const faults[])(void) = { 0, 0, fault_zero, fault_large, fault_map, fault_copy, fault_write };
	uint64_t flags = row == COPY || row == LAST_OWNER ? VALID | USER : 0, tables;

	for (uint64_t i = 0; i < PAGES; i++)
		pt[i] = (FRAMES + i * PAGE) | flags;
	pd_region[0] = row == LARGE_PAGES ? 0 : (uint64_t)pt | VALID | WRITE | USER;
	if (faults[row])
		gate_set(14, faults[row]);
	msr_write(0xc0000082, (uint64_t)(row == SWITCH ? call_switch : call_null));
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(tables) : : "memory");
}

__attribute__((used)) void main_kernel(void)
{
	struct table_pointer idt_pointer = { sizeof(idt) - 1, (uint64_t)idt };
	uint64_t base = (uint64_t)task;

	task[1] = (uint32_t)(uint64_t)(stack_kernel + sizeof(stack_kernel)); /* rsp0 */
	gdt[5] = (sizeof(task) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[6] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(TASK));
	gate_set(0x80, prepare_entry);
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	msr_write(0xc0000081, (uint64_t)DATA << 48 | (uint64_t)CODE << 32);
	msr_write(0xc0000084, 0x200); /* SFMASK */
}

/* ---- ring 3 ---- */

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(char c)
{
	while (!(in(0x3fd) & 0x20))
		;
	out(0x3f8, (uint8_t)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_number(uint64_t n)
{
	if (n >= 10)
		put_number(n / 10);
	put((char)('0' + n % 10));
}

static void report(const char *row, uint64_t ticks, uint64_t operations)
{
	uint64_t hundredths = ticks * 100 / operations;

	put_text("bench ");
	put_text(row);
	put(' ');
	put_number(hundredths / 100);
	put('.');
	put((char)('0' + hundredths / 10 % 10));
	put((char)('0' + hundredths % 10));
	put_text(" at least\n");
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static void prepare_call(enum row row)
{
	__asm__ volatile("int $0x80" : : "D"(row) : "memory");
}

static void calls(void)
{
	for (int i = 0; i < CALLS; i++)
		__asm__ volatile("syscall" : : : "rcx", "r11", "memory");
}

static void touch(void)
{
	volatile char *region = (volatile char *)REGION;

	for (uint64_t i = 0; i < PAGES; i++)
		region[i * PAGE] = 1;
}

/* The cheapest of several rounds: it is a floor, and in time others use the host too. */
static uint64_t measure(enum row row, void (*run)(void))
{
	uint64_t best = ~0ull;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start;

		prepare_call(row);
		start = ticks();
		run();
		start = ticks() - start;
		if (start < best)
			best = start;
	}
	return best;
}

__attribute__((used)) void main_user(void)
{
	uint64_t null_call = measure(NULL_CALL, calls), zero = measure(ZERO, touch);

	report("null-call", null_call, CALLS);
	report("switch", null_call + measure(SWITCH, calls), CALLS); /* a call that wakes, and one that waits */
	report("touch", zero, PAGES);
	report("section-touch", zero, PAGES);
	report("touch-large", measure(LARGE_PAGES, touch), PAGES);
	report("second-view", measure(MAP, touch), PAGES);
	report("copy-on-write", measure(COPY, touch), PAGES);
	report("last-owner", measure(LAST_OWNER, touch), PAGES);
	put_text("bench end\n");
	while (!(in(0x3fd) & 0x40))
		;
	out(0xcf9, 6); /* reset: QEMU ends */
	for (;;)
		;
}
