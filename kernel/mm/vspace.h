/* Views, sections and page tables, as the files of kernel/mm share them. Inside kernel/mm only. */
#ifndef MM_VSPACE_H
#define MM_VSPACE_H

#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/mm.h"
#include "mm/page_io.h"
#include "proc/object.h"

/* A status of our own: nothing was changed, drop the locks, wait for a frame, try again. Never reaches user space. */
#define MM_WAIT_MEMORY 0xE0000001u
/*
 * Behind an attempt, with no locks held: if it has to wait for memory, waits, and says that it is to be made again. False:
 * not, and *status is the caller's result: STATUS_NO_MEMORY if waiting is of no use as the thread, or v (NULL: none), ends.
 */
bool vspace_memory_wait(const struct vspace *v, u32 *status); /* its slow part */
static inline bool memory_wait_again(const struct vspace *v, u32 *status)
{
	return unlikely(*status == MM_WAIT_MEMORY) && vspace_memory_wait(v, status);
}

/* ---- protections (protect.c) ---- */

/* PAGE_* to PROT_*; false: no such protection. */
bool prot_from_page(u32 page, u32 *prot);
u32 prot_to_page(u32 prot);
/* access: enum fault_access; guard pages and no access: false */
static inline bool prot_allows(u32 prot, u32 access)
{
	/* x86-64 can't execute what it can't read */
	u32 needed = access & FAULT_EXECUTE ? PROT_EXECUTE : access & FAULT_WRITE ? PROT_WRITE : PROT_READ | PROT_EXECUTE;

	return prot & needed && !(prot & (PROT_GUARD | MARK_OFFERED));
}

/* ---- page tables (pt.c); v->lock held ---- */

#define TABLE_SPAN MIB(2) /* what one lowest-level table maps */
#define WORDS_LOCKED 64   /* so many words are looked at under frames_lock at a time: interrupts are off meanwhile */
/* The first of words i to count - 1 that is not 0; count or more: there is none. */
static inline u64 words_skip(const word_t *word, u64 i, u64 count)
{
	for (; i + 8 <= count; i += 8) {
		const word_t *w = &word[i];

		if (w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7])
			break;
	}
	while (i < count && !word[i])
		i++;
	return i;
}

/* The word of a user address; NULL: there is no table, or a large page. */
word_t *pt_word_walk(struct vspace *v, u64 va);
static inline word_t *pt_word(struct vspace *v, u64 va)
{
	if (likely(va / TABLE_SPAN == v->leaf_number))
		return &v->leaf[va >> PAGE_SHIFT & 511];
	return pt_word_walk(v, va);
}
/*
 * The same, with the tables made: STATUS_SUCCESS, MM_WAIT_MEMORY, STATUS_COMMITMENT_LIMIT (but not if promised: the page is
 * there, promised by another process's commit, and seen here for the first time). Tables that were made stay, charged to v.
 */
u32 pt_word_make(struct vspace *v, u64 va, bool promised, word_t **word);
u32 pt_make_range(struct vspace *v, u64 start, u64 end);
/*
 * The first word at or after *va and under end that lies in a table that exists, with *va moved there; *words: how many in a
 * row in that table, cut at end. NULL: there is none.
 */
word_t *pt_next(struct vspace *v, u64 *va, u64 end, u64 *words);
/* Frees the tables under [start, end) that no view needs; all words there are 0. No view is in [low, high), which is around it. */
void pt_prune(struct vspace *v, u64 start, u64 end, u64 low, u64 high);
/* The same at the end of v, whose tables no CPU has loaded, and which has no views: of all but the first one. */
void pt_end(struct vspace *v);
/*
 * Spare tables, charged to v, for as many tables in all: so that making the next ones can't fail. No lock held: waits for
 * memory. STATUS_COMMITMENT_LIMIT, STATUS_NO_MEMORY (the thread was told to end): some may have been made.
 */
