#include "proc/pipe.h"

#include "abi/status.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/pool.h"
#include "proc/sched.h"

struct way {
	u8 *bytes;
	u32 size, start, used;
	bool writing;    /* somebody is between pipe_write_begin and pipe_write_end */
	u32 writing_for; /* the connection then: no other one gets the rest of his bytes */
};

struct pipe {
	struct list link; /* in pipes while the server's end is open */
	u32 ends;         /* pointers to it */
	u32 state;
	u32 connection;   /* of how many it is the number */
	u32 client_may, instances_max;
	u64 timeout_ns;
	bool server_open, client_open;
	bool nowait[2];
	struct way ways[2]; /* by the end that reads */
	struct wait_queue changed;
	char name[PIPE_NAME_MAX];
};

static struct spinlock pipes_lock = SPINLOCK_INIT("pipes", RANK_FILE_TABLE);
static struct list pipes = LIST_INIT(pipes);
static struct wait_queue listening_queue = WAIT_QUEUE_INIT(listening_queue); /* pipe_wait's */
static u64 buffer_bytes; /* of all pipes */

/* ---- names ---- */

/* The first instance of that name, and how many there are. */
static struct pipe *find(const char *name, u32 *count, struct pipe **listening)
{
	struct pipe *p, *first = NULL;

	assert(spin_held(&pipes_lock));
	*count = 0;
	*listening = NULL;
	list_for_each(&pipes, p, link) {
		if (ascii_compare_nocase(p->name, name))
			continue;
		++*count;
		first = p;
		if (p->state == PIPE_LISTENING)
			*listening = p;
	}
	return first;
}

/* Whether another instance may be made like that. */
static u32 create_check(const char *name, const struct pipe_request *r)
{
	struct pipe *first, *listening;
	u32 count;

	first = find(name, &count, &listening);
	if (!first)
		return r->must_exist ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
	if (r->must_be_first || first->client_may != r->client_may)
		return STATUS_ACCESS_DENIED;
	return count >= first->instances_max ? STATUS_INSTANCE_NOT_AVAILABLE : STATUS_SUCCESS;
}

/* Buffers may take an eighth of memory, all together. */
static bool buffers_reserve(u64 bytes)
{
	u64 max = (u64)frame_counts.total * PAGE_SIZE / 8;
	bool fits;

	spin_lock(&pipes_lock);
	fits = buffer_bytes + bytes <= max;
	if (fits)
		buffer_bytes += bytes;
	spin_unlock(&pipes_lock);
	return fits;
}

static void destroy(struct pipe *p)
{
	spin_lock(&pipes_lock);
	buffer_bytes -= p->ways[PIPE_SERVER].size + p->ways[PIPE_CLIENT].size;
	spin_unlock(&pipes_lock);
	kfree(p->ways[PIPE_SERVER].bytes);
	kfree(p->ways[PIPE_CLIENT].bytes);
	kfree(p);
}

static u32 buffer_size(u32 wanted, bool used)
{
	return used ? (u32)ALIGN_UP(MIN(MAX(wanted, PIPE_BUFFER_MIN), PIPE_BUFFER_MAX), PIPE_BUFFER_MIN) : 0;
}

