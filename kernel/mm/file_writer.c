/*
 * The file writer: writes the modified pages of data files about a second after they were modified, so that what is written
 * bit by bit goes in large requests; at once when memory is short. It takes no memory for it. It also forgets files that nobody
 * has open, when too many are kept, or memory is short; and it alone frees data sections: so it needs no hold on what it finds.
 */
#include "mm/file_cache.h"

#include "mm/vspace.h"
#include "proc/file_object.h"
#include "proc/sched.h"

#define DELAY_NS 1000000000ull
#define REAP_INTERVAL_NS 100000000ull /* between two looks for files to forget when memory is short */

static struct list modified = LIST_INIT(modified); /* of sections; frames_lock */

static struct spinlock wake_lock = SPINLOCK_INIT("file writer", RANK_DISPATCH);
static struct wait_queue wake_queue = WAIT_QUEUE_INIT(wake_queue);
static bool woken, hurry; /* under wake_lock; a glance needs no lock */

static void wake(bool *what)
{
	if (*what)
		return;
	spin_lock(&wake_lock);
	*what = true;
	wait_wake_all(&wake_queue);
	spin_unlock(&wake_lock);
}

void file_section_list(struct section *s)
{
	assert(spin_held(&frames_lock));
	if (s->listed)
		return;
	s->listed = true;
	list_push_back(&modified, &s->modified_link);
	wake(&woken);
}

void file_page_modified(const struct frame *f)
{
	u64 index;

	file_section_list(file_page_find(f, &index));
}

/* Data sections that are kept. */
static u64 sections_max(void)
{
	return MIN(MAX(frame_counts.total / 512, 8), 256);
}

void file_writer_hurry(void)
{
	if (frame_counts.state[FRAME_FILE_MODIFIED] || file_sections)
		wake(&hurry);
}

void file_writer_wake(void)
{
	if (file_sections > sections_max())
		wake(&woken);
}

/* ---- writing ---- */

/* The next one, held. */
static struct section *listed_take(void)
{
	struct section *s = NULL;

	spin_lock(&frames_lock);
	if (!list_empty(&modified)) {
		s = list_first(&modified, struct section, modified_link);
		list_remove(&s->modified_link);
		s->listed = false;
		s->holds++;
	}
	spin_unlock(&frames_lock);
	return s;
}

/* True: it is an orphan without anybody who holds it, and gone. */
static bool orphan_free(struct section *s)
{
	bool gone;

	spin_lock(&frames_lock);
	gone = s->orphan && s->holds == 1;
	if (!gone)
		s->holds--;
	else if (s->listed) /* since we took it: it became an orphan meanwhile */
		list_remove(&s->modified_link);
	spin_unlock(&frames_lock);
	if (gone)
		section_free(s);
	return gone;
}

/*
 * Writes what is modified; what goes wrong is said once, and once when it is right again. While the disk is away the pages stay as
 * long as somebody has the file; after that, and when it is another disk that has come, they are lost. False: to be tried again.
 */
static bool section_write(struct section *s)
{
	enum file_status status = s->orphan ? FILE_OK : file_section_flush(s, false);
	char path[FILE_FULL_PATH_MAX];

	if (!s->orphan && unlikely(__atomic_load_n(&volumes_left, __ATOMIC_RELAXED)) &&
	    file_forget_lost(s->file, 1, status == FILE_NO_MEDIUM))
		return true;
	if (status != FILE_OK && status != FILE_STALE && !s->write_failed) {
		u64 pages = file_section_modified(s);

		file_path(s->file, path);
		klog(LOG_ERROR, "%s: %llu modified page%s can't be written: %s; tried again",
		     path, (unsigned long long)pages, pages == 1 ? "" : "s", file_status_text(status));
	} else if (status == FILE_OK && s->write_failed) {
		file_path(s->file, path);
		klog(LOG_WARNING, "%s: what could not be written is written", path);
	}
	s->write_failed = status != FILE_OK;
	return status == FILE_OK || status == FILE_STALE;
}

/* False: something could not be written. It stays, and is tried again. */
static bool write_all(void)
{
	bool good = true;
	struct section *s;

	for (u64 n = file_sections + 1; n && (s = listed_take()); n--) {
		bool done = section_write(s);

		if (!done) {
			spin_lock(&frames_lock);
			file_section_list(s);
			spin_unlock(&frames_lock);
			good = false;
		}
		orphan_free(s);
	}
	return good;
}

/* ---- forgetting ---- */

/* Files that nobody uses, those used longest ago first, until max data sections are left. */
static void reap(u64 max)
{
	u64 looks = file_sections;

	while (file_sections > max && looks--) {
		struct file *f = file_idle_get();

		if (!f)
			return;
		file_idle_forget(f);
		write_all(); /* it is an orphan now */
	}
}

/* Until there is something to do, and then a while, unless memory is short. True: it is. */
static bool wait_for_work(void)
{
	u64 deadline;
	bool short_of_memory;

	spin_lock(&wake_lock);
	while (!woken && !hurry)
		wait_sleep(&wake_queue, &wake_lock, WAIT_FOREVER, false);
	deadline = clock_ns() + DELAY_NS;
	while (!hurry && clock_ns() < deadline)
		wait_sleep(&wake_queue, &wake_lock, deadline, false);
	short_of_memory = hurry;
	woken = hurry = false;
	spin_unlock(&wake_lock);
	return short_of_memory;
}

void file_writer_thread(void *arg)
{
	u64 reaped = 0;

	(void)arg;
	for (;;) {
		bool short_of_memory = wait_for_work();

		if (!write_all())
			sleep_until(clock_ns() + DELAY_NS);
		if (!short_of_memory) {
			reap(sections_max());
		} else if (clock_ns() - reaped > REAP_INTERVAL_NS) {
			reap(0);
			reaped = clock_ns();
		}
	}
}