u32 pt_spares_make(struct vspace *v, u64 tables);
void pt_spares_free(struct vspace *v);
/* The entry of the large page at va, valid or not (no access); NULL: there is none. It has the form of a word, and PTE_LARGE. */
word_t *pt_large(struct vspace *v, u64 va);
u32 pt_large_make(struct vspace *v, u64 va, word_t **entry); /* statuses as pt_word_make's; *entry may be 0 still */
bool pt_create(struct vspace *v);
void pt_destroy(struct vspace *v); /* no view is left */

/* ---- views ---- */

enum view_kind { VIEW_PRIVATE, VIEW_SECTION, VIEW_IMAGE };

struct view {
	struct tree_node node;   /* [start, end) */
	enum view_kind kind;
	u32 prot;                /* PROT_* as allocated or mapped; sections: of pages that say nothing else */
	u32 protect;             /* PAGE_* as given, for queries */
	bool copy;               /* section views: writes go to private copies */
	u8 flags;
	u64 charge;              /* pages of COMMIT_PRIVATE that it holds */
	u64 used_low, used_high; /* words of addresses outside are 0; 0, 0: all of them (view_use) */
	struct section *section; /* a reference; NULL for private memory */
	u64 first;               /* index of the section's page that start shows */
	struct large_run *large; /* VIEW_LARGE private memory: its pages (large.c); a section's are the section's */
};
#define VIEW_PLACEHOLDER 1   /* reserved for a later view or allocation: nothing can be committed */
#define VIEW_REPLACED 2      /* took the place of a placeholder, and can become one again */
#define VIEW_WRITE_WATCH 4
#define VIEW_AWE 8           /* a window for physical pages */
#define VIEW_LARGE 16        /* mapped with large pages: no words */
#define VIEW_NOT_INHERITED 32 /* a clone of the process does not have it */
#define VIEW_NO_CHANGE 64    /* its protection stays as it is */

static inline struct view *view_of(struct tree_node *n) { return n ? container_of(n, struct view, node) : NULL; }
/* NULL: there is none; any address. */
static inline struct view *view_find(struct vspace *v, u64 va) { return view_of(tree_find(&v->views, va)); }
static inline u64 view_index(const struct view *w, u64 va) { return w->first + ((va - w->node.start) >> PAGE_SHIFT); }

/*
 * Words in [start, end) may be other than 0 from now on; a fault that finds a section's page outside says it of all of
 * the view. So a large one that is little used is quickly given back.
 */
static inline void view_use(struct view *w, u64 start, u64 end)
{
	w->used_low = w->used_high ? MIN(w->used_low, start) : start;
	w->used_high = MAX(w->used_high, end);
}

/* Picks a place: *base 0 = anywhere. Inserts a new view there. v->lock held. */
u32 view_create(struct vspace *v, u64 *base, u64 size, const struct address_limits *where, bool top_down,
		const struct view *like, struct view **out);
/* Gives up every page, the tables, the charge, the view itself; v->lock held. The section's reference goes to the caller, who drops it after v->lock. */
struct section *view_remove(struct vspace *v, struct view *w);
/* The same, but for the end of w itself, which is out of the tree then. */
void view_clear(struct vspace *v, struct view *w);
void views_end(struct vspace *v); /* all of them, at the end of v: no CPU has its page tables loaded. No locks held */
/* A section's view: where what is not committed begins, because it lies behind the end of a file. */
u64 view_committed_end(const struct view *w);
/* How many pages in [start, end), all of it private memory, the view is charged for. */
u64 view_words(struct vspace *v, u64 start, u64 end);
/*
 * Where a run from va on ends that is all alike because nothing was ever said of its pages: no table of ours, nor, where
 * that counts, of the section's. At least one page; va has no table. So a large reservation is not walked page by page.
 */
u64 view_uniform_end(struct vspace *v, struct view *w, u64 va);
/* The part of w, private memory, from at on becomes a view of its own, upper, which the caller has allocated. */
void view_split(struct vspace *v, struct view *w, u64 at, struct view *upper);
/* Splits w, private memory, so that [start, end) is one view, *out. STATUS_INSUFFICIENT_RESOURCES: nothing changed. */
u32 view_isolate(struct vspace *v, struct view *w, u64 start, u64 end, struct view **out);

/* ---- placeholders (placeholder.c); v->lock held ---- */

