/*
 * Backstore's own native calls, beside those of Windows NT: what they take and give. Shared by the kernel and user space
 * (the latter includes it through userland/include/backstore.h); fixed-size types only. All return an NTSTATUS.
 */
#ifndef ABI_BACKSTORE_H
#define ABI_BACKSTORE_H

#include <stdint.h>

/* Where a page is backed now. */
enum bs_backing {
	BS_NOTHING,     /* not committed */
	BS_ZERO,        /* zero on demand: never touched, or never written */
	BS_MEMORY,      /* in memory alone */
	BS_PAGING_FILE, /* in a paging file (file = its number, offset = slot), perhaps in memory as well: BS_RESIDENT */
	BS_IMAGE,       /* image file (offset = byte offset in the file), perhaps in memory as well */
	BS_DATA_FILE,   /* data file, likewise */
};

/* Why it is backed there. */
enum bs_why {
	BS_WHY_FREE,      /* nothing is allocated there */
	BS_WHY_RESERVED,  /* allocated, not committed */
	BS_WHY_UNTOUCHED, /* committed and never touched */
	BS_WHY_UNWRITTEN, /* read, never written: its frame holds zeros and can be taken at any time */
	BS_WHY_MODIFIED,  /* written to, and memory has not been so short that it had to be paged out */
	BS_WHY_PAGED_OUT, /* memory was short */
	BS_WHY_PAGED_IN,  /* read back and not written to since: what the paging file has is still good */
	BS_WHY_WRITING,   /* on its way to a paging file */
	BS_WHY_FILE,      /* as it is in the image or data file: never modified */
	BS_WHY_COPIED,    /* a private copy, made by a write to a write-copy page; it has not been paged out */
	BS_WHY_RESET,     /* MEM_RESET or OfferVirtualMemory said that it may be discarded, and it was not yet */
	BS_WHY_DISCARDED, /* the same, and it was */
	BS_WHY_PHYSICAL,  /* a physical page mapped by MapUserPhysicalPages: never paged */
	BS_WHY_LARGE,     /* in a large page: never paged */
	BS_WHY_FILE_MODIFIED, /* a data file's page, written to, and not in the file yet */
};

enum bs_page_flags {
	BS_VALID = 1,      /* in this process's page table */
	BS_RESIDENT = 2,   /* in memory, in the page table or not (then it is on the standby or modified list) */
	BS_DIRTY = 4,      /* differs from what its backing store holds */
	BS_SHARED = 8,     /* the page belongs to a section */
	BS_ACCESSED = 16,  /* referenced since the trimmer looked last */
	BS_WRITE_COPY = 32,/* a write will make a private copy */
	BS_LOCKED = 64,    /* by VirtualLock, or because it is never paged */
	BS_LARGE = 128,    /* in a large page */
	BS_CLONE = 256,    /* shared, until one of them writes, with a clone (fork) of the process */
	BS_OFFERED = 512,  /* on offer: no access before it is reclaimed */
};

/* BsQueryBacking(HANDLE process, void *address, uint64_t pages, struct bs_page *out): one entry a page, free space too. */
struct bs_page {
	uint8_t backing;  /* enum bs_backing */
	uint8_t why;      /* enum bs_why */
	uint16_t flags;   /* enum bs_page_flags */
	uint32_t protect; /* PAGE_* as VirtualQuery gives it; 0 = not committed */
	uint64_t frame;   /* page frame number if resident, else 0 */
	uint64_t offset;  /* see enum bs_backing */
	uint32_t file;    /* number of the paging file */
	uint32_t shares;  /* how many page tables have it */
};

/* What a page frame is used for. */
enum bs_frame_use {
	BS_USE_NONE,      /* not memory that the pager manages */
	BS_USE_FREE,
	BS_USE_PRIVATE,   /* private memory, and private copies of section pages */
	BS_USE_SECTION,   /* a page of an anonymous section */
	BS_USE_IMAGE,     /* a page of an image as it is in the file, shared by all who map it */
	BS_USE_FILE,      /* a page of a data file */
	BS_USE_CLONE,     /* private memory that processes share since one was cloned from the other */
	BS_USE_PHYSICAL,  /* AllocateUserPhysicalPages */
	BS_USE_LARGE,     /* part of a large page */
	BS_USE_TABLE,     /* a page table, or a table of prototype words */
	BS_USE_KERNEL,    /* pool, kernel stacks, the PFN database */
};

