/*
 * Images that are marked to run from swap when their medium can be taken out (IMAGE_FILE_REMOVABLE_RUN_FROM_SWAP): every page
 * that comes from the file is brought in when the section is made, and counts as modified from then on. So it is in memory or
 * in a paging file, and charged as such; the file is not read again. Source: PE Format specification, "Characteristics".
 */
#include "image/pe.h"
#include "io/file.h"
#include "mm/vspace.h"
#include "proc/sched.h"

bool image_runs_from_swap(const struct pe_image *pe, const struct file *f)
{
	return pe->characteristics & PE_FILE_REMOVABLE_RUN_FROM_SWAP && volume_removable(f->volume);
}

/* Pages of the file. Those that are shared and writable are charged anyway. */
u64 image_copy_pages(const struct pe_image *pe)
{
	u64 n = 0;

	for (u32 i = 0; i < pe->segment_count; i++) {
		const struct pe_segment *g = &pe->segments[i];

		if (!(g->write && g->shared))
			n += MIN(DIV_UP((u64)g->file_bytes, PAGE_SIZE), g->pages);
	}
	return n;
}

/* The page is modified, if it is in memory now. */
static bool page_mark(struct section *s, u64 index)
{
	bool marked = false;
	word_t *word;

	mutex_lock(&s->lock);
	word = section_word(s, index);
	spin_lock(&frames_lock);
	if (word && word_valid(*word)) {
		frames[word_pfn(*word)].flags |= FRAME_DIRTY;
		marked = true;
	}
	spin_unlock(&frames_lock);
	mutex_unlock(&s->lock);
	return marked;
}

/* The view shows the section from base on. A page may be trimmed between the two steps: then once more. */
static u32 page_from_file(struct vspace *v, struct section *s, u64 base, u64 index)
{
	u32 prot = s->backing->prot(s, index), access = prot & (PROT_READ | PROT_WRITE) ? FAULT_READ : FAULT_EXECUTE;

	if (s->backing->initial(s, index) != word_make(WORD_BACKING, 0) || prot == PROT_NONE)
		return STATUS_SUCCESS; /* nobody can touch it */
	do {
		switch (mm_fault(v, base + (index << PAGE_SHIFT), access)) {
		case FAULT_RESOLVED:
			break;
		case FAULT_IN_PAGE_ERROR:
			return thread_current()->in_page_status;
		default:
			return STATUS_INSUFFICIENT_RESOURCES;
		}
	} while (!page_mark(s, index));
	return STATUS_SUCCESS;
}

u32 image_copy(struct section *s)
{
	struct vspace *v = vspace_create(0);
	u64 base = 0, size = 0;
	u32 status;

	if (!v)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = view_map_section(v, s, &base, 0, &size, &ANYWHERE, 0, PAGE_EXECUTE_WRITECOPY, false);
	if (status == STATUS_IMAGE_NOT_AT_BASE)
		status = STATUS_SUCCESS;
	for (u64 i = 0; i < s->pages && !status; i++)
		status = page_from_file(v, s, base, i);
	vspace_destroy(v);
	return status;
}
