/*
 * Files, on FAT32 volumes. One struct file for each file in use, shared by all who opened it; an open handle is an
 * object of its own (proc) with a position. What a crash can leave, and the order of writes: docs/files.md.
 * Source: FAT32 File System Specification (Microsoft, 1.03); Windows documentation of NtCreateFile for sharing and deletion.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "lib/list.h"
#include "lib/types.h"
#include "proc/lock.h"

#define FILE_NAME_MAX 255 /* UTF-16 units of one component */
#define FILE_PATH_MAX 520 /* bytes of a whole path with its 0, UTF-8, without the drive's letter */
#define FILE_FULL_PATH_MAX (FILE_PATH_MAX + 2) /* with it */
#define FILE_SIZE_MAX 0xffffffffull /* a directory entry has 32 bits for it */

enum file_status {
	FILE_OK,
	FILE_NOT_FOUND,      /* the last component */
	FILE_PATH_NOT_FOUND, /* a component before it */
	FILE_BAD_NAME,
	FILE_IO_ERROR,
	FILE_NO_MEMORY,
	FILE_IS_DIRECTORY,
	FILE_NOT_DIRECTORY,
	FILE_CORRUPT, /* the volume contradicts itself (a cluster chain that loops, ends early, ...) */
	FILE_END,
	FILE_EXISTS,
	FILE_SHARING,   /* others have it open in a way that does not allow this, or it is a running image */
	FILE_ACCESS,    /* read-only, in use, or not to be changed like that */
	FILE_NO_DELETE, /* read-only, a running image, or the root */
	FILE_DELETING,  /* it goes when the last handle is closed: no new ones */
	FILE_NOT_EMPTY,
	FILE_NO_SPACE,
	FILE_READ_ONLY, /* the disk */
	FILE_OTHER_VOLUME, /* a rename can't lead there */
	FILE_NO_MEDIUM,    /* the disk was taken out; it may come back */
	FILE_STALE,        /* the disk came back without this file, or another one is in its place: it stays so */
	FILE_TOO_SHORT,    /* a page of an image lies behind the end of its file, which was cut */
	FILE_USER_MAPPED, /* a program has mapped it, and it can't get shorter */
	FILE_BUSY,        /* for a moment: try again. Never returned but where it is said */
};

#define FILE_ATTRIBUTE_READONLY_ 0x01 /* values of FAT and of Windows alike */
#define FILE_ATTRIBUTE_HIDDEN_ 0x02
#define FILE_ATTRIBUTE_SYSTEM_ 0x04
#define FILE_ATTRIBUTE_DIRECTORY_ 0x10
#define FILE_ATTRIBUTE_ARCHIVE_ 0x20
#define FILE_ATTRIBUTES_SET 0x27 /* those that people choose */

struct file {
	u32 refs; /* under the table's lock */
	struct volume *volume; /* see fat.h */
	/*
	 * Contents and size of a file change under both this lock and the volume's, so either will do to read them. While
	 * images is not 0 nothing of this changes, and its data is read with neither.
	 */
	struct mutex lock; /* RANK_FILE_DATA */
	u64 size;          /* bytes; 0 for a directory */
	struct fat_run *runs; /* its clusters, see fat.h; those of a directory are under the volume's lock alone */
	u32 run_count;

	/* The rest is under the volume's lock. */
	u32 first_cluster;
	u32 attributes;
	u64 modified_unix, created_unix, accessed_unix; /* seconds since 1970; 0: unknown */
	u64 entry_modified_unix; /* as the directory says; the one above may be ahead */
	u64 entry_at; /* its identity: where its short directory entry is, bytes from the volume's start; 0: the root */
	u32 directory, slot, slots;  /* where its entries are: struct fat_place */
	u32 directory_changes;       /* the volume's, when the runs of a directory were read */
	u32 medium;                  /* the volume's, when it was last seen that the file is on it: file_check */
	u32 handles, readers, writers, deleters; /* how many have it open, and for what */
	u32 shares_read, shares_write, shares_delete;
	u32 images;          /* image sections of it, and those being made: what that forbids, image-lock says */
	bool image_open;     /* while there are any: contents may change all the same, and image_changes counts it */
	bool unlinked;       /* gone, but its clusters stay for the images: see file_image_end */
	u32 image_changes;
	bool delete_pending; /* it goes when the last handle is closed */
	bool gone;           /* it has gone: the name is not its own any more, and it has no clusters */

