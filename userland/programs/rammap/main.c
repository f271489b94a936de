/*
 * rammap: the page frames of memory by use and state, by process and by file. After the Sysinternals tool of that name.
 */
#include "rammap.h"

static const char usage[] =
	"usage: rammap [-u] [-s] [-o] [-f] [-m] [-p FRAME]\n"
	"Shows what memory is used for, in frames of 4 KiB; without options: -u -o -f.\n"
	"  -u        by use (rows) and state (columns); all frames are in it once\n"
	"  -s        by priority: in which order pages on standby are taken\n"
	"  -o        by process: its private pages and its page tables\n"
	"  -f        by image, data file and anonymous section\n"
	"  -m        a map of memory, a character for some frames each\n"
	"  -p FRAME  one frame, by its number: what it is used for, who has it, and why\n"
	"-o and -f together have the frames of the rows private to large pages once each.\n"
	"States: active (in a page table), standby (in none, and its backing store has\n"
	"the same), modified (in none, must be written first), transit (being read or\n"
	"written), zeroed and free (not in use), kernel (its own, and page tables).\n";

static int fail(void)
{
	return tool_fail("rammap", "the page frames", GetLastError());
}

static int show_uses(void)
{
	struct frame_table t;
	if (!frame_table_read(&t))
		return fail();
	frame_table_print(&t);
	return TOOL_OK;
}

static int show_priorities(void)
{
	struct frame_table t;
	if (!frame_table_read(&t))
		return fail();
	frame_table_print_priorities(&t);
	return TOOL_OK;
}

static uint64_t owner_sum(const struct owner *owner)
{
	uint64_t sum = 0;
	for (int state = 0; state < STATES; state++)
		sum += owner->frames[state];
	return sum;
}

/* Frames in no other column of these tables: AWE and large pages are in the state that the kernel gives them. */
static uint64_t owner_other(const struct owner *owner)
{
	return owner_sum(owner) - owner->frames[BS_FRAME_STANDBY] - owner->frames[BS_FRAME_MODIFIED] -
	       owner->frames[BS_FRAME_TRANSITION];
}

static void print_states(const struct owner *owner)
{
	printf(" %7llu %7llu %8llu %7llu", (unsigned long long)owner_other(owner),
	       (unsigned long long)owner->frames[BS_FRAME_STANDBY],
	       (unsigned long long)owner->frames[BS_FRAME_MODIFIED],
	       (unsigned long long)owner->frames[BS_FRAME_TRANSITION]);
}

static void owner_add_to(struct owner *all, const struct owner *owner)
{
	for (int state = 0; state < STATES; state++)
		all->frames[state] += owner->frames[state];
	all->tables += owner->tables;
}

static void show_processes(const struct owners *o)
{
	struct owner all = { 0 };
	const struct owner *nobody = &o->list[NOBODY_PROCESS];
	printf("   ID  ACTIVE STANDBY MODIFIED TRANSIT  TABLES   TOTAL  SHARED  NAME\n");
	for (size_t i = NOBODIES; i < o->count; i++) {
		const struct owner *p = &o->list[i];
		if (p->kind != OWNER_PROCESS)
			continue;
		printf("%5u", p->process);
		print_states(p);
		printf(" %7llu %7llu %7llu  %s\n", (unsigned long long)p->tables,
		       (unsigned long long)(owner_sum(p) + p->tables), (unsigned long long)p->shared, p->name);
		owner_add_to(&all, p);
	}
	if (owner_sum(nobody)) {
		printf("%5s", "");
		print_states(nobody);
		printf(" %7s %7llu %7s  (in no process)\n", "", (unsigned long long)owner_sum(nobody), "");
		owner_add_to(&all, nobody);
	}
	printf("%5s", "all");
	print_states(&all);
	printf(" %7llu %7llu\n", (unsigned long long)all.tables, (unsigned long long)(owner_sum(&all) + all.tables));
	printf("SHARED: frames of sections in its page table; they count in each process that\n"
	       "has them, and not in TOTAL. ACTIVE has AWE and large pages too.\n");
}

static void print_file(const struct owner *f)
{
	print_states(f);
	printf(" %7llu  ", (unsigned long long)owner_sum(f));
	if (f->kind == OWNER_SECTION)
		printf("section at %llx in %s (%u)\n", (unsigned long long)f->base, f->name, f->process);
	else
		printf("%s\n", f->kind == OWNER_FILE ? f->name : "(in no process)");
}

