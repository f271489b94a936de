/*
 * Editing a line on a terminal that sends bytes as they are typed and understands VT100 sequences. The line is kept in
 * one row: what is longer than the row scrolls sideways, so that redrawing needs no knowledge of the rows above.
 */
#include "sh.h"
#include <stdio.h>
#include <string.h>

#define COLUMNS 80
#define HISTORY_MAX 64

/* Keys that arrive as several bytes; others are their byte. */
enum key { KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE, KEY_WORD_LEFT, KEY_WORD_RIGHT,
	   KEY_UNKNOWN, KEY_NONE = -1 };

#define CONTROL(letter) ((letter) & 0x1f)

struct editor {
	const char *prompt;
	char *text;            /* SH_LINE_MAX bytes */
	int length, cursor;    /* bytes */
	int shown;             /* the first byte in the row */
	int history;           /* which line of the history is shown; history_count: the new one */
	char kept[SH_LINE_MAX]; /* the new line, while one of the history is shown */
};

static char history[HISTORY_MAX][SH_LINE_MAX];
static int history_count;

static int byte_read(void)
{
	unsigned char byte;
	DWORD count = 0;
	if (!ReadFile(shell.input, &byte, 1, &count, NULL) || count == 0)
		return KEY_NONE;
	return byte;
}

static void write_text(const char *text, size_t n)
{
	DWORD written;
	fflush(stdout);
	WriteFile(shell.output, text, (DWORD)n, &written, NULL);
}

/* ESC [ numbers letter, or ESC O letter. */
static int key_read_sequence(void)
{
	int number = 0, modifier = 0, byte = byte_read();
	if (byte != '[' && byte != 'O')
		return byte == KEY_NONE ? KEY_NONE : KEY_UNKNOWN;
	for (byte = byte_read(); (byte >= '0' && byte <= '9') || byte == ';'; byte = byte_read()) {
		if (byte == ';') {
			modifier = 1;
			continue;
		}
		if (modifier)
			modifier = byte;
		else
			number = number * 10 + byte - '0';
	}
	switch (byte) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return modifier == '5' ? KEY_WORD_RIGHT : KEY_RIGHT;
	case 'D':
		return modifier == '5' ? KEY_WORD_LEFT : KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case '~':
		if (number == 1 || number == 7)
			return KEY_HOME;
		if (number == 4 || number == 8)
			return KEY_END;
		return number == 3 ? KEY_DELETE : KEY_UNKNOWN;
	case KEY_NONE:
		return KEY_NONE;
	}
	return KEY_UNKNOWN;
}

static int key_read(void)
{
	int byte = byte_read();
	return byte == 0x1b ? key_read_sequence() : byte;
}

/* Bytes of UTF-8 behind the first of a character: they take no column of their own. */
static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static int columns_of(const char *text, int from, int to)
{
	int columns = 0;
	for (int i = from; i < to; i++)
		columns += !is_continuation(text[i]);
	return columns;
}

static int character_before(const struct editor *e, int at)
{
	do
		at--;
	while (at > 0 && is_continuation(e->text[at]));
	return at;
}

static int character_after(const struct editor *e, int at)
{
	do
		at++;
	while (at < e->length && is_continuation(e->text[at]));
	return at;
}