/* The page lists, as enum frame_state in kernel/mm/frame.h. */
enum bs_frame_state {
	BS_FRAME_NONE, BS_FRAME_FREE, BS_FRAME_ZEROED, BS_FRAME_STANDBY, BS_FRAME_MODIFIED, BS_FRAME_TRANSITION,
	BS_FRAME_ACTIVE, BS_FRAME_KERNEL,
};

/*
 * BsQueryFrames(uint64_t first, uint64_t count, struct bs_frame *out): frames by number from first on. Behind the highest
 * frame (bs_memory.frame_highest): STATUS_NO_MORE_ENTRIES.
 */
struct bs_frame {
	uint8_t state;   /* enum bs_frame_state */
	uint8_t use;     /* enum bs_frame_use */
	uint8_t backing; /* enum bs_backing: where it would be read from again */
	uint8_t dirty;   /* differs from what its backing store holds */
	uint8_t priority;/* 0 to 7, of pages: of those on standby the lowest is taken first */
	uint8_t spare[3];
	uint32_t shares; /* valid page-table entries that map it */
};

/*
 * BsOfferVirtualMemory(HANDLE process, void *address, uint64_t bytes, uint32_t priority), BsReclaimVirtualMemory(HANDLE
 * process, void *address, uint64_t bytes): behind OfferVirtualMemory and ReclaimVirtualMemory. Address and size are
 * multiples of the page size; the pages are private, committed and writable. priority: 1 to 4, as OFFER_PRIORITY: of two
 * pages on offer the one of the lower priority is discarded first, and each before what nobody offered. Reclaiming gives STATUS_SUCCESS if all contents are intact, STATUS_UNSUCCESSFUL if some were discarded (the
 * pages can be used again in either case), STATUS_INVALID_PARAMETER if a page was not on offer.
 */

/*
 * BsCloneProcess(uint32_t flags, HANDLE *process, HANDLE *thread, uint32_t ids[2]): a copy of the calling process, with one
 * thread that goes on where the caller is and gets STATUS_PROCESS_CLONED (the caller: STATUS_SUCCESS). ids: process and
 * thread. Memory is copied when one of them writes; views mapped with ViewUnmap, and physical pages and private large
 * ones, are not there in the clone. Behind RtlCloneUserProcess. STATUS_COMMITMENT_LIMIT, STATUS_INSUFFICIENT_RESOURCES.
 */
#define BS_CLONE_SUSPENDED 1       /* RTL_CLONE_PROCESS_FLAGS_CREATE_SUSPENDED */
#define BS_CLONE_INHERIT_HANDLES 2 /* RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES */

/* What happens to memory, for BsTraceRead. Faults: those that were resolved so. docs/events.md says which fields each has. */
enum bs_event_kind {
	BS_EVENT_ZERO,          /* fault: first touch, a zeroed page */
	BS_EVENT_SECTION,       /* fault: a section's page mapped */
	BS_EVENT_COPY,          /* fault: a private copy made by the first write */
	BS_EVENT_STEAL,         /* fault: the same, but the page itself taken, as nobody else had it */
	BS_EVENT_SWAP_IN,       /* fault: waits for a paging file */
	BS_EVENT_TRANSITION,    /* fault: found in memory, on the standby or modified list */
	BS_EVENT_GUARD,         /* fault: a guard page touched */
	BS_EVENT_IMAGE_READ,    /* fault: waits for an image file */
	BS_EVENT_IN_PAGE_ERROR, /* fault: what was waited for could not be read, or is not what was written */
	BS_EVENT_TRIM,          /* pages taken out of a process's page table */
	BS_EVENT_DISCARD,       /* the frame of a clean page taken for another use */
	BS_EVENT_WRITE,         /* a request to write pages to a paging file */
	BS_EVENT_READ,          /* a request to read pages from a paging file */
	BS_EVENT_REFUSED,       /* a commit charge refused */
	BS_EVENT_SLOT_BAD,      /* a slot of a paging file never to be used again */
	BS_EVENT_KILL,          /* a process ended because memory is exhausted */
	BS_EVENT_FILE_READ,     /* pages of a data file read, for a fault, a ReadFile or a WriteFile */
	BS_EVENT_FILE_WRITE,    /* pages of a data file written to it */
	BS_EVENT_KINDS,
};
#define BS_EVENT_ALL ((1ull << BS_EVENT_KINDS) - 1)

