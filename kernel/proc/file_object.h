/* What a file handle means: an open file with a position, or the console. */
#ifndef PROC_FILE_OBJECT_H
#define PROC_FILE_OBJECT_H

#include "io/file.h"
#include "mm/file_cache.h"
#include "proc/object.h"
#include "proc/pipe.h"

/* Rights of a file handle (winnt.h). */
#define FILE_READ_DATA_ 0x1u
#define FILE_WRITE_DATA_ 0x2u
#define FILE_APPEND_DATA_ 0x4u
#define FILE_EXECUTE_ 0x20u
#define FILE_WRITE_EA_ 0x10u
#define FILE_DELETE_CHILD_ 0x40u
#define FILE_READ_ATTRIBUTES_ 0x80u
#define FILE_WRITE_ATTRIBUTES_ 0x100u
#define DELETE_ 0x10000u
#define WRITE_DAC_ 0x40000u
#define WRITE_OWNER_ 0x80000u
#define SYNCHRONIZE_ 0x100000u

struct name_pattern { /* UTF-16 */
	u32 length;
	u16 text[FILE_NAME_MAX];
};

struct file_object {
	struct object object;
	struct file *file;     /* NULL: */
	struct pipe_end pipe;  /* an end of a pipe; without one: */
	bool all_pipes;        /* what FSCTL_PIPE_WAIT is asked of, or the console */
	u32 may, share;        /* FILE_MAY_ bits that it was opened with */
	u32 options;           /* FILE_ options of NtCreateFile */
	struct mutex lock;     /* the rest */
	u64 position;          /* bytes */
	struct file_ahead ahead; /* of reads; no lock: a race costs a request more */
	u32 next_slot;         /* of a directory: where the listing goes on, */
	bool listed;           /* a listing has begun */
	struct name_pattern *pattern; /* and with which names; NULL: all */
};

/* Options of NtCreateFile (winternl.h). */
#define OPTION_DIRECTORY 0x1u
#define OPTION_WRITE_THROUGH 0x2u
#define OPTION_NO_BUFFERING 0x8u
#define OPTION_SYNCHRONOUS 0x30u
#define OPTION_NOT_DIRECTORY 0x40u
#define OPTION_DELETE_ON_CLOSE 0x1000u

static inline struct file_object *file_object_of(struct object *o)
{
	return container_of(o, struct file_object, object);
}

/*
 * An object for a file that was opened with file_open_as; one reference. It closes the file, also if there is no memory
 * for it: then NULL.
 */
struct object *file_object_create(struct file *f, u32 may, u32 share, u32 options);
struct object *console_object_create(void);
/* The same for an end of a pipe, which it closes. */
struct object *pipe_object_create(struct pipe_end end, u32 options);
/* Whether an NT path is "\??\pipe\...": *name is what is behind that. */
bool pipe_path(const char *nt_path, const char **name);

/* "\??\C:\dir\x" as the path that file_open wants; "CONIN$", "CONOUT$", "CON" there set *console. NTSTATUS. */
u32 file_path_translate(const char *nt_path, const char **path, bool *console);
/* ---- file_lock.c: ranges of bytes that are locked ---- */

/* Whether o may read or write [offset, offset + n). */
bool file_lock_allows(struct file_object *o, u64 offset, u64 n, bool write);
void file_lock_release_all(struct file_object *o);

/* Everything is written: no change of a file is possible after it. */
void files_end(void);
u32 file_status_nt(enum file_status status); /* as NTSTATUS */
const char *file_status_text(enum file_status status);

#endif
