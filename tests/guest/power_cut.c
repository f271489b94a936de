/*
 * For tests/scenarios/test_power_cut.py, which takes the power away: "power_cut DIRECTORY SEED OPERATIONS" changes files
 * in two directories, from a thread each, in all the ways there are, and says on the console what it does before it does
 * it: "op WORLD|NUMBER|...". What a file holds tells where it belongs: 8 bytes at a time, their place in the file, the
 * file's number, and the number of the operation that wrote them; zeros are a hole. After each flush a mark goes to the
 * disk, past all memory: so who reads the disk's log finds out what was on the disk by then.
 */
#include "guest.h"

#define WORLDS 2u
#define NODES 40u
#define FILES_MAX 28u
#define DIRECTORIES_MAX 8u
#define NAMES 24u
#define UNIT 8u
#define BYTES_MAX (96u << 10)
#define BYTES_USUAL (40u << 10)
#define PATH_BYTES 500u
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

struct node {
	bool used, directory;
	unsigned int number, parent, name; /* parent: an index; 0 is the world's own directory */
	uint32_t size;
};

struct world {
	unsigned int number;
	char root[32];
	uint64_t random;
	struct node nodes[NODES];
	unsigned int operations, files; /* so far */
	HANDLE marks;
	uint64_t *buffer, *sector;
};

struct mark {
	char magic[8];
	uint32_t world, operations, kind, file;
};
enum { MARK_BEGIN, MARK_FLUSHED, MARK_VIEW_FLUSHED, MARK_VIEW_WRITTEN };

static CRITICAL_SECTION console;
static unsigned int operations_wanted;

static uint64_t chance(struct world *w, uint64_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random * 0x2545f4914f6cdd1dull >> 20) % n;
}

TAP_FORMAT(2, 3) static void say(struct world *w, const char *format, ...)
{
	va_list args;
	EnterCriticalSection(&console);
	printf("op %u|%u|", w->number, ++w->operations);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	LeaveCriticalSection(&console);
}

static void must(bool so, struct world *w, const char *what)
{
	if (so)
		return;
	printf("power_cut: world %u, operation %u: %s: error %lu\n", w->number, w->operations, what, GetLastError());
	fflush(stdout);
	ExitProcess(1);
}

/* ---- names ---- */

static void name_put(char *to, bool directory, unsigned int name)
{
	if (directory)
		sprintf(to, name % 2 ? "D%u" : "a directory with number %u", name);
	else if (name % 4 == 0)
		sprintf(to, "F%u.BIN", name);
	else if (name % 4 == 1)
		sprintf(to, "long name of number %u.data", name);
	else if (name % 4 == 2)
		sprintf(to, "%u%.*s", name, (int)name * 8, "aVeryLongNameThatGoesOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOn"
			"AndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOnAndOn");
	else
		sprintf(to, "Mixed%u.Cas", name);
}

/* A node's path, for the kernel; behind the world's own directory it is what say() gets. */
static const char *path_of(const struct world *w, const struct node *n, char *path)
{
	char name[256];
	if (n == &w->nodes[0])
		return strcpy(path, w->root);
	path_of(w, &w->nodes[n->parent], path);
	name_put(name, n->directory, n->name);
	strcat(path, "\\");
	return strcat(path, name);
}

static const char *below(const struct world *w, const char *path)
{
	return path + strlen(w->root) + 1;
}

static struct node *named(struct world *w, unsigned int parent, bool directory, unsigned int name)
{
	for (unsigned int i = 1; i < NODES; i++)
		if (w->nodes[i].used && w->nodes[i].parent == parent && w->nodes[i].directory == directory && w->nodes[i].name == name)
			return &w->nodes[i];
	return NULL;
}

static unsigned int count_of(const struct world *w, bool directory)
{
	unsigned int n = 0;
	for (unsigned int i = 1; i < NODES; i++)
		n += w->nodes[i].used && w->nodes[i].directory == directory;
	return n;
}

/* Any one of them; NULL: there are none. */
static struct node *any(struct world *w, bool directory)
{
	unsigned int n = count_of(w, directory), k;
	if (!n)
		return NULL;
	k = (unsigned int)chance(w, n);
	for (unsigned int i = 1;; i++)
		if (w->nodes[i].used && w->nodes[i].directory == directory && !k--)
			return &w->nodes[i];
}

/* The world's own directory, or one below it that is not too deep. */
static unsigned int any_parent(struct world *w)
{
	struct node *d = chance(w, 3) ? any(w, true) : NULL;
	unsigned int depth = 0;
	for (unsigned int i = d ? d->parent : 0; i; i = w->nodes[i].parent)
		depth++;
	return d && depth < 2 ? (unsigned int)(d - w->nodes) : 0;
}

static struct node *room(struct world *w)
{
	for (unsigned int i = 1; i < NODES; i++)
		if (!w->nodes[i].used)
			return &w->nodes[i];
	return NULL;
}

