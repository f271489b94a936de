#include "trace.h"

static const struct {
	const char *name, *meaning;
} kinds[] = {
	[BS_EVENT_ZERO] = { "zero", "first touch: a zeroed page" },
	[BS_EVENT_SECTION] = { "section", "a section's page mapped" },
	[BS_EVENT_COPY] = { "copy", "a private copy at the first write" },
	[BS_EVENT_STEAL] = { "steal", "the same without copying: nobody else had the page" },
	[BS_EVENT_SWAP_IN] = { "swap-in", "waits for a paging file" },
	[BS_EVENT_TRANSITION] = { "transition", "found in memory: standby or modified list" },
	[BS_EVENT_GUARD] = { "guard", "a guard page touched" },
	[BS_EVENT_IMAGE_READ] = { "image-read", "waits for an image file" },
	[BS_EVENT_IN_PAGE_ERROR] = { "in-page-error", "what it waited for can't be had" },
	[BS_EVENT_TRIM] = { "trim", "pages taken out of a page table" },
	[BS_EVENT_DISCARD] = { "discard", "a clean page's frame taken" },
	[BS_EVENT_WRITE] = { "write", "pages written to a paging file" },
	[BS_EVENT_READ] = { "read", "pages read from a paging file" },
	[BS_EVENT_REFUSED] = { "refused", "a commit charge refused" },
	[BS_EVENT_SLOT_BAD] = { "bad-slot", "a slot never to be used again" },
	[BS_EVENT_KILL] = { "kill", "a process ended: no memory" },
	[BS_EVENT_FILE_READ] = { "file-read", "pages read from a data file" },
	[BS_EVENT_FILE_WRITE] = { "file-write", "pages written to a data file" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
_Static_assert(KINDS == BS_EVENT_KINDS, "each kind has its name");

#define FAULTS ((1ull << BS_EVENT_TRIM) - 1)

const char *kind_name(unsigned int kind)
{
	return kind < KINDS ? kinds[kind].name : "?";
}

bool kind_is_fault(unsigned int kind)
{
	return kind < 64 && FAULTS & 1ull << kind;
}

const char *kinds_parse(char *text, uint64_t *mask)
{
	*mask = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		size_t kind = 0;
		while (kind < KINDS && _stricmp(kinds[kind].name, word))
			kind++;
		if (kind < KINDS)
			*mask |= 1ull << kind;
		else if (!_stricmp(word, "faults"))
			*mask |= FAULTS;
		else
			return word;
	}
	return *mask ? NULL : "";
}

void kinds_list(void)
{
	printf("KIND: faults is all of the first nine\n");
	for (size_t kind = 0; kind < KINDS; kind++)
		printf("  %-15s%s\n", kinds[kind].name, kinds[kind].meaning);
}
