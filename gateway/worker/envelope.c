#include "gateway/worker/envelope.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/self.h"

enum { VERSION = 4 };

/* Room for one descriptor. To be received, the length must be that of one, not the room
 * with its padding, in which there is a place for a second: nobody would know of it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

struct envelope
envelope_of(const struct conn *c)
{
	return (struct envelope){
		.version = VERSION,
		.listener = routing_id(c->listener->address.text),
		.queued_at = clock_ms(),
		.requests = c->requests,
		.began_us = c->req != NULL ? c->req->began_us : 0,
		.ready_us = c->req != NULL ? c->req->ready_us : 0,
		.peer = c->peer,
		.proxied = c->proxied,
		.trusted = c->trusted,
		.introduced = c->introduced,
		.half_closed = c->half_closed,
		.site = c->routing != NULL ? c->routing->id : 0,
		.generation = self.heritage->generation,
	};
}

/* ---- How many lie there ---- */

static void
count_in(const struct queue *q)
{
	atomic_fetch_add_explicit(&q->state->depth, 1, memory_order_relaxed);
}

/* The number may be wrong by workers that were killed: it is right again when the queue
 * is empty, and never below zero. A message is counted before it is there, lest its
 * receiver be the first to count. */
static void
count_out(const struct queue *q, bool one)
{
	_Atomic uint32_t *depth = &q->state->depth;
	uint32_t now = atomic_load_explicit(depth, memory_order_relaxed);

	while (now > 0 &&
		!atomic_compare_exchange_weak_explicit(depth, &now, one ? now - 1 : 0,
			memory_order_relaxed, memory_order_relaxed))
		;
}

/* ---- To send ---- */

/* What its receiver has no room for would be cut off. */
static bool
is_too_long(const struct iovec *pieces, size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++)
		length += pieces[i].iov_len;
	return length > sizeof(struct envelope) + ENVELOPE_BYTES;
}

bool
envelope_send(const struct queue *q, const struct envelope *e,
	struct iovec pieces[ENVELOPE_PIECES + 1], size_t n, int fd)
{
	union control control = { 0 };
	struct msghdr m = {
		.msg_iov = pieces,
		.msg_iovlen = n,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *part = CMSG_FIRSTHDR(&m);

	pieces[0] = (struct iovec){ .iov_base = (void *)e, .iov_len = sizeof(*e) };
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	if (is_too_long(pieces, n))
		return false;
	count_in(q);
	if (sendmsg(q->fds[QUEUE_IN], &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		count_out(q, true);
		return false;
	}
	atomic_store_explicit(&self.slot->handed_off,
		atomic_load_explicit(&self.slot->handed_off, memory_order_relaxed) + 1,
		memory_order_relaxed);
	return true;
}

/* ---- To receive ---- */

/* The descriptor that came with a message, or -1. */
static int
descriptor_of(struct msghdr *m)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (part != NULL && part->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	return fd;
}

static int
refuse(int fd)
{
	log_error(
		"%s: a connection is closed, as another worker passed it on in a form "
		"that is not known here",
		self.settings->name);
	close(fd);
	return -1;
}

bool
envelope_receive(
	const struct queue *q, struct envelope *e, struct slice *bytes, int *fd)
{
	static char message[sizeof(*e) + ENVELOPE_BYTES];
	union control control;
	struct iovec all = { .iov_base = message, .iov_len = sizeof(message) };
	struct msghdr m = {
		.msg_iov = &all,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n = recvmsg(q->fds[QUEUE_OUT], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	count_out(q, n > 0);
	if (n <= 0)
		return false;
	*fd = descriptor_of(&m);
	if (n >= (ssize_t)sizeof(*e))
		memcpy(e, message, sizeof(*e));
	if (*fd >= 0 && (n < (ssize_t)sizeof(*e) || e->version != VERSION))
		*fd = refuse(*fd);
	else if (*fd >= 0)
		*bytes = slice_of(message + sizeof(*e), (size_t)n - sizeof(*e));
	return true;
}
