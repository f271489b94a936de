/*
 * The memory manager: its types, the order of its locks, the results of a fault. What other parts of the kernel call is
 * in the first half; the second half is for kernel/mm alone. docs/fault-path.md tells the whole story.
 *
 * Locks, in the order in which they are taken:
 *   vspace->lock (mutex)    the tree of views, the page tables' words but for words in transition
 *   section->lock (mutex)   prototype words, likewise
 *   frames_lock (spinlock)  the frame lists, states and counts; every change of a word to or from transition
 *   swap file's lock (spinlock)  its state and slots
 * A word in transition may be rewritten under frames_lock alone, by whoever takes the frame for another use: so the word
 * is read again after frames_lock was taken. Nobody waits for I/O, or for memory, while holding any of them.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "abi/backstore.h"
#include "abi/nt.h"
#include "abi/status.h"
#include "arch/arch.h"
#include "lib/tree.h"
#include "mm/word.h"
#include "proc/lock.h"

struct file;
struct process;
struct pe_image;
struct bootinfo;

#define GRANULARITY KIB(64) /* of allocation bases, as on Windows */

/* ---- start ---- */

void mm_init(const struct bootinfo *b); /* frames, commit limit, pool. One CPU, interrupts off. BOOT_INFO memory stays as it is */
void swap_init(void);                   /* opens the paging files that option swap= names; thread context */
void mm_threads_start(void);            /* the modified-page writer and the trimmer */

/* ---- faults ---- */

enum fault_access {
	FAULT_READ = 0,
	FAULT_WRITE = 1,
	FAULT_EXECUTE = 2,
	FAULT_USER = 4,
	FAULT_ALONE = 8, /* this page, and no neighbours */
};
enum fault_result {
	FAULT_RESOLVED,         /* go on */
	FAULT_RETRY,            /* inside mm only: look again from the start */
	FAULT_ACCESS_VIOLATION,
	FAULT_IN_PAGE_ERROR,    /* the page's backing store could not be read */
	FAULT_GUARD_PAGE,       /* STATUS_GUARD_PAGE_VIOLATION; the guard is gone now */
	FAULT_STACK_OVERFLOW,
	FAULT_NO_MEMORY,        /* overcommit only: this process is the victim */
	FAULT_COMMIT_LIMIT,     /* lazy-writecopy only: the commit limit does not allow the private copy */
	FAULT_WAIT_MEMORY,      /* inside mm only: drop the locks, wait for a free frame, look again */
};
/* Thread context, interrupts on, no locks held. Never returns FAULT_RETRY or FAULT_WAIT_MEMORY. */
enum fault_result mm_fault(struct vspace *v, u64 address, u32 access);

/* ---- address spaces ---- */

/* An instruction may need that many pages at once: a hard maximum never takes those that arrived last. */
#define RECENT_ARRIVALS 8

struct vspace {
	u64 pml4_phys;
	volatile u32 cpus;       /* bit for each CPU that has it loaded; see arch */
	struct mutex lock;
	struct tree views;       /* of struct view */
	u64 leaf_number;         /* of the 2 MiB whose page table was found last; ~0: none */
	u64 *leaf;               /* that table */
	u64 private_charge;      /* pages of commit charge held by views and private pages */
	u64 table_charge;        /* pages: page tables, one charge each */
	u32 spare_tables;        /* of these: frames, chained, that the next tables are made of (0: none) */
	u64 resident, resident_peak; /* valid entries */
	u64 locked;              /* pages locked by VirtualLock */
	u64 physical;            /* pages that never leave memory: AWE pages (mapped or not), large pages */
	u32 awe_first;           /* frame: the AWE pages that the process was given, chained (physical.c) */
	u64 working_set_min, working_set_max; /* pages */
	u32 working_set_flags;   /* QUOTA_LIMITS_HARDWS_*_ENABLE */
	u64 working_set_reserved;/* pages of commit_fixed_reserve, so that the minimum can be locked */
	u64 faults;
	u64 trim_cursor;         /* where the trimmer goes on */
	u64 recent[RECENT_ARRIVALS]; /* addresses of the pages that arrived in the working set last, in turn */
	u32 recent_next;
	u8 page_priority;        /* of the pages that it brings in: 0 to 7 (frame.h), of a thread that has a lower one that */
	u8 ahead_window;         /* pages that come with one that is read from a paging file, and it; see fault_swap.c */
	u32 ahead_asked, ahead_used; /* of these, in the last read: how many there were, and were touched since */
	u64 ahead_next;          /* the address behind the last read */
	u64 ahead_mark;          /* a touch from here up to there, and the next read ahead begins (swap_ahead.c) */
	bool dying;
	u32 process_id;          /* for messages */
	struct list all_link;    /* all address spaces, under vspaces_lock */
};

