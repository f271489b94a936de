/* Boot options: backstore.cfg, then QEMU's fw_cfg item opt/org.backstore/options, the later one wins. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "abi/backstore.h"
#include "lib/types.h"

enum commit_policy { COMMIT_STRICT, COMMIT_OVERCOMMIT, COMMIT_LAZY_WRITECOPY, COMMIT_POLICIES };
extern const char *const commit_policy_names[COMMIT_POLICIES];

/* One of the list swap=LIST, which is separated by commas: auto, none, ramdisk:SIZE or NAME, each perhaps with @PRIORITY. */
#define SWAP_ENTRIES_MAX BS_PAGING_FILES_MAX
enum swap_kind {
	SWAP_ENTRY_AUTO,    /* every disk with the serial number "swap", "swap1", "swap2", ... */
	SWAP_ENTRY_NONE,
	SWAP_ENTRY_RAMDISK,
	SWAP_ENTRY_DISK,    /* the disk with this name or serial number */
};
struct swap_entry {
	enum swap_kind kind;
	char name[32];  /* as it was given, without the priority */
	u64 size;       /* of a RAM disk: bytes, a multiple of the page size */
	int priority;   /* 0 to BS_PRIORITY_MAX; BS_PRIORITY_NONE */
};

enum replace_policy { REPLACE_CLOCK, REPLACE_FIFO, REPLACE_LRU, REPLACE_RANDOM, REPLACE_POLICIES };
extern const char *const replace_policy_names[REPLACE_POLICIES];

/* What may happen to a file while it is run or loaded (docs/files.md). */
enum image_lock { IMAGE_LOCK_NT, IMAGE_LOCK_UNIX, IMAGE_LOCK_NONE, IMAGE_LOCKS };

struct options {
	u64 memory_limit;      /* mem=SIZE: cap on usable memory in bytes; 0 = all */
	struct swap_entry swap[SWAP_ENTRIES_MAX]; /* swap=LIST */
	u32 swap_count;
	enum commit_policy commit; /* commit=strict|lazy-writecopy|overcommit */
	char run[1024];        /* run="PROGRAM ARGUMENTS": first program; the default is sh */
	bool check_call;       /* check=call: BsCheckMemory is allowed (in debug builds it always is); it stops all CPUs */
	bool check_exit;       /* check=exit: the same, and mm_check at every process exit */
	bool aslr;             /* aslr=on|off */
	enum image_lock image_lock; /* image-lock=nt|unix|none */
	u64 reclaim_low, reclaim_high; /* reclaim=LOW:HIGH, bytes; 0: by the size of memory */
	enum replace_policy replace; /* replace=clock|fifo|lru|random */
};
extern struct options options;

/*
 * Parses both texts (config: may be NULL). An unknown option is a warning that names it; a bad value prints what is
 * allowed and ends the machine with EXIT_BAD_OPTION. Syntax: name=value separated by blanks or newlines, a value with
 * blanks in double quotes, # to the end of the line is a comment. log= sets log_limit (error|warning|info|debug).
 * Before memory: no allocation.
 */
void options_init(const char *config);

#endif
