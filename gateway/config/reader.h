/*
 * A file while it is read; private to this folder.
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include <libconfig.h>

#include "gateway/config/sources.h"

struct reader {
	struct load *load;
	struct reading *reading;
	struct arena *memory; /* of the reading */
	const char *path;
	const char *folder; /* of the path, for @include; NULL: it names none */
	const config_setting_t *applications, *routes, *listeners;
};

/* Where a setting stands. */
struct origin reader_origin(const struct reader *r, const config_setting_t *s);

/* Whether a text may be a name, as libconfig takes them. */
bool reader_is_name(const char *text);

/* Reads a setting into the first of n sections that knows its name; false: none does.
 */
bool reader_known(struct reader *r, const config_setting_t *s,
	const struct section *known, size_t n);

/* Adds the fault that there is no such setting. What could have been meant is a row of
 * the sections, or one of the words, with '|' between them. */
void reader_unknown(struct reader *r, const config_setting_t *s,
	const struct section *known, size_t n, const char *words);

/* The lists `routes` and `listeners`, into the reading; file_routes.c. */
void read_routes(struct reader *r);
void read_listeners(struct reader *r);

#endif
