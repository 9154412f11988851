/*
 * A command for the server, and its answer, over the control socket. The answer begins
 * with a line that says how it went; what follows is handed out as it comes.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>

#include "protocols/slice.h"

/* The exit statuses. */
enum ctl_status {
	CTL_DONE = 0,
	CTL_FAILED = 1, /* the server refused, or could not */
	CTL_USAGE = 2,
	CTL_NO_SERVER = 3,
};

/* A piece of the answer; `status` is how it went. */
typedef void ctl_take_fn(void *arg, enum ctl_status status, struct slice piece);

/* NULL, or what went wrong before there was an answer; the text lives until the next
 * call. *status tells how it went in either case. */
const char *client_ask(const char *path, const char *const *words, size_t n,
	ctl_take_fn *take, void *arg, enum ctl_status *status);

#endif