u32 pipe_create(const char *name, const struct pipe_request *r, struct pipe_end *out)
{
	struct pipe *p;
	u32 status = STATUS_SUCCESS;

	if (!*name || strlen(name) >= PIPE_NAME_MAX)
		return STATUS_OBJECT_NAME_INVALID;
	p = kzalloc(sizeof(*p));
	if (!p)
		return STATUS_INSUFFICIENT_RESOURCES;
	wait_queue_init(&p->changed);
	strlcpy(p->name, name, sizeof(p->name));
	p->ends = 1;
	p->state = PIPE_LISTENING;
	p->client_may = r->client_may;
	p->instances_max = r->instances_max;
	p->timeout_ns = r->timeout_ns;
	p->nowait[PIPE_SERVER] = r->nowait;
	p->server_open = true;
	p->ways[PIPE_SERVER].size = buffer_size(r->inbound, r->client_may & FILE_MAY_WRITE);
	p->ways[PIPE_CLIENT].size = buffer_size(r->outbound, r->client_may & FILE_MAY_READ);
	if (!buffers_reserve(p->ways[PIPE_SERVER].size + p->ways[PIPE_CLIENT].size)) {
		kfree(p);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	for (u32 i = 0; i < 2; i++) {
		struct way *w = &p->ways[i];

		if (w->size && !(w->bytes = kmalloc(w->size)))
			status = STATUS_INSUFFICIENT_RESOURCES;
	}
	spin_lock(&pipes_lock);
	if (!status)
		status = create_check(name, r);
	if (!status) {
		list_push_back(&pipes, &p->link);
		wait_wake_all(&listening_queue);
	}
	spin_unlock(&pipes_lock);
	if (status)
		destroy(p);
	else
		*out = (struct pipe_end){ p, PIPE_SERVER, 0 };
	return status;
}

u32 pipe_open(const char *name, u32 may, struct pipe_end *out)
{
	struct pipe *first, *p;
	u32 count, status = STATUS_SUCCESS;

	spin_lock(&pipes_lock);
	first = find(name, &count, &p);
	if (!first)
		status = STATUS_OBJECT_NAME_NOT_FOUND;
	else if (may & ~first->client_may)
		status = STATUS_ACCESS_DENIED;
	else if (!p)
		status = STATUS_PIPE_NOT_AVAILABLE;
	if (!status) {
		p->ends++;
		p->connection++;
		p->client_open = true;
		p->nowait[PIPE_CLIENT] = false;
		p->state = PIPE_CONNECTED;
		*out = (struct pipe_end){ p, PIPE_CLIENT, p->connection };
		wait_wake_all(&p->changed);
	}
	spin_unlock(&pipes_lock);
	return status;
}

/* Whether a client's end is still the one that is connected. The server's always is. */
static bool current(const struct pipe_end *e)
{
	return e->end == PIPE_SERVER || (e->connection == e->pipe->connection && e->pipe->client_open);
}

void pipe_close(struct pipe_end *e)
{
	struct pipe *p = e->pipe;
	bool last;

	spin_lock(&pipes_lock);
	if (e->end == PIPE_SERVER) {
		p->server_open = false;
		list_remove(&p->link);
		p->state = PIPE_CLOSING;
	} else if (current(e)) {
		p->client_open = false;
		p->state = PIPE_CLOSING;
	}
	wait_wake_all(&p->changed);
	wait_wake_all(&listening_queue); /* for one who waits for a name that is no more */
	last = --p->ends == 0;
	spin_unlock(&pipes_lock);
	e->pipe = NULL;
	if (last)
		destroy(p);
}

/* ---- bytes ---- */

/* What keeps an end from being used at all. pipes_lock held. */
static u32 state_check(const struct pipe_end *e)
{
	if (!current(e) || e->pipe->state == PIPE_DISCONNECTED)
		return STATUS_PIPE_DISCONNECTED;
	return e->pipe->state == PIPE_LISTENING ? STATUS_PIPE_LISTENING : STATUS_SUCCESS;
}

static bool other_open(const struct pipe_end *e)
{
	return e->end == PIPE_SERVER ? e->pipe->client_open : e->pipe->server_open;
}

static u32 sleep_for_change(struct pipe *p)
{
	return wait_sleep(&p->changed, &pipes_lock, WAIT_FOREVER, true) ? STATUS_SUCCESS : STATUS_THREAD_IS_TERMINATING;
}

static u32 bytes_get(struct way *w, u8 *to, u32 n)
{
	u32 first;

	n = MIN(n, w->used);
	first = MIN(n, w->size - w->start);
	memcpy(to, w->bytes + w->start, first);
	memcpy(to + first, w->bytes, n - first);
	return n;
}

static u32 bytes_put(struct way *w, const u8 *from, u32 n)
{
	u32 at = (w->start + w->used) % MAX(w->size, 1u), first;

	n = MIN(n, w->size - w->used);
	first = MIN(n, w->size - at);
	memcpy(w->bytes + at, from, first);
	memcpy(w->bytes, from + first, n - first);
	w->used += n;
	return n;
}

u32 pipe_read(struct pipe_end *e, u8 *to, u32 n, u32 *got)
{
	struct pipe *p = e->pipe;
	struct way *w = &p->ways[e->end];
	u32 status;

	*got = 0;
	spin_lock(&pipes_lock);
	for (;;) {
		status = state_check(e);
		if (status || w->used)
			break;
		if (!other_open(e))
			status = STATUS_PIPE_BROKEN;
		else
			status = p->nowait[e->end] ? STATUS_PIPE_EMPTY : sleep_for_change(p);
		if (status)
			break;
	}
	if (!status) {
		*got = bytes_get(w, to, n);
		w->start = (w->start + *got) % w->size;
		w->used -= *got;
		wait_wake_all(&p->changed);
	}
	spin_unlock(&pipes_lock);
	return status;
}

u32 pipe_peek(struct pipe_end *e, u8 *to, u32 n, u32 *got, u32 *available)
{
	struct way *w = &e->pipe->ways[e->end];
	u32 status;

	*got = *available = 0;
	spin_lock(&pipes_lock);
	status = state_check(e);
	if (!status) {
		*available = w->used;
		*got = bytes_get(w, to, n);
		if (!w->used && !other_open(e))
			status = STATUS_PIPE_BROKEN;
	}
	spin_unlock(&pipes_lock);
	return status;
}

u32 pipe_write_begin(struct pipe_end *e)
{
	struct way *w = &e->pipe->ways[!e->end];
	u32 status;

	spin_lock(&pipes_lock);
	for (;;) {
		status = state_check(e);
		if (!status && !other_open(e))
			status = STATUS_PIPE_BROKEN;
		if (status || !w->writing)
			break;
		status = sleep_for_change(e->pipe);
		if (status)
			break;
	}
	if (!status) {
		w->writing = true;
		w->writing_for = e->pipe->connection;
	}
	spin_unlock(&pipes_lock);
	return status;
}

u32 pipe_write(struct pipe_end *e, const u8 *from, u32 n, u32 *done)
{
	struct pipe *p = e->pipe;
	struct way *w = &p->ways[!e->end];
	u32 status = STATUS_SUCCESS;

	*done = 0;
	spin_lock(&pipes_lock);
	while (*done < n) {
		status = w->writing_for == p->connection ? state_check(e) : STATUS_PIPE_DISCONNECTED;
		if (!status && !other_open(e))
			status = STATUS_PIPE_BROKEN;
		if (status)
			break;
		if (w->used == w->size) {
			if (p->nowait[e->end])
				break;
			status = sleep_for_change(p);
			if (status)
				break;
			continue;
		}
		*done += bytes_put(w, from + *done, n - *done);
		wait_wake_all(&p->changed);
	}
	spin_unlock(&pipes_lock);
	return status;
}

void pipe_write_end(struct pipe_end *e)
{
	spin_lock(&pipes_lock);
	e->pipe->ways[!e->end].writing = false;
	wait_wake_all(&e->pipe->changed);
	spin_unlock(&pipes_lock);
}

/* ---- connections ---- */

u32 pipe_listen(struct pipe_end *e)
{
	struct pipe *p = e->pipe;
	u32 status = STATUS_SUCCESS;

	if (e->end != PIPE_SERVER)
		return STATUS_ILLEGAL_FUNCTION;
	spin_lock(&pipes_lock);
	if (p->state == PIPE_CONNECTED) {
		status = STATUS_PIPE_CONNECTED;
	} else if (p->state == PIPE_CLOSING) {
		status = STATUS_PIPE_CLOSING;
	} else {
		if (p->state == PIPE_DISCONNECTED) {
			p->state = PIPE_LISTENING;
			wait_wake_all(&listening_queue);
		}
		while (!status && p->state == PIPE_LISTENING)
			status = p->nowait[PIPE_SERVER] ? STATUS_PIPE_LISTENING : sleep_for_change(p);
		if (!status && p->state == PIPE_DISCONNECTED)
			status = STATUS_PIPE_DISCONNECTED;
	}
	spin_unlock(&pipes_lock);
	return status;
}

u32 pipe_disconnect(struct pipe_end *e)
{
	struct pipe *p = e->pipe;
	u32 status = STATUS_SUCCESS;

	if (e->end != PIPE_SERVER)
		return STATUS_ILLEGAL_FUNCTION;
	spin_lock(&pipes_lock);
	if (p->state == PIPE_DISCONNECTED)
		status = STATUS_PIPE_DISCONNECTED;
	p->state = PIPE_DISCONNECTED;
	p->client_open = false;
	for (u32 i = 0; i < 2; i++)
		p->ways[i].start = p->ways[i].used = 0;
	wait_wake_all(&p->changed);
	spin_unlock(&pipes_lock);
	return status;
}

u32 pipe_wait(const char *name, u64 deadline)
{
	struct pipe *first, *listening;
	u32 count, status = STATUS_SUCCESS;

	spin_lock(&pipes_lock);
	for (;;) {
		first = find(name, &count, &listening);
		if (listening)
			break;
		if (!first)
			status = STATUS_OBJECT_NAME_NOT_FOUND;
		if (first && !deadline)
			deadline = clock_ns() + first->timeout_ns;
		if (!status && !wait_sleep(&listening_queue, &pipes_lock, deadline, true))
			status = thread_ending() ? STATUS_THREAD_IS_TERMINATING : STATUS_IO_TIMEOUT;
		if (status)
			break;
	}
	spin_unlock(&pipes_lock);
	return status;
}

/* ---- facts ---- */

bool pipe_nowait(const struct pipe_end *e)
{
	return __atomic_load_n(&e->pipe->nowait[e->end], __ATOMIC_RELAXED);
}

void pipe_set_nowait(struct pipe_end *e, bool nowait)
{
	spin_lock(&pipes_lock);
	if (current(e))
		e->pipe->nowait[e->end] = nowait;
	spin_unlock(&pipes_lock);
}

u32 pipe_buffer_bytes(const struct pipe_end *e, bool write)
{
	return e->pipe->ways[write ? !e->end : e->end].size;
}

void pipe_facts(struct pipe_end *e, struct pipe_facts *out)
{
	struct pipe *p = e->pipe, *listening;
	const struct way *to_server = &p->ways[PIPE_SERVER], *to_client = &p->ways[PIPE_CLIENT], *out_way = &p->ways[!e->end];

	memset(out, 0, sizeof(*out));
	spin_lock(&pipes_lock);
	find(p->name, &out->instances, &listening);
	out->configuration = p->client_may == (FILE_MAY_READ | FILE_MAY_WRITE) ? 2 : p->client_may == FILE_MAY_READ;
	out->instances_max = p->instances_max;
	out->inbound_quota = to_server->size;
	out->outbound_quota = to_client->size;
	out->read_available = p->ways[e->end].used;
	out->write_available = out_way->size - out_way->used;
	out->state = current(e) ? p->state : PIPE_DISCONNECTED;
	out->end = e->end;
	spin_unlock(&pipes_lock);
}
