/*
 * Anonymous sections between processes: by name, by inheritance, by a duplicated handle; and what a dying process
 * leaves.
 */
#include "guest.h"

#define PAGES 64
#define SIZE (PAGES * 4096)
#define NAME "SectionsShared"

enum { OWNER_PARENT = 1, OWNER_CHILD = 2 };

/* What parent and child say to each other: at the end of page 0, where no pattern is. */
struct message {
	uint64_t handle;
	uint64_t frame;
};

static struct message *message_of(char *view)
{
	return (struct message *)(view + 4096 - 64);
}

/* The child's part with a mapped section: checks, changes, tells the frame of page 1. Returns its exit code. */
static int child_use(HANDLE section)
{
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	if (!view)
		return 2;
	if (pattern_wrong(view, 0, PAGES, OWNER_PARENT))
		return 3;
	message_of(view)->frame = page_at(view + 4096).frame;
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(view, page, OWNER_CHILD);
	return 0;
}

static int child(const char *how, const char *value)
{
	HANDLE section;
	if (!strcmp(how, "handle"))
		return child_use((HANDLE)(uintptr_t)strtoull(value, NULL, 10));
	section = OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, NAME);
	if (!section)
		return 1;
	if (!strcmp(how, "message")) {
		char *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
		return view ? child_use((HANDLE)(uintptr_t)message_of(view)->handle) : 2;
	}
	if (!strcmp(how, "die")) {
		/* Ends at once, with the view mapped and written in part. */
		char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
		pattern_fill(view, 5, OWNER_CHILD);
		TerminateProcess(GetCurrentProcess(), 77);
	}
	return child_use(section);
}

static HANDLE make(const char *name, bool inherit, char **view)
{
	SECURITY_ATTRIBUTES attributes = { sizeof(attributes), NULL, inherit };
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, SIZE, name);
	*view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(*view, page, OWNER_PARENT);
	return section;
}

static void judge(char *view, const char *how)
{
	is(pattern_wrong(view, 0, PAGES, OWNER_CHILD), 0, "%s: the parent reads what the child wrote", how);
	is(message_of(view)->frame, page_at(view + 4096).frame, "%s: both had the same page frame", how);
}

static void test_name(void)
{
	char *view;
	HANDLE section = make(NAME, false, &view);
	is(process_run("child name 0", false), 0, "by name: the child reads what the parent wrote");
	judge(view, "by name");
	UnmapViewOfFile(view);
	CloseHandle(section);
	is(process_run("child name 0", false), 1, "by name: not found when the section is gone");
}

static void test_inheritance(void)
{
	char *view, arguments[64];
	HANDLE section = make(NULL, true, &view);
	sprintf(arguments, "child handle %llu", (unsigned long long)(uintptr_t)section);
	is(process_run(arguments, false), 2, "by inheritance: not if CreateProcess is told not to inherit");
	is(process_run(arguments, true), 0, "by inheritance: the child reads what the parent wrote");
	judge(view, "by inheritance");
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(view, page, OWNER_PARENT);
	ok(SetHandleInformation(section, HANDLE_FLAG_INHERIT, 0), "a handle is made not inheritable");
	is(process_run(arguments, true), 2, "by inheritance: and then is not inherited");
	UnmapViewOfFile(view);
	CloseHandle(section);
}

static void test_duplicate(void)
{
	PROCESS_INFORMATION p;
	char *view, *named;
	HANDLE section = make(NULL, false, &view), info = make(NAME, false, &named), remote = NULL;
	ok(process_start("child message 0", false, CREATE_SUSPENDED, &p),
	   "by a duplicated handle: a suspended process");
	ok(DuplicateHandle(GetCurrentProcess(), section, p.hProcess, &remote, 0, FALSE, DUPLICATE_SAME_ACCESS),
	   "by a duplicated handle: given to it");
	message_of(named)->handle = (uintptr_t)remote;
	ResumeThread(p.hThread);
	is(process_end(&p), 0, "by a duplicated handle: the child reads what the parent wrote");
	judge(view, "by a duplicated handle");
	UnmapViewOfFile(view);
	UnmapViewOfFile(named);
	CloseHandle(section);
	CloseHandle(info);
}

static void test_death(void)
{
	char *view;
	struct bs_memory before = memory_now();
	HANDLE section = make(NAME, false, &view);
	is(process_run("child die 0", false), 77, "a child that ends with its view mapped");
	ok(pattern_holds(view, 5, OWNER_CHILD) && pattern_holds(view, 6, OWNER_PARENT), "leaves what it wrote");
	UnmapViewOfFile(view);
	CloseHandle(section);
	is(memory_now().commit_sections, before.commit_sections, "and holds the section no longer");
	is(memory_now().pages_swapped_out, before.pages_swapped_out, "no page was written to a paging file");
}

static void all(void)
{
	test_name();
	test_inheritance();
	test_duplicate();
	test_death();
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "child"))
		return child(argv[2], argv[3]);
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
