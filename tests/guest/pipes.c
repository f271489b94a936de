/*
 * Pipes: anonymous and named ones, a child that is talked to through them, what both ends see of each other's end, limits, wrong
 * calls; and many threads with one pipe. Source: Windows documentation of CreatePipe, CreateNamedPipe and the calls beside them.
 */
#include "guest.h"

#define NAME "\\\\.\\pipe\\backstore test"

static bool pipe_make(HANDLE end[2], DWORD size)
{
	return ok(CreatePipe(&end[0], &end[1], NULL, size), "CreatePipe, %lu bytes", size);
}

static void pipe_close(HANDLE end[2])
{
	CloseHandle(end[0]);
	CloseHandle(end[1]);
}

static HANDLE client_open(DWORD access)
{
	SetLastError(0);
	return CreateFileA(NAME, access, 0, NULL, OPEN_EXISTING, 0, NULL);
}

static HANDLE server_make(DWORD mode, DWORD instances)
{
	SetLastError(0);
	return CreateNamedPipeA(NAME, mode, PIPE_TYPE_BYTE, instances, 4096, 4096, 100, NULL);
}

static void test_anonymous(void)
{
	HANDLE end[2];
	char text[64] = "";
	DWORD n = 99, left = 99, mode = PIPE_NOWAIT;

	if (!pipe_make(end, 0))
		return;
	is(GetFileType(end[0]), FILE_TYPE_PIPE, "GetFileType says it is a pipe");
	ok(WriteFile(end[1], "hello, pipe", 11, &n, NULL) && n == 11, "written");
	ok(PeekNamedPipe(end[0], text, 5, &n, &left, NULL) && n == 5 && left == 11 && !memcmp(text, "hello", 5), "PeekNamedPipe");
	ok(ReadFile(end[0], text, 7, &n, NULL) && n == 7 && !memcmp(text, "hello, ", 7), "a part is read");
	ok(ReadFile(end[0], text, sizeof(text), &n, NULL) && n == 4 && !memcmp(text, "pipe", 4), "the rest is, at once");
	SetLastError(0);
	refused(ReadFile(end[1], text, 1, &n, NULL), ERROR_ACCESS_DENIED, "the writing end is not read");
	SetLastError(0);
	refused(WriteFile(end[0], text, 1, &n, NULL), ERROR_ACCESS_DENIED, "the reading end is not written");
	SetLastError(0);
	refused(WriteFile(end[1], (void *)16, 8, &n, NULL), ERROR_NOACCESS, "bytes that are nowhere");
	ok(WriteFile(end[1], "x", 1, &n, NULL), "one byte");
	SetLastError(0);
	refused(ReadFile(end[0], (void *)probe_returns, 8, &n, NULL), ERROR_NOACCESS, "a place that can't be written");
	ok(ReadFile(end[0], text, 8, &n, NULL) && n == 1 && text[0] == 'x', "costs no byte");
	SetLastError(0);
	refused(SetFilePointer(end[0], 0, NULL, FILE_END) != INVALID_SET_FILE_POINTER, ERROR_INVALID_PARAMETER, "no position");

	ok(SetNamedPipeHandleState(end[0], &mode, NULL, NULL) && SetNamedPipeHandleState(end[1], &mode, NULL, NULL), "PIPE_NOWAIT");
	SetLastError(0);
	refused(ReadFile(end[0], text, 1, &n, NULL), ERROR_NO_DATA, "an empty pipe is not waited for");
	static char much[10000];
	ok(WriteFile(end[1], much, sizeof(much), &n, NULL) && n == 4096, "as much is written as there is room for");
	ok(WriteFile(end[1], much, sizeof(much), &n, NULL) && n == 0, "then nothing");
	ok(ReadFile(end[0], much, 1000, &n, NULL) && n == 1000 && WriteFile(end[1], much, 2000, &n, NULL) && n == 1000, "room again");
	mode = PIPE_READMODE_MESSAGE;
	SetLastError(0);
	refused(SetNamedPipeHandleState(end[0], &mode, NULL, NULL), ERROR_INVALID_PARAMETER, "there are no messages");

	CloseHandle(end[1]);
	ok(ReadFile(end[0], much, sizeof(much), &n, NULL) && n == 4096, "what was written is there after the writer's end");
	SetLastError(0);
	refused(ReadFile(end[0], text, 1, &n, NULL), ERROR_BROKEN_PIPE, "then its end is seen");
	SetLastError(0);
	refused(PeekNamedPipe(end[0], NULL, 0, NULL, &left, NULL), ERROR_BROKEN_PIPE, "PeekNamedPipe says so too");
	CloseHandle(end[0]);
	pipe_make(end, 100000);
	CloseHandle(end[0]);
	SetLastError(0);
	refused(WriteFile(end[1], much, 1, &n, NULL), ERROR_BROKEN_PIPE, "nobody will read");
	CloseHandle(end[1]);
}