/* Who would have held a refused charge, as bs_memory's commit_* count it. NONE: more than could ever be, whoever held it. */
enum bs_commit_owner { BS_OWNER_PRIVATE, BS_OWNER_SECTION, BS_OWNER_TABLES, BS_OWNER_KERNEL, BS_OWNER_PHYSICAL, BS_OWNER_CLONES, BS_OWNER_NONE };

struct bs_event {
	uint64_t time_ns; /* the clock of NtQueryPerformanceCounter */
	uint64_t address; /* faults: of the page */
	uint64_t place;   /* slot, byte offset in an image, or frame number */
	uint32_t process; /* whose memory it is about, or who asked; 0: nobody's alone, the kernel's own threads */
	uint32_t thread;  /* that did it, perhaps the kernel's own */
	uint32_t count;   /* pages */
	uint8_t kind;     /* enum bs_event_kind */
	uint8_t cpu;
	uint8_t access;   /* faults: 1 write, 2 execute, 4 from user mode */
	uint8_t unit;     /* number of the paging file; enum bs_commit_owner; enum bs_backing */
};

/*
 * BsTraceOpen(uint64_t mask, uint32_t process, uint64_t entries, HANDLE *trace): from now on events are kept for the one
 * who reads them. mask: 1 << enum bs_event_kind, at least one; with BS_TRACE_EXCEPT process's own are left out, else, if it
 * is not 0, they are all there are. entries: how many are kept for each CPU, rounded up to whole pages, which are charged
 * to the kernel; 0: 4096. The trace ends with its last handle. At most 8 at once. STATUS_INVALID_PARAMETER_1 .. _3,
 * STATUS_INVALID_CID (there is no such process), STATUS_INSUFFICIENT_RESOURCES (no memory, or too many traces).
 *
 * BsTraceRead(HANDLE trace, struct bs_event *out, uint64_t max, uint64_t *count, uint64_t *lost, const LARGE_INTEGER
 * *timeout): the oldest events, in the order of time, at most max; each is given once. *lost: how many were overwritten
 * since the last call. If there are none it waits as NtWaitForSingleObject does, then STATUS_TIMEOUT, with *count = 0 and
 * *lost valid. STATUS_INVALID_PARAMETER_3: max is 0.
 */
#define BS_TRACE_EXCEPT (1ull << 63)
#define BS_TRACE_ENTRIES_MAX 65536
#define BS_TRACE_ACCESS_READ 1 /* the right that BsTraceRead wants */

enum bs_commit_policy { BS_COMMIT_STRICT, BS_COMMIT_OVERCOMMIT, BS_COMMIT_LAZY_WRITECOPY };

