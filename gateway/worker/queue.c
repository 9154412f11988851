#include "gateway/worker/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/peers.h"
#include "gateway/worker/request.h"
#include "gateway/worker/self.h"
#include "gateway/worker/turn_away.h"

enum {
	VERSION = 1,
	MESSAGE_BYTES = 64 * 1024, /* of what was received, in one message */
	PIECES = 6,
	BACKLOG = 3, /* events that wait: then it is one */
	BALANCE_MS = 5, /* between two that are passed on for balance */
};

/* What the receiver must know that is not in the bytes. All its senders run the same
 * application as the same user. */
struct header {
	uint32_t version;
	uint32_t listener; /* its place among the application's listeners */
	uint64_t queued_at; /* clock_ms() */
	uint64_t requests; /* served on this connection */
	union proxy_address peer, proxied;
	bool trusted, introduced, half_closed;
};

static struct watch watch;
static bool receives;

/* ---- To send ---- */

static struct iovec
piece(struct slice s)
{
	return (struct iovec){ .iov_base = (void *)s.ptr, .iov_len = s.len };
}

/* The body follows its head as it was counted; one that came in chunks is now one chunk
 * (RFC 9112 section 7.1), whose head is put into `chunk`. Returns the number of pieces.
 */
static size_t
compose(struct iovec *pieces, const struct al_request *req, char *chunk)
{
	struct slice input = buffer_slice(&req->input);
	struct slice head = slice_of(input.ptr, req->head_len);
	struct slice body = buffer_slice(&req->body.memory);
	bool chunked = req->has_body && req->head.framing == HTTP1_CHUNKED;
	size_t n = 0;

	slice_advance(&input, req->head_len);
	pieces[n++] = piece(head);
	if (chunked && body.len > 0)
		pieces[n++] = piece(slice_of(chunk, http1_chunk_head(chunk, body.len)));
	pieces[n++] = piece(body);
	if (chunked)
		pieces[n++] = piece(
			body.len > 0 ? SLICE("\r\n0\r\n\r\n") : SLICE("0\r\n\r\n"));
	pieces[n++] = piece(input);
	return n;
}

static bool
is_sendable(const struct conn *c)
{
	const struct al_request *req = c->req;

	return self.heritage->queue != NULL && !self.draining && c->fcgi == NULL &&
		req->body.fd < 0 && c->output.first == NULL &&
		req->input.len + req->body.memory.len <= MESSAGE_BYTES &&
		atomic_load_explicit(&self.heritage->queue->state->depth,
			memory_order_relaxed) < (uint32_t)self.settings->limit_queue;
}

static struct header
describe(const struct conn *c)
{
	struct header h = {
		.version = VERSION,
		.queued_at = clock_ms(),
		.requests = c->requests - 1, /* the receiver counts this one */
		.peer = c->peer,
		.proxied = c->proxied,
		.trusted = c->trusted,
		.introduced = c->introduced,
		.half_closed = c->half_closed,
	};

	while (self.heritage->listeners[h.listener] != c->listener)
		h.listener++;
	return h;
}

