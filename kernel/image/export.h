/* Finding an exported function of a PE file that is not mapped anywhere, by reading the file. */
#ifndef IMAGE_EXPORT_H
#define IMAGE_EXPORT_H

#include "lib/types.h"

struct file;
struct pe_image;

/*
 * The rva of the function that file (whose headers were parsed to image) exports as name. False: it exports no such
 * name, or forwards it, or its export directory is damaged, larger than 64 KiB or can't be read. Thread context,
 * sleeps. Source: PE Format specification (Microsoft), "The .edata Section".
 */
bool image_export_find(struct file *file, const struct pe_image *image, const char *name, u32 *rva);

#endif
