/* What a file handle means: an open file with a position, or the console. */
#ifndef PROC_FILE_OBJECT_H
#define PROC_FILE_OBJECT_H

#include "io/file.h"
#include "proc/object.h"

/* Rights of a file handle (winnt.h). */
#define FILE_READ_DATA_ 0x1u
#define FILE_WRITE_DATA_ 0x2u
#define FILE_APPEND_DATA_ 0x4u
#define FILE_WRITE_EA_ 0x10u
#define FILE_DELETE_CHILD_ 0x40u
#define FILE_READ_ATTRIBUTES_ 0x80u
#define FILE_WRITE_ATTRIBUTES_ 0x100u
#define DELETE_ 0x10000u
#define WRITE_DAC_ 0x40000u
#define WRITE_OWNER_ 0x80000u
#define SYNCHRONIZE_ 0x100000u

struct file_object {
	struct object object;
	struct file *file;     /* NULL: the console */
	struct mutex lock;     /* the next two */
	u64 position;          /* bytes */
	u32 next_entry;        /* of a directory: where the listing goes on */
};

static inline struct file_object *file_object_of(struct object *o)
{
	return container_of(o, struct file_object, object);
}

/* An object for an open file, whose reference it takes over in any case; one reference. NULL: no memory. */
struct object *file_object_create(struct file *f);
struct object *console_object_create(void);

/* "\??\C:\dir\x" as the path that file_open wants; "CONIN$", "CONOUT$", "CON" there set *console. NTSTATUS. */
u32 file_path_translate(const char *nt_path, const char **path, bool *console);
u32 file_status_nt(enum file_status status); /* as NTSTATUS */
const char *file_status_text(enum file_status status);

#endif