static bool
send_message(struct iovec *pieces, size_t n, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = {
		.msg_iov = pieces,
		.msg_iovlen = n,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *part = CMSG_FIRSTHDR(&m);

	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	return sendmsg(self.heritage->queue->fds[QUEUE_IN], &m,
		       MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

bool
queue_send(struct conn *c)
{
	struct iovec pieces[PIECES];
	char chunk[HTTP1_CHUNK_HEAD];

	if (!is_sendable(c))
		return false;
	struct header header = describe(c);
	pieces[0] = (struct iovec){ .iov_base = &header, .iov_len = sizeof(header) };
	size_t n = 1 + compose(pieces + 1, c->req, chunk);
	if (!send_message(pieces, n, c->watch.fd))
		return false;
	atomic_fetch_add_explicit(
		&self.heritage->queue->state->depth, 1, memory_order_relaxed);
	atomic_store_explicit(&self.slot->handed_off,
		atomic_load_explicit(&self.slot->handed_off, memory_order_relaxed) + 1,
		memory_order_relaxed);
	return true;
}

/* ---- To receive ---- */

/* The number may be wrong by workers that were killed: it is right again when the queue
 * is empty, and never below zero. */
static void
count_out(bool one)
{
	_Atomic uint32_t *depth = &self.heritage->queue->state->depth;
	uint32_t now = atomic_load_explicit(depth, memory_order_relaxed);

	while (now > 0 &&
		!atomic_compare_exchange_weak_explicit(depth, &now, one ? now - 1 : 0,
			memory_order_relaxed, memory_order_relaxed))
		;
}

static bool
is_valid(const struct header *h, size_t len)
{
	return len > sizeof(*h) && h->version == VERSION &&
		h->listener < self.heritage->n_listeners;
}

static void
adopt(int fd, const struct header *h, struct slice bytes)
{
	struct conn *c = conn_adopt(fd, self.heritage->listeners[h->listener]);

	if (c == NULL)
		return;
	c->requests = h->requests;
	c->peer = h->peer;
	c->proxied = h->proxied;
	c->trusted = h->trusted;
	c->introduced = h->introduced;
	c->readable = c->half_closed = h->half_closed;
	c->req = request_new(c);
	if (c->req != NULL)
		buffer_add(&c->req->input, bytes.ptr, bytes.len);
	if (c->req == NULL || c->req->input.failed) {
		turn_away(fd, strerror(ENOMEM));
		conn_close(c);
		return;
	}
	conn_run(c);
}

static void
take(int fd, const char *message, size_t len)
{
	struct header h;

	memcpy(&h, message, len < sizeof(h) ? len : sizeof(h));
	uint64_t now = clock_ms(), limit = (uint64_t)self.settings->queue_timeout;
	if (!is_valid(&h, len)) {
		log_error("%s: a connection is closed, as another worker passed it on "
			  "in a form that is not known here",
			self.settings->name);
		close(fd);
		return;
	}
	uint64_t waited = now > h.queued_at ? now - h.queued_at : 0;
	atomic_store_explicit(
		&self.slot->queue_wait_ms, (uint32_t)waited, memory_order_relaxed);
	if (waited > limit * 1000) {
		turn_away(fd, "queue_timeout passed before a worker was free");
		close(fd);
		return;
	}
	adopt(fd, &h, slice_of(message + sizeof(h), len - sizeof(h)));
}

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

static bool
receive_one(void)
{
	static char message[sizeof(struct header) + MESSAGE_BYTES + 64];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec all = { .iov_base = message, .iov_len = sizeof(message) };
	struct msghdr m = {
		.msg_iov = &all,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(self.heritage->queue->fds[QUEUE_OUT], &m,
		MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0) {
		count_out(false);
		return false;
	}
	count_out(true);
	int fd = descriptor_of(&m);
	if (fd >= 0)
		take(fd, message, (size_t)n);
	return true;
}

/* As many as own connections have events in this round, lest they wait for longer than
 * these; else one, as others may be idle and take the next. */
static void
on_queue(struct watch *w, uint32_t events)
{
	int most = self.loop.n_events;

	(void)w;
	(void)events;
	while (receive_one() && --most > 0 &&
		atomic_load_explicit(
			&self.heritage->queue->state->depth, memory_order_relaxed) > 0)
		;
}

void
queue_open(void)
{
	if (self.heritage->queue != NULL)
		watch_init(&watch, self.heritage->queue->fds[QUEUE_OUT], on_queue);
}

void
queue_adjust(bool now)
{
	if (self.heritage->queue == NULL || now == receives)
		return;
	if (!now)
		loop_pause(&self.loop, &watch);
	else if (loop_watch(&self.loop, &watch, EPOLLIN | EPOLLEXCLUSIVE) != 0)
		log_error("cannot watch the queue: %s", strerror(errno));
	receives = now;
}

void
queue_empty(void)
{
	if (self.heritage->queue == NULL)
		return;
	while (receive_one())
		;
}

/* ---- Balance ---- */

bool
queue_should_balance(const struct conn *c)
{
	static uint64_t last;

	if (self.loop.n_events - self.loop.next_event < BACKLOG ||
		self.loop.now < last + BALANCE_MS || c->req->begun)
		return false;
	last = self.loop.now;
	return peers_one_waits();
}
