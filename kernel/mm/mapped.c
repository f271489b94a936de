/* What is mapped at an address: the file's name, the image, whether it is the same as elsewhere; flushing it. */
#include "io/file.h"
#include "image/pe.h"
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

u32 vspace_query_file(struct vspace *v, u64 address, char *path, size_t size)
{
	u32 status = STATUS_INVALID_ADDRESS;
	char name[FILE_FULL_PATH_MAX];
	struct view *w;

	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (w && w->section && w->section->file) {
		file_path(w->section->file, name);
		ksnprintf(path, size, "\\??\\%s", name);
		status = STATUS_SUCCESS;
	} else if (w && w->section) {
		status = STATUS_FILE_INVALID;
	}
	mutex_unlock(&v->lock);
	return status;
}

u32 vspace_query_image(struct vspace *v, u64 address, struct nt_memory_image_information *out)
{
	u32 status = STATUS_SUCCESS;
	struct view *w;

	memset(out, 0, sizeof(*out));
	if (address >= USER_HIGH)
		return STATUS_INVALID_PARAMETER;
	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (!w) {
		status = STATUS_INVALID_ADDRESS;
	} else if (w->kind == VIEW_IMAGE) {
		out->base = w->node.start - (w->first << PAGE_SHIFT);
		out->size = section_size(w->section);
		if (w->node.end - w->node.start != out->size)
			out->flags = MEMORY_IMAGE_PARTIAL;
	}
	mutex_unlock(&v->lock);
	return status;
}

u64 vspace_shared_commit(struct vspace *v)
{
	static u64 count; /* under sections_lock */
	struct tree_node *n;
	u64 pages = 0;

	mutex_lock(&v->lock);
	mutex_lock(&sections_lock);
	count++;
	for (n = tree_first(&v->views); n; n = tree_next(n)) {
		struct section *s = view_of(n)->section;

		if (!s || s->counted == count)
			continue;
		s->counted = count;
		pages += s->charge + (s->large ? large_run_pages(s->large) : 0);
	}
	mutex_unlock(&sections_lock);
	mutex_unlock(&v->lock);
	return pages << PAGE_SHIFT;
}

u32 vspace_flush(struct vspace *v, u64 *base, u64 *size)
{
	u64 start = ALIGN_DOWN(*base, PAGE_SIZE);
	struct section *s = NULL;
	u64 first = 0, end = 0;
	enum file_status done;
	struct view *w;
	u32 status;
	bool wrote;

	if (*base >= USER_HIGH || *size > USER_HIGH - *base)
		return STATUS_INVALID_PARAMETER_2;
	mutex_lock(&v->lock);
	w = view_find(v, start);
	if (!w || !w->section || (*size && ALIGN_UP(*base + *size, PAGE_SIZE) > w->node.end)) {
		status = STATUS_NOT_MAPPED_VIEW;
	} else if (w->section->backing != &backing_file) {
		status = STATUS_NOT_MAPPED_DATA; /* images never change, anonymous sections have no file */
	} else {
		status = STATUS_SUCCESS;
		s = w->section;
		section_ref(s);
		*size = (*size ? ALIGN_UP(*base + *size, PAGE_SIZE) : w->node.end) - start;
		*base = start;
		first = view_index(w, start);
		end = first + (*size >> PAGE_SHIFT);
	}
	mutex_unlock(&v->lock);
	if (!s)
		return status;
	file_views_collect(s, first, end);
	done = file_pages_flush(s, first, end, true, &wrote);
	if (wrote)
		file_section_touch(s);
	section_unref(s);
	return file_status_nt(done);
}

u32 vspace_same_section(struct vspace *v, u64 first, u64 second)
{
	struct view *a, *b;
	u32 status;

	mutex_lock(&v->lock);
	a = view_find(v, first);
	b = view_find(v, second);
	if (!a || !b)
		status = STATUS_INVALID_ADDRESS;
	else if (!a->section || !b->section)
		status = STATUS_CONFLICTING_ADDRESSES;
	else if (a->section == b->section)
		status = STATUS_SUCCESS;
	else
		status = STATUS_NOT_SAME_DEVICE;
	mutex_unlock(&v->lock);
	return status;
}

void vspace_describe(struct vspace *v, u64 address, char *text, size_t size)
{
	struct nt_memory_basic_information m;
	struct view *w;

	if (vspace_query(v, address, &m) || m.state == MEM_FREE) {
		strlcpy(text, address < USER_HIGH ? "nothing is mapped there" : "an address of the kernel", size);
		return;
	}
	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (!w)
		strlcpy(text, "nothing is mapped there", size);
	else if (w->section && w->section->file) {
		const struct pe_image *pe = section_image(w->section);
		char path[FILE_FULL_PATH_MAX];
		const struct pe_segment *g = pe ? pe_segment_at(pe, view_index(w, address) << PAGE_SHIFT) : NULL;

		file_path(w->section->file, path);
		ksnprintf(text, size, "%s+0x%llx%s%s", path,
			  (unsigned long long)(view_index(w, address) << PAGE_SHIFT | (address & PAGE_MASK)), g && g->name[0] ? ", " : "", g ? g->name : "");
	} else {
		ksnprintf(text, size, "%s%s", w->section ? "a view of an anonymous section" : "private memory",
			  m.state == MEM_RESERVE ? ", reserved but not committed" : "");
	}
	mutex_unlock(&v->lock);
}
