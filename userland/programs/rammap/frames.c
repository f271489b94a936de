/* The PFN database by use and state, and as a map. */
#include "rammap.h"

#define CHUNK 1024     /* frames asked for at a time */
#define MAP_COLUMNS 64
#define MAP_ROWS 32    /* at most */

static const struct {
	const char *text;
	char letter;
} uses[USES] = {
	[BS_USE_NONE] = { "not managed", ' ' },	 [BS_USE_FREE] = { "not in use", '.' },
	[BS_USE_PRIVATE] = { "private", 'P' },	 [BS_USE_SECTION] = { "section", 'S' },
	[BS_USE_IMAGE] = { "image", 'I' },	 [BS_USE_FILE] = { "data file", 'F' },
	[BS_USE_CLONE] = { "clones", 'C' },	 [BS_USE_PHYSICAL] = { "AWE", 'A' },
	[BS_USE_LARGE] = { "large pages", 'L' }, [BS_USE_TABLE] = { "page tables", 'T' },
	[BS_USE_KERNEL] = { "kernel", 'K' },
};

const char *frame_use_text(unsigned int use)
{
	return use < USES ? uses[use].text : "unknown use";
}

const char *frame_state_text(unsigned int state)
{
	static const char *const texts[STATES] = {
		[BS_FRAME_NONE] = "none",	      [BS_FRAME_FREE] = "free",
		[BS_FRAME_ZEROED] = "zeroed",	      [BS_FRAME_STANDBY] = "standby",
		[BS_FRAME_MODIFIED] = "modified",     [BS_FRAME_TRANSITION] = "in transition",
		[BS_FRAME_ACTIVE] = "active",	      [BS_FRAME_KERNEL] = "kernel",
	};
	return state < STATES ? texts[state] : "unknown state";
}

bool frames_walk(uint64_t first, uint64_t count, frame_visit *visit, void *argument)
{
	static struct bs_frame found[CHUNK];
	for (uint64_t done = 0; done < count; done += CHUNK) {
		uint64_t part = count - done < CHUNK ? count - done : CHUNK;
		NTSTATUS status = BsQueryFrames(first + done, part, found);
		if (status != 0) {
			SetLastError(RtlNtStatusToDosError(status));
			return false;
		}
		for (uint64_t i = 0; i < part; i++)
			visit(argument, first + done + i, &found[i]);
	}
	return true;
}

void frame_table_add(struct frame_table *t, const struct bs_frame *f)
{
	if (f->use < USES && f->state < STATES)
		t->frames[f->use][f->state]++;
	if (f->priority < PAGE_PRIORITIES && f->state < STATES)
		t->priorities[f->priority][f->state]++;
}

static void table_visit(void *argument, uint64_t number, const struct bs_frame *f)
{
	(void)number;
	frame_table_add(argument, f);
}

bool frame_table_read(struct frame_table *t)
{
	memset(t, 0, sizeof(*t));
	return frames_walk(0, memory_now().frame_highest + 1, table_visit, t);
}

uint64_t frame_table_row(const struct frame_table *t, int use)
{
	uint64_t sum = 0;
	for (int state = 0; state < STATES; state++)
		sum += t->frames[use][state];
	return sum;
}

uint64_t frame_table_column(const struct frame_table *t, int state)
{
	uint64_t sum = 0;
	for (int use = BS_USE_NONE + 1; use < USES; use++)
		sum += t->frames[use][state];
	return sum;
}

static void print_number(int width, uint64_t n)
{
	if (n)
		printf(" %*llu", width - 1, (unsigned long long)n);
	else
		printf(" %*s", width - 1, "-");
}

