/*
 * Files that a script names in X-Sendfile or X-Accel-Redirect, to be sent instead of
 * what it writes: only from the folders of the setting sendfile_roots. Without any the
 * fields are like all others.
 */
#ifndef PHP_BINDING_SENDFILE_H
#define PHP_BINDING_SENDFILE_H

#include "bindings/php/exchange.h"

/* What exchange.file is when it is none. */
enum {
	FILE_NONE = -1,
	FILE_REFUSED = -2, /* a file was named that may not be sent */
};

/* Whether the field names a file: it is open then, or refused. */
bool sendfile_take(struct exchange *x, const struct al_header *field);

/* The file's length becomes the response's, whatever the script said. Returns the new
 * number of fields; `length` is room for the text. */
size_t sendfile_measure(
	struct exchange *x, struct al_header *fields, size_t n, char length[24]);

void sendfile_release(struct exchange *x);

#endif
