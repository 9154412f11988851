/*
 * A folder in which files are looked for, and never outside of it, wherever symbolic
 * links lead. It is opened once, so what it is replaced by (a link that names another
 * release) is seen after a reload.
 */
#ifndef FASTCGI_FOLDER_H
#define FASTCGI_FOLDER_H

#include "protocols/arena.h"

struct folder {
	const char *path; /* without links; NULL: there is none */
	const char *named; /* as it was given */
	int fd;
};

/* clang-format off */
#define FOLDER_CLOSED { .fd = -1 }
/* clang-format on */

/* Returns NULL, or what is wrong with the path; texts live in the arena. */
const char *folder_open(struct folder *f, const char *path, struct arena *memory);
void folder_close(struct folder *f);

/* Where the part of a path begins that is under the folder, by either of its names;
 * NULL: it is not under it. Only the texts are compared. */
const char *folder_rest(const struct folder *f, const char *path);

#endif