static DWORD WINAPI write_much(void *handle)
{
	static char much[300000];
	DWORD n = 0;

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (char)(i * 7 >> 3);
	WriteFile((HANDLE)handle, much, sizeof(much), &n, NULL);
	return n;
}

static DWORD WINAPI read_one(void *handle)
{
	DWORD n;
	char c;

	return ReadFile((HANDLE)handle, &c, 1, &n, NULL) ? 0 : GetLastError();
}

static void test_waiting(void)
{
	HANDLE end[2], thread;
	DWORD n, code, got = 0, wrong = 0;
	char piece[1777];

	pipe_make(end, 4096);
	thread = CreateThread(NULL, 0, write_much, end[1], 0, NULL);
	is(WaitForSingleObject(thread, 30), WAIT_TIMEOUT, "who writes more than fits waits");
	while (got < 300000 && ReadFile(end[0], piece, sizeof(piece), &n, NULL))
		for (DWORD i = 0; i < n; i++, got++)
			wrong += piece[i] != (char)(got * 7 >> 3);
	ok(got == 300000 && !wrong, "all bytes come through a buffer of 4 KiB (%lu wrong)", wrong);
	WaitForSingleObject(thread, INFINITE);
	ok(GetExitCodeThread(thread, &code) && code == 300000, "the writer is done");
	CloseHandle(thread);

	thread = CreateThread(NULL, 0, write_much, end[1], 0, NULL);
	is(WaitForSingleObject(thread, 30), WAIT_TIMEOUT, "it waits");
	CloseHandle(end[0]);
	WaitForSingleObject(thread, INFINITE);
	ok(GetExitCodeThread(thread, &code) && code == 0, "until nobody reads any more");
	CloseHandle(thread);
	CloseHandle(end[1]);

	pipe_make(end, 0);
	thread = CreateThread(NULL, 0, read_one, end[0], 0, NULL);
	is(WaitForSingleObject(thread, 30), WAIT_TIMEOUT, "who reads an empty pipe waits");
	CloseHandle(end[1]);
	WaitForSingleObject(thread, INFINITE);
	ok(GetExitCodeThread(thread, &code) && code == ERROR_BROKEN_PIPE, "until nobody writes any more");
	CloseHandle(thread);
	CloseHandle(end[0]);
	pipe_make(end, 0);
	thread = CreateThread(NULL, 0, read_one, end[0], 0, NULL);
	Sleep(20);
	ok(TerminateThread(thread, 5) && WaitForSingleObject(thread, INFINITE) == WAIT_OBJECT_0, "a reader is ended while it waits");
	CloseHandle(thread);
	pipe_close(end);
}

