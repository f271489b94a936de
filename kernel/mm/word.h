/*
 * The page's word: where a page is, written in exactly one place. For private memory the word is the process's own
 * page-table entry; for a page of a section it is the section's prototype word, in the same format, of which a process's
 * entry is only a cache. Only the accessors here know the bits.
 *
 *   63       62 .. 52     51 ......... 12   11..9   8 .. 4   3 .. 1   0
 *   NX       protection   frame number      flags   hardware          1   valid: the hardware reads it
 *   offered  protection   slot 51..16, file 15..12   evicted kind     0   paging file
 *   offered  protection   frame number                       kind     0   transition: in memory, not in the page table
 *   offered  protection   address of a clone page 51..4      kind     0   shared with a clone of the process (clone.c)
 *   offered  protection                                      kind     0   demand zero / prototype / in the image or file
 *   0                                                                 0   nothing: not committed (private memory), or as
 *                                                                         the view says (section)
 *
 * The protection stands at the same place in all of them. evicted (11..4; also of pages in the image or file): when the
 * page's frame was taken (thrash.h), 0: it never was. Bits 59 to 62 are protection keys where CR4.PKE is set: it is not.
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
	WORD_CLONE = 6,      /* process entries: ask the clone page whose address it has */
	WORD_VALID = 8,
};

/*
 * Protection: what the page may be used for. Kept in every kind of word, so that it survives paging.
 * PROT_COPY: a write makes a private copy. PROT_GUARD: the next access raises a guard-page exception.
 */
#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXECUTE 4u
#define PROT_COPY 8u
#define PROT_GUARD 16u
#define PROT_NOCACHE 32u
#define PROT_WRITECOMBINE 64u
#define PROT_NONE 0u
#define PROT_CACHING (PROT_NOCACHE | PROT_WRITECOMBINE)
#define PROT_PAGE_MASK 127u /* what PAGE_* constants can say */
/*
 * Marks, which go with the protection wherever the page goes.
 * LOCKED: by VirtualLock; only in valid entries, which the trimmer then leaves alone.
 * WRITTEN: written since the last ResetWriteWatch, but for what the entry's dirty bit says; write-watched views alone.
 * RESET: MEM_RESET said that the contents are not wanted. LOST: they were, and the page was discarded.
 * OFFERED: by OfferVirtualMemory: may be discarded, no access until it is reclaimed. Never in a valid entry, where its
 * place is the hardware's.
 */
#define MARK_LOCKED 128u
#define MARK_WRITTEN 256u
#define MARK_RESET 512u
#define MARK_LOST 1024u
#define MARK_OFFERED 2048u

#define WORD_KIND_SHIFT 1
#define WORD_PROT_SHIFT 52
#define WORD_PROT_MASK 4095u
#define WORD_SWAP_FILE_SHIFT 12
#define WORD_SWAP_SLOT_SHIFT 16
#define WORD_EVICTED_SHIFT 4
#define WORD_EVICTED_MASK 255ull
#define WORD_CLONE_ADDRESS 0x000ffffffffffff0ull
/* In valid entries: the page belongs to a prototype word, a section's or a clone page's. */
#define PTE_SECTION (1ull << 9)
/* With PTE_SECTION: to a clone page's. */
#define PTE_CLONE (1ull << 10)

static inline bool word_valid(word_t w) { return w & PTE_VALID; }

static inline enum word_kind word_kind(word_t w)
{
	return word_valid(w) ? WORD_VALID : (enum word_kind)(w >> WORD_KIND_SHIFT & 7);
}

static inline u32 word_prot(word_t w)
{
	return (u32)(w >> WORD_PROT_SHIFT) & (word_valid(w) ? WORD_PROT_MASK & ~MARK_OFFERED : WORD_PROT_MASK);
}

/* Page frame number of a valid or transition word. */
static inline u32 word_pfn(word_t w) { return (u32)((w & PTE_ADDRESS) >> PAGE_SHIFT); }

static inline u32 word_swap_file(word_t w) { return w >> WORD_SWAP_FILE_SHIFT & 15; }
static inline u64 word_swap_slot(word_t w) { return w >> WORD_SWAP_SLOT_SHIFT & 0xfffffffffull; }

/* A protection or marks, where words have them: to set or clear some of a word that others may change meanwhile. */
static inline word_t word_prot_bits(u32 prot) { return (word_t)prot << WORD_PROT_SHIFT; }

static inline word_t word_make(enum word_kind kind, u32 prot)
{
	return (word_t)kind << WORD_KIND_SHIFT | word_prot_bits(prot);
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
	return (w & ~word_prot_bits(WORD_PROT_MASK)) | word_prot_bits(prot);
}

/* When the page's frame was taken; paging file and image words alone. */
static inline u32 word_evicted(word_t w) { return w >> WORD_EVICTED_SHIFT & WORD_EVICTED_MASK; }

static inline word_t word_with_evicted(word_t w, u32 stamp)
{
	return (w & ~(WORD_EVICTED_MASK << WORD_EVICTED_SHIFT)) | (word_t)stamp << WORD_EVICTED_SHIFT;
}

/* A page that is shared with clones of the process: phys is its clone page's address, a multiple of 16. */
static inline word_t word_clone_make(u64 phys, u32 prot) { return word_make(WORD_CLONE, prot) | phys; }
static inline u64 word_clone_phys(word_t w) { return w & WORD_CLONE_ADDRESS; }

/* Does the word refer to a clone page, in its page table or not? */
static inline bool word_is_clone(word_t w)
{
	return word_valid(w) ? w & PTE_CLONE : word_kind(w) == WORD_CLONE;
}

/* The protection as the process knows it. */
static inline u32 word_own_prot(word_t w)
{
	return word_is_clone(w) ? word_prot(w) & ~PROT_COPY : word_prot(w);
}

/*
 * The valid entry for a frame. Write access reaches the hardware only for PROT_WRITE without PROT_COPY; a guarded or
 * inaccessible page, or one on offer, never gets a valid entry. section: the page belongs to a prototype word. dirty: it will be written at once.
 */
static inline word_t word_valid_make(u32 pfn, u32 prot, bool section, bool dirty)
{
	word_t w = PTE_VALID | PTE_USER | PTE_ACCESSED | (word_t)pfn << PAGE_SHIFT | word_prot_bits(prot);

	if ((prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE)
		w |= PTE_WRITE;
	if (!(prot & PROT_EXECUTE))
		w |= PTE_NX;
	if (section)
		w |= PTE_SECTION;
	if (dirty)
		w |= PTE_DIRTY;
	if (prot & PROT_CACHING) /* without a PAT entry of its own, write-combining is uncached */
		w |= PTE_CACHE_OFF;
	return w;
}

/* The same for a page that is shared with clones: whoever may write to it gets a copy when he does. */
static inline word_t word_clone_valid_make(u32 pfn, u32 prot)
{
	return word_valid_make(pfn, prot & PROT_WRITE ? prot | PROT_COPY : prot & ~PROT_COPY, true, false) | PTE_CLONE;
}

#endif
