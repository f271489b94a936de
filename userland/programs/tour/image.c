/*
 * Step 4: the pages of an image. tour looks at pages of its own: constants, which are never written, and initialised
 * variables, of which some are.
 */
#include "tour.h"

#define PAGES 16ull
#define CONSTANT 0xc5
#define VARIABLE 0xda

static const unsigned char constants[PAGES * PAGE_BYTES] __attribute__((aligned(4096))) = {
	[0 ... PAGES * PAGE_BYTES - 1] = CONSTANT
};
static unsigned char variables[PAGES * PAGE_BYTES] __attribute__((aligned(4096))) = {
	[0 ... PAGES * PAGE_BYTES - 1] = VARIABLE
};

static uint64_t variables_offset; /* of page 0 in the image file */

/* Even pages of the variables are written, odd ones are only read. */
static bool is_written(uint64_t page)
{
	return page % 2 == 0;
}

static uint64_t count_wrong(void)
{
	const volatile unsigned char *c = constants, *v = variables;
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		for (uint64_t byte = 8; byte < PAGE_BYTES; byte += 256) {
			unsigned char want = is_written(page) ? (unsigned char)(page + 1) : VARIABLE;
			wrong += c[page * PAGE_BYTES + byte] != CONSTANT;
			wrong += v[page * PAGE_BYTES + byte] != want;
		}
	return wrong;
}

/* Adds the look at the written or the unwritten pages of the variables to l. */
static void look_variables(bool written, struct look *l)
{
	for (uint64_t page = 0; page < PAGES; page++) {
		if (is_written(page) != written)
			continue;
		struct look one = look_at(variables + page * PAGE_BYTES, 1);
		for (int i = 0; i <= BS_DATA_FILE; i++)
			l->pages[i] += one.pages[i];
		l->resident += one.resident;
		l->paged_out += one.paged_out;
		l->all++;
	}
}

void image_prepare(void)
{
	volatile unsigned char *v = variables;
	count_wrong(); /* reads all, so that all pages are in memory */
	variables_offset = look_page(variables).offset;
	struct look before = look_at(variables, PAGES);
	for (uint64_t page = 0; page < PAGES; page++)
		for (uint64_t byte = 8; is_written(page) && byte < PAGE_BYTES; byte += 256)
			v[page * PAGE_BYTES + byte] = (unsigned char)(page + 1);
	struct look written = { 0 }, constant = look_at(constants, PAGES);
	look_variables(true, &written);
	say("For step 4, tour reads %llu pages of its own constants and %llu of its variables, and writes every second "
	    "of the "
	    "variables' pages.",
	    PAGES, PAGES);
	statement(constant.pages[BS_IMAGE] == PAGES && before.pages[BS_IMAGE] == PAGES,
		  "While they were only read, all were backed by the image file (page 0 of the variables: byte 0x%llx "
		  "of it).",
		  (unsigned long long)variables_offset);
	statement(written.pages[BS_IMAGE] == 0, "Writing made a private copy of each written page: they are now %s.",
		  look_text(&written));
}

/* Whether the image file holds what it held, at the place of a page that this process has written. */
static bool file_unchanged(void)
{
	char path[MAX_PATH];
	unsigned char bytes[256];
	DWORD count = 0;
	GetModuleFileNameA(NULL, path, sizeof(path));
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
				  OPEN_EXISTING, 0, NULL);
	if (file == INVALID_HANDLE_VALUE)
		give_up(path, GetLastError());
	SetFilePointer(file, (LONG)variables_offset, NULL, FILE_BEGIN);
	bool same = ReadFile(file, bytes, sizeof(bytes), &count, NULL) && count == sizeof(bytes);
	for (DWORD i = 0; same && i < count; i++)
		same = bytes[i] == VARIABLE;
	CloseHandle(file);
	return same;
}

void image_look(const struct bs_memory *before)
{
	struct look constant = look_at(constants, PAGES), read_only = { 0 }, written = { 0 };
	look_variables(false, &read_only);
	look_variables(true, &written);
	uint64_t gone = constant.all - constant.resident + read_only.all - read_only.resident;
	struct bs_memory start = memory_now();

	say_title("Step 4. Pages of an image, under the same pressure");
	say("The %s unmodified pages: %s of them are in memory now. Clean pages have been discarded %s times since "
	    "step 3 began.",
	    tool_number(constant.all + read_only.all), tool_number(constant.resident + read_only.resident),
	    tool_number(start.pages_discarded - before->pages_discarded));
	statement(constant.pages[BS_PAGING_FILE] + read_only.pages[BS_PAGING_FILE] == 0,
		  "No unmodified page went to a paging file: the image file is its backing (constants: %s).",
		  look_text(&constant));
	statement(written.pages[BS_IMAGE] + written.pages[BS_ZERO] == 0,
		  "No modified page was forgotten: the %s are %s.", tool_number(written.all), look_text(&written));
	if (!tour.paging_file)
		statement(written.resident == written.all,
			  "There is no paging file, so the modified pages have stayed in memory: %s of %s.",
			  tool_number(written.resident), tool_number(written.all));

	uint64_t wrong = count_wrong();
	struct bs_memory end = memory_now();
	uint64_t image_reads = end.pages_image_read - start.pages_image_read;
	statement(wrong == 0, "All are read again, and all hold what they should (%s wrong bytes).",
		  tool_number(wrong));
	if (gone)
		statement(image_reads > 0,
			  "The %s that had been discarded came from the image file: %s pages were read from images.",
			  tool_number(gone), tool_number(image_reads));
	else
		statement_skipped(
			"None of the unmodified pages had been discarded, so none had to be read from the image.");
	if (written.paged_out)
		statement(end.pages_swapped_in > start.pages_swapped_in,
			  "The %s modified ones that were not in memory came from the paging file: %s pages were read "
			  "from it.",
			  tool_number(written.paged_out), tool_number(end.pages_swapped_in - start.pages_swapped_in));
	statement(file_unchanged(), "The image file itself is as it was: at byte 0x%llx it holds the old contents.",
		  (unsigned long long)variables_offset);
}