/* The placeholder that is exactly [at, at + size) becomes a view like this one. STATUS_CONFLICTING_ADDRESSES: there is none. */
u32 placeholder_replace(struct vspace *v, u64 at, u64 size, const struct view *like, struct view **out);
/* Gives up all that w has; its addresses are a placeholder again. The section's reference goes to the caller, as with view_remove. */
struct section *placeholder_restore(struct vspace *v, struct view *w);
/* MEM_RELEASE with MEM_PRESERVE_PLACEHOLDER: splits a placeholder, or frees an allocation that replaced one. */
u32 placeholder_split(struct vspace *v, u64 start, u64 end);
/* MEM_RELEASE with MEM_COALESCE_PLACEHOLDERS: [start, end) is exactly two or more placeholders. */
u32 placeholders_coalesce(struct vspace *v, u64 start, u64 end);

/* What page va of w is: its protection, if it is committed, from its word or from what the view and the section say. */
struct page_state {
	bool committed;
	u32 prot;
	bool private_copy; /* in a section's view: the page is not the section's */
	bool clone;        /* shared with a clone of the process: a write makes a copy, though prot does not say so */
};
void view_page_state(struct vspace *v, struct view *w, u64 va, word_t word, struct page_state *out);

/* ---- working sets and their limits (working_set.c); v->lock held ---- */

/* So many more valid entries. */
static inline void resident_add(struct vspace *v, u64 pages)
{
	u64 now = v->resident += pages;

	if (now > v->resident_peak)
		v->resident_peak = now;
}

/* Before the first page is locked: memory is reserved for the minimum working set. False: there is not enough. */
bool working_set_hold(struct vspace *v);
void working_set_release(struct vspace *v);
/* How many pages the trimmer may take. */
u64 working_set_spare(const struct vspace *v);
/* Above a hard maximum, pages leave until it holds again; those that have just arrived stay. */
void working_set_enforce(struct vspace *v);

/* MEM_RESET and, if undo, MEM_RESET_UNDO (discard.c). */
u32 vspace_reset(struct vspace *v, u64 *base, u64 *size, bool undo, u32 protect);
/* The contents of a page that was reset or is on offer are wanted again: its frame alone has them, or a slot. frames_lock held. */
void page_contents_keep(u32 pfn);

/* ---- large pages (large.c) and physical pages (physical.c); v->lock held, if nothing else is said ---- */

#define LARGE_PAGE TABLE_SPAN
/* VirtualAlloc with MEM_LARGE_PAGES, with MEM_PHYSICAL. No locks held. */
u32 large_allocate(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect);
u32 physical_reserve(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect);
/* Bytes of large pages, zeroed and charged: STATUS_COMMITMENT_LIMIT, STATUS_INSUFFICIENT_RESOURCES (memory is too scattered). */
u32 large_run_create(u64 bytes, struct large_run **out);
void large_run_free(struct large_run *run);
u64 large_run_pages(const struct large_run *run);        /* of 4 KiB */
u32 large_run_frame(const struct large_run *run, u64 index); /* index: of the page of 4 KiB */
/* A section of large pages (SEC_LARGE_PAGES). No locks held. */
u32 section_create_large(u64 size, u32 protect, struct section **out);
/* May s be seen so with large pages? */
u32 large_view_check(const struct section *s, u64 base, u64 offset, u64 size, u32 prot);
/* Maps w's pages, its own or its section's: the tables first, so that nothing was mapped on failure. */
u32 large_map(struct vspace *v, struct view *w);
void large_unmap(struct vspace *v, struct view *w);
u32 large_protect(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot, u32 *old);
/* The page at va: its frame; 0: it is not in a large page. */
u32 large_pfn(struct vspace *v, u64 va);
u32 large_prot(struct vspace *v, u64 va);
/* Nothing is mapped in [start, end) of a window any more. The pages stay the process's. */
void physical_unmap(struct vspace *v, u64 start, u64 end);
void physical_free_all(struct vspace *v); /* no window is left */

/* ---- taking pages out of page tables; v->lock held ---- */