static void test_named_calls(void)
{
	HANDLE server, second, client;
	DWORD flags, in, out, instances, n;
	char c;

	SetLastError(0);
	refused(WaitNamedPipeA(NAME, 10), ERROR_FILE_NOT_FOUND, "no such pipe to wait for");
	refused(client_open(GENERIC_READ) != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND, "no such pipe to open");
	refused(server_make(0, 1) != INVALID_HANDLE_VALUE, ERROR_INVALID_PARAMETER, "a pipe without a direction");
	refused(server_make(PIPE_ACCESS_DUPLEX, 0) != INVALID_HANDLE_VALUE, ERROR_INVALID_PARAMETER, "without instances");
	SetLastError(0);
	refused(CreateNamedPipeA("C:\\pipe", PIPE_ACCESS_DUPLEX, 0, 1, 0, 0, 0, NULL) != INVALID_HANDLE_VALUE, ERROR_INVALID_NAME,
		"a name that is none of a pipe");
	SetLastError(0);
	refused(CreateNamedPipeA(NAME, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 0, 0, 0, NULL) != INVALID_HANDLE_VALUE,
		ERROR_NOT_SUPPORTED, "messages are not supported");
	server = server_make(PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, 2);
	if (!ok(server != INVALID_HANDLE_VALUE, "CreateNamedPipe"))
		return;
	refused(server_make(PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, 2) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED,
		"it would not be the first one");
	refused(server_make(PIPE_ACCESS_INBOUND, 2) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "another direction");
	second = server_make(PIPE_ACCESS_DUPLEX, 2);
	ok(second != INVALID_HANDLE_VALUE, "a second instance");
	refused(server_make(PIPE_ACCESS_DUPLEX, 2) != INVALID_HANDLE_VALUE, ERROR_PIPE_BUSY, "a third one of two");
	ok(GetNamedPipeInfo(server, &flags, &out, &in, &instances) && flags == PIPE_SERVER_END && out == 4096 && in == 4096 &&
	   instances == 2, "GetNamedPipeInfo");
	ok(GetNamedPipeHandleStateA(server, &flags, &instances, NULL, NULL, NULL, 0) && flags == PIPE_WAIT && instances == 2,
	   "GetNamedPipeHandleState");
	SetLastError(0);
	refused(ReadFile(server, &c, 1, &n, NULL), ERROR_PIPE_LISTENING, "nobody is connected");
	CloseHandle(second);
	ok(WaitNamedPipeA(NAME, 10), "WaitNamedPipe finds one that listens");
	client = client_open(GENERIC_READ | GENERIC_WRITE);
	ok(client != INVALID_HANDLE_VALUE, "a client connects");
	SetLastError(0);
	refused(ConnectNamedPipe(server, NULL), ERROR_PIPE_CONNECTED, "ConnectNamedPipe says it is there already");
	SetLastError(0);
	refused(ConnectNamedPipe(client, NULL), ERROR_INVALID_FUNCTION, "a client does not wait for one");
	refused(client_open(GENERIC_READ) != INVALID_HANDLE_VALUE, ERROR_PIPE_BUSY, "no instance listens");
	SetLastError(0);
	refused(WaitNamedPipeA(NAME, 10), ERROR_SEM_TIMEOUT, "none comes in time");
	ok(WriteFile(client, "ab", 2, &n, NULL) && ReadFile(server, &c, 1, &n, NULL) && c == 'a', "client to server");
	ok(WriteFile(server, "c", 1, &n, NULL) && ReadFile(client, &c, 1, &n, NULL) && c == 'c', "server to client");
	ok(GetNamedPipeInfo(client, &flags, NULL, NULL, NULL) && flags == PIPE_CLIENT_END, "the client's end");
	ok(DisconnectNamedPipe(server), "DisconnectNamedPipe");
	SetLastError(0);
	refused(WriteFile(client, "d", 1, &n, NULL), ERROR_PIPE_NOT_CONNECTED, "the client is alone");
	SetLastError(0);
	refused(ReadFile(server, &c, 1, &n, NULL), ERROR_PIPE_NOT_CONNECTED, "the server too: what was not read is lost");
	SetLastError(0);
	refused(DisconnectNamedPipe(server), ERROR_PIPE_NOT_CONNECTED, "once is enough");
	CloseHandle(client);
	CloseHandle(server);
	server = server_make(PIPE_ACCESS_OUTBOUND, PIPE_UNLIMITED_INSTANCES);
	refused(client_open(GENERIC_WRITE) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "a pipe that only goes to the client");
	client = client_open(GENERIC_READ);
	CloseHandle(client);
	SetLastError(0);
	refused(ConnectNamedPipe(server, NULL), ERROR_NO_DATA, "a client came and has gone");
	CloseHandle(server);
}