/* BsQueryMemory(struct bs_memory *out). Pages are 4096 bytes. */
struct bs_memory {
	uint64_t frames_total;                                  /* usable by the pager */
	uint64_t frames_free, frames_zeroed, frames_standby, frames_modified, frames_active, frames_transition, frames_kernel;
	uint64_t frames_physical;                               /* AWE and large pages; not among the active */
	uint64_t frame_highest;                                 /* the highest frame number */
	uint64_t pages_locked;                                  /* by VirtualLock, in all processes */
	uint64_t commit_charge, commit_limit, commit_peak;      /* pages */
	/* The charge by who holds it, pages. Clones: pages shared with clones, under lazy-writecopy alone. */
	uint64_t commit_private, commit_sections, commit_page_tables, commit_kernel, commit_physical, commit_clones;
	uint64_t commit_refused;                                /* requests that the limit refused */
	uint64_t faults, faults_zero, faults_section, faults_cow, faults_cow_steal, faults_swap_in, faults_transition,
		faults_guard, faults_image_read;                /* since boot; transition: found in memory, no I/O */
	uint64_t pages_swapped_out, pages_swapped_in, swap_write_requests, swap_read_requests, swap_errors;
	uint64_t pages_image_read, pages_file_read;
	uint64_t pages_trimmed, pages_discarded;                /* discarded: clean, taken from standby for another use */
	uint64_t paging_file_count, paging_file_pages, paging_file_used; /* all paging files together */
	uint64_t commit_policy;                                 /* enum bs_commit_policy */
	uint64_t processes, threads, handles;
	uint64_t uptime_ns, boot_to_user_ns;                    /* from the loader's jump */
	uint64_t frame_entry_bytes;                             /* size of one entry of the PFN database */
	uint64_t pool_pages;
	uint64_t reclaim_low, reclaim_high;                     /* available frames: the trimmer begins under low, ends at high */
	uint64_t refaults_swap, refaults_image;                 /* read again before as many pages were evicted as memory has */
	uint64_t faults_returned;                               /* waited for a page that had been in memory before, whenever */
	uint64_t memory_stall_ns, memory_full_ns;               /* somebody, everybody waited for such pages or for memory */
	uint64_t memory_stall_percent, memory_full_percent;     /* the same, of the last 4 s */
	uint64_t thrashing, thrash_episodes;                    /* 1: now; how often since boot. docs/paging.md says when */
	uint64_t swap_ahead_pages, swap_ahead_used, swap_ahead_wasted; /* read ahead from paging files; touched; evicted before */
	uint64_t pages_file_written, file_read_requests, file_write_requests, file_write_errors; /* of data files' pages */
	uint64_t pages_around;                                  /* made accessible with one beside them: no fault of their own */
};

enum bs_paging_file_state {
	BS_PAGING_FILE_OPEN,
	BS_PAGING_FILE_REMOVING, /* its contents are being moved elsewhere */
};

/*
 * BsSetReclaim(uint64_t low, uint64_t high): the thresholds of available frames (free, zeroed, standby), in frames. Under low
 * pages begin to leave working sets, until there are high; the paging file is written only while there are fewer than high.
 * 0, 0: those of a boot without option reclaim=: low the larger of 96 and 1/64 of memory, high twice that. In force at
 * once; bs_memory has them. STATUS_INVALID_PARAMETER, and nothing changes: low is under 64, high is not at least low + 16,
 * or over half of memory.
 */

/*
 * BsQueryPagingFile(uint64_t index, struct bs_paging_file *out): index counts the paging files that there are;
 * STATUS_NO_MORE_ENTRIES behind the last.
 */
struct bs_paging_file {
	char name[32];         /* the device: "vd1", "ram0" */
	uint64_t pages, used, peak, bad; /* slots; bad: retired, since a transfer of them failed */
	uint64_t write_requests, read_requests, pages_written, pages_read, errors;
	uint64_t number;       /* as bs_page.file; the number of a removed one may be given again */
	uint64_t state;        /* enum bs_paging_file_state */
	int64_t priority;      /* the highest is used first; below 0: none was given */
	uint64_t physical;     /* address of a RAM disk that was set aside at boot; else 0 */
};

#define BS_PRIORITY_MAX 32767
#define BS_PRIORITY_NONE (-1) /* lower than all paging files that there are */
#define BS_PAGING_FILES_MAX 16