/*
 * Collects pages whose valid entries were replaced, and does what is due when no TLB holds them any more: flush, then
 * drop the shares, then put frames on lists or free them.
 */
#define GATHER_MAX 64
struct gather {
	struct vspace *v;
	u32 count;
	u32 gone;       /* frames of private pages that are given up, chained */
	u64 low, high;  /* addresses to flush */
	struct { u32 pfn; u8 what, dirty; } pages[GATHER_MAX];
};
enum gather_what { GATHER_DEACTIVATE, GATHER_GIVE_UP };
void gather_init(struct gather *g, struct vspace *v);
/* old: the valid word that was at va; it has been replaced already. */
void gather_page(struct gather *g, u64 va, word_t old, enum gather_what what);
void gather_flush_only(struct gather *g, u64 va); /* va's entry changed, its frame stays */
/*
 * Takes the page out of the page table: *word becomes the word of the same page out of the table, with this protection and
 * these marks. v->lock held.
 */
void gather_deactivate(struct gather *g, u64 va, word_t *word, u32 prot);
void gather_finish(struct gather *g);
/* Gives up every page in [start, end) of a view: words become 0. Returns how many pages the view was charged for, if it is private memory. */
u64 pages_remove(struct vspace *v, u64 start, u64 end);

/* ---- pages shared with clones of the process (clone.c) ---- */

/* Says where the page is, for all processes that share it. 16 bytes aligned to 16, so that a word can hold the address. */
struct clone_page {
	word_t word;
	u32 refs;    /* words of processes that refer to it, valid ones or not; under frames_lock */
	u32 seen;    /* how many of them mm_check has found; 0 outside */
};
extern struct mutex clones_lock; /* for all clone pages' words what a section's lock is for its prototype words */
void clones_init(void); /* before the first process */
struct clone_page *clone_of(word_t w);
/*
 * One reference less, with its valid entry gone; frames_lock held. The last one gives up the page. What is to be freed after
 * frames_lock was dropped: *pfn, if not 0, with frame_free, and what is returned with kfree (NULL: nothing).
 */
void *clone_unref(struct clone_page *c, u32 *pfn);
/* c says nothing any more: somebody took over its page. frames_lock held. Returns what clone_unref returns. */
void *clone_page_free(struct clone_page *c);
/* For mm_check, once for each clone page. *used: the pages in use in c's block if c is the first of them, else 0. False: c is none. */
bool clone_check_block(struct clone_page *c, u64 *used);
/* Is a committed page of private memory, or a private copy, part of its view's charge? */
static inline bool word_charged(word_t w)
{
	return w && !(commit_totals.lazy_writecopy && word_is_clone(w));
}

/* ---- sections ---- */

struct pe_image;

/* Where a section's pages come from. One constant table for each kind. */
struct backing {
	const char *name;
	u8 use; /* enum bs_frame_use of its pages' frames */
	u8 cluster; /* pages that are read with one, if memory is not short */
	/* What a word that was never written means: 0 = not committed. */
	word_t (*initial)(const struct section *s, u64 index);
	/* The protection that a view gives to a page by itself; NULL: the view's. */
	u32 (*prot)(const struct section *s, u64 index);
	/* The pages around index, [*first, *end), to which it gives the same; not NULL if prot is not. */
	void (*alike)(const struct section *s, u64 index, u64 *first, u64 *end);
	/* Reads count pages from index on into frames; WORD_BACKING pages only. No locks held. False: I/O error. */
	u32 (*read)(struct section *s, u64 index, const u32 *pfns, u32 count); /* STATUS_SUCCESS, or why not */
	/* How many pages from index on can be read in one request, at most max. */
	u32 (*run)(const struct section *s, u64 index, u32 max);
	/* Byte offset in the file. */
	u64 (*offset)(const struct section *s, u64 index);
	void (*destroy)(struct section *s);
};
extern const struct backing backing_anon, backing_image, backing_file;
struct pe_segment;
u32 image_segment_prot(const struct pe_segment *g); /* what its pages may be used for if nobody said anything else */

