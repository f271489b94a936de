/*
 * Whose the frames are. The PFN database does not know; but each process can be asked where its pages are. A frame of an
 * image or a file belongs to the file, one of an anonymous section to the section, which has no name: it is told by its
 * frames, as who maps the same section has the same frames.
 */
#include "rammap.h"

#define OWNERS_MAX 2048

static struct owner *owner_add(struct owners *o, enum owner_kind kind, const char *name, uint32_t process, uint64_t base)
{
	if (o->count == OWNERS_MAX) {
		o->full = true;
		return &o->list[kind == OWNER_PROCESS ? NOBODY_PROCESS : NOBODY_FILE];
	}
	struct owner *owner = &o->list[o->count++];
	*owner = (struct owner){ .kind = kind, .process = process, .base = base };
	snprintf(owner->name, sizeof(owner->name), "%s", name);
	return owner;
}

static struct owner *owner_of_file(struct owners *o, const char *name)
{
	for (size_t i = NOBODIES; i < o->count; i++)
		if (o->list[i].kind == OWNER_FILE && !_stricmp(o->list[i].name, name))
			return &o->list[i];
	return owner_add(o, OWNER_FILE, name, 0, 0);
}

/* ---- the ranges of all processes ---- */

struct place {
	HANDLE handle;
	const struct bs_process *process;
	MEMORY_BASIC_INFORMATION range;
};

typedef bool range_visit(void *argument, const struct place *place);

/* Visits all committed ranges of all processes, until a visit says false. A process that ends meanwhile is left out. */
static void ranges_walk(range_visit *visit, void *argument)
{
	struct bs_process process;
	bool more = true;
	for (uint64_t i = 0; more && BsQueryProcess(i, &process) == 0; i++) {
		struct place place = { .process = &process };
		uint64_t address = 0;
		if (process.exited)
			continue;
		place.handle = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, process.id);
		if (!place.handle)
			continue;
		while (more && VirtualQueryEx(place.handle, (void *)address, &place.range, sizeof(place.range)) ==
				       sizeof(place.range)) {
			address = (uint64_t)place.range.BaseAddress + place.range.RegionSize;
			if (place.range.State == MEM_COMMIT)
				more = visit(argument, &place);
		}
		CloseHandle(place.handle);
	}
}

/* The base name of the file that a range is a view of; false: it is no view of a file. */
static bool file_name(const struct place *place, char *name, size_t size)
{
	return place->range.Type != MEM_PRIVATE &&
	       process_file_name(place->handle, (uint64_t)place->range.BaseAddress, name, size);
}

/* ---- finding the owners ---- */

struct finder {
	struct owners *owners;
	struct owner *process;     /* of private pages */
	struct owner *view;        /* of section pages of this range; NULL: an anonymous section that was not met yet */
	const struct place *place;
	uint64_t allocation;       /* where view is mapped */
};

static void find_page(void *argument, uint64_t address, const struct bs_page *p)
{
	struct finder *f = argument;
	struct owners *o = f->owners;
	(void)address;
	if (!(p->flags & BS_RESIDENT) || p->frame >= o->frames)
		return;
	if (!(p->flags & BS_SHARED)) {
		if (!(p->flags & BS_CLONE) || !o->of_frame[p->frame])
			o->of_frame[p->frame] = (uint16_t)(f->process - o->list);
		return;
	}
	f->process->shared += (p->flags & BS_VALID) != 0;
	if (!f->view && o->list[o->of_frame[p->frame]].kind == OWNER_SECTION)
		f->view = &o->list[o->of_frame[p->frame]];
	if (!f->view)
		f->view = owner_add(o, OWNER_SECTION, f->place->process->name, f->place->process->id, f->allocation);
	o->of_frame[p->frame] = (uint16_t)(f->view - o->list);
}