static DWORD WINAPI serve(void *handle)
{
	char text[16];
	DWORD n = 0, sum = 0;

	for (int i = 0; i < 3; i++) {
		/* The client may be there already, or have come, written and gone. */
		if (!ConnectNamedPipe((HANDLE)handle, NULL) && GetLastError() != ERROR_PIPE_CONNECTED && GetLastError() != ERROR_NO_DATA)
			return 100;
		while (ReadFile((HANDLE)handle, text, sizeof(text), &n, NULL))
			sum += n;
		DisconnectNamedPipe((HANDLE)handle);
	}
	return sum;
}

static void test_server(void)
{
	HANDLE server = server_make(PIPE_ACCESS_INBOUND, 1), thread = CreateThread(NULL, 0, serve, server, 0, NULL), client;
	HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
	OVERLAPPED o = { .hEvent = event };
	DWORD n, code;

	for (int i = 0; i < 3; i++) {
		ok(WaitNamedPipeA(NAME, 30000), "the server listens again");
		client = client_open(GENERIC_WRITE);
		ok(WriteFile(client, "0123456789 0123456789", 21, &n, NULL), "client %d", i);
		CloseHandle(client);
	}
	WaitForSingleObject(thread, INFINITE);
	ok(GetExitCodeThread(thread, &code) && code == 63, "one instance served three clients, one after the other");
	CloseHandle(thread);
	CloseHandle(server);
	server = server_make(PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED, 1);
	client = client_open(GENERIC_WRITE);
	WriteFile(client, "x", 1, &n, NULL);
	ok(ReadFile(server, &code, 1, &n, &o) && WaitForSingleObject(event, 0) == WAIT_OBJECT_0 && o.InternalHigh == 1,
	   "an overlapped read signals its event");
	CloseHandle(client);
	CloseHandle(server);
	CloseHandle(event);
}

/* ---- a child ---- */

static int child_upper(void)
{
	int c;

	while ((c = getchar()) != EOF)
		putchar(c >= 'a' && c <= 'z' ? c - 32 : c);
	fprintf(stderr, "done");
	return GetFileType(GetStdHandle(STD_INPUT_HANDLE)) == FILE_TYPE_PIPE ? 7 : 8;
}