struct section {
	struct object object;
	struct mutex lock;       /* the prototype words */
	const struct backing *backing;
	u64 pages;
	u32 attributes, protect; /* SEC_*, PAGE_* */
	u64 charge;              /* pages of COMMIT_SECTION (a file's: COMMIT_KERNEL): pages promised and tables */
	bool tables_charged;     /* the charge has room for all tables already */
	u32 levels;
	u64 *root;               /* tables of 512 words, as page tables; NULL until the first page */
	struct file *file;
	struct image *image;     /* backing_image.c */
	u64 copy_pages;          /* an image's that are write-copy */
	struct section *data;    /* of one that was made of a data file: the file's, whose pages its views show; a reference */
	/* The rest of a data section is under frames_lock, if nothing else is said (file_cache.h). */
	union {
		u64 bytes;        /* of one that was made of a data file: its size */
		u64 mapped_bytes; /* a data section: the file must not get shorter while there are references; under file->lock */
	};
	bool writable;           /* somebody may have a view to write; likewise */
	bool entry_late;         /* the directory entry is behind the file; likewise */
	bool write_failed;       /* it was said that pages can't be written; the writer's */
	u64 lost;                /* modified pages that were given up, and not yet told of; under file->lock */
	bool listed, orphan;     /* on the writer's list; no file has it any more */
	u32 holds;               /* who uses it without a reference */
	struct list modified_link; /* the writer's list */
	struct large_run *large; /* SEC_LARGE_PAGES: all its pages; then there are no words (large.c) */
	struct list all_link;
	u64 counted;             /* vspace_shared_commit: the last count that saw it */
};

/* PROT_NOCACHE or PROT_WRITECOMBINE, which all its views have; else 0. */
u32 section_caching(const struct section *s);
/* Pages of [first, first + count) that are committed. s->lock not held. */
u64 section_committed(struct section *s, u64 first, u64 count);
/* section_commit for callers without locks, with all waiting done. STATUS_COMMITMENT_LIMIT, STATUS_NO_MEMORY. */
u32 section_commit_range(struct section *s, u64 first, u64 count);
/* image_copy.c: whether an image runs from swap, how many pages image_copy copies, and copies them. No locks held. */
struct pe_image;
bool image_runs_from_swap(const struct pe_image *pe, const struct file *f);
u64 image_copy_pages(const struct pe_image *pe);
u32 image_copy(struct section *s);

/* The prototype word of page index; NULL: no table (then the backing's initial word holds). s->lock held. */
word_t *section_word(struct section *s, u64 index);
/* The first index from index on that has a table; s->pages: none. s->lock held. */
u64 section_next(struct section *s, u64 index);
/* With the tables made: STATUS_SUCCESS, MM_WAIT_MEMORY, STATUS_COMMITMENT_LIMIT; a word that was 0 gets its initial value. */
u32 section_word_make(struct section *s, u64 index, word_t **word);
/* Commits pages of a SEC_RESERVE section. */
u32 section_commit(struct section *s, u64 first, u64 count);
/* Calls f for each table of prototype words that exists. */
void section_for_each_table(struct section *s, void (*f)(struct section *, u64 first, word_t *words, u64 count, void *), void *arg);
void section_free(struct section *s); /* nobody knows of it */
u32 section_setup(struct section **out, const struct backing *b, u64 pages, u32 attributes, u32 protect, u64 charge);
extern struct mutex sections_lock; /* the list of all sections, and files' image_section */
extern struct list all_sections;
extern struct mutex vspaces_lock;  /* the list of all address spaces */
extern struct list all_vspaces;

/* ---- the fault cases; each in a file of its own ---- */

struct fault {
	struct vspace *v;
	struct view *view;
	u64 va;          /* page-aligned */
	u32 access;
	word_t *word;    /* NULL: no table yet */
	u32 prot;        /* of the page, as found */
	/* I/O that the case wants done after the locks were dropped: filled by the case, run by mm_fault. */
	struct page_io io;
	bool brought;    /* it waited for I/O already */
	u64 grow_stack_to; /* fault_guard: the new lowest committed byte of the stack */
};