	u32 path_hash;            /* with it */
	char path[FILE_PATH_MAX]; /* under the table's lock: canonical, as on disk: "\dir\Name.exe"; the root: "\" */
	/*
	 * What the directory entry may say of the size: bytes whose clusters have got contents. Those behind are in the data
	 * section alone until file_entry_settle. Under both locks, as the size; cuts counts how often that became smaller.
	 */
	u64 entry_size;
	u32 cuts;
	u64 number; /* no other file has it, nor will */
	void *image_section; /* mm's: the section of this file as an image, or NULL; under the lock of mm/section.c */
	void *data_section;  /* mm's too, under the file's lock: its contents in memory (mm/file_cache.h), or NULL */
	struct list link;    /* what was opened last is the first */
	struct list locked; /* ranges of bytes that handles have locked: proc's, under its lock */
};

struct file_entry {                       /* of a directory */
	char name[FILE_NAME_MAX * 3 + 1]; /* UTF-8 */
	char short_name[13 * 3];          /* the same if the name is a short one */
	u64 size;
	u32 attributes;
	u64 modified_unix, created_unix, accessed_unix;
	u64 number;                       /* struct file's entry_at */
};

/* Volumes have the letters from C, the system volume's, on. */
#define VOLUME_LETTER_FIRST 'C'
#define VOLUMES_MAX 2
#define VOLUME_SECOND_SERIAL "disk2" /* of the disk that D: is on */

/*
 * Mounts the volume on d in the place of what had this letter. False, with a message, if it is not a FAT32 volume that can
 * be used: then nothing has the letter.
 */
struct block_device;
bool fat_mount(struct block_device *d, char letter);
/* Bit 0: there is an A:, and so on. */
u32 volume_letters(void);
/* FILE_OK: its disk is there; FILE_NO_MEDIUM, FILE_STALE. */
enum file_status volume_status(const struct volume *v);
/* The one that is on the disk, with one reference; NULL: none is. */
struct volume *volume_on(const struct block_device *d);
void volume_unref(struct volume *v); /* the last one frees it */
/*
 * A disk is about to go: what has changed on its volume is written, then nothing is read or written any more. Of one that has
 * gone without a word volume_vanish says so first, which takes no lock that somebody may hold who waits for the disk.
 */
void volume_vanish(struct block_device *d);
void volume_leave(struct block_device *d);
/*
 * A disk has come: if it is the one that D: was on, unchanged, open files go on; else it becomes D: if it is meant to
 * be.
 */
void volume_arrive(struct block_device *d);
char volume_letter(const struct volume *v);
bool volume_removable(const struct volume *v); /* all are, but the system volume */

/* What a volume says of itself. */
struct volume_identity {
	u32 serial;
	u16 label[11]; /* of the root directory; without one there, of the first sector */
	u32 label_length;
};
enum file_status volume_identify(struct volume *v, struct volume_identity *out);
void file_threads_start(void);

/*
 * Opens path: absolute, behind a drive's letter ("D:\x") or without one on the system volume, '\\' or '/' between components, "." and ".." resolved by the text alone, long and short names,
 * letters of ASCII and Latin-1 compared without case (Windows does so for all of Unicode). Two opens of the same file
 * give the same struct file with one more reference. For the kernel itself: a reference is no handle, nobody is kept out.
 */
enum file_status file_open(const char *path, struct file **out);
void file_ref(struct file *f);
void file_unref(struct file *f); /* the last one frees it; no spinlock held */
void file_path(const struct file *f, char *to); /* "D:\dir\x"; to has FILE_FULL_PATH_MAX bytes */

/*
 * Whether the file may be used: its disk is there (FILE_NO_MEDIUM), and if it was away, the file is on it as it was
 * (FILE_STALE). The volume's lock is not held.
 */
extern u32 volumes_left; /* how often a disk has gone since boot; atomic. Mostly never: then there is nothing to look at */
enum file_status file_check_slow(struct file *f);
static inline enum file_status file_check_unlocked(struct file *f)
{
	return likely(!__atomic_load_n(&volumes_left, __ATOMIC_ACQUIRE)) ? FILE_OK : file_check_slow(f);
}

