/*
 * Page frames: one entry of 32 bytes for each frame of memory (the PFN database), the page lists (frame.c), the allocator
 * (frame_cache.c, frame_run.c), and which frames there are (frame_start.c).
 * Inside kernel/mm only.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "abi/backstore.h"
#include "abi/nt.h"
#include "arch/arch.h"
#include "mm/word.h"
#include "proc/lock.h"

enum frame_state {
	FRAME_NONE,       /* not memory of ours */
	FRAME_KERNEL,     /* page tables, pool, stacks */
	FRAME_CACHED,     /* free, in a CPU's cache */
	FRAME_FREE,       /* free, old contents */
	FRAME_ZEROED,     /* free, filled with zeros */
	FRAME_STANDBY,    /* in no page table; its backing store holds the same: can be taken at once */
	FRAME_MODIFIED,   /* in no page table; must be written to a paging file before it can be taken */
	FRAME_FILE_MODIFIED, /* the same of a data file's page, which is written to that file */
	FRAME_TRANSITION, /* in no page table; being read or written */
	FRAME_ACTIVE,     /* in page tables */
	FRAME_PHYSICAL,   /* given for good: AWE pages (physical.c), large pages (large.c). Never leaves memory */
	FRAME_STATES,
};

#define FRAME_DIRTY 1     /* differs from its backing store (besides what valid entries' dirty bits say) */
#define FRAME_SECTION 2   /* word is a prototype word: a section's, or, with FRAME_CLONE, a clone page's */
#define FRAME_READING 4
#define FRAME_WRITING 8
#define FRAME_ABANDONED 16 /* its page was given up during I/O: whoever ends the I/O frees it */
#define FRAME_CLONE 32    /* word is a clone page's (clone.c) */
#define FRAME_AHEAD 64    /* read ahead from a paging file, and not touched since */
#define FRAME_RETURNS 128 /* while it is read: it had been in memory before (thrash.h) */
#define FRAME_LARGE 256    /* FRAME_PHYSICAL: part of a large page */
#define FRAME_NAMED 512    /* FRAME_PHYSICAL, during one call: will be mapped by it; its entry will be replaced by it */
#define FRAME_LEAVING 1024

/* Page priorities, as Windows has them; the standby and the modified list have a list for each. */
#define PRIORITIES 8
#define PRIORITY_LOWEST 0    /* MEM_RESET: nobody wants the contents */
#define PRIORITY_AHEAD 2     /* read ahead, and nobody came for it yet */
#define PRIORITY_NORMAL MEMORY_PRIORITY_NORMAL /* 5: of threads that said nothing else */
#define PRIORITY_REFAULTED 6 /* was evicted too early: it came back soon */

struct frame {
	union {
		struct {
			u32 next, prev; /* frame numbers; on a list, of an address space's AWE pages, or a chain of frames to free */
		};
		struct {
			u32 arrived, used; /* FRAME_ACTIVE: when it came into a working set and was seen used (replace.h) */
		};
		struct {
			u16 low, high; /* a page table above the lowest: only its entries low to high - 1 may lead to others (pt.c) */
		} entries;
	};
	word_t *word;    /* the word that says "in this frame"; NULL: none (kernel, free, abandoned) */
	/*
	 * What that word becomes when the frame is taken: zero, slot, or backing file; protection does not count.
	 * FRAME_PHYSICAL, not large: the address space that it was given to.
	 */
	word_t backing;
	u32 shares;      /* valid page-table entries that map it */
	u8 state;
	u8 use : 5;      /* enum bs_frame_use of the kernel's frames, and of sections' pages */
	u8 priority : 3; /* PRIORITY_*: of two standby pages the one of the lower priority is taken first */
	u16 flags;
};
_Static_assert(sizeof(struct frame) == 32, "the PFN database has 32 bytes a frame");

#define frames ((struct frame *)FRAMES_BASE) /* indexed by frame number */

extern struct spinlock frames_lock;

struct frame_counts {
	u64 total;                  /* frames that we manage */
	u64 state[FRAME_STATES];    /* on the four lists, and in transition: under frames_lock; the others: see mm_query */
	volatile u64 kernel, physical; /* atomic */
	bool compacting;            /* atomic; CPUs keep no frames to themselves meanwhile */
	volatile u64 low, high;     /* available frames: the trimmer begins under low, ends over high */
};
extern struct frame_counts frame_counts;

/* Is it a page of a data file, as all who map the file see it? */
static inline bool frame_is_file(const struct frame *f)
{
	return (f->flags & (FRAME_SECTION | FRAME_CLONE)) == FRAME_SECTION && f->use == BS_USE_FILE;
}

/* The list of a page that no page table has, and that is not being read or written. */
static inline enum frame_state frame_list_for(const struct frame *f)
{
	if (!(f->flags & FRAME_DIRTY))
		return FRAME_STANDBY;
	return frame_is_file(f) ? FRAME_FILE_MODIFIED : FRAME_MODIFIED;
}

static inline void *frame_address(u32 pfn) { return phys_to_virt((u64)pfn << PAGE_SHIFT); }
static inline u32 frame_of_address(const void *p) { return virt_to_phys(p) >> PAGE_SHIFT; }

