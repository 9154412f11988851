/*
 * Patterns for names of files, as a shell has them, with ** for any folders, none too.
 */
#ifndef ARBITER_PATTERN_H
#define ARBITER_PATTERN_H

#include <stdbool.h>

/* Is given each file that matches, and each folder whose content decides on that. The
 * path lives until it returns. */
typedef void pattern_fn(void *arg, const char *path, bool is_folder);

bool pattern_is_plain(const char *pattern);

/* The pattern is absolute. Hidden files and folders are matched by a dot only; symbolic
 * links to folders are not followed by **. */
void pattern_walk(const char *pattern, pattern_fn *found, void *arg);

#endif
