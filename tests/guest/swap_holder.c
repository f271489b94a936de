/*
 * Holds pages in paging files while a scenario does something to these from outside, and says what became of the pages.
 * Argument: swap_holder [CHILDREN [PAGES]] (2, 512). Each child has PAGES pages, the first half private, the second
 * half of an anonymous section, and each word of them tells child, generation and page. Lines of the console are
 * commands; N is a child's number, and without it all of them are meant:
 *   out        the children's pages leave memory, as far as there is a place for them
 *   check [N]  each page is read: right, wrong (what never may be), or unreadable (an in-page error, handled; why)
 *   touch [N]  each page is read without a handler
 *   fill [N]   each page gets new contents, where it is; renew [N]: memory is freed and had again
 *   state      the counters, and what the memory manager's own check says
 *   sh         a shell, until it ends
 *   end
 * Exit code 1: a page was wrong.
 */
#include "guest.h"

#define NAME "SwapHolder"
#define CHILDREN_MAX 8
#define SQUEEZE_STEP 32  /* pages */
#define STALLED_MOST 50  /* looks */

enum command { COMMAND_NONE, COMMAND_OUT, COMMAND_CHECK, COMMAND_TOUCH, COMMAND_FILL, COMMAND_RENEW, COMMAND_END };

struct board {
	struct {
		volatile LONG command; /* COMMAND_NONE: it has been obeyed */
		volatile LONG right, wrong, unreadable;
		volatile DWORD status; /* of those: why they could not be read; ~0: not all for the same reason */
		char *volatile memory[2];
	} child[CHILDREN_MAX];
};

static struct board *board_open(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(struct board), NAME);
	return section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

/* ---- a child ---- */

/* Copies a page. 0, or 1 if the source can't be read: page_handler goes on at page_copy_failed. */
long page_copy(void *to, const volatile void *from);
extern const char page_copy_move[], page_copy_failed[];

__asm__(".text\n"
	".globl page_copy, page_copy_move, page_copy_failed\n"
	"page_copy:\n"
	"	movq %rdi, %r10\n"
	"	movq %rsi, %r11\n"
	"	movq %rcx, %rdi\n"
	"	movq %rdx, %rsi\n"
	"	movl $512, %ecx\n"
	"	xorl %eax, %eax\n"
	"page_copy_move:\n"
	"	rep movsq\n"
	"page_copy_end:\n"
	"	movq %r10, %rdi\n"
	"	movq %r11, %rsi\n"
	"	ret\n"
	"page_copy_failed:\n"
	"	movl $1, %eax\n"
	"	jmp page_copy_end\n");

static volatile DWORD page_status; /* of the last page that can't be read */

static LONG WINAPI page_handler(EXCEPTION_POINTERS *e)
{
	if (e->ContextRecord->Rip != (DWORD64)page_copy_move ||
	    e->ExceptionRecord->ExceptionCode != (DWORD)STATUS_IN_PAGE_ERROR)
		return EXCEPTION_CONTINUE_SEARCH;
	page_status = e->ExceptionRecord->NumberParameters == 3 ? (DWORD)e->ExceptionRecord->ExceptionInformation[2] : 0;
	e->ContextRecord->Rip = (DWORD64)page_copy_failed;
	return EXCEPTION_CONTINUE_EXECUTION;
}

struct holder {
	char *memory[2]; /* private, and a view of a section */
	uint64_t pages;  /* in each */
	uint64_t number, generation;
};

static uint64_t owner_of(const struct holder *h)
{
	return h->number * 256 + h->generation % 256;
}

static char *page_of(const struct holder *h, uint64_t page)
{
	return h->memory[page / h->pages] + page % h->pages * PAGE_BYTES;
}

static bool memory_take(struct holder *h)
{
	h->memory[0] = commit_bytes(h->pages * PAGE_BYTES);
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)(h->pages * PAGE_BYTES),
					    NULL);
	h->memory[1] = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	CloseHandle(section);
	return h->memory[0] && h->memory[1];
}

static void memory_fill(struct holder *h)
{
	h->generation++;
	for (uint64_t page = 0; page < 2 * h->pages; page++) {
		volatile uint64_t *words = (volatile uint64_t *)page_of(h, page);
		for (uint64_t i = 0; i < 512; i++)
			words[i] = pattern_word(owner_of(h), page, i);
	}
}

static void memory_check(struct holder *h, LONG *right, LONG *wrong, LONG *unreadable, DWORD *status)
{
	static uint64_t copy[512];
	for (uint64_t page = 0; page < 2 * h->pages; page++) {
		if (page_copy(copy, page_of(h, page))) {
			*status = !*unreadable || *status == page_status ? page_status : ~0u;
			++*unreadable;
			continue;
		}
		bool holds = true;
		for (uint64_t i = 0; i < 512; i++)
			holds = holds && copy[i] == pattern_word(owner_of(h), page, i);
		++*(holds ? right : wrong);
	}
}

