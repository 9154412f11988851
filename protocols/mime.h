/*
 * Media types by the names of files, from texts as /etc/mime.types is one: in each line
 * a type and the extensions that it has, behind # a comment.
 */
#ifndef PROTOCOLS_MIME_H
#define PROTOCOLS_MIME_H

#include <stddef.h>

#include "protocols/arena.h"
#include "protocols/slice.h"

struct mime_row {
	const char *extension, *type;
	size_t number; /* its place in the texts */
};

/* All zero is a valid empty table; its memory is that of the arena, and an array. */
struct mime {
	struct mime_row *rows;
	size_t n, room;
};

/* The types that the web is made of. */
extern const char mime_built_in[];

/* What an earlier text says of an extension stays. To types of text the charset UTF-8
 * is added. -1: memory is out. */
int mime_add(struct mime *m, struct slice text, struct arena *memory);

/* Once, when all texts were added, before types are asked for. */
void mime_sort(struct mime *m);

/* The type of a file, told by what stands behind the last dot of its name. */
const char *mime_type(const struct mime *m, const char *path);

void mime_release(struct mime *m);

#endif