/* What a handle may do, and lets others do. */
#define FILE_MAY_READ 1
#define FILE_MAY_WRITE 2
#define FILE_MAY_DELETE 4 /* and rename */

enum file_disposition { FILE_SUPERSEDE_, FILE_OPEN_, FILE_CREATE_, FILE_OPEN_IF_, FILE_OVERWRITE_, FILE_OVERWRITE_IF_ };
enum file_outcome { FILE_SUPERSEDED_, FILE_OPENED_, FILE_CREATED_, FILE_OVERWRITTEN_ }; /* as IO_STATUS_BLOCK has them */

struct file_request {
	u32 may, share; /* FILE_MAY_ bits */
	enum file_disposition disposition;
	u32 attributes; /* of a file that is made or overwritten */
	bool directory; /* it has to be one */
	bool not_directory;
	bool delete_on_close;
};
/*
 * Opens, or makes, a file for a handle, which file_close ends: with one reference. If the disposition makes it empty, the
 * new attributes replace the old ones.
 */
enum file_status file_open_as(const char *path, const struct file_request *r, struct file **out, enum file_outcome *outcome);
/* may and share as it was opened. The last handle of a file that is to be deleted deletes it. Gives back the reference. */
void file_close(struct file *f, u32 may, u32 share, bool delete_it);

/*
 * Reads bytes [offset, offset + n) to kernel memory in the direct map (kmalloc's, or a frame's). *got < n only at the
 * end of the file. The larger n, the faster: the disk is asked for each contiguous run at once, and nothing is read
 * ahead. It reads what the device has: for one who knows that the data section has nothing newer. Under 4096 bytes go through the volume's cache: to may be any kernel memory. Thread context, sleeps; no mutex
 * of rank RANK_FILE_DATA or above held.
 */
enum file_status file_read(struct file *f, u64 offset, void *to, u64 n, u64 *got);
/*
 * Reads count whole pages from offset (any alignment to bytes; aligned to sectors goes straight into the frames, one
 * request where the file is contiguous on the disk, without locks and allocations) into the given frames; bytes at or
 * beyond file offset limit or the file's end are zero. On an error the frames hold anything. As file_read otherwise. Only
 * between file_image_begin and file_image_end.
 */
enum file_status file_read_pages(struct file *f, u64 offset, u64 limit, const u64 *phys, u32 count);
/*
 * Writes n bytes from kernel memory to the device, past the data section, as file_read reads them, all or nothing (an error of the disk aside); the file grows
 * if it has to, what lies between its old end and offset is zeros. offset FILE_AT_END: at its end, wherever that is by
 * then. *at: where it was, may be NULL. On the device when it returns: on the disk itself after volume_commit.
 */
#define FILE_AT_END (~0ull)
enum file_status file_write(struct file *f, u64 offset, const void *from, u64 n, u64 *at);
/* New bytes are zeros. FILE_USER_MAPPED. */
enum file_status file_set_size(struct file *f, u64 size);
/* The same, but it never becomes shorter. */
enum file_status file_extend(struct file *f, u64 size);
/* Room for bytes bytes is taken in advance; it is given back when a handle that may write is the last to be closed. */
enum file_status file_reserve(struct file *f, u64 bytes);
/* The same; less than the size cuts the file. */
enum file_status file_set_allocation(struct file *f, u64 bytes);
u64 file_allocation(struct file *f);

/*
 * From file_image_begin on nothing happens to the file that image-lock forbids; FILE_SHARING: it is open for writing. When it
 * has been found to be a DLL or an EXE, file_image_kind says so, and may refuse it too.
 */
enum file_status file_image_begin(struct file *f);
/*
 * Whether it is a file, and those who have it open let it be run: a process begins as Windows' does, which opens the file to execute it
 * and lets others read and delete. file_run_share: what else who opens to execute allows, as other systems' rules have it.
 */
enum file_status file_run_check(struct file *f);
u32 file_run_share(u32 share);
enum file_status file_image_kind(struct file *f, bool dll);
void file_image_end(struct file *f);

