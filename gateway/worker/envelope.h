/*
 * A connection on its way to another process: what the receiver must know of it, the
 * bytes that were received and not yet answered, and the descriptor, as one message of
 * a queue (common/queue.h).
 */
#ifndef WORKER_ENVELOPE_H
#define WORKER_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gateway/common/queue.h"
#include "protocols/proxy.h"
#include "protocols/slice.h"

struct conn;

enum {
	ENVELOPE_BYTES = 256 * 1024, /* of what was received, in one message */
	ENVELOPE_PIECES = 6,
};

/* What is not in the bytes. Those of an application's own workers and of its fronts are
 * believed; a front believes nobody: see queue.c. */
struct envelope {
	uint32_t version;
	uint64_t listener; /* the id of the address that the connection came by */
	uint64_t queued_at; /* clock_ms() */
	uint64_t requests; /* served on this connection */
	uint64_t began_us, ready_us; /* of the request, as far as it was received */
	union proxy_address peer, proxied;
	bool trusted, introduced, half_closed;

	/* Of a routed connection: its site, and, unless the receiver is to decide, that
	 * the request is for it, by which route of which generation. */
	uint64_t site; /* see routing.h; 0: none */
	bool assigned;
	bool last; /* no other request of this connection is to be answered there */
	uint32_t generation, route;
	uint32_t mount; /* bytes of the path that are SCRIPT_NAME */
};

/* What is said of the connection in any case. */
struct envelope envelope_of(const struct conn *c);

/* pieces[0] is left for the envelope itself. False: there is no room, or the message is
 * too long. */
bool envelope_send(const struct queue *q, const struct envelope *e,
	struct iovec pieces[ENVELOPE_PIECES + 1], size_t n, int fd);

/* The next message; the bytes live until the next call. False: there is none. With a
 * message that is not valid *fd is -1. */
bool envelope_receive(
	const struct queue *q, struct envelope *e, struct slice *bytes, int *fd);

#endif
