/* The system-call table, and arguments in user memory that need more than a copy. */
#include "proc/syscall.h"

#include "abi/nt.h"
#include "io/fat_path.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "proc/thread.h"

#define REGISTER_ARGUMENTS 4
#define STACK_ARGUMENTS 0x28 /* the fifth argument's place above the user's stack pointer */

typedef u32 syscall_function(const u64 *arguments);

static u32 syscall_long(const u64 *arguments);

/* What arch's entry calls; NULL: there is no such call. */
HOT_CONST syscall_function *const syscall_functions[SYSCALL_NUMBER_MAX] = {
#define SYSCALL_ENTRY(number, name, count) [number] = (count) > REGISTER_ARGUMENTS ? syscall_long : sys_##name,
	SYSCALLS(SYSCALL_ENTRY)
#undef SYSCALL_ENTRY
};

/* Those with more arguments than the frame of registers has. */
static const struct {
	syscall_function *function;
	u32 on_stack;
} long_calls[SYSCALL_NUMBER_MAX] = {
#define SYSCALL_ENTRY(number, name, count) [number] = { sys_##name, (count) - REGISTER_ARGUMENTS },
	SYSCALLS(SYSCALL_ENTRY)
#undef SYSCALL_ENTRY
};

#define SYSCALL_CHECK(number, name, count)                                                                             \
	_Static_assert((number) < SYSCALL_NUMBER_MAX && (count) <= SYSCALL_ARGUMENTS_MAX, #name);
SYSCALLS(SYSCALL_CHECK)
#undef SYSCALL_CHECK

static u32 syscall_long(const u64 *arguments)
{
	const struct trap_frame *f = thread_frame();
	u32 number = (u32)f->rax, on_stack = long_calls[number].on_stack;
	u64 a[SYSCALL_ARGUMENTS_MAX];

	memcpy(a, arguments, REGISTER_ARGUMENTS * sizeof(u64));
	if (!copy_from_user(a + REGISTER_ARGUMENTS, f->rsp + STACK_ARGUMENTS, on_stack * sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	return long_calls[number].function(a);
}

u32 syscall_missing(const u64 *a)
{
	(void)a;
	return STATUS_INVALID_SYSTEM_SERVICE;
}

#ifdef DEBUG
u32 syscall_checked(const u64 *a, syscall_function *function)
{
	u32 status = function(a);

	assert(mutex_none_held() && interrupts_enabled());
	return status;
}
#endif

u32 sys_BsNull(const u64 *a)
{
	(void)a;
	return STATUS_SUCCESS;
}

/* ---- user memory ---- */

u32 user_return(u64 buffer, u32 length, u64 returned, const void *data, u32 size)
{
	if (returned && !put_user_u32(returned, size))
		return STATUS_ACCESS_VIOLATION;
	if (length != size)
		return STATUS_INFO_LENGTH_MISMATCH;
	return copy_to_user(buffer, data, size) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

/* Stricter than utf16_to_utf8: a name that is no text, or has a 0 inside, is refused. */
static bool units_valid(const u16 *units, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (!units[i])
			return false;
		if ((units[i] & 0xf800) != 0xd800)
			continue;
		if (units[i] >= 0xdc00 || i + 1 == n || (units[i + 1] & 0xfc00) != 0xdc00)
			return false;
		i++;
	}
	return true;
}

u32 user_utf16(u64 address, u64 bytes, char *to, size_t size)
{
	u16 units[FILE_PATH_MAX];
	u32 n = (u32)(bytes / sizeof(u16));

	if (bytes % sizeof(u16) || bytes > sizeof(units))
		return STATUS_OBJECT_NAME_INVALID;
	if (bytes && !copy_from_user(units, address, bytes))
		return STATUS_ACCESS_VIOLATION;
	if (!units_valid(units, n) || utf16_to_utf8(units, n, to, size) < 0)
		return STATUS_OBJECT_NAME_INVALID;
	return STATUS_SUCCESS;
}

u32 user_unicode_string(u64 address, char *to, size_t size)
{
	struct nt_unicode_string s;

	if (!copy_from_user(&s, address, sizeof(s)))
		return STATUS_ACCESS_VIOLATION;
	return user_utf16(s.buffer, s.length, to, size);
}

u32 user_object_attributes(u64 address, char *name, size_t size, u32 *attributes)
{
	struct nt_object_attributes oa;

	name[0] = 0;
	*attributes = 0;
	if (!address)
		return STATUS_SUCCESS;
	if (!copy_from_user(&oa, address, sizeof(oa)))
		return STATUS_ACCESS_VIOLATION;
	if (oa.length != sizeof(oa))
		return STATUS_INVALID_PARAMETER;
	if (oa.root_directory) /* there are no directory objects: names are whole */
		return STATUS_INVALID_HANDLE;
	*attributes = oa.attributes;
	return oa.object_name ? user_unicode_string(oa.object_name, name, size) : STATUS_SUCCESS;
}
