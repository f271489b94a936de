/* What the parts of the file layer share. */
#ifndef IO_FILE_INTERNAL_H
#define IO_FILE_INTERNAL_H

#include "io/block.h"
#include "io/fat.h"
#include "io/file.h"

/* ---- file.c ---- */

/* Where a path leads; too large for a stack. */
struct file_lookup {
	struct volume *volume;
	char normal[FILE_PATH_MAX], canonical[FILE_PATH_MAX];
	struct fat_entry entry; /* of the file */
	u32 directory;          /* first cluster of the directory that it is in, or would be in */
	u16 name[FILE_NAME_MAX]; /* the last component, as it was typed; none for the root */
	u32 name_length;
};
/*
 * FILE_OK: entry and canonical are the file's. FILE_NOT_FOUND: there is no such name in the directory, whose canonical
 * path canonical is then. l->volume is set, and its lock is held.
 */
enum file_status file_walk(const char *path, struct file_lookup *l);
/*
 * The volume that a path names, with one reference; *path moves behind the letter. NULL: there is none.
 */
struct volume *file_path_volume(const char **path);
bool file_path_append(char *path, const u16 *name, u32 length);
/* The volume's file with this entry if it is in use: one more reference; or NULL. It was used last, now. */
struct file *file_table_find(const struct volume *v, u64 entry_at);
/* The first that is so, from the last on that was opened, or, if oldest is set, from the other end; one more reference. */
struct file *file_table_pick(bool (*is)(const struct file *f, const void *arg), const void *arg, bool oldest);
bool file_is_idle(const struct file *f, u32 refs); /* nobody has more than so many references, one of them the data section */
/* Nobody finds it any more. */
void file_table_remove(struct file *f);
/* Whether the volume's files below the directory at this path are in use. */
bool file_table_below(const struct volume *v, const char *path);
/* Whether a file that is there may be opened so. The volume's lock is held. */
enum file_status file_open_check(const struct file *f, const struct file_request *r);
void file_lose(struct file *f); /* nobody finds it any more; who has it keeps it */
enum file_status file_check(struct file *f); /* file_check_unlocked, with the volume's lock held */
void file_path_set(struct file *f, const char *path);
void file_table_move(const struct volume *v, const char *from, const char *to); /* files below a directory that is renamed */
/* The struct file of an entry, which is not in the table yet. The volume's lock is held. */
enum file_status file_make(struct volume *v, const struct fat_entry *e, const char *canonical, struct file **out);

/* ---- file_image.c ---- */

/* Whether an image keeps the contents from being changed, and the name from going. */
bool file_image_fixed(const struct file *f);
bool file_image_keeps(const struct file *f);
/* The machine ends: clusters that only images still have. The volume's lock is held. */
void file_unlinked_drop(struct volume *v);

/* ---- file_change.c; the volume's lock is held ---- */

enum file_status file_create_entry(struct file_lookup *l, const struct file_request *r);
enum file_status file_entry_update(struct file *f);
/* Erases the name and drops the clusters; the file's lock is held too. */
enum file_status file_delete(struct file *f);
static inline struct fat_place file_place(const struct file *f)
{
	return (struct fat_place){ f->directory, f->slot, f->slots, f->entry_at };
}

/* ---- file_write.c ---- */

/* Whether contents and size may be changed. The file's lock is held, the volume's is not, here and in the next two. */
enum file_status file_change_check(struct file *f);
enum file_status file_resize(struct file *f, u64 size);
/* Clusters for a file of size bytes. */
enum file_status file_room_take(struct file *f, u64 size);
void file_changed(struct file *f); /* now. Both locks are held, but for a file that others don't know */
/* A file_resize that met somebody who copies pages is tried again after this. No locks held. */
void file_busy_wait(void);
/* Count sectors of a file's data were written past the volume's cache: bytes, or zeros. The volume's lock is not held. */
void file_patch(const struct file *f, u64 offset, u64 n, const u8 *bytes);
/* Both are held: gives back clusters behind the file's end. */
void file_trim(struct file *f);

/* ---- file_batch.c: requests that grow, and are sent when the next bytes do not join them ---- */

struct file_batch {
	struct volume *volume;
	struct block_request request;
	u64 sectors; /* so far */
};
void file_batch_begin(struct file_batch *b, struct volume *v, bool write);
/* Sectors of the file: offset and n are multiples of 512, inside the file's clusters. */
enum file_status file_batch_add(struct file_batch *b, const struct file *f, u64 offset, u64 n, u64 phys);
enum file_status file_batch_send(struct file_batch *b);

#endif
