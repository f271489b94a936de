/*
 * Pipes of bytes, anonymous and named. Nothing is ever left to wait for: with an OVERLAPPED too, a call waits until it is done,
 * and signals the event then.
 */
#include "kernel32.h"

#define FSCTL_PIPE_DISCONNECT 0x110004
#define FSCTL_PIPE_LISTEN 0x110008
#define FSCTL_PIPE_PEEK 0x11400C
#define FSCTL_PIPE_WAIT 0x110018
#define PIPE_INFORMATION 23       /* FilePipeInformation */
#define PIPE_LOCAL_INFORMATION 24 /* FilePipeLocalInformation */
#define END_SERVER 1

struct pipe_information {
	ULONG read_mode, completion_mode;
};

struct pipe_local_information {
	ULONG type, configuration, instances_max, instances, inbound, read_available, outbound, write_available, state, end;
};

static NTSTATUS control(HANDLE pipe, HANDLE event, ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
	IO_STATUS_BLOCK io;

	return NtFsControlFile(pipe, event, NULL, NULL, &io, code, in, in_size, out, out_size);
}

/* Whether path is "\\.\pipe\" and a name; else the last error says that it is not. */
static BOOL is_pipe_path(const WCHAR *path)
{
	static const WCHAR prefix[] = L"\\\\.\\pipe\\";
	const SIZE_T units = sizeof(prefix) / sizeof(WCHAR) - 1;

	if (wcslen(path) > units && !_wcsnicmp(path, prefix, units))
		return TRUE;
	SetLastError(ERROR_INVALID_NAME);
	return FALSE;
}

HANDLE WINAPI CreateNamedPipeW(LPCWSTR path, DWORD open_mode, DWORD pipe_mode, DWORD instances, DWORD outbound, DWORD inbound,
			       DWORD timeout, LPSECURITY_ATTRIBUTES security)
{
	static const ULONG shares[] = { 0, FILE_SHARE_WRITE, FILE_SHARE_READ, FILE_SHARE_READ | FILE_SHARE_WRITE };
	static const ULONG accesses[] = { 0, GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE };
	ULONG direction = open_mode & PIPE_ACCESS_DUPLEX;
	OBJECT_ATTRIBUTES attributes;
	LARGE_INTEGER wait = { .QuadPart = -10000ll * (timeout ? timeout : 50) };
	UNICODE_STRING name;
	IO_STATUS_BLOCK io;
	HANDLE pipe;
	NTSTATUS status;

	if (!direction || !instances || instances > PIPE_UNLIMITED_INSTANCES) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return INVALID_HANDLE_VALUE;
	}
	if (pipe_mode & (PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE)) {
		SetLastError(ERROR_NOT_SUPPORTED);
		return INVALID_HANDLE_VALUE;
	}
	if (!is_pipe_path(path) || !status_result(path_to_nt(path, &name)))
		return INVALID_HANDLE_VALUE;
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	if (security && security->bInheritHandle)
		attributes.Attributes |= OBJ_INHERIT;
	status = NtCreateNamedPipeFile(&pipe, accesses[direction] | SYNCHRONIZE, &attributes, &io, shares[direction],
				       open_mode & FILE_FLAG_FIRST_PIPE_INSTANCE ? FILE_CREATE : FILE_OPEN_IF,
				       open_mode & FILE_FLAG_OVERLAPPED ? 0 : FILE_SYNCHRONOUS_IO_NONALERT, 0, 0,
				       pipe_mode & PIPE_NOWAIT, instances == PIPE_UNLIMITED_INSTANCES ? ~0u : instances,
				       inbound, outbound, &wait);
	path_free(&name);
	return status_result(status) ? pipe : INVALID_HANDLE_VALUE;
}

HANDLE WINAPI CreateNamedPipeA(LPCSTR path, DWORD open_mode, DWORD pipe_mode, DWORD instances, DWORD outbound, DWORD inbound,
			       DWORD timeout, LPSECURITY_ATTRIBUTES security)
{
	WCHAR *wide = wide_from(path);
	HANDLE pipe = wide ? CreateNamedPipeW(wide, open_mode, pipe_mode, instances, outbound, inbound, timeout, security) :
			     INVALID_HANDLE_VALUE;

	memory_free(wide);
	return pipe;
}

