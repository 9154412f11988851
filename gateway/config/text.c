#include "gateway/config/text.h"

#include <stdio.h>

#include "protocols/buffer.h"

const char *
text_vformat(struct arena *memory, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *text = len < 0 ? NULL : arena_bytes(memory, (size_t)len + 1);
	if (text != NULL)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text != NULL ? text : "out of memory";
}

const char *
text_format(struct arena *memory, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const char *text = text_vformat(memory, format, args);
	va_end(args);
	return text;
}

/* ---- Words of a shell ---- */

/* Between double quotes a backslash keeps only what would be special there. */
static bool
escapes(char quote, const char *at)
{
	if (*at != '\\' || quote == '\'')
		return false;
	return quote == '\0' || at[1] == '"' || at[1] == '\\';
}

/* Writes the word that begins at `from` to `to`, without its quotes, and a NUL. Returns
 * where the text goes on, or NULL when a quote is not closed. */
static const char *
take_word(const char *from, char **to)
{
	char quote = '\0';

	for (; *from != '\0'; from++) {
		if (escapes(quote, from)) {
			if (*++from == '\0')
				return NULL;
			*(*to)++ = *from;
		} else if (quote != '\0' ? *from == quote
					 : strchr("'\"", *from) != NULL) {
			quote = quote != '\0' ? '\0' : *from;
		} else if (quote == '\0' && strchr(" \t\n", *from) != NULL) {
			break;
		} else {
			*(*to)++ = *from;
		}
	}
	*(*to)++ = '\0';
	return quote == '\0' ? from : NULL;
}

const char *
text_split(const char *text, char ***words, size_t *n, struct arena *memory)
{
	size_t len = strlen(text);
	/* Without its quotes a text is never longer; a word has one letter at least, or
	 * two quotes, and what parts it from the next. */
	char *room = arena_bytes(memory, len + 1);
	char **list = arena_alloc(memory, (len / 2 + 2) * sizeof *list);

	if (room == NULL || list == NULL)
		return "out of memory";
	*words = list;
	*n = 0;
	for (text += strspn(text, " \t\n"); *text != '\0';
		text += strspn(text, " \t\n")) {
		list[(*n)++] = room;
		text = take_word(text, &room);
		if (text == NULL)
			return "a quote or a backslash has no end";
	}
	list[*n] = NULL;
	return NULL;
}

/* ---- Paths ---- */

const char *
text_absolute(const char *path, const char *folder, struct arena *memory)
{
	if (*path == '/')
		return arena_strz(memory, slice_str(path));
	while (path[0] == '.' && path[1] == '/')
		path += 1 + strspn(path + 1, "/");
	if (*path == '\0' || strcmp(path, ".") == 0)
		return arena_strz(memory, slice_str(folder));

	struct buffer joined = { 0 };
	buffer_addf(
		&joined, "%s%s%s", folder, strcmp(folder, "/") != 0 ? "/" : "", path);
	const char *copy =
		joined.failed ? NULL : arena_strz(memory, buffer_slice(&joined));
	buffer_release(&joined);
	return copy;
}

/* ---- Words of a table ---- */

bool
text_next_word(struct slice *words, struct slice *word)
{
	if (words->len == 0)
		return false;
	const char *bar = memchr(words->ptr, '|', words->len);
	*word = slice_of(
		words->ptr, bar != NULL ? (size_t)(bar - words->ptr) : words->len);
	slice_advance(words, word->len + (bar != NULL ? 1 : 0));
	return true;
}

bool
text_same_flag(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if ((a.ptr[i] == '_' ? '-' : a.ptr[i]) !=
			(b.ptr[i] == '_' ? '-' : b.ptr[i]))
			return false;
	return true;
}

enum { NEAR_LENGTH = 40, NEAR_DISTANCE = 2 };

static unsigned
smallest(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters to add, remove or change (Levenshtein); both are at most NEAR_LENGTH long. */
static unsigned
distance(struct slice a, struct slice b)
{
	unsigned row[NEAR_LENGTH + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
			diagonal = row[j];
			row[j] = smallest(change, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[b.len];
}

void
text_nearest_try(struct text_nearest *best, struct slice wrong, struct slice word)
{
	if (wrong.len > NEAR_LENGTH || word.len > NEAR_LENGTH)
		return;
	unsigned d = distance(wrong, word);
	/* Of short words anything would be near. */
	if (d > NEAR_DISTANCE || d >= wrong.len || (d > 1 && 2 * d >= wrong.len))
		return;
	if (best->distance == 0 || d < best->distance)
		*best = (struct text_nearest){ word, d };
}