/* Pages, as Windows sets them for a new process. */
#define WORKING_SET_MIN 50
#define WORKING_SET_MAX 345
#define WORKING_SET_NOT_LOCKABLE 8ull /* of the minimum: a process needs a few pages to run at all */

/* NULL: no memory or commit. An empty address space; the caller owns the reference. */
struct vspace *vspace_create(u32 process_id);
/* Removes all views, pages, charges. The address space is not loaded by the caller; no thread of it runs in user mode any more. */
void vspace_destroy(struct vspace *v);

/* Where a range may be placed, when the caller names no address: [low, high), at multiples of align. */
struct address_limits {
	u64 low, high, align;
};
#define ANYWHERE ((struct address_limits){ USER_LOW, USER_HIGH, GRANULARITY })

/*
 * The operations behind NtAllocateVirtualMemory and its kin: sizes in bytes, addresses as given by the caller (rounded
 * here), results are NTSTATUS values as the Windows documentation of those calls gives them. They take v->lock. v may be another process's.
 */
/* where: NULL = anywhere. extended: NtAllocateVirtualMemoryEx, which knows placeholders. */
u32 vspace_allocate(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect,
		    bool extended);
/* A thread's stack: size bytes reserved anywhere, the upper commit of them committed, and a guard page below. On failure nothing. */
u32 vspace_allocate_stack(struct vspace *v, u64 *base, u64 size, u64 commit);
u32 vspace_free(struct vspace *v, u64 *base, u64 *size, u32 type);
/* STATUS_WAS_UNLOCKED, a success: pages that were locked can't be, now that they are not accessible. */
u32 vspace_protect(struct vspace *v, u64 *base, u64 *size, u32 protect, u32 *old);
/* VirtualLock and VirtualUnlock: STATUS_WAS_LOCKED (a success), STATUS_WORKING_SET_QUOTA, STATUS_NOT_LOCKED, ... */
u32 vspace_lock_pages(struct vspace *v, u64 *base, u64 *size);
u32 vspace_unlock_pages(struct vspace *v, u64 *base, u64 *size);
/*
 * Write watch: the addresses of pages in [base, base + size) that were written since the last reset, at most *count, into
 * out; *count: how many. reset: those that are reported are reset. *next: where the caller goes on if out was too small,
 * else the end. STATUS_INVALID_PARAMETER_1 .. _3: not one write-watched allocation.
 */
u32 vspace_write_watch(struct vspace *v, u64 base, u64 size, bool reset, u64 *out, u64 *count, u64 *next);
u32 vspace_write_watch_reset(struct vspace *v, u64 base, u64 size);
u32 vspace_offer(struct vspace *v, u64 base, u64 size, u32 priority); /* OFFER_PRIORITY, 1 to 4: the page priority too */
u32 vspace_reclaim(struct vspace *v, u64 base, u64 size);
/* Brings pages in; what can't be had stays out. */
void vspace_prefetch(struct vspace *v, u64 base, u64 size);
/* The answers of NtQueryVirtualMemory; STATUS_INVALID_PARAMETER: no user address, STATUS_INVALID_ADDRESS: nothing allocated there. */
u32 vspace_query(struct vspace *v, u64 address, struct nt_memory_basic_information *out);
u32 vspace_query_region(struct vspace *v, u64 address, struct nt_memory_region_information *out);
/* Zeros: not an image. */
u32 vspace_query_image(struct vspace *v, u64 address, struct nt_memory_image_information *out);
/* Bytes of commit charge of the sections that v has views of, each counted once. */
u64 vspace_shared_commit(struct vspace *v);
/*
 * The pages in page tables from *va on, in the format of MEMORY_WORKING_SET_INFORMATION: at most max into out; *va: where to go
 * on. Returns how many; 0: there are no more.
 */
u32 vspace_working_set(struct vspace *v, u64 *va, u64 *out, u32 max);
/* Fills the attributes for each address. */
void vspace_working_set_ex(struct vspace *v, struct nt_memory_working_set_ex *entries, u32 count);
/* The file name (NT path, UTF-8) of the image or data file mapped at address. */
u32 vspace_query_file(struct vspace *v, u64 address, char *path, size_t size);
/*
 * The pages of [base, base + size) go to their file; size 0: to the end of the view. STATUS_NOT_MAPPED_VIEW: no view is there,
 * STATUS_NOT_MAPPED_DATA: no file's.
 */
