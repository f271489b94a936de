/*
 * testlimit: asks for memory until it is refused, and says what refused it. After the Sysinternals tool of that name.
 */
#include "counters.h"
#include "pattern.h"
#include "tool.h"

static const char usage[] =
	"usage: testlimit -m|-r|-d|-s [SIZE] [-c COUNT] [-w SECONDS]\n"
	"Asks for SIZE bytes again and again until that is refused, then says why, and gives all back.\n"
	"  -m [SIZE]    commit private memory, and do not touch it (4M)\n"
	"  -d [SIZE]    commit private memory and touch every page of it (4M)\n"
	"  -r [SIZE]    reserve addresses only, which costs no memory (64G)\n"
	"  -s [SIZE]    make anonymous sections, and do not map them (4M)\n"
	"  -c COUNT     stop after COUNT requests although none was refused\n"
	"  -w SECONDS   keep it all for SECONDS before giving it back; with & another program can look meanwhile\n"
	"SIZE: bytes, or a number with K, M, G, T. Exit code: 0, also when refused by the commit limit; 1 for anything "
	"else.\n";

enum kind { KIND_COMMIT = 'm', KIND_TOUCH = 'd', KIND_RESERVE = 'r', KIND_SECTION = 's' };

static const char *kind_text(enum kind kind)
{
	switch (kind) {
	case KIND_COMMIT:
		return "committed private memory";
	case KIND_TOUCH:
		return "committed and touched private memory";
	case KIND_RESERVE:
		return "reserved addresses";
	case KIND_SECTION:
		return "anonymous sections";
	}
	return "";
}

/* One request. NULL: refused, and GetLastError says why. */
static void *request(enum kind kind, uint64_t size)
{
	if (kind == KIND_SECTION)
		return CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)(size >> 32), (DWORD)size,
					  NULL);
	char *p =
		VirtualAlloc(NULL, size, kind == KIND_RESERVE ? MEM_RESERVE : MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (p && kind == KIND_TOUCH)
		for (uint64_t page = 0; page < size / PAGE_BYTES; page++)
			pattern_fill(p, page, (uintptr_t)p >> 16 & 0xffff);
	return p;
}

static void give_back(enum kind kind, void *what)
{
	if (kind == KIND_SECTION)
		CloseHandle(what);
	else
		VirtualFree(what, 0, MEM_RELEASE);
}

static void print_commit(const char *when, const struct bs_memory *m)
{
	printf("%-9s commit charge %s of %s (%s left), memory available %s, paging files used %s of %s\n", when,
	       tool_pages(m->commit_charge), tool_pages(m->commit_limit),
	       tool_pages(m->commit_limit > m->commit_charge ? m->commit_limit - m->commit_charge : 0),
	       tool_pages(memory_available(m)), tool_pages(m->paging_file_used), tool_pages(m->paging_file_pages));
}

static int run(enum kind kind, uint64_t size, uint64_t count, uint64_t wait)
{
	/* What is held is kept in reserved memory that is committed as it grows: the list must not be what fails. */
	const uint64_t room = 1 << 20;
	void **held = VirtualAlloc(NULL, room * sizeof(void *), MEM_RESERVE, PAGE_READWRITE);
	if (!held)
		return tool_fail("testlimit", "the list of what is held", GetLastError());
	struct bs_memory before = memory_now();
	print_commit("before:", &before);

	uint64_t got = 0, printed = 0;
	DWORD error = 0;
	for (; got < count && got < room; got++) {
		if (got % 512 == 0 && !VirtualAlloc(held + got, 512 * sizeof(void *), MEM_COMMIT, PAGE_READWRITE)) {
			error = GetLastError();
			break;
		}
		held[got] = request(kind, size);
		if (!held[got]) {
			error = GetLastError();
			break;
		}
		/* At 1, 2, 4, 8, ... requests. */
		if (got + 1 >= printed * 2) {
			printed = got + 1;
			printf("%s in %s requests\n", tool_size((got + 1) * size), tool_number(got + 1));
			fflush(stdout);
		}
	}
	struct bs_memory peak = memory_now();
	printf("%s of %s in %s requests of %s\n", tool_size(got * size), kind_text(kind), tool_number(got),
	       tool_size(size));
	print_commit("held:", &peak);
	int result = TOOL_OK;
	if (error) {
		const struct tool_text *t = TOOL_FIND(tool_errors, error);
		printf("request %s was refused: %s (%s, %lu)\n", tool_number(got + 1),
		       t ? t->meaning : "see the number", t ? t->name : "error", error);
		if (error == ERROR_COMMITMENT_LIMIT)
			printf("it asked for %s, and %s were left below the limit; refused so far: %s requests\n",
			       tool_size(size), tool_pages(peak.commit_limit - peak.commit_charge),
			       tool_number(peak.commit_refused));
		result = error == ERROR_COMMITMENT_LIMIT || kind == KIND_RESERVE ? TOOL_OK : TOOL_FAILED;
	} else {
		printf("nothing was refused\n");
	}
	fflush(stdout);
	Sleep((DWORD)(wait * 1000));
	for (uint64_t i = 0; i < got; i++)
		give_back(kind, held[i]);
	VirtualFree(held, 0, MEM_RELEASE);
	struct bs_memory after = memory_now();
	print_commit("after:", &after);
	return result;
}

int main(int argc, char **argv)
{
	int kind = 0;
	uint64_t size = 0, count = UINT64_MAX, wait = 0;
	if (argc < 2 || tool_wants_help(argc, argv))
		return tool_usage(usage, "testlimit", argc < 2 ? "what should it ask for?" : NULL, NULL);
	for (int i = 1; i < argc; i++) {
		char option = argv[i][0] == '-' && strlen(argv[i]) == 2 ? argv[i][1] : 0;
		if (option && strchr("mdrs", option)) {
			if (kind)
				return tool_usage(usage, "testlimit", "only one of -m, -d, -r, -s at a time", argv[i]);
			kind = option;
			if (i + 1 < argc && argv[i + 1][0] != '-' && (!tool_parse_size(argv[++i], &size) || size == 0))
				return tool_usage(usage, "testlimit", "not a size", argv[i]);
		} else if (option == 'c' || option == 'w') {
			if (i + 1 >= argc || !tool_parse_number(argv[i + 1], option == 'c' ? &count : &wait) ||
			    wait > 86400)
				return tool_usage(usage, "testlimit", "the option wants a number", argv[i]);
			i++;
		} else {
			return tool_usage(usage, "testlimit", "unknown option", argv[i]);
		}
	}
	if (!kind)
		return tool_usage(usage, "testlimit", "what should it ask for: -m, -d, -r or -s?", NULL);
	if (size == 0)
		size = kind == KIND_RESERVE ? 64ull << 30 : 4 << 20;
	return run((enum kind)kind, size, count, wait);
}