static void test_child(void)
{
	HANDLE in[2], out[2], error[2];
	char path[MAX_PATH], line[MAX_PATH + 16], text[64] = "";
	STARTUPINFOA start = { .cb = sizeof(start), .dwFlags = STARTF_USESTDHANDLES };
	PROCESS_INFORMATION p;
	DWORD n, got = 0;

	pipe_make(in, 0);
	pipe_make(out, 0);
	pipe_make(error, 0);
	SetHandleInformation(in[0], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	SetHandleInformation(out[1], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	SetHandleInformation(error[1], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	start.hStdInput = in[0];
	start.hStdOutput = out[1];
	start.hStdError = error[1];
	GetModuleFileNameA(NULL, path, sizeof(path));
	sprintf(line, "\"%s\" child upper", path);
	ok(CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &p), "a child whose standard handles are pipes");
	CloseHandle(in[0]);
	CloseHandle(out[1]);
	CloseHandle(error[1]);
	ok(WriteFile(in[1], "to the child", 12, &n, NULL), "it is written to");
	CloseHandle(in[1]);
	while (got < sizeof(text) && ReadFile(out[0], text + got, sizeof(text) - got, &n, NULL))
		got += n;
	ok(GetLastError() == ERROR_BROKEN_PIPE && got == 12 && !memcmp(text, "TO THE CHILD", 12), "it answers, to its end");
	ok(ReadFile(error[0], text, sizeof(text), &n, NULL) && n == 4 && !memcmp(text, "done", 4), "its errors come separately");
	is(process_end(&p), 7, "it knew that its input was a pipe");
	CloseHandle(out[0]);
	CloseHandle(error[0]);
	pipe_make(in, 0);
	start.hStdInput = in[0];
	start.hStdOutput = start.hStdError = NULL;
	CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p);
	CloseHandle(in[0]);
	is(WaitForSingleObject(p.hProcess, 50), WAIT_TIMEOUT, "a child waits for its input");
	ok(TerminateProcess(p.hProcess, 3) && process_end(&p) == 3, "it is ended while it waits");
	SetLastError(0);
	refused(WriteFile(in[1], "x", 1, &n, NULL), ERROR_BROKEN_PIPE, "with it, the pipe's other end has gone");
	CloseHandle(in[1]);
}

/* ---- many ---- */

#define WRITERS 4
#define READERS 3
#define EACH 40000u

static struct crowd {
	HANDLE end[2];
	volatile LONG64 written, read, sum_written, sum_read;
} crowd;

static uint64_t chance(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static DWORD WINAPI crowd_write(void *seed)
{
	uint64_t state = (uintptr_t)seed;
	unsigned char piece[6000];
	DWORD left = EACH, n;

	while (left) {
		DWORD size = (DWORD)(chance(&state) % (chance(&state) % 4 ? 200 : sizeof(piece))) + 1, sum = 0;
		size = size < left ? size : left;
		for (DWORD i = 0; i < size; i++)
			sum += piece[i] = (unsigned char)chance(&state);
		if (!WriteFile(crowd.end[1], piece, size, &n, NULL) || n != size)
			return 1;
		InterlockedExchangeAdd64(&crowd.written, n);
		InterlockedExchangeAdd64(&crowd.sum_written, sum);
		left -= n;
	}
	return 0;
}

static DWORD WINAPI crowd_read(void *seed)
{
	uint64_t state = (uintptr_t)seed;
	unsigned char piece[5000];
	DWORD n, available;

	for (;;) {
		DWORD sum = 0;
		if (chance(&state) % 5 == 0)
			PeekNamedPipe(crowd.end[0], piece, 10, &n, &available, NULL);
		if (!ReadFile(crowd.end[0], piece, (DWORD)(chance(&state) % sizeof(piece)) + 1, &n, NULL))
			return GetLastError();
		for (DWORD i = 0; i < n; i++)
			sum += piece[i];
		InterlockedExchangeAdd64(&crowd.read, n);
		InterlockedExchangeAdd64(&crowd.sum_read, sum);
	}
}

static void test_crowd(void)
{
	HANDLE threads[WRITERS + READERS];
	DWORD code, bad = 0;

	crowd = (struct crowd){ 0 };
	if (!pipe_make(crowd.end, 4096))
		return;
	for (uintptr_t i = 0; i < WRITERS + READERS; i++)
		threads[i] = CreateThread(NULL, 0, i < WRITERS ? crowd_write : crowd_read, (void *)(i + 1), 0, NULL);
	for (int i = 0; i < WRITERS + READERS; i++) {
		if (i == WRITERS)
			CloseHandle(crowd.end[1]);
		WaitForSingleObject(threads[i], INFINITE);
		GetExitCodeThread(threads[i], &code);
		bad += code != (i < WRITERS ? 0 : ERROR_BROKEN_PIPE);
		CloseHandle(threads[i]);
	}
	CloseHandle(crowd.end[0]);
	is(bad, 0, "%d writers and %d readers with one pipe end as they should", WRITERS, READERS);
	is(crowd.read, WRITERS * EACH, "all bytes are read");
	is(crowd.sum_read, crowd.sum_written, "and they are those that were written");
}

static void all(void)
{
	test_anonymous();
	test_waiting();
	test_named_calls();
	test_server();
	test_child();
	test_crowd();
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "child"))
		return child_upper();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