static int child(uint64_t number, uint64_t pages)
{
	struct board *board = board_open();
	struct holder h = { .pages = pages / 2, .number = number };
	if (!board || !memory_take(&h))
		return 2;
	AddVectoredExceptionHandler(1, page_handler);
	/* When memory is short these pages go first, also those that have been out and back. */
	MEMORY_PRIORITY_INFORMATION low = { MEMORY_PRIORITY_VERY_LOW };
	if (!SetProcessInformation(GetCurrentProcess(), ProcessMemoryPriority, &low, sizeof(low)))
		return 2;
	memory_fill(&h);
	for (;;) {
		LONG right = 0, wrong = 0, unreadable = 0;
		DWORD status = 0;
		board->child[number - 1].memory[0] = h.memory[0];
		board->child[number - 1].memory[1] = h.memory[1];
		board->child[number - 1].command = COMMAND_NONE;
		while (board->child[number - 1].command == COMMAND_NONE)
			Sleep(5);
		switch (board->child[number - 1].command) {
		case COMMAND_OUT:
			/* Pages that are not locked leave the working set. Source: Windows documentation, VirtualUnlock. */
			VirtualUnlock(h.memory[0], h.pages * PAGE_BYTES);
			VirtualUnlock(h.memory[1], h.pages * PAGE_BYTES);
			break;
		case COMMAND_CHECK:
			memory_check(&h, &right, &wrong, &unreadable, &status);
			board->child[number - 1].status = status;
			board->child[number - 1].right = right;
			board->child[number - 1].wrong = wrong;
			board->child[number - 1].unreadable = unreadable;
			break;
		case COMMAND_TOUCH:
			for (uint64_t page = 0; page < 2 * h.pages; page++)
				*(volatile char *)page_of(&h, page);
			break;
		case COMMAND_RENEW:
			memory_release(h.memory[0]);
			UnmapViewOfFile(h.memory[1]);
			if (!memory_take(&h))
				return 2;
			memory_fill(&h);
			break;
		case COMMAND_FILL:
			memory_fill(&h);
			break;
		default:
			return 0;
		}
	}
}

/* ---- the parent ---- */

static struct {
	PROCESS_INFORMATION process;
	bool lives;
} children[CHILDREN_MAX];
static uint64_t child_count, child_pages;

/* Waits until the child has obeyed, or ended; then says how. */
static void obey(struct board *board, uint64_t i, enum command command)
{
	DWORD code = 0;
	if (!children[i].lives)
		return;
	board->child[i].command = command;
	while (board->child[i].command != COMMAND_NONE) {
		if (WaitForSingleObject(children[i].process.hProcess, 5) == WAIT_OBJECT_0) {
			GetExitCodeProcess(children[i].process.hProcess, &code);
			children[i].lives = false;
			if (command != COMMAND_END)
				printf("child %llu ended: exit code 0x%08lx\n", (unsigned long long)i + 1, code);
			return;
		}
	}
}

/* How many of the children's pages are in paging files and not in memory as well. */
static uint64_t pages_out(const struct board *board)
{
	static struct bs_page pages[1024];
	uint64_t out = 0;
	for (uint64_t i = 0; i < child_count; i++)
		for (int half = 0; half < 2 && children[i].lives; half++)
			for (uint64_t page = 0, n; page < child_pages / 2; page += n) {
				n = child_pages / 2 - page < 1024 ? child_pages / 2 - page : 1024;
				BsQueryBacking(children[i].process.hProcess, board->child[i].memory[half] + page * PAGE_BYTES, n,
					       pages);
				for (uint64_t j = 0; j < n; j++)
					out += pages[j].backing == BS_PAGING_FILE && !(pages[j].flags & BS_RESIDENT);
			}
	return out;
}

/*
 * The children's pages leave their working sets; then memory is taken little by little until they have left it too. So
 * that no other process's pages go with them, there are more pages of our own behind them, for the trimmer to count
 * on. It ends early when writing fails, and when slots or memory run out.
 */
static void push_out(struct board *board)
{
	struct bs_memory before = memory_now(), now = before;
	uint64_t want = 0, out = 0, taken = 0, stalled = 0, most = before.frames_total;
	for (uint64_t i = 0; i < child_count; i++) {
		obey(board, i, COMMAND_OUT);
		want += children[i].lives ? child_pages / 2 * 2 : 0;
	}
	uint64_t behind = before.frames_total / 16 * PAGE_BYTES;
	char *padding = commit_bytes(behind);
	for (uint64_t at = 0; padding && at < behind; at += PAGE_BYTES)
		padding[at] = 1;
	VirtualUnlock(padding, behind);
	char *p = VirtualAlloc(NULL, most * PAGE_BYTES, MEM_RESERVE, PAGE_NOACCESS);
	while (p && taken + SQUEEZE_STEP <= most && stalled < STALLED_MOST) {
		now = memory_now();
		uint64_t available = memory_available(&now);
		if (available < before.frames_total / 16) {
			out = pages_out(board);
			if (out >= want)
				break;
			Sleep(2); /* the writer's turn */
			/* Perhaps nothing more can leave: others must not pay for that. */
			if (available < before.frames_total / 32 && (now.swap_errors > before.swap_errors ||
								     now.paging_file_used >= now.paging_file_pages)) {
				stalled++;
				continue;
			}
		}
		if (!VirtualAlloc(p + taken * PAGE_BYTES, SQUEEZE_STEP * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE))
			break;
		for (uint64_t i = 0; i < SQUEEZE_STEP; i++)
			p[(taken + i) * PAGE_BYTES] = 1;
		taken += SQUEEZE_STEP;
	}
	memory_release(p);
	memory_release(padding);
	printf("out: %llu of %llu pages, by %llu\n", (unsigned long long)out, (unsigned long long)want,
	       (unsigned long long)taken);
}