/* ---- contents ---- */

static void fill(uint64_t *to, const struct world *w, const struct node *n, uint32_t offset, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes / UNIT; i++)
		to[i] = (offset / UNIT + i) | (uint64_t)n->number << 32 | (uint64_t)w->operations << 48;
}

static HANDLE file_open(struct world *w, const struct node *n, DWORD flags)
{
	char path[PATH_BYTES];
	HANDLE file = CreateFileA(path_of(w, n, path), GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, flags, NULL);
	must(file != INVALID_HANDLE_VALUE, w, path);
	return file;
}

static void mark(struct world *w, unsigned int kind, unsigned int file)
{
	struct mark *m = (struct mark *)w->sector;
	DWORD written;
	*m = (struct mark){ "POWERCUT", w->number, w->operations, kind, file };
	SetFilePointer(w->marks, 0, NULL, FILE_BEGIN);
	must(WriteFile(w->marks, m, 512, &written, NULL) && written == 512, w, "mark");
}

/* The range that is written next. aligned: to sectors. */
static void range_choose(struct world *w, const struct node *n, bool aligned, uint32_t *offset, uint32_t *bytes)
{
	uint32_t unit = aligned ? 512 : UNIT, limit = n->number % 8 ? BYTES_USUAL : BYTES_MAX;
	*bytes = (uint32_t)(1 + chance(w, (chance(w, 4) ? 3000 : 16384) / unit)) * unit;
	*offset = chance(w, 3) ? n->size / unit * unit : (uint32_t)chance(w, n->size + 4096) / unit * unit;
	if (*offset + *bytes > limit)
		*offset = (uint32_t)chance(w, limit - *bytes) / unit * unit;
}

static void write_file(struct world *w, struct node *n, DWORD flags)
{
	uint32_t offset, bytes;
	DWORD written;
	range_choose(w, n, flags & FILE_FLAG_NO_BUFFERING, &offset, &bytes);
	say(w, "write|%u|%u|%u", n->number, offset, bytes);
	HANDLE file = file_open(w, n, flags);
	fill(w->buffer, w, n, offset, bytes);
	SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
	must(WriteFile(file, w->buffer, bytes, &written, NULL) && written == bytes, w, "WriteFile");
	n->size = n->size > offset + bytes ? n->size : offset + bytes;
	CloseHandle(file);
	if (flags & FILE_FLAG_WRITE_THROUGH)
		mark(w, MARK_FLUSHED, n->number);
}

static void write_view(struct world *w, struct node *n, bool flush)
{
	uint32_t offset, bytes;
	range_choose(w, n, false, &offset, &bytes);
	if (offset + bytes > n->size) {
		n->size = offset + bytes;
		say(w, "size|%u|%u", n->number, n->size); /* by the section, before anything is written */
	}
	say(w, "write|%u|%u|%u", n->number, offset, bytes);
	HANDLE file = file_open(w, n, 0);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, n->size, NULL);
	must(section != NULL, w, "CreateFileMapping");
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	must(view != NULL, w, "MapViewOfFile");
	fill((uint64_t *)(view + offset), w, n, offset, bytes);
	if (flush) {
		must(FlushViewOfFile(view, 0), w, "FlushViewOfFile");
		mark(w, MARK_VIEW_WRITTEN, n->number);
		must(FlushFileBuffers(file), w, "FlushFileBuffers");
		mark(w, MARK_VIEW_FLUSHED, n->number);
	}
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
}

static void size_set(struct world *w, struct node *n)
{
	uint32_t size = chance(w, 6) ? (uint32_t)chance(w, n->size + (chance(w, 3) ? 1 : 9000)) / UNIT * UNIT : 0;
	if (size > BYTES_USUAL)
		size = BYTES_USUAL;
	say(w, "size|%u|%u", n->number, size);
	HANDLE file = file_open(w, n, 0);
	SetFilePointer(file, (LONG)size, NULL, FILE_BEGIN);
	must(SetEndOfFile(file), w, "SetEndOfFile");
	CloseHandle(file);
	n->size = size;
}

static void flush(struct world *w, struct node *n)
{
	say(w, "flush|%u", n->number);
	HANDLE file = file_open(w, n, 0);
	must(FlushFileBuffers(file), w, "FlushFileBuffers");
	CloseHandle(file);
	mark(w, MARK_FLUSHED, n->number);
}

/* ---- names that come and go ---- */

static void create(struct world *w, bool directory)
{
	struct node *n = room(w);
	unsigned int parent = any_parent(w), name = (unsigned int)chance(w, NAMES);
	char path[PATH_BYTES];
	if (!n || count_of(w, directory) >= (directory ? DIRECTORIES_MAX : FILES_MAX) || named(w, parent, directory, name))
		return;
	*n = (struct node){ true, directory, ++w->files, parent, name, 0 };
	say(w, "%s|%s|%u", directory ? "mkdir" : "create", below(w, path_of(w, n, path)), n->number);
	if (directory) {
		must(CreateDirectoryA(path, NULL), w, path);
		return;
	}
	HANDLE file = CreateFileA(path, GENERIC_WRITE, SHARE_ALL, NULL, CREATE_NEW, 0, NULL);
	must(file != INVALID_HANDLE_VALUE, w, path);
	CloseHandle(file);
}

