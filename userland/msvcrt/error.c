/* errno: its values from the system's errors, and its messages. */
#include "msvcrt.h"

/* Windows errors that have a meaning of their own in C; all others are EINVAL. */
static const struct {
	unsigned short windows, c;
} errors[] = {
	{ ERROR_INVALID_FUNCTION, EINVAL }, { ERROR_FILE_NOT_FOUND, ENOENT }, { ERROR_PATH_NOT_FOUND, ENOENT },
	{ ERROR_TOO_MANY_OPEN_FILES, EMFILE }, { ERROR_ACCESS_DENIED, EACCES }, { ERROR_INVALID_HANDLE, EBADF },
	{ ERROR_ARENA_TRASHED, ENOMEM }, { ERROR_NOT_ENOUGH_MEMORY, ENOMEM }, { ERROR_INVALID_BLOCK, ENOMEM },
	{ ERROR_BAD_ENVIRONMENT, E2BIG }, { ERROR_BAD_FORMAT, ENOEXEC }, { ERROR_INVALID_ACCESS, EINVAL },
	{ ERROR_INVALID_DATA, EINVAL }, { ERROR_OUTOFMEMORY, ENOMEM }, { ERROR_INVALID_DRIVE, ENOENT },
	{ ERROR_CURRENT_DIRECTORY, EACCES }, { ERROR_NOT_SAME_DEVICE, EXDEV }, { ERROR_NO_MORE_FILES, ENOENT },
	{ ERROR_WRITE_PROTECT, EACCES }, { ERROR_WRITE_FAULT, EIO }, { ERROR_READ_FAULT, EIO },
	{ ERROR_SHARING_VIOLATION, EACCES }, { ERROR_LOCK_VIOLATION, EACCES }, { ERROR_CRC, EIO },
	{ ERROR_IO_DEVICE, EIO }, { ERROR_SEEK, EIO }, { ERROR_BAD_NETPATH, ENOENT },
	{ ERROR_NETWORK_ACCESS_DENIED, EACCES }, { ERROR_BAD_NET_NAME, ENOENT }, { ERROR_FILE_EXISTS, EEXIST },
	{ ERROR_CANNOT_MAKE, EACCES }, { ERROR_FAIL_I24, EACCES }, { ERROR_INVALID_PARAMETER, EINVAL },
	{ ERROR_NO_PROC_SLOTS, EAGAIN }, { ERROR_DRIVE_LOCKED, EACCES }, { ERROR_BROKEN_PIPE, EPIPE },
	{ ERROR_DISK_FULL, ENOSPC }, { ERROR_INVALID_TARGET_HANDLE, EBADF }, { ERROR_WAIT_NO_CHILDREN, ECHILD },
	{ ERROR_CHILD_NOT_COMPLETE, ECHILD }, { ERROR_DIRECT_ACCESS_HANDLE, EBADF }, { ERROR_NEGATIVE_SEEK, EINVAL },
	{ ERROR_SEEK_ON_DEVICE, EACCES }, { ERROR_DIR_NOT_EMPTY, ENOTEMPTY }, { ERROR_NOT_LOCKED, EACCES },
	{ ERROR_BAD_PATHNAME, ENOENT }, { ERROR_MAX_THRDS_REACHED, EAGAIN }, { ERROR_LOCK_FAILED, EACCES },
	{ ERROR_ALREADY_EXISTS, EEXIST }, { ERROR_FILENAME_EXCED_RANGE, ENOENT }, { ERROR_NESTING_NOT_ALLOWED, EAGAIN },
	{ ERROR_NO_DATA, EPIPE }, { ERROR_NO_UNICODE_TRANSLATION, EILSEQ }, { ERROR_INVALID_NAME, ENOENT },
	{ ERROR_DIRECTORY, ENOENT }, { ERROR_NOT_ENOUGH_QUOTA, ENOMEM }, { ERROR_COMMITMENT_LIMIT, ENOMEM },
	{ ERROR_NO_SYSTEM_RESOURCES, ENOMEM },
};

static const char *const messages[] = {
	[0] = "No error",
	[EPERM] = "Operation not permitted",
	[ENOENT] = "No such file or directory",
	[ESRCH] = "No such process",
	[EINTR] = "Interrupted function call",
	[EIO] = "Input/output error",
	[ENXIO] = "No such device or address",
	[E2BIG] = "Arg list too long",
	[ENOEXEC] = "Exec format error",
	[EBADF] = "Bad file descriptor",
	[ECHILD] = "No child processes",
	[EAGAIN] = "Resource temporarily unavailable",
	[ENOMEM] = "Not enough space",
	[EACCES] = "Permission denied",
	[EFAULT] = "Bad address",
	[EBUSY] = "Resource busy",
	[EEXIST] = "File exists",
	[EXDEV] = "Improper link",
	[ENODEV] = "No such device",
	[ENOTDIR] = "Not a directory",
	[EISDIR] = "Is a directory",
	[EINVAL] = "Invalid argument",
	[ENFILE] = "Too many open files in system",
	[EMFILE] = "Too many open files",
	[ENOTTY] = "Inappropriate I/O control operation",
	[EFBIG] = "File too large",
	[ENOSPC] = "No space left on device",
	[ESPIPE] = "Invalid seek",
	[EROFS] = "Read-only file system",
	[EMLINK] = "Too many links",
	[EPIPE] = "Broken pipe",
	[EDOM] = "Domain error",
	[ERANGE] = "Result too large",
	[EDEADLK] = "Resource deadlock avoided",
	[ENAMETOOLONG] = "Filename too long",
	[ENOLCK] = "No locks available",
	[ENOSYS] = "Function not implemented",
	[ENOTEMPTY] = "Directory not empty",
	[EILSEQ] = "Illegal byte sequence",
};
#define MESSAGES (int)(sizeof(messages) / sizeof(messages[0]))

int error_set(int error)
{
	errno = error;
	return -1;
}

/* Sets errno and _doserrno from a Windows error. */
void __cdecl _dosmaperr(unsigned long error)
{
	int value = EINVAL;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].windows == error)
			value = errors[i].c;
	*__doserrno() = error;
	errno = value;
}

int error_set_windows(void)
{
	_dosmaperr(GetLastError());
	return -1;
}

int __cdecl _set_errno(int value)
{
	errno = value;
	return 0;
}

int __cdecl _get_errno(int *value)
{
	if (!value)
		return EINVAL;
	*value = errno;
	return 0;
}

static const char *message_get(int error)
{
	return error >= 0 && error < MESSAGES && messages[error] ? messages[error] : "Unknown error";
}

char *__cdecl strerror(int error)
{
	return strcpy(thread_data()->message, message_get(error));
}

/* The message for errno with a line end, after the caller's text, if there is one, and ": ". */
char *__cdecl _strerror(const char *text)
{
	struct thread_data *data = thread_data();
	const char *message = message_get(errno);
	size_t room = sizeof(data->message) - strlen(message) - sizeof(": \n");

	data->message[0] = 0;
	if (text && *text) {
		strncat(data->message, text, room);
		strcat(data->message, ": ");
	}
	strcat(data->message, message);
	return strcat(data->message, "\n");
}

void __cdecl perror(const char *text)
{
	const char *message = message_get(errno);

	if (text && *text)
		fprintf(stderr, "%s: %s\n", text, message);
	else
		fprintf(stderr, "%s\n", message);
}
