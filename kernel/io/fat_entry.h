/* Offsets in a directory entry. Source: FAT32 File System Specification (1.03), "FAT Directory Structure". */
#ifndef IO_FAT_ENTRY_H
#define IO_FAT_ENTRY_H

enum {
	ENTRY_ATTRIBUTES = 11,
	ENTRY_LETTER_CASE = 12,
	ENTRY_CREATED_HUNDREDTHS = 13,
	ENTRY_CREATED_TIME = 14,
	ENTRY_CREATED_DATE = 16,
	ENTRY_ACCESSED_DATE = 18,
	ENTRY_CLUSTER_HIGH = 20,
	ENTRY_TIME = 22,
	ENTRY_DATE = 24,
	ENTRY_CLUSTER_LOW = 26,
	ENTRY_SIZE = 28,
};

#define NAME_END 0x00 /* the first byte of a name: this entry and all behind it were never used */
#define NAME_ERASED 0xe5
#define FAT_LONG_FIRST 0x40 /* the last piece of a long name, which comes first */

#endif