static void rename_node(struct world *w, struct node *n)
{
	unsigned int parent = chance(w, 2) ? n->parent : any_parent(w), name = (unsigned int)chance(w, NAMES);
	struct node *replaced = n->directory ? NULL : chance(w, 3) ? NULL : any(w, false), moved = *n;
	char from[PATH_BYTES], to[PATH_BYTES];
	if (replaced && replaced != n) {
		parent = replaced->parent;
		name = replaced->name;
	}
	replaced = named(w, parent, n->directory, name);
	if (replaced == n || (replaced && n->directory))
		return;
	for (unsigned int i = parent; i; i = w->nodes[i].parent)
		if (&w->nodes[i] == n)
			return; /* not into itself */
	moved.parent = parent;
	moved.name = name;
	path_of(w, n, from);
	say(w, "rename|%s|%s", below(w, from), below(w, path_of(w, &moved, to)));
	must(MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING), w, to);
	if (replaced)
		replaced->used = false;
	*n = moved;
}

static void delete_node(struct world *w, struct node *n)
{
	char path[PATH_BYTES];
	for (unsigned int i = 1; i < NODES; i++)
		if (w->nodes[i].used && &w->nodes[w->nodes[i].parent] == n)
			return;
	say(w, "%s|%s", n->directory ? "rmdir" : "delete", below(w, path_of(w, n, path)));
	must(n->directory ? RemoveDirectoryA(path) : DeleteFileA(path), w, path);
	n->used = false;
}

static void do_something(struct world *w)
{
	uint64_t what = chance(w, 100);
	struct node *n = any(w, what >= 93);
	if (what < 18 || !n)
		create(w, what % 4 == 0);
	else if (what < 34)
		write_file(w, n, 0);
	else if (what < 38)
		write_file(w, n, FILE_FLAG_WRITE_THROUGH);
	else if (what < 42)
		write_file(w, n, FILE_FLAG_NO_BUFFERING);
	else if (what < 50)
		write_view(w, n, false);
	else if (what < 57)
		write_view(w, n, true);
	else if (what < 65)
		size_set(w, n);
	else if (what < 78)
		rename_node(w, n);
	else if (what < 86)
		delete_node(w, n);
	else if (what < 93)
		flush(w, n);
	else if (what < 97)
		rename_node(w, n);
	else
		delete_node(w, n);
}

static DWORD WINAPI live(void *arg)
{
	struct world *w = arg;
	char path[PATH_BYTES];
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, BYTES_MAX + 512, NULL);
	w->buffer = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	must(w->buffer != NULL, w, "memory");
	w->sector = w->buffer + BYTES_MAX / 8;
	must(CreateDirectoryA(w->root, NULL), w, w->root);
	snprintf(path, sizeof(path), "%s\\marks", w->root);
	w->marks = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, CREATE_NEW, FILE_FLAG_NO_BUFFERING, NULL);
	SetFilePointer(w->marks, 512, NULL, FILE_BEGIN);
	must(SetEndOfFile(w->marks) && FlushFileBuffers(w->marks), w, path);
	mark(w, MARK_BEGIN, 0);
	while (w->operations < operations_wanted) {
		do_something(w);
		if (chance(w, 12) == 0)
			Sleep((DWORD)chance(w, 100));
		else if (chance(w, 150) == 0)
			Sleep(1300); /* who writes in the background has his turn */
	}
	FlushFileBuffers(w->marks);
	return 0;
}

int main(int argc, char **argv)
{
	static struct world worlds[WORLDS];
	HANDLE threads[WORLDS];
	if (argc < 4) {
		printf("usage: power_cut DIRECTORY SEED OPERATIONS\n");
		return 2;
	}
	operations_wanted = strtoul(argv[3], NULL, 0);
	InitializeCriticalSection(&console);
	for (unsigned int i = 0; i < WORLDS; i++) {
		struct world *w = &worlds[i];
		w->number = i;
		w->random = strtoull(argv[2], NULL, 0) * WORLDS + i + 0x853c49e6748fea9bull;
		snprintf(w->root, sizeof(w->root), "%s%u", argv[1], i);
		threads[i] = CreateThread(NULL, 0, live, w, 0, NULL);
	}
	for (unsigned int i = 0; i < WORLDS; i++)
		WaitForSingleObject(threads[i], INFINITE);
	printf("power_cut: the end\n");
	fflush(stdout);
	Sleep(INFINITE);
	return 0;
}
