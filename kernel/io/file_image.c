/* Files that are run or loaded: what else may happen to them meanwhile, as the boot option image-lock says (docs/files.md). */
#include "io/file_internal.h"

#include "options.h"

enum file_status file_image_begin(struct file *f)
{
	enum file_status status;

	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	status = file_check(f);
	if (status != FILE_OK)
		;
	else if (f->gone)
		status = FILE_NOT_FOUND;
	else if (f->delete_pending)
		status = FILE_DELETING;
	else if (options.image_lock == IMAGE_LOCK_NT && (f->writers || data_section_writable(f)))
		status = FILE_SHARING;
	else if (!f->images++)
		f->image_open = options.image_lock != IMAGE_LOCK_NT;
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	return status;
}

enum file_status file_image_kind(struct file *f, bool dll)
{
	enum file_status status = FILE_OK;

	if (options.image_lock != IMAGE_LOCK_UNIX || dll)
		return FILE_OK;
	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	if (f->writers || data_section_writable(f))
		status = FILE_SHARING;
	else
		f->image_open = false;
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	return status;
}

u32 file_run_share(u32 share)
{
	return options.image_lock == IMAGE_LOCK_NT ? share : share | FILE_MAY_WRITE;
}

enum file_status file_run_check(struct file *f)
{
	const struct file_request r = { .may = FILE_MAY_READ, .share = file_run_share(FILE_MAY_READ | FILE_MAY_DELETE),
					.disposition = FILE_OPEN_, .not_directory = true };
	enum file_status status;

	mutex_lock(&f->volume->lock);
	status = file_open_check(f, &r);
	mutex_unlock(&f->volume->lock);
	return status;
}

bool file_image_fixed(const struct file *f)
{
	return f->images && !f->image_open;
}

bool file_image_keeps(const struct file *f)
{
	return f->images && options.image_lock == IMAGE_LOCK_NT;
}

/* The last one of a file that has gone gives its clusters back. If that fails, they are lost until fsck. */
void file_image_end(struct file *f)
{
	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	check(f->images > 0);
	if (!--f->images && f->unlinked) {
		if (file_check(f) == FILE_OK && fat_begin(f->volume) == FILE_OK)
			fat_chain_drop(f->volume, f->first_cluster);
		f->unlinked = false;
		list_remove(&f->link);
		list_init(&f->link);
		if (!data_section_in_use(f))
			data_section_forget(f);
	}
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
}

void file_unlinked_drop(struct volume *v)
{
	struct file *f;

	list_for_each(&v->unlinked, f, link)
		if (fat_begin(v) == FILE_OK)
			fat_chain_drop(v, f->first_cluster);
}