/* v->lock held by all of them; those about sections take the section's lock. */
enum fault_result fault_zero(struct fault *f);
enum fault_result fault_section(struct fault *f);
enum fault_result fault_clone(struct fault *f);
enum fault_result fault_cow(struct fault *f, u32 source_pfn);
/* lazy-writecopy: charges f's view for the private copy that is about to be made. False: over the limit. */
bool fault_copy_charge(struct fault *f);
void fault_copy_release(struct fault *f); /* it was not made */
/* A page that a prototype word, a section's or a clone page's, says is in memory. FAULT_RETRY with *pfn set: one share more, to be mapped. */
enum fault_result prototype_in_memory(struct fault *f, word_t *word, u32 *pfn);
/* The same for one that is demand zero. flags: FRAME_* that say whose word it is. */
enum fault_result prototype_zero(struct fault *f, word_t *word, u8 flags, u32 *pfn);
enum fault_result fault_swap(struct fault *f);
enum fault_result fault_transition(struct fault *f);
enum fault_result fault_guard(struct fault *f);
/*
 * No locks held: tells the thread's block how far its stack reaches now. True: it has come down to the part that
 * SetThreadStackGuarantee keeps for the handler of its overflow, which is raised now.
 */
bool fault_stack_grown(const struct fault *f);
enum fault_result fault_io(struct fault *f); /* no locks held; fault_swap.c */
#define FAULT_CLUSTER 16 /* pages that come with one fault, unless it goes on where the last one ended */
/*
 * Begins to read the slot of *word, and those behind it, into new frames: words become transition words. words_after: words
 * in a row behind word. flags: FRAME_* that say whose words they are; FRAME_CLONE: entries that refer to clone pages.
 */
enum fault_result swap_in_begin(struct fault *f, word_t *word, u32 words_after, u8 flags);
/* How many pages are worth being read now, by what became of those of the last read; goes_on: behind those. v->lock held. */
u32 ahead_window(struct vspace *v, bool goes_on);
/* A page was touched that came ahead, and most of the pages that came with it were: those behind them are asked for. */
void swap_ahead(struct fault *f);
/* Is next the word of a page that stands distance slots behind that of first? */
bool swap_follows(word_t first, word_t next, u32 distance);
/* No locks held: until nothing is read ahead for v any more. v's threads have ended. */
void swap_ahead_wait(const struct vspace *v);
/* A page on standby or modified is touched: frame_reactivate, and what is counted of pages read ahead. frames_lock held. */
void fault_reactivate(struct fault *f, u32 pfn);
u32 fault_priority(const struct fault *f); /* of the pages that it brings in */
u32 read_priority(const struct fault *f, u32 n, u32 ahead); /* of the n-th page of a read; ahead: of those that come with the first */
/* The valid entry for a page that is present, and what counts with it. */
void fault_map_word(struct fault *f, word_t valid);
static inline void fault_map(struct fault *f, u32 pfn, u32 prot, bool section, bool dirty)
{
	fault_map_word(f, word_valid_make(pfn, prot, section, dirty));
}
/*
 * Behind a fault that mapped a section's page, which was in memory: maps its neighbours that are in memory too, as far as
 * they have the same protection. *word: the page's prototype word; the section's lock is held. Returns how many.
 */
u32 fault_around(struct fault *f, word_t *word);
/* Of a new view of a whole image, maps what is in memory because others have it, or had, up to a limit. v->lock held. */
void image_map_around(struct vspace *v, struct view *w);

/* Counted with cpu_count. */
enum fault_counter {
	FAULTS_ALL,
	FAULTS_ZERO,
	FAULTS_SECTION,
	FAULTS_AROUND, /* pages that were made accessible with one beside them */
	FAULTS_COW,
	FAULTS_COW_STEAL,
	FAULTS_SWAP_IN,
	FAULTS_TRANSITION,
	FAULTS_GUARD,
	FAULTS_IMAGE_READ,
	FAULTS_IMAGE_PAGES,
	FAULT_COUNTERS,
};
_Static_assert(FAULT_COUNTERS <= CPU_COUNTERS, "arch.h has room for these counters");
u64 fault_count(enum fault_counter counter); /* of all CPUs */

#endif