static void value_print(const char *name, uint64_t value)
{
	printf(" %s=%llu", name, (unsigned long long)value);
}

static void state_print(void)
{
	struct bs_memory m = memory_now();
	struct bs_paging_file f;
	for (uint64_t i = 0; BsQueryPagingFile(i, &f) == 0; i++) {
		printf("paging file %s:", f.name);
		value_print("pages", f.pages);
		value_print("used", f.used);
		value_print("peak", f.peak);
		value_print("bad", f.bad);
		value_print("errors", f.errors);
		value_print("write_requests", f.write_requests);
		value_print("pages_written", f.pages_written);
		value_print("read_requests", f.read_requests);
		value_print("pages_read", f.pages_read);
		value_print("physical", f.physical);
		printf("\n");
	}
	printf("memory:");
	value_print("swap_errors", m.swap_errors);
	value_print("commit_limit", m.commit_limit);
	value_print("commit_charge", m.commit_charge);
	printf("\ncheck of memory: 0x%08lx\n", (DWORD)BsCheckMemory());
}

static void shell_run(void)
{
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	char line[] = "sh";
	if (!CreateProcessA("C:\\bin\\sh.exe", line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &p)) {
		printf("no shell: error %lu\n", GetLastError());
		return;
	}
	WaitForSingleObject(p.hProcess, INFINITE);
	CloseHandle(p.hProcess);
	CloseHandle(p.hThread);
}

/* Does what a line says. False: it is the end. */
static bool command_run(struct board *board, const char *line)
{
	static const char *const names[] = { [COMMAND_CHECK] = "check", [COMMAND_TOUCH] = "touch", [COMMAND_FILL] = "fill",
					     [COMMAND_RENEW] = "renew" };
	char word[16] = "";
	unsigned int number = 0;
	if (sscanf(line, "%15s %u", word, &number) < 1)
		return true;
	if (!strcmp(word, "end"))
		return false;
	if (!strcmp(word, "out"))
		push_out(board);
	if (!strcmp(word, "state"))
		state_print();
	if (!strcmp(word, "sh"))
		shell_run();
	for (enum command command = COMMAND_CHECK; command < COMMAND_END; command++) {
		for (uint64_t i = 0; i < child_count && !strcmp(word, names[command]); i++) {
			if (number && number != i + 1)
				continue;
			obey(board, i, command);
			if (command == COMMAND_CHECK && children[i].lives)
				printf("child %llu: right=%ld wrong=%ld unreadable=%ld status=0x%08lx\n", (unsigned long long)i + 1,
				       board->child[i].right, board->child[i].wrong, board->child[i].unreadable,
				       board->child[i].status);
		}
	}
	printf("done: %s\n", line);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "child"))
		return child(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	struct board *board = board_open();
	char line[64], arguments[64];
	bool wrong = false;
	child_count = argc > 1 ? strtoull(argv[1], NULL, 10) : 2;
	child_pages = argc > 2 ? strtoull(argv[2], NULL, 10) : 512;
	if (!board || !child_count || child_count > CHILDREN_MAX)
		return 2;
	for (uint64_t i = 0; i < child_count; i++) {
		sprintf(arguments, "child %llu %llu", (unsigned long long)i + 1, (unsigned long long)child_pages);
		board->child[i].command = COMMAND_FILL;
		children[i].lives = process_start(arguments, false, 0, &children[i].process) != NULL;
		while (children[i].lives && board->child[i].command != COMMAND_NONE)
			children[i].lives = WaitForSingleObject(children[i].process.hProcess, 5) != WAIT_OBJECT_0;
		if (!children[i].lives)
			return 2;
	}
	printf("holding %llu pages\n", (unsigned long long)(child_count * child_pages));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!command_run(board, line))
			break;
		for (uint64_t i = 0; i < child_count; i++)
			wrong = wrong || board->child[i].wrong;
	}
	for (uint64_t i = 0; i < child_count; i++) {
		obey(board, i, COMMAND_END);
		process_close(&children[i].process);
	}
	return wrong;
}
