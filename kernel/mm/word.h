/*
 * The page's word: where a page is, written in exactly one place. For private memory the word is the process's own
 * page-table entry; for a page of a section it is the section's prototype word, in the same format, of which a process's
 * entry is only a cache. Only the accessors here know the bits.
 *
 *   63  62    58   57 .. 52   51 ........ 12  11..9   8 .. 1      0
 *   NX  -     -    protection  frame number   flags   hardware    1    valid: the hardware reads it
 *   slot ............................... 16 15..12 11..6  3..1    0    paging file: slot, file, protection, kind
 *   -               frame number 51..12     11..6  3..1           0    transition: in memory, not in the page table
 *   -                                       11..6  3..1           0    demand zero / prototype / in the image or file
 *   0                                                             0    nothing: not committed (private memory), or as the
 *                                                                      view says (section)
 */
#ifndef MM_WORD_H
#define MM_WORD_H

#include "arch/pte.h"
#include "lib/types.h"

typedef u64 word_t;

enum word_kind {
	WORD_NONE = 0,
	WORD_ZERO = 1,       /* committed, never written: a zeroed page when touched */
	WORD_TRANSITION = 2, /* in memory, frame number; on the standby or modified list, or being read or written */
	WORD_SWAP = 3,       /* in a paging file */
	WORD_PROTOTYPE = 4,  /* process entries: ask the section; carries a protection of its own */
	WORD_BACKING = 5,    /* prototype words: in the image or data file, at the place the section computes */
	WORD_VALID = 8,
};

/*
 * Protection, 6 bits: what the page may be used for. Kept in every kind of word, so that it survives paging.
 * PROT_COPY: a write makes a private copy. PROT_GUARD: the next access raises a guard-page exception.
 */
#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXECUTE 4u
#define PROT_COPY 8u
#define PROT_GUARD 16u
#define PROT_NOCACHE 32u
#define PROT_MASK 63u
#define PROT_NONE 0u

#define WORD_KIND_SHIFT 1
#define WORD_PROT_SHIFT 6
#define WORD_VALID_PROT_SHIFT 52
#define WORD_SWAP_FILE_SHIFT 12
#define WORD_SWAP_SLOT_SHIFT 16
/* In valid entries: the page belongs to a section's prototype word. */
#define PTE_SECTION (1ull << 9)

static inline bool word_valid(word_t w) { return w & PTE_VALID; }

static inline enum word_kind word_kind(word_t w)
{
	return word_valid(w) ? WORD_VALID : (enum word_kind)(w >> WORD_KIND_SHIFT & 7);
}

static inline u32 word_prot(word_t w)
{
	return (w >> (word_valid(w) ? WORD_VALID_PROT_SHIFT : WORD_PROT_SHIFT)) & PROT_MASK;
}

/* Page frame number of a valid or transition word. */
static inline u32 word_pfn(word_t w) { return (u32)((w & PTE_ADDRESS) >> PAGE_SHIFT); }

static inline u32 word_swap_file(word_t w) { return w >> WORD_SWAP_FILE_SHIFT & 15; }
static inline u64 word_swap_slot(word_t w) { return w >> WORD_SWAP_SLOT_SHIFT; }

static inline word_t word_make(enum word_kind kind, u32 prot)
{
	return (word_t)kind << WORD_KIND_SHIFT | (word_t)prot << WORD_PROT_SHIFT;
}

static inline word_t word_zero(u32 prot) { return word_make(WORD_ZERO, prot); }

static inline word_t word_transition(u32 pfn, u32 prot)
{
	return word_make(WORD_TRANSITION, prot) | (word_t)pfn << PAGE_SHIFT;
}

static inline word_t word_swap(u32 file, u64 slot, u32 prot)
{
	return word_make(WORD_SWAP, prot) | (word_t)file << WORD_SWAP_FILE_SHIFT | slot << WORD_SWAP_SLOT_SHIFT;
}

/* Same place, another protection; not for valid words. */
static inline word_t word_with_prot(word_t w, u32 prot)
{
	return (w & ~((word_t)PROT_MASK << WORD_PROT_SHIFT)) | (word_t)prot << WORD_PROT_SHIFT;
}

/*
 * The valid entry for a frame. Write access reaches the hardware only for PROT_WRITE without PROT_COPY; a guarded or
 * inaccessible page never gets a valid entry. section: the page belongs to a prototype word. dirty: it will be written at once.
 */
static inline word_t word_valid_make(u32 pfn, u32 prot, bool section, bool dirty)
{
	word_t w = PTE_VALID | PTE_USER | PTE_ACCESSED | (word_t)pfn << PAGE_SHIFT | (word_t)prot << WORD_VALID_PROT_SHIFT;

	if ((prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE)
		w |= PTE_WRITE;
	if (!(prot & PROT_EXECUTE))
		w |= PTE_NX;
	if (section)
		w |= PTE_SECTION;
	if (dirty)
		w |= PTE_DIRTY;
	if (prot & PROT_NOCACHE)
		w |= PTE_CACHE_OFF;
	return w;
}

#endif
