/* Files that nobody has open, and that are kept for what their data sections have in memory (mm/file_cache.h). */
#include "io/file_internal.h"

static bool is_idle(const struct file *f, const void *arg)
{
	(void)arg;
	return f->refs == 1 && f->data_section;
}

struct file *file_idle_get(void)
{
	return file_table_pick(is_idle, NULL, true);
}

/* With the volume's lock nobody else finds it: who has a reference has it already. */
void file_idle_forget(struct file *f)
{
	struct file *again = NULL;
	bool dropped = false;

	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	if (!f->gone && file_is_idle(f, 2))
		dropped = data_section_drop(f);
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	if (!dropped && (again = file_table_find(f->volume, f->entry_at))) /* as if it had been opened: not so soon again */
		file_unref(again);
	file_unref(f);
}

static bool is_next(const struct file *f, const void *arg)
{
	const u64 *range = arg; /* above the first, below the second */

	return f->data_section && f->number > range[0] && f->number < range[1];
}

struct file *file_next(const struct file *f)
{
	u64 range[2] = { f ? f->number : 0, ~0ull };
	struct file *found = NULL, *better;

	while ((better = file_table_pick(is_next, range, false))) {
		if (found)
			file_unref(found);
		found = better;
		range[1] = better->number;
	}
	return found;
}

bool file_forget_lost(struct file *f, u32 refs, bool away)
{
	enum file_status status;
	bool forget;

	mutex_lock(&f->lock);
	mutex_lock(&f->volume->lock);
	status = file_check(f);
	forget = (status == FILE_STALE || (away && status == FILE_NO_MEDIUM)) && file_is_idle(f, refs) && f->data_section &&
		 !data_section_in_use(f);
	if (forget) {
		if (!f->gone)
			file_lose(f);
		file_lost_report(f, data_section_forget(f), status);
	}
	mutex_unlock(&f->volume->lock);
	mutex_unlock(&f->lock);
	return forget;
}

void files_forget_lost(void)
{
	struct file *f = NULL, *next;

	while ((next = file_next(f))) {
		if (f)
			file_unref(f);
		f = next;
		file_forget_lost(f, 2, false);
	}
	if (f)
		file_unref(f);
}