static bool find_range(void *argument, const struct place *place)
{
	struct finder *f = argument;
	char name[64];
	bool other = !f->process || f->process->process != place->process->id;
	if (other) {
		f->process = owner_add(f->owners, OWNER_PROCESS, place->process->name, place->process->id, 0);
		f->process->tables = place->process->page_tables;
	}
	if (other || f->allocation != (uint64_t)place->range.AllocationBase) {
		f->allocation = (uint64_t)place->range.AllocationBase;
		f->view = file_name(place, name, sizeof(name)) ? owner_of_file(f->owners, name) : NULL;
	}
	f->place = place;
	backing_walk(place->handle, (uint64_t)place->range.BaseAddress, place->range.RegionSize / PAGE_BYTES,
		     find_page, f);
	return true;
}

/* What use a frame must have now to be this owner's: it may have changed hands since its owner was asked. */
static bool owner_fits(const struct owner *owner, unsigned int use)
{
	switch (owner->kind) {
	case OWNER_PROCESS:
		return use == BS_USE_PRIVATE || use == BS_USE_CLONE || use == BS_USE_PHYSICAL || use == BS_USE_LARGE;
	case OWNER_FILE:
		return use == BS_USE_IMAGE || use == BS_USE_FILE;
	case OWNER_SECTION:
		return use == BS_USE_SECTION || use == BS_USE_LARGE;
	case OWNER_NONE:
		break;
	}
	return false;
}

static void count_frame(void *argument, uint64_t number, const struct bs_frame *f)
{
	struct owners *o = argument;
	frame_table_add(&o->table, f);
	if (number >= o->frames || f->state >= STATES || f->use < BS_USE_PRIVATE || f->use > BS_USE_LARGE)
		return;
	struct owner *owner = &o->list[o->of_frame[number]];
	bool section = f->use == BS_USE_SECTION || f->use == BS_USE_IMAGE || f->use == BS_USE_FILE;
	if (!owner_fits(owner, f->use))
		owner = &o->list[section ? NOBODY_FILE : NOBODY_PROCESS];
	owner->frames[f->state]++;
}

bool owners_read(struct owners *o)
{
	struct finder finder = { .owners = o };
	memset(o, 0, sizeof(*o));
	o->frames = memory_now().frame_highest + 1;
	o->list = VirtualAlloc(NULL, OWNERS_MAX * sizeof(o->list[0]), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	o->of_frame = VirtualAlloc(NULL, o->frames * sizeof(o->of_frame[0]), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (o->list && o->of_frame) {
		o->count = NOBODIES;
		ranges_walk(find_range, &finder);
		if (frames_walk(0, o->frames, count_frame, o))
			return true;
	}
	DWORD error = GetLastError();
	owners_free(o);
	SetLastError(error);
	return false;
}

void owners_free(struct owners *o)
{
	if (o->list)
		VirtualFree(o->list, 0, MEM_RELEASE);
	if (o->of_frame)
		VirtualFree(o->of_frame, 0, MEM_RELEASE);
	o->list = NULL;
	o->of_frame = NULL;
}

/* ---- one frame ---- */

struct search {
	uint64_t frame;
	const struct place *place;
	unsigned int found;
};

static void search_page(void *argument, uint64_t address, const struct bs_page *p)
{
	struct search *s = argument;
	struct backing_text t;
	char name[64], text[640];
	if (!(p->flags & BS_RESIDENT) || p->frame != s->frame)
		return;
	s->found++;
	backing_explain(p, &t);
	bool file = file_name(s->place, name, sizeof(name));
	snprintf(text, sizeof(text), "%s, process %u, has it at %llx (%s%s): %s: %s (%s)", s->place->process->name,
		 s->place->process->id, (unsigned long long)address,
		 file					? "a view of "
		 : s->place->range.Type == MEM_PRIVATE ? "private memory"
							: "an anonymous section",
		 file ? name : "", t.place, t.why, t.notes);
	tool_wrap("  ", "    ", text);
}

static bool search_range(void *argument, const struct place *place)
{
	struct search *s = argument;
	s->place = place;
	backing_walk(place->handle, (uint64_t)place->range.BaseAddress, place->range.RegionSize / PAGE_BYTES,
		     search_page, s);
	return true;
}

unsigned int owners_print_frame(uint64_t number)
{
	struct search s = { .frame = number };
	ranges_walk(search_range, &s);
	return s.found;
}
