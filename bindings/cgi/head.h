/*
 * What the head of a program's response means. No I/O.
 */
#ifndef CGI_HEAD_H
#define CGI_HEAD_H

#include <stddef.h>

#include "protocols/arena.h"
#include "protocols/cgi.h"

/* As cgi_decode_head(), of a response that begins with a status line of HTTP, which
 * becomes head->status. */
int nph_decode_head(struct cgi_head *head, struct slice input, size_t *scanned);

/* A path of this server that is to be answered instead (RFC 3875 section 6.2.2). */
struct local {
	const char *uri; /* as the program wrote it */
	const char *path; /* decoded, behind the mount */
	const char *query;
};

/*
 * True, and local is set, when the head is a local redirect to a path below the mount;
 * texts live in the arena. All else that has a Location goes to the client: with a
 * status of its own, with a fragment, and what only looks like a path ("//host/").
 */
bool head_is_local(struct local *local, const struct cgi_head *head, const char *mount,
	struct arena *memory);

/* The status to answer with, which the program may have left to us. */
struct slice head_status(const struct cgi_head *head);

#endif