/* A pipe with a name that nobody else has, and both its ends. size 0: the smallest buffer. */
WINBOOL WINAPI CreatePipe(PHANDLE read, PHANDLE write, LPSECURITY_ATTRIBUTES security, DWORD size)
{
	static volatile LONG serial;
	WCHAR path[64] = L"\\\\.\\pipe\\Win32Pipes.";
	ULONG numbers[2] = { GetCurrentProcessId(), (ULONG)_InterlockedIncrement(&serial) };
	WCHAR *at = path + wcslen(path);
	HANDLE server, client;
	DWORD error;

	for (ULONG i = 0; i < 2; i++) {
		for (int shift = 28; shift >= 0; shift -= 4)
			*at++ = L"0123456789abcdef"[numbers[i] >> shift & 15];
		*at++ = i ? 0 : '.';
	}
	server = CreateNamedPipeW(path, PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_WAIT, 1, size, size, 0, security);
	if (server == INVALID_HANDLE_VALUE)
		return FALSE;
	client = CreateFileW(path, GENERIC_WRITE, 0, security, OPEN_EXISTING, 0, NULL);
	if (client == INVALID_HANDLE_VALUE) {
		error = teb_current()->last_error;
		NtClose(server);
		SetLastError(error);
		return FALSE;
	}
	*read = server;
	*write = client;
	return TRUE;
}

/*
 * With an OVERLAPPED it says FALSE and ERROR_IO_PENDING for success, as documented, although a client is connected and the event
 * signalled by then.
 */
WINBOOL WINAPI ConnectNamedPipe(HANDLE pipe, LPOVERLAPPED overlapped)
{
	HANDLE event = overlapped ? (HANDLE)((ULONG_PTR)overlapped->hEvent & ~(ULONG_PTR)1) : NULL;
	NTSTATUS status = control(pipe, event, FSCTL_PIPE_LISTEN, NULL, 0, NULL, 0);

	if (!overlapped)
		return status_result(status);
	overlapped->Internal = (ULONG)status;
	overlapped->InternalHigh = 0;
	if (NT_SUCCESS(status))
		SetLastError(ERROR_IO_PENDING);
	else
		status_failed(status);
	return FALSE;
}

WINBOOL WINAPI DisconnectNamedPipe(HANDLE pipe)
{
	return status_result(control(pipe, NULL, FSCTL_PIPE_DISCONNECT, NULL, 0, NULL, 0));
}

WINBOOL WINAPI WaitNamedPipeW(LPCWSTR path, DWORD timeout)
{
	struct {
		LONGLONG timeout;
		ULONG name_bytes;
		BYTE timeout_given, padding;
		WCHAR name[260];
	} *wait;
	HANDLE all;
	NTSTATUS status;

	if (!is_pipe_path(path))
		return FALSE;
	path += wcslen(L"\\\\.\\pipe\\");
	if (wcslen(path) >= 260) {
		SetLastError(ERROR_INVALID_NAME);
		return FALSE;
	}
	wait = memory_get(sizeof(*wait));
	if (!wait)
		return FALSE;
	wait->timeout = timeout == NMPWAIT_WAIT_FOREVER ? (LONGLONG)(1ull << 63) : -10000ll * timeout;
	wait->timeout_given = timeout != NMPWAIT_USE_DEFAULT_WAIT;
	wait->name_bytes = (ULONG)(wcslen(path) * sizeof(WCHAR));
	memcpy(wait->name, path, wait->name_bytes);
	status = path_open(L"\\\\.\\pipe\\", FILE_READ_ATTRIBUTES, 0, &all);
	if (NT_SUCCESS(status)) {
		status = control(all, NULL, FSCTL_PIPE_WAIT, wait, 14 + wait->name_bytes, NULL, 0);
		NtClose(all);
	}
	memory_free(wait);
	return status_result(status);
}

