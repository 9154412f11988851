/*
 * The settings as alicorn.conf(5) tells them, in mdoc(7), made from the tables.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

enum { COLUMNS = 80 };

/* What stands behind "NAME =". */
static const char *const forms[] = {
	[SETTING_INT] = "number",
	[SETTING_SIZE] = "size",
	[SETTING_BOOL] = "true | false",
	[SETTING_STR] = "text",
	[SETTING_CHOICE] = "text",
	[SETTING_PATH] = "path",
	[SETTING_MODE] = "mode",
	[SETTING_LIST] = "text | list",
	[SETTING_MAP] = "map",
	[SETTING_PATHS] = "path | list",
	[SETTING_CIDRS] = "networks",
};

/* ---- Text ---- */

/* A word at the beginning of a line, or behind others. */
static void
add_word(struct buffer *out, struct slice word, bool begins)
{
	if (!begins)
		buffer_add_char(out, ' ');
	else if (word.ptr[0] == '.' || word.ptr[0] == '\'')
		buffer_add_str(out, "\\&");
	for (size_t i = 0; i < word.len; i++)
		if (word.ptr[i] == '\\')
			buffer_add_str(out, "\\e");
		else
			buffer_add_char(out, word.ptr[i]);
}

/* Words as lines; each sentence begins one. */
static void
add_text(struct buffer *out, struct slice text)
{
	size_t column = 0;

	while (text.len > 0) {
		size_t len = 0;
		while (len < text.len && text.ptr[len] != ' ' && text.ptr[len] != '\n')
			len++;
		struct slice word = slice_of(text.ptr, len);
		if (column > 0 && column + 1 + len > COLUMNS) {
			buffer_add_char(out, '\n');
			column = 0;
		}
		add_word(out, word, column == 0);
		column += len + 1;
		slice_advance(&text, len < text.len ? len + 1 : len);
		if (text.len > 0 && len > 0 && word.ptr[len - 1] == '.') {
			buffer_add_char(out, '\n');
			column = 0;
		}
	}
	buffer_add_char(out, '\n');
}

/* ---- A setting ---- */

/* "20M" */
static void
add_size(struct buffer *out, int64_t size)
{
	static const char units[] = "GMK";

	for (int i = 0; i < 3; i++) {
		int shift = 30 - 10 * i;
		if (size > 0 && (size >> shift) << shift == size) {
			buffer_addf(out, "%" PRId64 "%c", size >> shift, units[i]);
			return;
		}
	}
	buffer_addf(out, "%" PRId64, size);
}

/* "one of a, b, c" */
static void
add_choices(struct buffer *out, const struct setting *row)
{
	struct slice words = slice_str(row->value), word;

	if (strchr(row->value, '|') == NULL)
		return;
	for (const char *before = "one of "; text_next_word(&words, &word);
		before = ", ")
		buffer_addf(out, "%s%" SLICE_FMT, before, SLICE_ARG(word));
}

/* "seconds from 0 to 86400" */
static void
add_numbers(struct buffer *out, const struct setting *row)
{
	const char *unit = strcmp(row->value, "N") != 0 ? row->value : "";

	for (; *unit != '\0'; unit++)
		buffer_add_char(out, (char)tolower((unsigned char)*unit));
	if (row->max < INT32_MAX && row->min < row->max)
		buffer_addf(out, "%sfrom %" PRId64 " to %" PRId64,
			out->len > 0 ? " " : "", row->min, row->max);
}

static void
add_least(struct buffer *out, const struct setting *row)
{
	if (row->min == 0)
		return;
	buffer_add_str(out, "at least ");
	add_size(out, row->min);
}

/* What a value must be, where that is more than its type; adds to an empty text. */
typedef void range_fn(struct buffer *out, const struct setting *row);

static range_fn *const ranges[] = {
	[SETTING_INT] = add_numbers,
	[SETTING_SIZE] = add_least,
	[SETTING_CHOICE] = add_choices,
	[SETTING_CIDRS] = NULL, /* the last type: the others are NULL too */
};

/* "; the default is $WEB_CONCURRENCY or 1" */
static void
add_default(struct buffer *out, const char *fallback)
{
	const char *dollar = strchr(fallback, '$');
	const char *bar = dollar != NULL ? strchr(dollar, '|') : NULL;

	buffer_addf(out, "%sthe default is ", out->len > 0 ? "; " : "");
	if (bar != NULL)
		buffer_addf(
			out, "%.*s or %s", (int)(bar - fallback), fallback, bar + 1);
	else
		buffer_add_str(out, fallback);
}

/* Its text as sentences, then the range and the default as one more. */
static void
add_sentences(struct buffer *out, const struct setting *row)
{
	struct buffer text = { 0 }, facts = { 0 };
	size_t first = strcspn(row->help, "\n");

	buffer_addf(&text, "%c%.*s.%s", toupper((unsigned char)row->help[0]),
		(int)first - 1, row->help + 1, row->help + first);
	if (ranges[row->type] != NULL)
		ranges[row->type](&facts, row);
	if (row->fallback != NULL && *row->fallback != '\0')
		add_default(&facts, row->fallback);
	if (facts.len > 0) {
		facts.ptr[0] = (char)toupper((unsigned char)facts.ptr[0]);
		buffer_addf(
			&text, "\n%" SLICE_FMT ".", SLICE_ARG(buffer_slice(&facts)));
	}
	add_text(out, buffer_slice(&text));
	buffer_release(&text);
	buffer_release(&facts);
}

static void
add_flags(struct buffer *out, const struct setting *row)
{
	struct slice flags = slice_str(row->flag), flag;
	const char *before = ".Pq ";

	if (row->letter != '\0') {
		buffer_addf(out, "%sFl %c", before, row->letter);
		before = " , ";
	}
	for (; text_next_word(&flags, &flag); before = " , ")
		buffer_addf(out, "%sFl -%" SLICE_FMT, before, SLICE_ARG(flag));
	buffer_add_char(out, '\n');
}

static void
add_section(
	struct buffer *out, const char *title, const struct setting *table, size_t n)
{
	buffer_addf(out, ".Sh %s\n.Bl -tag -width Ds\n", title);
	for (size_t i = 0; i < n; i++) {
		buffer_addf(out, ".It Ic %s No = Ar %s\n", table[i].name,
			forms[table[i].type]);
		add_sentences(out, &table[i]);
		if (table[i].flag != NULL)
			add_flags(out, &table[i]);
	}
	buffer_add_str(out, ".El\n");
}

void
config_manual(struct buffer *out)
{
	add_section(out, "SETTINGS OF THE SERVER", server_table, SERVER_SETTINGS);
	add_section(out, "SETTINGS OF AN APPLICATION", app_table, APP_SETTINGS);
	add_section(out, "SETTINGS OF A ROUTE", route_table, ROUTE_SETTINGS);
}
