/*
 * Data files in memory. What a file holds is in its data section, one for each struct file, made when it is first read,
 * written or mapped: ReadFile, WriteFile and all views see the same pages. A page that nobody maps is on the standby list,
 * or, modified, waits to be written to the file: by the file writer (file_writer.c), about a second later, by who flushes it,
 * or by who writes so much that memory would be full of such pages. It outlives the handles: until its frame is taken, or too
 * many files are kept. Reading and writing: file_cache.c; the section: backing_file.c; flushing: file_flush.c.
 *
 * The data section's references (struct object's) are those of its users: sections that were made of the file, and views.
 * While there are any the file can't be deleted, nor get shorter than what was mapped. It holds a reference on the file; who
 * has a handle may use it without one of its own, since the file has it as long as there are handles. Others hold it
 * (file_section_hold). When the file is deleted or forgotten it is an orphan, and the writer frees it.
 *
 * Locks: file->lock, then the volume's, then the section's (RANK_FILE_SECTION), then frames_lock. Whoever writes pages to
 * the file holds file->lock over the request: so their clusters stay, and nobody else writes them. No user memory is touched
 * with any of them held: a program may read a file into a view of it.
 */
#ifndef MM_FILE_CACHE_H
#define MM_FILE_CACHE_H

#include "io/file.h"
#include "mm/mm.h"

struct frame;
struct section;

/* ---- for system calls; no locks held, by one who has a handle ---- */

/* How somebody reads a file: who goes on where he ended gets more and more pages with one request. */
struct file_ahead {
	u64 next;   /* byte behind the last read */
	u32 window; /* pages */
};

/*
 * Copies [offset, offset + n) to user memory at to. *done: how many bytes; short at the end of the file. STATUS_ACCESS_VIOLATION,
 * why the disk can't be read, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY (the thread is to end).
 */
u32 file_cache_read(struct file *f, u64 offset, u64 to, u64 n, u64 *done, struct file_ahead *ahead);
/*
 * Writes n bytes of user memory, 1 to FILE_CACHE_WRITE_MAX, to the file's pages: all of them or, if it fails, none. offset:
 * FILE_AT_END, too; *at: where they are. Statuses as for reading, STATUS_DISK_FULL, and those of flushing, which who modifies
 * too much has to do: then they are written.
 */
#define FILE_CACHE_WRITE_MAX KIB(64)
u32 file_cache_write(struct file *f, u64 offset, u64 from, u64 n, u64 *at);
/* Everything that was written or, through views, changed is written to the device, and the directory entry to the cache of FATs. */
enum file_status file_cache_flush(struct file *f);
/* The same of bytes [offset, offset + n), but for the entry. discard: pages that nobody uses leave memory. */
enum file_status file_cache_flush_range(struct file *f, u64 offset, u64 n, bool discard);
/* Of all files of a volume; NULL: of all that are there. The first error; it goes on. */
enum file_status file_cache_flush_all(const struct volume *v);

/*
 * A section of a data file, as NtCreateSection makes it: size 0: the file's. STATUS_MAPPED_FILE_SIZE_ZERO, STATUS_SECTION_TOO_BIG
 * (larger than the file, and not to be written), STATUS_DELETE_PENDING, what extending the file gives.
 */
u32 section_create_data(struct file *f, u64 size, u32 protect, u32 attributes, struct section **out);
/* NtExtendSection; *size: what it is then. STATUS_SECTION_NOT_EXTENDED: it is not of a data file, or not to be written. */
u32 section_extend(struct section *s, u64 *size);

/* ---- for kernel/mm ---- */

/* The file's data section, made if there is none; the caller has a handle. NULL: no memory. */
struct section *file_section(struct file *f);
/* The same if there is one; it stays until it is released. NULL: there is none. */
struct section *file_section_hold(struct file *f);
void file_section_release(struct section *s);
/* One user less, when disks have gone: if it was the last one of a file whose disk is away, the writer may forget the file. */
void file_section_leave(struct section *s);
/* A table of prototype words is made: words index * 512 on. */
void file_table_note(struct section *s, word_t *table, u64 index);
/* Whose page it is, and which. frames_lock held, or the section's lock. */
struct section *file_page_find(const struct frame *f, u64 *index);
/* It is on the list of modified pages: the writer will come. frames_lock held. */
void file_page_modified(const struct frame *f);
void file_section_list(struct section *s); /* frames_lock held: the writer will come */

void file_writer_thread(void *arg);
void file_writer_hurry(void); /* memory is short; any context but with a scheduler lock held */
void file_writer_wake(void);  /* there are many files */

/*
 * Writes pages [first, end) that are modified, those in page tables too if mapped is set, as their frames say. Holding s, or
 * with a reference. *wrote: whether there were any.
 */
enum file_status file_pages_flush(struct section *s, u64 first, u64 end, bool mapped, bool *wrote);
/* The file was modified now, through a view: its directory entry will say so. */
void file_section_touch(struct section *s);
/* What page tables' dirty bits say of pages [first, end) goes to their frames. Takes vspaces_lock. */
void file_views_collect(struct section *s, u64 first, u64 end);
/* The whole file, and its entry. views: also what was changed through views. */
enum file_status file_section_flush(struct section *s, bool views);
u64 file_section_modified(struct section *s); /* pages whose frames say so */
/* The machine ends: modified pages whose disk is away are lost, and that is said. */
void file_cache_report_lost(void);
void file_cache_query(struct bs_memory *out);
extern u64 file_sections; /* how many data sections there are; atomic */

/* Pages held while they are copied: how many, and a sum that knows which. frames_lock. */
extern u64 file_pins, file_pins_hash;
static inline u64 file_pin_hash(u32 pfn) { return (pfn + 1) * 0x9e3779b97f4a7c15ull; }

extern struct file_cache_counters {
	volatile u64 read_requests, pages_read, write_requests, pages_written, write_errors;
} file_cache_counters;

#endif
