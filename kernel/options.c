/* Boot options: the syntax, and each option's values. */
#include "options.h"

#include "arch/arch.h"
#include "io/fw_cfg.h"
#include "lib/debug.h"
#include "lib/string.h"

#define FW_CFG_ITEM "opt/org.backstore/options"
#define TEXT_MAX 4096

struct options options = {
	.swap = { { .kind = SWAP_ENTRY_AUTO, .name = "auto", .priority = BS_PRIORITY_NONE } },
	.swap_count = 1,
	.commit = COMMIT_STRICT,
	.run = "sh",
	.aslr = true,
};

const char *const commit_policy_names[COMMIT_POLICIES] = {
	[COMMIT_STRICT] = "strict",
	[COMMIT_OVERCOMMIT] = "overcommit",
	[COMMIT_LAZY_WRITECOPY] = "lazy-writecopy",
};

const char *const replace_policy_names[REPLACE_POLICIES] = {
	[REPLACE_CLOCK] = "clock",
	[REPLACE_FIFO] = "fifo",
	[REPLACE_LRU] = "lru",
	[REPLACE_RANDOM] = "random",
};

struct option {
	const char *name, *allowed;
	bool (*parse)(const char *value);
};

static bool text_set(char *to, size_t size, const char *value)
{
	return *value && strlcpy(to, value, size) < size;
}

static bool mem_parse(const char *value)
{
	return parse_size(value, &options.memory_limit);
}

/* Digits alone. */
static bool priority_parse(const char *text, int *priority)
{
	if (!*text)
		return false;
	for (*priority = 0; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		*priority = *priority * 10 + (*text - '0');
		if (*priority > BS_PRIORITY_MAX)
			return false;
	}
	return true;
}

static bool ramdisk_parse(const char *text, u64 *size)
{
	if (!parse_size(text, size) || !*size || *size > ~0ull - PAGE_SIZE)
		return false;
	*size = ALIGN_UP(*size, PAGE_SIZE);
	return true;
}

/* "NAME" or "NAME@PRIORITY"; text is cut at the @. */
static bool swap_entry_parse(char *text, struct swap_entry *e)
{
	static const char ramdisk[] = "ramdisk:";
	char *at = text;

	while (*at && *at != '@')
		at++;
	e->priority = BS_PRIORITY_NONE;
	if (*at) {
		*at = 0;
		if (!priority_parse(at + 1, &e->priority))
			return false;
	}
	e->kind = !strcmp(text, "auto") ? SWAP_ENTRY_AUTO : !strcmp(text, "none") ? SWAP_ENTRY_NONE : SWAP_ENTRY_DISK;
	e->size = 0;
	if (!strncmp(text, ramdisk, sizeof(ramdisk) - 1)) {
		e->kind = SWAP_ENTRY_RAMDISK;
		if (!ramdisk_parse(text + sizeof(ramdisk) - 1, &e->size))
			return false;
	}
	return text_set(e->name, sizeof(e->name), text);
}

static bool swap_parse(const char *value)
{
	char text[sizeof(((struct swap_entry *)0)->name) + 8];
	size_t n;

	for (options.swap_count = 0; options.swap_count < SWAP_ENTRIES_MAX; value += n + 1) {
		for (n = 0; value[n] && value[n] != ','; n++)
			if (n + 1 < sizeof(text))
				text[n] = value[n];
			else
				return false;
		text[n] = 0;
		if (!swap_entry_parse(text, &options.swap[options.swap_count++]))
			return false;
		if (!value[n])
			return true;
	}
	return false;
}

static bool commit_parse(const char *value)
{
	for (u32 i = 0; i < COMMIT_POLICIES; i++)
		if (!strcmp(value, commit_policy_names[i])) {
			options.commit = (enum commit_policy)i;
			return true;
		}
	return false;
}

static bool reclaim_parse(const char *value)
{
	char low[24];
	size_t n = 0;

	while (n < sizeof(low) - 1 && value[n] && value[n] != ':') {
		low[n] = value[n];
		n++;
	}
	low[n] = 0;
	return value[n] == ':' && parse_size(low, &options.reclaim_low) && parse_size(value + n + 1, &options.reclaim_high) &&
	       options.reclaim_low && options.reclaim_low < options.reclaim_high;
}