/* Frames that any CPU can have without I/O (what the CPUs' caches hold is extra). */
static inline u64 frames_available(void)
{
	return frame_counts.state[FRAME_FREE] + frame_counts.state[FRAME_ZEROED] + frame_counts.state[FRAME_STANDBY];
}

/* Who asks: below its floor of available frames a caller gets nothing. For good: leaves enough for everybody else. */
enum frame_user { FRAME_FOR_USER, FRAME_FOR_KERNEL, FRAME_FOR_GOOD, FRAME_USERS };
extern u64 frame_floors[FRAME_USERS]; /* what each leaves for those who free memory: not above frame_counts.low */

/*
 * Takes a frame: no word, no shares, state FRAME_KERNEL (the caller changes it). 0: none now. Never waits.
 * Takes frames_lock at times: the caller does not hold it.
 */
u32 frame_alloc(enum frame_user user, bool zeroed);
void frame_free(u32 pfn);
u64 frames_cached(void); /* frames that CPUs have in reserve: free, but on no list */
/* Interrupts off, frames_lock not held: frames of state FRAME_CACHED go to the list of s, FRAME_FREE or FRAME_ZEROED. */
void frames_give_free(enum frame_state s, const u32 *pfns, u32 count);
void frames_free(u32 chain, u32 count); /* the same of count frames that are chained by next; 0 ends */
void frame_free_zeroed(u32 pfn); /* it holds nothing but zeros */
/* Standby pages of this priority and of lower ones leave memory; their frames become free. Takes frames_lock. */
void frames_purge(u32 priority);
/* count frames in a row, power of two up to 16, for the pool. 0: none. */
u32 frame_alloc_run(u32 count);
/*
 * LARGE_FRAMES zeroed frames in a row, at a multiple of that, for a large page: FRAME_PHYSICAL, FRAME_LARGE. Looks from
 * frame *from on, and moves it behind what it found or looked at, so that many cost one walk. Returns the first; 0: none.
 */
#define LARGE_FRAMES 512u
u32 frame_alloc_large(u64 *from);
/*
 * Brings together what is free, for up to count large pages: every page that can be moved out of the way is moved. Takes
 * address spaces' locks; the thread holds no mutex. Returns how many of them now fit.
 */
u64 frames_compact(u64 count);
/* Frees frames that were given for good, chained by next; 0 ends. */
void frames_free_physical(u32 chain);

/* Sleeps until a frame can be had; the thread holds no mutex. Wakes the trimmer. False: the thread was told to end. */
bool frames_wait(void);
/* The same for one who asks for good, until deadline (clock_ns). False: that has come, or the thread was told to end. */
bool frames_wait_for_good(u64 deadline);

/* With frames_lock held: */
void frame_list_remove(u32 pfn);              /* from the list of its state */
void frame_take(u32 pfn);                     /* free, zeroed or standby: off its list, standby's word says where the page is now */
/* s: FRAME_FREE or FRAME_ZEROED. The oldest of that list, at most max, into out, as FRAME_CACHED. Returns how many. */
u32 frames_take_free(enum frame_state s, u32 *out, u32 max);
/* All of a run of such frames: FRAME_KERNEL. Fills zeroed, a bit each, with those that are so. */
void frame_take_run(u32 first, u32 count, u64 *zeroed);
void frame_list_add(u32 pfn, enum frame_state s); /* at the end; wakes who waits for memory */
u32 frame_list_first(enum frame_state s);     /* the one to be taken next: lowest priority, then oldest. 0: empty */
u32 frame_list_head(enum frame_state s, u32 priority); /* the oldest of that priority; free and zeroed: priority 0 */
void frame_priority_set(u32 pfn, u32 priority); /* moves it to the end of another list, if it is on one */
void frame_state_set(u32 pfn, enum frame_state s); /* between states without a list */
/* The last valid entry has gone: to standby or modified, its word becomes a transition word. */
void frame_deactivate(u32 pfn);
/* A frame on standby or modified, or being written, is wanted again: state active, shares 1, word valid is the caller's job. */
void frame_reactivate(u32 pfn);
/*
 * The page is given up (freed, decommitted, its section gone): its slot and its frame become free, or are marked to be when
 * its I/O ends. shares is 0. True if the frame is to be freed by the caller with frame_free after frames_lock was dropped.
 */
bool frame_give_up(u32 pfn);
/*
 * Sets the thresholds, in frames; 0 and 0: as they are after a boot without option reclaim=. False: not RECLAIM_LOWEST <= low,
 * low + RECLAIM_GAP <= high <= half of memory. Nothing has changed then.
 */
#define RECLAIM_LOWEST 64u /* above what the allocator keeps back for the kernel and for those who free memory */
#define RECLAIM_GAP 16u
bool reclaim_set(u64 low, u64 high);
void frame_queues_init(void); /* before the first wait */
u64 frame_ramdisk_phys(u32 entry); /* where mm_init put the RAM disk of that entry of option swap */
u64 frame_highest(void);      /* the highest frame number */
bool frame_range(u32 index, u64 *first, u64 *count); /* the index-th run of managed frames; false behind the last */
bool frame_managed(u64 pfn);                  /* a frame of ours, so that it has an entry */
/* Waits until pfn's read ends; called and returns without locks. The caller looks at its word again. */
void frame_wait_io(u32 pfn);
void frame_io_done(u32 pfn); /* wakes them; frames_lock held */

#endif
