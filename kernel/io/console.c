/*
 * The console's serial port, and the kernel's log on it.
 * Source: National Semiconductor PC16550D datasheet, section 8 (registers).
 */
#include "io/console.h"

#include <stdarg.h>

#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "proc/lock.h"
#include "proc/sched.h"

#define PORT 0x3f8
#define ISA_LINE 4
#define REG_DATA (PORT + 0)
#define REG_INTERRUPT_ENABLE (PORT + 1)
#define REG_DIVISOR_LOW (PORT + 0)  /* while LINE_DIVISOR is set */
#define REG_DIVISOR_HIGH (PORT + 1)
#define REG_FIFO (PORT + 2)
#define REG_LINE (PORT + 3)
#define REG_MODEM (PORT + 4)
#define REG_STATUS (PORT + 5)

#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define FIFO_ON 0x87 /* both emptied; interrupt at 8 bytes, or when the line pauses */
#define MODEM_ON 0x0b /* DTR, RTS, and OUT2, which lets interrupts through */
#define STATUS_RECEIVED 0x01
#define STATUS_OVERRUN 0x02
#define STATUS_CAN_SEND 0x20
#define STATUS_IDLE 0x40
#define FIFO_SIZE 16
#define POLLS_MAX 1000000 /* a port that is not there must not stop the kernel */

#define CHUNK 512 /* bytes written with interrupts off */

static struct spinlock output_lock = SPINLOCK_INIT("console", RANK_CONSOLE);
static struct spinlock input_lock = SPINLOCK_INIT("console input", RANK_DEVICE);
static struct wait_queue readers = WAIT_QUEUE_INIT(readers);
static char ring[1024];
static u32 ring_head, ring_tail; /* next to write, next to read; counted without end */
static u64 overruns;
static const char *script;
static size_t script_left;
static u32 room; /* bytes that the port takes before it must be asked again */

enum log_level log_limit = LOG_WARNING;

void console_early_init(void)
{
	out8(REG_INTERRUPT_ENABLE, 0);
	out8(REG_LINE, LINE_DIVISOR);
	out8(REG_DIVISOR_LOW, 1); /* 115200 baud */
	out8(REG_DIVISOR_HIGH, 0);
	out8(REG_LINE, LINE_8N1);
	out8(REG_FIFO, FIFO_ON);
	out8(REG_MODEM, MODEM_ON);
}

static void status_await(u8 bit)
{
	u32 polls;

	for (polls = 0; polls < POLLS_MAX && !(in8(REG_STATUS) & bit); polls++)
		cpu_relax();
}

static void put(char c)
{
	if (!room) {
		status_await(STATUS_CAN_SEND);
		room = FIFO_SIZE;
	}
	out8(REG_DATA, (u8)c);
	room--;
}

static void put_text(const char *text, size_t n)
{
	for (; n; n--, text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

void console_write(const char *text, size_t n)
{
	if (panicking) { /* the others are stopped, one of them perhaps with the lock */
		put_text(text, n);
		return;
	}
	while (n) {
		size_t part = MIN(n, CHUNK);

		spin_lock(&output_lock);
		put_text(text, part);
		spin_unlock(&output_lock);
		text += part;
		n -= part;
	}
}

void console_flush(void)
{
	status_await(STATUS_IDLE);
}

/* ---- the log ---- */

static void text_write(const char *text, size_t size, int length)
{
	if (length > 0)
		console_write(text, MIN((size_t)length, size - 1));
}

void kprintf(const char *fmt, ...)
{
	char text[CHUNK];
	va_list ap;

	va_start(ap, fmt);
	text_write(text, sizeof(text), kvsnprintf(text, sizeof(text), fmt, ap));
	va_end(ap);
}

void klog(enum log_level level, const char *fmt, ...)
{
	static const char prefix[] = "backstore: ";
	char text[CHUNK];
	size_t start = sizeof(prefix) - 1, length;
	va_list ap;
	int n;

	if (level > log_limit)
		return;
	memcpy(text, prefix, start);
	va_start(ap, fmt);
	n = kvsnprintf(text + start, sizeof(text) - start - 1, fmt, ap);
	va_end(ap);
	length = start + MIN((size_t)MAX(n, 0), sizeof(text) - start - 2);
	text[length] = '\n';
	console_write(text, length + 1);
}

/* ---- input ---- */

static void input_interrupt(void *arg)
{
	u8 status;

	(void)arg;
	spin_lock(&input_lock);
	while ((status = in8(REG_STATUS)) & STATUS_RECEIVED && status != 0xff) {
		char c = (char)in8(REG_DATA);

		if (status & STATUS_OVERRUN)
			overruns++;
		if (ring_head - ring_tail < sizeof(ring))
			ring[ring_head++ % sizeof(ring)] = c;
		else
			overruns++;
	}
	wait_wake_all(&readers);
	spin_unlock(&input_lock);
}

void console_init(void)
{
	if (!irq_isa_enable(ISA_LINE, input_interrupt, NULL)) {
		klog(LOG_WARNING, "the console's interrupt can't be had: no input");
		return;
	}
	out8(REG_INTERRUPT_ENABLE, 1); /* received data */
}

void console_set_script(const char *text, size_t n)
{
	script = text;
	script_left = n;
}

bool console_is_script(void)
{
	return script;
}

static long script_read(char *to, size_t n)
{
	n = MIN(n, script_left);
	memcpy(to, script, n);
	script += n;
	script_left -= n;
	return (long)n;
}

static long ring_read(char *to, size_t n)
{
	size_t got = 0;

	while (got < n && ring_tail != ring_head)
		to[got++] = ring[ring_tail++ % sizeof(ring)];
	return (long)got;
}

long console_read(char *to, size_t n)
{
	long got = 0;

	if (!n)
		return 0;
	spin_lock(&input_lock);
	if (script)
		got = script_read(to, n);
	while (!script && (got = ring_read(to, n)) == 0) {
		wait_sleep(&readers, &input_lock, WAIT_FOREVER, true);
		if (thread_ending()) {
			got = -1;
			break;
		}
	}
	spin_unlock(&input_lock);
	return got;
}

u64 console_overruns(void)
{
	return overruns;
}
