/*
 * The listening sockets. Each may be used by several generations of the configuration:
 * a reload that keeps an address keeps its socket, and what waits in it. It is closed,
 * and the path of a unix socket removed, when the last generation that uses it lets go.
 * Two arbiters may use one socket, while one replaces the other; and systemd may own
 * it.
 */
#ifndef ARBITER_LISTENER_H
#define ARBITER_LISTENER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "gateway/common/heritage.h"
#include "protocols/buffer.h"

TAILQ_HEAD(listeners, listening);

/*
 * A listening socket for the address, for generation number `generation`, which uses
 * each socket once: one that is open, one that was handed over, or a new one. An
 * address in use is tried `attempts` times, a second apart. Returns NULL and sets
 * *reason, a text that lives until the next call.
 */
const struct listener *listener_open(struct listeners *all,
	const struct address *address, bool reuse_port, unsigned generation,
	unsigned attempts, const char **reason);

/* One generation less uses it. */
void listener_close(struct listeners *all, const struct listener *listener);

/* Only one generation uses it. */
bool listener_is_new(const struct listener *listener);

/* "127.0.0.1:8000", with the port that was really bound; for the log. The text lives
 * until the next call. */
const char *listener_text(const struct listener *listener);

/* It is a unix socket whose file is for us to care for. */
bool listener_owns_file(const struct listener *listener);

/* Whether another arbiter uses all of them too: then it is for that one to remove the
 * paths. */
void listeners_share(struct listeners *all, bool shared);

/* In a child that is about to become another arbiter: they stay open, and the lines
 * tell it which is which. */
void listeners_pass_on(const struct listeners *all, struct buffer *lines);

#endif