u32 vspace_flush(struct vspace *v, u64 *base, u64 *size);
/* Whether both show the same section. STATUS_INVALID_ADDRESS, STATUS_CONFLICTING_ADDRESSES: no view, STATUS_NOT_SAME_DEVICE: no. */
u32 vspace_same_section(struct vspace *v, u64 first, u64 second);
u32 vspace_query_backing(struct vspace *v, u64 address, u64 pages, struct bs_page *out);
/* Copies between v (any address space) and kernel memory through the pager; *done may be short on an error. */
u32 vspace_read(struct vspace *v, u64 from, void *to, size_t n, size_t *done);
u32 vspace_write(struct vspace *v, u64 to, const void *from, size_t n, size_t *done);
/*
 * Working-set limits in pages, flags QUOTA_LIMITS_HARDWS_*; neither of a pair: that stays. STATUS_BAD_WORKING_SET_LIMIT,
 * STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES: memory can't hold so much that is not paged.
 */
u32 vspace_working_set_limit(struct vspace *v, u64 min, u64 max, u32 flags);
/* Trims every page that can be trimmed from the working set. */
void vspace_empty(struct vspace *v);
/*
 * Makes to, which is new and empty, a copy of from, whose threads may go on meanwhile: a page is copied when one of them
 * writes to it. Views that are not inherited, physical and large pages are left out. STATUS_COMMITMENT_LIMIT,
 * STATUS_INSUFFICIENT_RESOURCES (its working-set limits), or STATUS_NO_MEMORY when the caller is to end: then from is as it was. No locks held.
 */
u32 vspace_clone(struct vspace *from, struct vspace *to);
/* What is mapped at address, for messages: "private memory", "C:\bin\sh.exe+0x1234, .text", "free". */
void vspace_describe(struct vspace *v, u64 address, char *text, size_t size);

/* ---- sections ---- */

struct section;

/*
 * What NtCreateSection may be asked for: attributes SEC_* (STATUS_INVALID_PARAMETER_6), protect PAGE_*
 * (STATUS_INVALID_PAGE_PROTECTION).
 */
u32 section_check(u32 attributes, u32 protect);
/* Anonymous: size in bytes (rounded up to pages), attributes and protect as section_check allows them. One reference. */
u32 section_create_anonymous(u64 size, u32 protect, u32 attributes, struct section **out);
/* Image: parses and checks the file; the file's one image section is shared by all who ask. One more reference. */
u32 section_create_image(struct file *f, struct section **out);
void section_ref(struct section *s);
void section_unref(struct section *s);
const struct pe_image *section_image(const struct section *s); /* NULL: not an image */
bool section_image_current(const struct section *s); /* is its file what it was when its headers were read? */
u64 section_image_base(const struct section *s);               /* where it is mapped if that is free (ASLR) */
bool section_image_has(const struct section *s, u64 index); /* whether the page belongs to a section of the image, or its headers */
u64 section_size(const struct section *s);                     /* bytes */
u32 section_attributes(const struct section *s);               /* SEC_* */
struct file *section_file(const struct section *s);

/*
 * Maps a view. *base 0: anywhere; *size 0: to the end of the section. offset: bytes, multiple of GRANULARITY. type: MEM_RESERVE,
 * MEM_TOP_DOWN, MEM_REPLACE_PLACEHOLDER, MEM_DIFFERENT_IMAGE_BASE_OK, MEM_LARGE_PAGES. inherit: a clone of the process has the
 * view too (ViewShare). protect: PAGE_*. Statuses as NtMapViewOfSection's: STATUS_IMAGE_NOT_AT_BASE for an image elsewhere than
 * its base, STATUS_CONFLICTING_ADDRESSES, STATUS_INVALID_VIEW_SIZE, STATUS_COMMITMENT_LIMIT, ... The view holds a reference on s.
 */
u32 view_map_section(struct vspace *v, struct section *s, u64 *base, u64 offset, u64 *size,
		     const struct address_limits *where, u32 type, u32 protect, bool inherit);
/* preserve_placeholder: the view becomes a placeholder again, which it must have replaced. */
u32 view_unmap(struct vspace *v, u64 address, bool preserve_placeholder);

/* ---- counters ---- */

void mm_query(struct bs_memory *out);                            /* all but processes, threads, handles */
/* Frames first to first + count - 1, a few of them: all other CPUs' faults wait meanwhile. */
void frames_query(u64 first, u32 count, struct bs_frame *out);
u32 swap_query(u64 index, struct bs_paging_file *out);           /* BsQueryPagingFile */
/* Walks frames, words, slots and charges and compares. 0 = all is well; else the number of errors, each printed. */
u64 mm_check(void);
void swap_query_totals(struct bs_memory *out);                   /* what it says of all paging files */
void mm_options_describe_swap(char *text, size_t size);          /* "vd1 64 MiB", "none" */

#endif
