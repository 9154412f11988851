/*
 * What reading a configuration needs of texts. Results live in the arena.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocols/arena.h"
#include "protocols/slice.h"

/* Never NULL: without memory the text says that there is none. */
const char *text_format(struct arena *memory, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *text_vformat(struct arena *memory, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/*
 * Splits a text into words as a shell does: white space parts them, quotes and
 * backslash keep it. *words gets n of them and a NULL. Returns NULL, or what is wrong.
 */
const char *text_split(
	const char *text, char ***words, size_t *n, struct arena *memory);

/* A path, made absolute: a relative one begins in `folder`. NULL when memory is out. */
const char *text_absolute(const char *path, const char *folder, struct arena *memory);

/* Whether two flags are the same: '_' and '-' are, as gunicorn has both. */
bool text_same_flag(struct slice a, struct slice b);

/* Takes the next of the words that '|' parts off *words; false when none is left. */
bool text_next_word(struct slice *words, struct slice *word);

/* The candidate nearest to what somebody wrote, for "did you mean"; starts all zero. */
struct text_nearest {
	struct slice word;
	unsigned distance; /* letters that differ; 0: no candidate is near */
};

void text_nearest_try(struct text_nearest *best, struct slice wrong, struct slice word);

#endif
