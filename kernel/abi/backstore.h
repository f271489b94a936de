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

enum bs_page_flags {
	BS_VALID = 1,      /* in this process's page table */
	BS_RESIDENT = 2,   /* in memory, in the page table or not (then it is on the standby or modified list) */
	BS_DIRTY = 4,      /* differs from what its backing store holds */
	BS_SHARED = 8,     /* the page belongs to a section */
	BS_ACCESSED = 16,
	BS_WRITE_COPY = 32,/* a write will make a private copy */
};

/* BsQueryBacking(HANDLE process, void *address, uint64_t pages, struct bs_page *out): one entry a page, free space too. */
struct bs_page {
	uint8_t backing;  /* enum bs_backing */
	uint8_t flags;    /* enum bs_page_flags */
	uint16_t file;    /* number of the paging file */
	uint32_t protect; /* PAGE_* as VirtualQuery gives it; 0 = not committed */
	uint64_t frame;   /* page frame number if resident, else 0 */
	uint64_t offset;  /* see enum bs_backing */
};

/* BsQueryMemory(struct bs_memory *out). Pages are 4096 bytes. */
struct bs_memory {
	uint64_t frames_total;                                  /* usable by the pager */
	uint64_t frames_free, frames_zeroed, frames_standby, frames_modified, frames_active, frames_transition, frames_kernel;
	uint64_t commit_charge, commit_limit, commit_peak;      /* pages */
	uint64_t commit_private, commit_sections, commit_page_tables, commit_kernel; /* the charge by who holds it, pages */
	uint64_t commit_refused;                                /* requests that the limit refused */
	uint64_t faults, faults_zero, faults_section, faults_cow, faults_cow_steal, faults_swap_in, faults_transition,
		faults_guard, faults_image_read;                /* since boot; transition: found in memory, no I/O */
	uint64_t pages_swapped_out, pages_swapped_in, swap_write_requests, swap_read_requests, swap_errors;
	uint64_t pages_image_read, pages_file_read;
	uint64_t pages_trimmed, pages_discarded;                /* discarded: clean, taken from standby for another use */
	uint64_t paging_file_count, paging_file_pages, paging_file_used; /* all paging files together */
	uint64_t commit_policy;                                 /* 0 strict, 1 overcommit */
	uint64_t processes, threads, handles;
	uint64_t uptime_ns, boot_to_user_ns;                    /* from the loader's jump */
	uint64_t frame_entry_bytes;                             /* size of one entry of the PFN database */
	uint64_t pool_pages;
};

/* BsQueryPagingFile(uint64_t number, struct bs_paging_file *out): STATUS_NO_MORE_ENTRIES behind the last. */
struct bs_paging_file {
	char name[32];         /* the device: "vd1", "ram0" */
	uint64_t pages, used, peak, bad; /* slots */
	uint64_t write_requests, read_requests, pages_written, pages_read, errors;
};

/* BsQueryProcess(uint64_t index, struct bs_process *out): index counts the processes that exist; STATUS_NO_MORE_ENTRIES behind the last. */
struct bs_process {
	uint32_t id, parent_id, threads, handles;
	uint64_t cpu_ns;
	uint64_t private_commit, working_set, working_set_peak, page_tables, faults; /* pages, but faults */
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

/* BsQueryOption(const char *name, char *value, uint64_t size): a boot option as it is in force: "swap", "commit", "mem", "run", "check", "build" (release|debug), "cpus", "script" (1 when the console's input is a text that ends). */

/* NtCreateProcess-related: the paging behaviour of a process is trimmed by NtSetInformationProcess(ProcessQuotaLimits = 1) with both sizes ~0. */

#endif