void frame_table_print(const struct frame_table *t)
{
	static const enum bs_frame_state columns[] = {
		BS_FRAME_ACTIVE, BS_FRAME_STANDBY, BS_FRAME_MODIFIED, BS_FRAME_TRANSITION,
		BS_FRAME_ZEROED, BS_FRAME_FREE,	   BS_FRAME_KERNEL,
	};
	const size_t count = sizeof(columns) / sizeof(columns[0]);
	uint64_t all = 0;
	printf("USE            ACTIVE STANDBY MODIFIED TRANSIT  ZEROED    FREE  KERNEL    TOTAL\n");
	for (int use = BS_USE_NONE + 1; use < USES; use++) {
		printf("%-13s", uses[use].text);
		for (size_t i = 0; i < count; i++)
			print_number(columns[i] == BS_FRAME_MODIFIED ? 9 : 8, t->frames[use][columns[i]]);
		print_number(9, frame_table_row(t, use));
		printf("\n");
		all += frame_table_row(t, use);
	}
	printf("%-13s", "all");
	for (size_t i = 0; i < count; i++)
		print_number(columns[i] == BS_FRAME_MODIFIED ? 9 : 8, frame_table_column(t, columns[i]));
	print_number(9, all);
	printf("\nFrames of 4 KiB: %s of memory.", tool_pages(all));
	if (frame_table_row(t, BS_USE_NONE))
		printf(" %s numbers are not the pager's.", tool_number(frame_table_row(t, BS_USE_NONE)));
	printf("\n");
}

void frame_table_print_priorities(const struct frame_table *t)
{
	static const char *const texts[PAGE_PRIORITIES] = {
		"contents not wanted", "very low",     "low, or read ahead", "medium", "below normal",
		"normal",	       "came back soon", "",
	};
	printf("PRIORITY                  STANDBY MODIFIED   ACTIVE  (the lowest on standby go first)\n");
	for (int priority = 0; priority < PAGE_PRIORITIES; priority++) {
		printf("%d %-21s", priority, texts[priority]);
		print_number(10, t->priorities[priority][BS_FRAME_STANDBY]);
		print_number(9, t->priorities[priority][BS_FRAME_MODIFIED]);
		print_number(9, t->priorities[priority][BS_FRAME_ACTIVE]);
		printf("\n");
	}
}

/* ---- the map ---- */

struct map {
	uint64_t each;                  /* frames for a character */
	uint64_t seen[USES][2];         /* of the current character; [1]: in a page table or the kernel's */
	uint64_t last;                  /* the highest frame */
};

/* The use that most of its frames have; a small letter if most of those are in no page table. */
static char map_letter(const struct map *m)
{
	int best = 0;
	for (int use = 1; use < USES; use++)
		if (m->seen[use][0] + m->seen[use][1] > m->seen[best][0] + m->seen[best][1])
			best = use;
	char letter = uses[best].letter;
	bool idle = m->seen[best][0] > m->seen[best][1];
	return idle && letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static void map_add(void *argument, uint64_t number, const struct bs_frame *f)
{
	struct map *m = argument;
	if (number % (m->each * MAP_COLUMNS) == 0)
		printf("%12llx ", (unsigned long long)(number * PAGE_BYTES));
	if (f->use < USES)
		m->seen[f->use][f->state == BS_FRAME_ACTIVE || f->state == BS_FRAME_KERNEL]++;
	if ((number + 1) % m->each && number != m->last)
		return;
	putchar(map_letter(m));
	memset(m->seen, 0, sizeof(m->seen));
	if ((number + 1) % (m->each * MAP_COLUMNS) == 0 || number == m->last)
		printf("\n");
}

bool frame_map_print(void)
{
	struct map m = { .each = 1, .last = memory_now().frame_highest };
	while (m.each * MAP_COLUMNS * MAP_ROWS <= m.last)
		m.each *= 2;
	if (!frames_walk(0, m.last + 1, map_add, &m))
		return false;
	printf("Physical addresses are hexadecimal; a character stands for %s: what most of\n"
	       "it is used for.\n"
	       "  P private   S section   I image         F data file   C shared with a clone\n"
	       "  A AWE       L large     T page tables   K kernel      . not in use\n"
	       "Small letters: in no page table (standby, modified). Blank: not the pager's.\n",
	       tool_pages(m.each));
	return true;
}
