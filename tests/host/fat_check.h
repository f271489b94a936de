/*
 * A judge of FAT32 volumes that knows nothing of the code under test: it reads a whole disk's bytes, and says what is wrong
 * with them, and what files there are.
 */
#ifndef TESTS_HOST_FAT_CHECK_H
#define TESTS_HOST_FAT_CHECK_H

#include "tap.h"

/* What may be found: clusters that no file has are never worth a word. */
#define CHECK_TAILS 1 /* a file has more clusters than it needs */
#define CHECK_SHARED 2 /* two names have the same clusters; names twice; ".." leads to another directory */
#define CHECK_LONG_TORN 4 /* pieces of long names without their short entry, or the other way round */

struct check_file {
	char path[600]; /* components behind '\\', as long as they are ASCII; names as on the disk */
	u32 first, size, attributes;
	u16 date, time;
};

struct check {
	const u8 *disk;
	u32 allow;
	char problem[1000]; /* "" if there is none */
	struct check_file *files; /* and directories */
	u32 count, room;
	u8 *owners; /* of clusters: 1 if somebody has it */
	u32 clusters, used, lost;
};
/* Looks at all of the volume. False: problem says what is wrong. */
bool fat_check(struct check *c, const u8 *disk, u32 allow);
const struct check_file *fat_check_find(const struct check *c, const char *path);
/* Whether a file that fat_check found holds these bytes. */
bool fat_check_contents(const struct check *c, const struct check_file *f, const u8 *bytes);
void fat_check_free(struct check *c);

#endif