WINBOOL WINAPI WaitNamedPipeA(LPCSTR path, DWORD timeout)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && WaitNamedPipeW(wide, timeout);

	memory_free(wide);
	return done;
}

/* message_left: 0 always, as there are no messages. */
WINBOOL WINAPI PeekNamedPipe(HANDLE pipe, LPVOID buffer, DWORD size, LPDWORD done, LPDWORD available, LPDWORD message_left)
{
	struct {
		ULONG state, available, messages, message_length;
		BYTE data[];
	} *peek;
	DWORD room = buffer ? (size < 65536 ? size : 65536) : 0, got;
	NTSTATUS status;

	peek = memory_get(sizeof(*peek) + room);
	if (!peek)
		return FALSE;
	status = control(pipe, NULL, FSCTL_PIPE_PEEK, NULL, 0, peek, sizeof(*peek) + room);
	if (status == STATUS_BUFFER_OVERFLOW)
		status = STATUS_SUCCESS;
	if (NT_SUCCESS(status)) {
		got = peek->available < room ? peek->available : room;
		memcpy(buffer, peek->data, got);
		if (done)
			*done = got;
		if (available)
			*available = peek->available;
		if (message_left)
			*message_left = 0;
	}
	memory_free(peek);
	return status_result(status);
}

static NTSTATUS local_query(HANDLE pipe, struct pipe_local_information *local)
{
	NTSTATUS status = file_query(pipe, local, sizeof(*local), PIPE_LOCAL_INFORMATION);

	return status == STATUS_INVALID_INFO_CLASS ? STATUS_INVALID_PARAMETER : status;
}

WINBOOL WINAPI GetNamedPipeInfo(HANDLE pipe, LPDWORD flags, LPDWORD outbound, LPDWORD inbound, LPDWORD instances)
{
	struct pipe_local_information local;

	if (!status_result(local_query(pipe, &local)))
		return FALSE;
	if (flags)
		*flags = local.end == END_SERVER ? PIPE_SERVER_END : PIPE_CLIENT_END;
	if (outbound)
		*outbound = local.outbound;
	if (inbound)
		*inbound = local.inbound;
	if (instances)
		*instances = local.instances_max == ~0u ? PIPE_UNLIMITED_INSTANCES : local.instances_max;
	return TRUE;
}

/* collected, delay: of pipes to other machines; not here. user: nobody's but this one's. */
WINBOOL WINAPI GetNamedPipeHandleStateW(HANDLE pipe, LPDWORD state, LPDWORD instances, LPDWORD collected, LPDWORD delay,
					LPWSTR user, DWORD user_units)
{
	struct pipe_local_information local;
	struct pipe_information modes;

	if (collected || delay || (user && user_units)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!status_result(local_query(pipe, &local)) ||
	    !status_result(file_query(pipe, &modes, sizeof(modes), PIPE_INFORMATION)))
		return FALSE;
	if (state)
		*state = modes.completion_mode ? PIPE_NOWAIT : PIPE_WAIT;
	if (instances)
		*instances = local.instances;
	return TRUE;
}

WINBOOL WINAPI GetNamedPipeHandleStateA(HANDLE pipe, LPDWORD state, LPDWORD instances, LPDWORD collected, LPDWORD delay,
					LPSTR user, DWORD user_size)
{
	return GetNamedPipeHandleStateW(pipe, state, instances, collected, delay, (LPWSTR)user, user_size);
}

WINBOOL WINAPI SetNamedPipeHandleState(HANDLE pipe, LPDWORD mode, LPDWORD collected, LPDWORD delay)
{
	struct pipe_information modes = { 0, 0 };

	if (collected || delay || (mode && *mode & ~(DWORD)PIPE_NOWAIT)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!mode)
		return TRUE;
	modes.completion_mode = *mode & PIPE_NOWAIT;
	return status_result(file_set(pipe, &modes, sizeof(modes), PIPE_INFORMATION));
}