static bool replace_parse(const char *value)
{
	for (u32 i = 0; i < REPLACE_POLICIES; i++)
		if (!strcmp(value, replace_policy_names[i])) {
			options.replace = (enum replace_policy)i;
			return true;
		}
	return false;
}

static bool run_parse(const char *value)
{
	return text_set(options.run, sizeof(options.run), value);
}

static bool check_parse(const char *value)
{
	options.check_exit = !strcmp(value, "exit");
	options.check_call = options.check_exit || !strcmp(value, "call");
	return options.check_call || !strcmp(value, "off");
}

static bool aslr_parse(const char *value)
{
	options.aslr = !strcmp(value, "on");
	return options.aslr || !strcmp(value, "off");
}

static bool image_lock_parse(const char *value)
{
	static const char *const names[IMAGE_LOCKS] = { "nt", "unix", "none" };

	for (u32 i = 0; i < IMAGE_LOCKS; i++)
		if (!strcmp(value, names[i])) {
			options.image_lock = (enum image_lock)i;
			return true;
		}
	return false;
}

static bool log_parse(const char *value)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(value, names[i]))
			continue;
		log_limit = (enum log_level)i;
		return true;
	}
	return false;
}

static const struct option table[] = {
	{ "mem", "a size: 64M, 2G (0: all memory)", mem_parse },
	{ "swap", "up to 16 of auto, none, ramdisk:SIZE, or a disk's name or serial number of up to 31 letters, separated by "
		  "commas; each may have a priority: NAME@0 to NAME@32767", swap_parse },
	{ "commit", "strict, lazy-writecopy, overcommit", commit_parse },
	{ "run", "a program and its arguments, of up to 1023 letters together", run_parse },
	{ "check", "off, call, exit", check_parse },
	{ "aslr", "on, off", aslr_parse },
	{ "reclaim", "LOW:HIGH, two sizes, as 1M:2M", reclaim_parse },
	{ "replace", "clock, fifo, lru, random", replace_parse },
	{ "image-lock", "nt, unix, none", image_lock_parse },
	{ "log", "error, warning, info, debug", log_parse },
};

static noreturn void value_bad(const char *name, const char *value, const char *allowed)
{
	kprintf("backstore: boot option %s=%.80s: allowed: %s\n", name, value, allowed);
	machine_exit(EXIT_BAD_OPTION);
}

static void option_apply(const char *name, const char *value)
{
	const struct option *o;

	for (o = table; o < table + ARRAY_SIZE(table); o++) {
		if (strcmp(name, o->name))
			continue;
		if (!o->parse(value))
			value_bad(name, value, o->allowed);
		return;
	}
	klog(LOG_WARNING, "there is no boot option \"%.80s\"; it is ignored", name);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Copies the word at *text, up to one of the ends, without its quotes. False: it is too long, or a quote is not
 * closed.
 */
static bool word_read(const char **text, char *to, size_t size, char end)
{
	const char *at = *text;
	size_t n = 0;
	bool quoted = false;

	for (; *at && (quoted || (!is_blank(*at) && *at != end)); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (n + 1 < size)
			to[n++] = *at;
		else
			break;
	}
	to[n] = 0;
	*text = at;
	return !quoted && (!*at || is_blank(*at) || *at == end);
}

static void text_parse(const char *text)
{
	static char name[32], value[sizeof(options.run) + 1];

	for (;;) {
		while (is_blank(*text))
			text++;
		if (!*text)
			return;
		if (*text == '#') {
			while (*text && *text != '\n')
				text++;
			continue;
		}
		value[0] = 0;
		if (!word_read(&text, name, sizeof(name), '='))
			value_bad(name, "...", "name=value, or name=\"value\" with blanks in the value");
		if (*text == '=') {
			text++;
			if (!word_read(&text, value, sizeof(value), 0))
				value_bad(name, value, "a shorter value, and quotation marks in pairs");
		}
		option_apply(name, value);
	}
}

void options_init(const char *config)
{
	static char text[TEXT_MAX];
	u32 size;
	u16 selector;

	if (config)
		text_parse(config);
	if (!fw_cfg_find(FW_CFG_ITEM, &selector, &size))
		return;
	if (size >= sizeof(text))
		value_bad(FW_CFG_ITEM, "...", "less than 4096 bytes");
	fw_cfg_read(selector, text, size);
	text[size] = 0;
	text_parse(text);
}
