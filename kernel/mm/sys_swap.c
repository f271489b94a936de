/* System calls for paging files: abi/backstore.h says what they take and give. */
#include "mm/swap.h"
#include "mm/sys_mm.h"

#define NAME_SIZE sizeof(((struct bs_paging_file *)0)->name)

/* BsQueryPagingFile(uint64_t index, struct bs_paging_file *out) */
u32 sys_BsQueryPagingFile(const u64 *a)
{
	struct bs_paging_file f;
	u32 status = swap_query(a[0], &f);

	if (status)
		return status;
	return copy_to_user(a[1], &f, sizeof(f)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

static u32 name_get(u64 at, char *name)
{
	for (u32 i = 0; i < NAME_SIZE; i++) {
		if (!copy_from_user(&name[i], at + i, 1))
			return STATUS_ACCESS_VIOLATION;
		if (!name[i])
			return STATUS_SUCCESS;
	}
	return STATUS_OBJECT_NAME_INVALID;
}

/* BsAddPagingFile(const char *name, uint64_t size, int64_t priority) */
u32 sys_BsAddPagingFile(const u64 *a)
{
	char name[NAME_SIZE];
	u32 status = name_get(a[0], name);

	return status ? status : swap_file_add(name, a[1], (i64)a[2]);
}

/* BsRemovePagingFile(const char *name, uint64_t number, struct bs_paging_file_removal *out) */
u32 sys_BsRemovePagingFile(const u64 *a)
{
	struct bs_paging_file_removal out = { 0 };
	char name[NAME_SIZE];
	u32 status = a[0] ? name_get(a[0], name) : STATUS_SUCCESS;

	if (status)
		return status;
	if (!copy_to_user(a[2], &out, sizeof(out))) /* asked before anything is done */
		return STATUS_ACCESS_VIOLATION;
	status = swap_file_remove(a[0] ? name : NULL, a[1], &out);
	return copy_to_user(a[2], &out, sizeof(out)) ? status : STATUS_ACCESS_VIOLATION;
}