static void show_files(const struct owners *o)
{
	struct owner all = { 0 };
	printf("  ACTIVE STANDBY MODIFIED TRANSIT   TOTAL  FILE OR SECTION\n");
	for (size_t i = NOBODIES; i < o->count; i++) {
		if (o->list[i].kind == OWNER_PROCESS)
			continue;
		print_file(&o->list[i]);
		owner_add_to(&all, &o->list[i]);
	}
	if (owner_sum(&o->list[NOBODY_FILE])) {
		print_file(&o->list[NOBODY_FILE]);
		owner_add_to(&all, &o->list[NOBODY_FILE]);
	}
	print_states(&all);
	printf(" %7llu  all\n", (unsigned long long)owner_sum(&all));
	if (o->full)
		printf("There are too many files and sections for this table: the last are under\n"
		       "\"in no process\".\n");
}

static int show_owners(bool uses, bool processes, bool files)
{
	struct owners o;
	if (!owners_read(&o))
		return fail();
	if (uses) {
		frame_table_print(&o.table);
		printf("\n");
	}
	if (processes)
		show_processes(&o);
	if (processes && files)
		printf("\n");
	if (files)
		show_files(&o);
	owners_free(&o);
	return TOOL_OK;
}

/* Where else its contents are. */
static void print_frame_backing(const struct bs_frame *f)
{
	if (f->dirty || f->backing == BS_MEMORY)
		printf("What is in it is nowhere else.\n");
	else if (f->backing == BS_ZERO)
		printf("It holds zeros, which can be made again.\n");
	else
		printf("The same is %s.\n", backing_name(f->backing));
}

static void print_frame(void *argument, uint64_t number, const struct bs_frame *f)
{
	(void)argument;
	printf("Frame 0x%llx, physical address 0x%llx: ", (unsigned long long)number,
	       (unsigned long long)(number * PAGE_BYTES));
	if (f->use == BS_USE_NONE) {
		printf("no memory that the pager manages.\n");
		return;
	}
	printf("%s, %s", frame_use_text(f->use), frame_state_text(f->state));
	if (f->shares)
		printf(", in %u page table%s", f->shares, f->shares == 1 ? "" : "s");
	printf(".\n");
	if (f->use < BS_USE_PRIVATE || f->use > BS_USE_LARGE)
		return;
	print_frame_backing(f);
	if (owners_print_frame(number) == 0)
		printf("  No process has it in its address space now.\n");
}

static int show_frame(uint64_t number)
{
	uint64_t highest = memory_now().frame_highest;
	if (number > highest) {
		fprintf(stderr, "rammap: frame 0x%llx: the highest is 0x%llx\n", (unsigned long long)number,
			(unsigned long long)highest);
		return TOOL_FAILED;
	}
	return frames_walk(number, 1, print_frame, NULL) ? TOOL_OK : fail();
}

int main(int argc, char **argv)
{
	bool uses = false, priorities = false, processes = false, files = false, map = false, one = false;
	uint64_t frame = 0;
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "rammap", NULL, NULL);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-u")) {
			uses = true;
		} else if (!strcmp(argv[i], "-s")) {
			priorities = true;
		} else if (!strcmp(argv[i], "-o")) {
			processes = true;
		} else if (!strcmp(argv[i], "-f")) {
			files = true;
		} else if (!strcmp(argv[i], "-m")) {
			map = true;
		} else if (!strcmp(argv[i], "-p")) {
			if (i + 1 >= argc || !tool_parse_number(argv[i + 1], &frame))
				return tool_usage(usage, "rammap", "-p wants a frame's number (0x: hexadecimal)",
						  i + 1 < argc ? argv[i + 1] : NULL);
			i++;
			one = true;
		} else {
			return tool_usage(usage, "rammap", "unknown option", argv[i]);
		}
	}
	if (!uses && !priorities && !processes && !files && !map && !one)
		uses = processes = files = true;
	if (processes || files)
		result = show_owners(uses, processes, files);
	else if (uses)
		result = show_uses();
	if (result == TOOL_OK && priorities)
		result = show_priorities();
	if (result == TOOL_OK && map)
		result = frame_map_print() ? TOOL_OK : fail();
	if (result == TOOL_OK && one)
		result = show_frame(frame);
	return result;
}