/*
 * BsAddPagingFile(const char *name, uint64_t size, int64_t priority): name: that of a disk, or its serial number, or
 * "ramdisk": a new RAM disk. size: bytes of the RAM disk, or of the disk's beginning; 0: all of the disk. Errors:
 * STATUS_ACCESS_VIOLATION, STATUS_OBJECT_NAME_INVALID (over 31 letters), STATUS_INVALID_PARAMETER_2 (under 16 pages, or more
 * than the disk has), STATUS_INVALID_PARAMETER_3 (neither BS_PRIORITY_NONE nor 0 to BS_PRIORITY_MAX),
 * STATUS_OBJECT_NAME_NOT_FOUND (no such disk), STATUS_SHARING_VIOLATION (it is the system volume's, or a paging file),
 * STATUS_MEDIA_WRITE_PROTECTED, STATUS_COMMITMENT_LIMIT (of the RAM disk's memory), STATUS_INSUFFICIENT_RESOURCES (memory
 * can't keep account of it, or does not have the RAM disk's frames, or there are BS_PAGING_FILES_MAX).
 *
 * BsRemovePagingFile(const char *name, uint64_t number, struct bs_paging_file_removal *out): name: that of the paging file,
 * as BsQueryPagingFile has it, or NULL: the one with that number. Returns when its contents are elsewhere. On an error it
 * is a paging file as before, nothing is lost, and *out says why: STATUS_COMMITMENT_LIMIT (the charge needs it),
 * STATUS_INSUFFICIENT_RESOURCES (memory and the other paging files can't hold what is there), STATUS_IO_DEVICE_ERROR (pages
 * could not be read), STATUS_IO_TIMEOUT (the disk has not answered for 30 s, or somebody else's read of it does not end),
 * STATUS_CANCELLED (the thread was told to end), STATUS_NO_MEMORY (for the thread that reads). Before it began:
 * STATUS_ACCESS_VIOLATION, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SHARING_VIOLATION (somebody else is removing it).
 */
struct bs_paging_file_removal {
	uint64_t pages;         /* that it held in the beginning */
	uint64_t left;          /* that it holds still */
	uint64_t unreadable;    /* of these */
	uint64_t room;          /* pages for which there is room elsewhere now: in memory and in other paging files */
	uint64_t commit_charge, commit_limit; /* pages; the limit without this file */
};

/* BsQueryProcess(uint64_t index, struct bs_process *out): index counts the processes that exist; STATUS_NO_MORE_ENTRIES behind the last. */
struct bs_process {
	uint32_t id, parent_id, threads, handles;
	uint64_t cpu_ns;
	uint64_t private_commit, working_set, working_set_peak, page_tables, faults; /* pages, but faults */
	uint64_t locked, physical;     /* pages: by VirtualLock; AWE and large pages */
	uint32_t exited, exit_status;  /* exited: it has ended, and a handle keeps the rest */
	char name[64];                 /* base name of the image, UTF-8 */
};

/*
 * BsCreateProcess(const struct bs_create_process *in, HANDLE *process, HANDLE *thread). Strings are UTF-16, lengths in
 * bytes. Errors are those that NtCreateSection(SEC_IMAGE) gives for the file, STATUS_COMMITMENT_LIMIT, STATUS_NO_MEMORY.
 */
struct bs_create_process {
	uint64_t image_path, image_path_bytes;       /* NT path: \??\C:\bin\sh.exe */
	uint64_t command_line, command_line_bytes;
	uint64_t current_directory, current_directory_bytes; /* DOS path: C:\ */
	uint64_t environment, environment_bytes;     /* NAME=value, each with a 0, one more 0 at the end */
	uint64_t standard_input, standard_output, standard_error; /* handles, copied into the parameters as they are */
	uint32_t flags;                              /* BS_PROCESS_* */
	uint32_t process_id, thread_id;              /* out */
};
#define BS_PROCESS_INHERIT_HANDLES 1 /* inheritable handles get the same values in the new process */
#define BS_PROCESS_SUSPENDED 2       /* the first thread waits for NtResumeThread */
#define BS_PROCESS_USE_HANDLES 4     /* a standard handle that is 0 stays 0, and is not made the console */

/*
 * BsMapKnownDll(uint32_t index, void **base): a view in the calling process of one of the system's own DLLs, whose sections are
 * made at the boot. STATUS_IMAGE_NOT_AT_BASE: it is elsewhere than in other processes. STATUS_OBJECT_NAME_NOT_FOUND: there is
 * none, or its name in C:\system is another file's now, or its contents have changed: what is there is loaded as any file.
 */
enum bs_known_dll { BS_KNOWN_NTDLL, BS_KNOWN_KERNEL32, BS_KNOWN_MSVCRT, BS_KNOWN_DLLS };

/* BsQueryOption(const char *name, char *value, uint64_t size): a boot option as it is in force: "swap", "commit", "mem", "run", "check", "replace", "build" (release|debug), "cpus", "script" (1 when the console's input is a text that ends). */

/* NtCreateProcess-related: the paging behaviour of a process is trimmed by NtSetInformationProcess(ProcessQuotaLimits = 1) with both sizes ~0. */

#endif
