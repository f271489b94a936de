/* Events as lines of text or of comma-separated values, and their counts by process and kind. */
#include "trace.h"

#define PROCESSES_MAX 256

static struct process {
	uint32_t id;
	char name[64];
	uint64_t counts[BS_EVENT_KINDS], pages[BS_EVENT_KINDS];
} processes[PROCESSES_MAX];
static size_t process_count;

static void name_find(uint32_t id, char *name)
{
	struct bs_process p;
	strcpy(name, id ? "(ended)" : "(kernel)");
	for (uint64_t i = 0; id && BsQueryProcess(i, &p) == 0; i++)
		if (p.id == id) {
			strcpy(name, p.name);
			return;
		}
}

/* Behind the last place all others share one. */
static struct process *process_get(uint32_t id)
{
	size_t i = 0;
	while (i < process_count && processes[i].id != id)
		i++;
	if (i == process_count && i < PROCESSES_MAX) {
		process_count++;
		processes[i].id = id;
		name_find(id, processes[i].name);
	}
	return &processes[i < PROCESSES_MAX ? i : PROCESSES_MAX - 1];
}

void show_name(uint32_t id)
{
	process_get(id);
}

static const char *owner_name(unsigned int owner)
{
	static const char *const names[] = {
		[BS_OWNER_PRIVATE] = "private memory", [BS_OWNER_SECTION] = "sections", [BS_OWNER_TABLES] = "page tables",
		[BS_OWNER_KERNEL] = "the kernel", [BS_OWNER_PHYSICAL] = "AWE and large pages",
		[BS_OWNER_CLONES] = "clones", [BS_OWNER_NONE] = "more than there could ever be",
	};
	return owner < sizeof(names) / sizeof(names[0]) ? names[owner] : "?";
}

static const char *pages_text(uint64_t count)
{
	char *text = tool_buffer();
	sprintf(text, "%llu page%s", (unsigned long long)count, count == 1 ? "" : "s");
	return text;
}

/* Read, written, executed; with an apostrophe if the kernel did it for the program. */
static const char *access_text(unsigned int access)
{
	static const char *const names[] = { "r'", "w'", "x'", "x'", "r", "w", "x", "x" };
	return names[access & 7];
}

static void print_what(FILE *out, const struct bs_event *e)
{
	unsigned long long place = e->place;
	if (kind_is_fault(e->kind))
		fprintf(out, "%012llx %s", (unsigned long long)e->address, access_text(e->access));
	switch (e->kind) {
	case BS_EVENT_SWAP_IN:
		fprintf(out, " %u:%llu %s", e->unit, place, pages_text(e->count));
		break;
	case BS_EVENT_IMAGE_READ:
		fprintf(out, " at %llx %s", place, pages_text(e->count));
		break;
	case BS_EVENT_IN_PAGE_ERROR:
		fprintf(out, " %u:%llu", e->unit, place);
		break;
	case BS_EVENT_TRIM:
	case BS_EVENT_KILL:
		fprintf(out, "%s", pages_text(e->count));
		break;
	case BS_EVENT_DISCARD:
		fprintf(out, "frame %llx, %s", place,
			e->unit == BS_PAGING_FILE ? "paging file" :
			e->unit == BS_IMAGE	  ? "image" :
			e->unit == BS_DATA_FILE	  ? "data file" : "zeros");
		break;
	case BS_EVENT_WRITE:
	case BS_EVENT_READ:
		fprintf(out, "%u:%llu %s", e->unit, place, pages_text(e->count));
		break;
	case BS_EVENT_FILE_READ:
	case BS_EVENT_FILE_WRITE:
		fprintf(out, "at %llx %s", place, pages_text(e->count));
		break;
	case BS_EVENT_SLOT_BAD:
		fprintf(out, "%u:%llu", e->unit, place);
		break;
	case BS_EVENT_REFUSED:
		fprintf(out, "%s: %s", pages_text(e->count), owner_name(e->unit));
		break;
	}
}

void show_begin(const struct show *s)
{
	if (s->quiet)
		return;
	if (s->csv)
		fprintf(s->out, "time_ns,cpu,process,name,thread,kind,address,access,unit,place,count\n");
	else
		fprintf(s->out, "%10s C %4s %-12s %-13s WHAT (file:slot)\n", "SECONDS", "ID", "PROCESS", "EVENT");
}

void show_event(const struct show *s, const struct bs_event *e)
{
	struct process *p = process_get(e->process);
	uint64_t time = e->time_ns > s->start_ns ? e->time_ns - s->start_ns : 0;
	if (e->kind < BS_EVENT_KINDS) {
		p->counts[e->kind]++;
		p->pages[e->kind] += e->count;
	}
	if (s->quiet)
		return;
	if (s->csv) {
		fprintf(s->out, "%llu,%u,%u,%s,%u,%s,%llu,%u,%u,%llu,%u\n", (unsigned long long)time, e->cpu, e->process,
			p->name, e->thread, kind_name(e->kind), (unsigned long long)e->address, e->access, e->unit,
			(unsigned long long)e->place, e->count);
		return;
	}
	fprintf(s->out, "%3llu.%06llu %u %4u %-12.12s %-13s ", (unsigned long long)(time / 1000000000),
		(unsigned long long)(time / 1000 % 1000000), e->cpu, e->process, p->name, kind_name(e->kind));
	print_what(s->out, e);
	fprintf(s->out, "\n");
}

void show_lost(const struct show *s, uint64_t count)
{
	if (count == 0 || s->quiet)
		return;
	if (s->csv)
		fprintf(s->out, ",,,,,lost,,,,,%llu\n", (unsigned long long)count);
	else
		fprintf(s->out, "%11s %s events were lost\n", "", tool_number(count));
}

void show_summary(const struct show *s, uint64_t lost)
{
	uint64_t events = 0;
	fprintf(s->out, "%5s %-15s %-13s %12s %12s\n", "ID", "PROCESS", "EVENT", "times", "pages");
	for (size_t i = 0; i < process_count; i++)
		for (size_t kind = 0; kind < BS_EVENT_KINDS; kind++) {
			const struct process *p = &processes[i];
			if (p->counts[kind] == 0)
				continue;
			events += p->counts[kind];
			fprintf(s->out, "%5u %-15.15s %-13s %12s %12s\n", p->id, p->name, kind_name((unsigned int)kind),
				tool_number(p->counts[kind]), p->pages[kind] ? tool_number(p->pages[kind]) : "");
		}
	fprintf(s->out, "%5s %-15s %-13s %12s\n", "all", "", "", tool_number(events));
	if (lost)
		fprintf(s->out, "%s events were lost, as they came faster than they were read\n", tool_number(lost));
}
