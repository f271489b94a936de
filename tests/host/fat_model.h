/*
 * A model of a volume's tree, and random operations on the code under test and on it alike.
 */
#ifndef TESTS_HOST_FAT_MODEL_H
#define TESTS_HOST_FAT_MODEL_H

#include "fat_check.h"
#include "fat_world.h"

#define NODES 60
#define BYTES_MAX 6000

/* A node without a parent is free; node 0 is the root. */
extern struct node {
	struct node *parent;
	bool directory;
	char name[300];
	u8 *bytes;
	u32 size, attributes;
	struct file *open; /* a handle that is kept */
	bool touched;      /* since the last commit */
	/* As it was at the last commit, if it was there. */
	bool durable;
	char durable_path[FILE_PATH_MAX];
	u8 *durable_bytes;
	u32 durable_size;
} nodes[NODES];

extern const struct file_request make_file, open_any;
extern u8 buffer[BYTES_MAX * 2];
extern bool volume_full;          /* operations may fail for want of space */
extern u32 rename_from, rename_to; /* writes that the last rename made */

void path_of(const struct node *n, char *path);
void do_something(void);
/* The code under test and the disk's bytes both show what the model has. */
void volume_compare(u32 allow);
/* fsck.fat finds nothing wrong. */
void fsck(const u8 *disk);
/* An empty model, and the image as it was made; closes what is open. */
void model_begin(void);
void model_end(void);

#endif