static int word_before(const struct editor *e)
{
	int at = e->cursor;
	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

static int word_after(const struct editor *e)
{
	int at = e->cursor;
	while (at < e->length && e->text[at] == ' ')
		at++;
	while (at < e->length && e->text[at] != ' ')
		at++;
	return at;
}

static void redraw(struct editor *e)
{
	static char out[SH_LINE_MAX * 2 + 64];
	int room = COLUMNS - 1 - (int)strlen(e->prompt);
	if (room < 20)
		room = 20;
	if (e->cursor < e->shown)
		e->shown = e->cursor;
	while (columns_of(e->text, e->shown, e->cursor) > room)
		e->shown = character_after(e, e->shown);
	int end = e->shown;
	while (end < e->length && columns_of(e->text, e->shown, end) < room)
		end = character_after(e, end);
	int n = sprintf(out, "\r%s%.*s\x1b[K", e->prompt, end - e->shown, e->text + e->shown);
	int back = columns_of(e->text, e->cursor, end);
	if (back > 0)
		n += sprintf(out + n, "\x1b[%dD", back);
	write_text(out, (size_t)n);
}

/* Takes out [from, to); the cursor is then at from. */
static void remove_range(struct editor *e, int from, int to)
{
	memmove(e->text + from, e->text + to, (size_t)(e->length - to));
	e->length -= to - from;
	e->text[e->length] = 0;
	e->cursor = from;
}

static void insert_byte(struct editor *e, char c)
{
	if (e->length + 1 >= SH_LINE_MAX)
		return;
	memmove(e->text + e->cursor + 1, e->text + e->cursor, (size_t)(e->length - e->cursor));
	e->text[e->cursor++] = c;
	e->text[++e->length] = 0;
	/* At the end of a row with room the byte itself is all that must be drawn. */
	if (e->cursor == e->length && e->shown == 0 &&
	    columns_of(e->text, 0, e->length) < COLUMNS - 2 - (int)strlen(e->prompt))
		write_text(&c, 1);
	else
		redraw(e);
}

static void history_show(struct editor *e, int which)
{
	if (which < 0 || which > history_count)
		return;
	if (e->history == history_count)
		strcpy(e->kept, e->text);
	e->history = which;
	strcpy(e->text, which == history_count ? e->kept : history[which]);
	e->length = e->cursor = (int)strlen(e->text);
	e->shown = 0;
}

static void history_add(const char *line)
{
	if (!*line || (history_count > 0 && !strcmp(history[history_count - 1], line)))
		return;
	if (history_count == HISTORY_MAX)
		memmove(history[0], history[1], sizeof(history[0]) * (size_t)--history_count);
	strcpy(history[history_count++], line);
}

static void edit_key(struct editor *e, int key)
{
	switch (key) {
	case KEY_LEFT:
	case CONTROL('B'):
		if (e->cursor > 0)
			e->cursor = character_before(e, e->cursor);
		break;
	case KEY_RIGHT:
	case CONTROL('F'):
		if (e->cursor < e->length)
			e->cursor = character_after(e, e->cursor);
		break;
	case KEY_WORD_LEFT:
		e->cursor = word_before(e);
		break;
	case KEY_WORD_RIGHT:
		e->cursor = word_after(e);
		break;
	case KEY_HOME:
	case CONTROL('A'):
		e->cursor = 0;
		break;
	case KEY_END:
	case CONTROL('E'):
		e->cursor = e->length;
		break;
	case KEY_UP:
	case CONTROL('P'):
		history_show(e, e->history - 1);
		break;
	case KEY_DOWN:
	case CONTROL('N'):
		history_show(e, e->history + 1);
		break;
	case 0x7f:
	case '\b':
		if (e->cursor > 0)
			remove_range(e, character_before(e, e->cursor), e->cursor);
		break;
	case KEY_DELETE:
	case CONTROL('D'):
		if (e->cursor < e->length)
			remove_range(e, e->cursor, character_after(e, e->cursor));
		break;
	case CONTROL('U'):
		remove_range(e, 0, e->cursor);
		break;
	case CONTROL('K'):
		remove_range(e, e->cursor, e->length);
		break;
	case CONTROL('W'):
		remove_range(e, word_before(e), e->cursor);
		break;
	case CONTROL('L'):
		write_text("\x1b[H\x1b[2J", 7);
		break;
	default:
		return;
	}
	redraw(e);
}

enum line_result line_edit(const char *prompt, char *line)
{
	struct editor e = { .prompt = prompt, .text = line, .history = history_count };
	line[0] = 0;
	redraw(&e);
	for (;;) {
		int key = key_read();
		if (key == KEY_NONE || (key == CONTROL('D') && e.length == 0))
			return LINE_END;
		if (key == '\r' || key == '\n') {
			write_text("\n", 1);
			history_add(line);
			return LINE_READ;
		}
		if (key == CONTROL('C')) {
			write_text("^C\n", 3);
			return LINE_CANCELLED;
		}
		if (key >= ' ' && key < 256 && key != 0x7f)
			insert_byte(&e, (char)key);
		else
			edit_key(&e, key);
	}
}

enum line_result line_read(char *line)
{
	int length = 0;
	for (;;) {
		int byte = byte_read();
		if (byte == KEY_NONE && length == 0)
			return LINE_END;
		if (byte == KEY_NONE || byte == '\n')
			break;
		if (byte != '\r' && length + 1 < SH_LINE_MAX)
			line[length++] = (char)byte;
	}
	line[length] = 0;
	return LINE_READ;
}
