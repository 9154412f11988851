/*
 * --help, made from the tables.
 */
#include <string.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

enum { COLUMNS = 80, INDENT = 8, WORDS_LENGTH = 40 };

/* Words, wrapped and indented. */
static void
add_wrapped(struct buffer *out, struct slice text)
{
	size_t column = 0;

	while (text.len > 0) {
		const char *space = memchr(text.ptr, ' ', text.len);
		struct slice word = slice_of(text.ptr,
			space != NULL ? (size_t)(space - text.ptr) : text.len);
		if (column > 0 && column + 1 + word.len > COLUMNS) {
			buffer_add_char(out, '\n');
			column = 0;
		}
		buffer_addf(out, "%*s%" SLICE_FMT, column > 0 ? 1 : INDENT, "",
			SLICE_ARG(word));
		column += (column > 0 ? 1 : INDENT) + word.len;
		slice_advance(&text, word.len + (space != NULL ? 1 : 0));
	}
	buffer_add_char(out, '\n');
}

/* The words of a choice that are too many for the line of its flags. */
static bool
has_many_words(const struct setting *row)
{
	return row->type == SETTING_CHOICE && strlen(row->value) > WORDS_LENGTH;
}

/* "  -w, --workers N" */
static void
add_usage(struct buffer *out, const struct setting *row)
{
	struct slice flags = slice_str(row->flag), flag;
	const char *before = ", ";

	if (row->letter != '\0')
		buffer_addf(out, "  -%c", row->letter);
	else
		before = "  ";
	for (; text_next_word(&flags, &flag); before = ", ")
		buffer_addf(out, "%s--%" SLICE_FMT, before, SLICE_ARG(flag));
	if (row->value != NULL)
		buffer_addf(out, " %s", has_many_words(row) ? "WORD" : row->value);
	buffer_add_char(out, '\n');
}

/* "[default: $WEB_CONCURRENCY or 1]"; nothing where there is none. */
static void
add_default(struct buffer *out, const char *fallback)
{
	const char *dollar = strchr(fallback, '$');
	const char *bar = dollar != NULL ? strchr(dollar, '|') : NULL;

	if (bar != NULL)
		buffer_addf(out, " [default: %.*s or %s]", (int)(bar - fallback),
			fallback, bar + 1);
	else if (*fallback != '\0')
		buffer_addf(out, " [default: %s]", fallback);
}

/* ": auth, authpriv, cron" */
static void
add_words(struct buffer *out, const char *words)
{
	struct slice left = slice_str(words), word;

	for (const char *before = ": "; text_next_word(&left, &word); before = ", ")
		buffer_addf(out, "%s%" SLICE_FMT, before, SLICE_ARG(word));
}

static void
add_group(struct buffer *out, const char *title, const struct setting *table, size_t n)
{
	struct buffer text = { 0 };

	buffer_addf(out, "\n%s:\n", title);
	for (size_t i = 0; i < n; i++) {
		if (table[i].flag == NULL)
			continue;
		add_usage(out, &table[i]);
		buffer_reset(&text);
		buffer_add(&text, table[i].help, strcspn(table[i].help, "\n"));
		if (setting_has_commas(&table[i]))
			buffer_add_str(&text, "; commas part several");
		else if (setting_is_list(&table[i]))
			buffer_add_str(&text, "; may be repeated");
		if (has_many_words(&table[i]))
			add_words(&text, table[i].value);
		if (table[i].fallback != NULL)
			add_default(&text, table[i].fallback);
		add_wrapped(out, buffer_slice(&text));
	}
	buffer_release(&text);
}

void
config_help(struct buffer *out)
{
	buffer_add_str(out,
		"Usage: alicorn [OPTIONS] [TARGET]\n\n"
		"TARGET is what to run: MODULE:CALLABLE or FILE.py (Python), FILE.so "
		"(C),\n"
		"fcgi://HOST:PORT, fcgi:unix:PATH or fcgi-exec:PROGRAM (FastCGI).\n");
	add_group(out, "Options", command_table, COMMAND_SETTINGS);
	add_group(out, "Server", server_table, SERVER_SETTINGS);
	add_group(out, "Application", app_table, APP_SETTINGS);
	buffer_add_str(out,
		"\nThe environment variable ALICORN_CMD_ARGS may hold more options; "
		"those of\n"
		"the command line are stronger. Files are described in "
		"alicorn.conf(5).\n");
}