/* What is 0 of the times, or ~0u of the attributes, stays. */
struct file_times {
	u64 modified_unix, created_unix, accessed_unix;
};
enum file_status file_set_facts(struct file *f, u32 attributes, const struct file_times *times);
/* Whether it goes when the last handle is closed. FILE_NO_DELETE, FILE_NOT_EMPTY. */
enum file_status file_set_delete(struct file *f, bool delete_it);
/*
 * path as for file_open; replace: a file there is deleted, if nobody uses it. The new name is there, for others and after
 * a crash, before or when the old one goes.
 */
enum file_status file_rename(struct file *f, const char *path, bool replace);

/*
 * The entry of a directory at *slot, which is moved behind it; 0 is the beginning. "." and ".." included except in the
 * root; FILE_END behind the last.
 */
enum file_status file_list(struct file *directory, u32 *slot, struct file_entry *out);

struct file_space {
	u64 clusters, free_clusters;
	u32 cluster_bytes;
};
enum file_status volume_space(struct volume *v, struct file_space *out);

/* All changes of the volume's files are on the disk itself afterwards. */
enum file_status volume_commit(struct volume *v);
/* The same, and the volume is as whole as it can be: nothing is left to be written. */
enum file_status volume_sync(struct volume *v);
/* The last: no change of any volume is possible after it. */
void file_shutdown(void);

/* ---- file_pages.c, for the data section: the file's lock is held ---- */

/* Whole pages from offset on, a multiple of the page size; what lies behind the file's end is read as zeros, and not written. */
enum file_status file_pages_read(struct file *f, u64 offset, const u64 *phys, u32 count);
enum file_status file_pages_write(struct file *f, u64 offset, const u64 *phys, u32 count); /* FILE_STALE: there will never be a place for them */
/*
 * Before n bytes at *offset (FILE_AT_END: that is replaced by where it is) go to pages: whether they may, clusters, zeros in
 * between. FILE_BUSY. After it: the file reaches to end at least, and was modified now; the directory entry does not say so yet.
 */
enum file_status file_write_begin(struct file *f, u64 *offset, u64 n);
void file_write_end(struct file *f, u64 end);
/* The first size bytes are on the device: the directory entry is brought up to date. touched: the file was modified now. */
enum file_status file_entry_settle(struct file *f, u64 size, bool touched);

/* ---- file_idle.c: files that only their data section keeps ---- */

/* The one with a data section and the lowest number above that of f (NULL: any): one more reference. */
struct file *file_next(const struct file *f);
/* One that nobody has open, and nobody had for the longest time; one more reference. NULL: there is none. No locks held. */
struct file *file_idle_get(void);
/* Its data section goes, if still nobody uses it; gives back the reference. No locks held. */
void file_idle_forget(struct file *f);
/*
 * If the file's disk was changed (FILE_STALE), or, with away set, is away, and nobody has the file, or a section or a view of
 * it, all that memory has of it goes; what was modified is lost, which is said. refs: those of the data section and of the
 * caller. No locks held.
 */
bool file_forget_lost(struct file *f, u32 refs, bool away);
void files_forget_lost(void); /* all whose disk was changed */

/* ---- what mm/backing_file.c tells of data sections, and is told; the file's lock is held ---- */

bool data_section_in_use(struct file *f);   /* sections that programs made of it, or views; this one needs no lock */
bool data_section_writable(struct file *f); /* such that it may be written through */
/* Pages behind size go. FILE_USER_MAPPED, FILE_BUSY. */
enum file_status data_section_cut(struct file *f, u64 size);
/* What is behind the file's end in its last page becomes zeros, since it will be part of the file. FILE_BUSY. */
enum file_status data_section_extend(struct file *f);
void data_section_resized(struct file *f);
u64 data_section_forget(struct file *f); /* the file has gone; nobody uses it, or has a handle. How many pages were modified */
void file_lost_report(const struct file *f, u64 pages, enum file_status why); /* modified pages are lost (0: nothing); a line says so */
bool data_section_drop(struct file *f);   /* the same of one that can be opened again; false: there is something to be written */

extern struct file_counters {
	u64 opens, reads, read_bytes, device_reads, writes, written_bytes;
} file_counters;

#endif
