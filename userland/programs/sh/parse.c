/*
 * Words, and where the output goes: blanks separate them, '...' and "..." keep them together ("" inside "..." is a "), $? is the last exit code.
 */
#include "sh.h"
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_word(char c)
{
	return c == 0 || is_blank(c) || c == ';' || c == '&' || c == '>' || c == '|';
}

/* Copies one word to *to, with its quotes removed. NULL, or what is wrong with it. */
static const char *word_copy(const char **from, char **to)
{
	const char *at = *from;
	char *out = *to, quote = 0;
	for (; quote ? *at != 0 : !ends_word(*at); at++) {
		if (quote && *at == quote) {
			if (quote == '"' && at[1] == '"')
				*out++ = *at++;
			else
				quote = 0;
		} else if (!quote && (*at == '"' || *at == '\'')) {
			quote = *at;
		} else if (quote != '\'' && at[0] == '$' && at[1] == '?') {
			out += sprintf(out, "%lu", (unsigned long)shell.last_code);
			at++;
		} else if (!quote && *at == '<') {
			return "only output is redirected; quote the character if it is meant as itself";
		} else {
			*out++ = *at;
		}
	}
	*out++ = 0;
	*from = at;
	*to = out;
	return quote ? "a quote is not closed" : NULL;
}

/* What is behind > or >>, which output or, behind a 2, errors go to. */
static const char *output_parse(const char **from, char **to, struct command *c, bool errors)
{
	const char *at = *from + 1, **file = errors ? &c->errors : &c->output;
	bool *append = errors ? &c->errors_append : &c->append;
	if (*file || (errors && c->errors_to_output))
		return errors ? "the errors go to two files" : "the output goes to two files";
	if (errors && at[0] == '&' && at[1] == '1') {
		c->errors_to_output = true;
		*from = at + 2;
		return NULL;
	}
	*append = *at == '>';
	at += *append;
	while (is_blank(*at))
		at++;
	if (ends_word(*at))
		return "a file name is missing behind >";
	*file = *to;
	*from = at;
	return word_copy(from, to);
}

bool command_parse(const char **line, struct command *c, const char **error)
{
	const char *at = *line;
	char *to = c->text, *limit = c->text + sizeof(c->text) - SH_LINE_MAX;
	*error = NULL;
	c->count = 0;
	c->output = c->errors = NULL;
	c->append = c->errors_append = c->errors_to_output = false;
	c->end = COMMAND_LAST;
	while (is_blank(*at) || (*at == ';' && c->count == 0))
		at++;
	const char *start = at;
	while (*at && *at != ';' && *at != '&' && *at != '|' && *at != '#') {
		if (c->count == SH_WORDS_MAX || to > limit) {
			*error = "the command is too long";
			return false;
		}
		if (*at == '>' || (at[0] == '2' && at[1] == '>')) {
			bool errors = *at == '2';
			at += errors;
			*error = output_parse(&at, &to, c, errors);
		} else {
			c->words[c->count++] = to;
			*error = word_copy(&at, &to);
		}
		if (*error)
			return false;
		while (is_blank(*at))
			at++;
	}
	c->words[c->count] = NULL;
	size_t length = (size_t)(at - start);
	while (length > 0 && is_blank(start[length - 1]))
		length--;
	memcpy(c->source, start, length);
	c->source[length] = 0;
	if (*at == '#')
		at += strlen(at);
	if (*at == ';') {
		c->end = COMMAND_THEN;
		at++;
	} else if (at[0] == '&' && at[1] == '&') {
		c->end = COMMAND_AND;
		at += 2;
	} else if (*at == '&') {
		c->end = COMMAND_BACKGROUND;
		at++;
	} else if (at[0] == '|' && at[1] == '|') {
		*error = "there is no ||; && and $? tell how a command ended";
		return false;
	} else if (*at == '|') {
		c->end = COMMAND_PIPE;
		at++;
	}
	*line = at;
	if (c->count == 0 && (c->end != COMMAND_LAST || c->output || c->errors)) {
		*error = c->output || c->errors ? "a command is missing before >" : "a command is missing before &, && or |";
		return false;
	}
	return c->count > 0;
}
