#include "gateway/worker/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/envelope.h"
#include "gateway/worker/introductions.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/peers.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/self.h"
#include "gateway/worker/trust.h"
#include "gateway/worker/turn_away.h"

enum {
	BACKLOG = 3, /* events that wait: then it is one */
	BALANCE_MS = 5, /* between two that are passed on for balance */
};

static struct watch watch;
static bool receives;
static struct rlimit descriptors;

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
		req->body.fd < 0 && c->output.first == NULL && req->vars == NULL &&
		req->input.len + req->body.memory.len <= ENVELOPE_BYTES &&
		atomic_load_explicit(&self.heritage->queue->state->depth,
			memory_order_relaxed) < (uint32_t)self.settings->limit_queue;
}

/* Of a connection that came from a front it is decided that this request is ours. */
static void
assign(struct envelope *e, const struct al_request *req)
{
	const struct routing *r = req->conn->routing;

	e->requests--; /* the receiver counts this one */
	e->assigned = r != NULL && r->front != NULL;
	e->last = req->conn->last;
	e->mount = (uint32_t)req->mount;
	e->route = r != NULL && req->way != NULL ? (uint32_t)(req->way - r->ways)
						 : UINT32_MAX;
}

bool
queue_send(struct conn *c)
{
	struct iovec pieces[ENVELOPE_PIECES + 1];
	char chunk[HTTP1_CHUNK_HEAD];

	if (!is_sendable(c))
		return false;
	struct envelope e = envelope_of(c);
	assign(&e, c->req);
	size_t n = 1 + compose(pieces + 1, c->req, chunk);
	return envelope_send(self.heritage->queue, &e, pieces, n, c->watch.fd);
}

/* ---- To receive ---- */

/* A front believes nobody: applications' workers send to its queue. The socket tells
 * who the peer is, and the notes what was told before it left; it may have been made to
 * wait. */
static bool
establish(struct conn *c)
{
	socklen_t len = sizeof(c->peer);

	if (getpeername(c->watch.fd, &c->peer.any, &len) != 0 ||
		fcntl(c->watch.fd, F_SETFL, O_NONBLOCK) != 0)
		return false;
	trust_peer(c);
	if (c->introduced)
		return true;
	c->introduced = true;
	return introductions_recall(c);
}

/* As its sender says. What came by a site that is not known here any more is answered
 * once, and then closed. */
static void
believe(struct conn *c, const struct envelope *e)
{
	c->peer = e->peer;
	c->proxied = e->proxied;
	c->trusted = e->trusted;
	c->introduced = e->introduced;
	c->last = e->last || (e->site != 0 && c->routing == NULL);
	routing_assign(c, e);
}

static void
adopt(int fd, const struct envelope *e, struct slice bytes)
{
	struct routing *routing =
		routing_is_front() ? routing_own() : routing_find(e->site);
	struct conn *c = conn_adopt(fd, routing, e->listener);

	if (c == NULL)
		return;
	c->requests = e->requests;
	c->half_closed = e->half_closed;
	c->readable = e->half_closed || bytes.len == 0;
	if (!routing_is_front())
		believe(c, e);
	else if (!establish(c)) {
		conn_close(c);
		return;
	}
	if (bytes.len > 0)
		c->req = request_new(c);
	if (c->req != NULL) {
		c->req->began_us = e->began_us;
		c->req->ready_us = e->ready_us;
		buffer_add(&c->req->input, bytes.ptr, bytes.len);
	}
	if (bytes.len > 0 && (c->req == NULL || c->req->input.failed)) {
		turn_away(fd, strerror(ENOMEM));
		conn_close(c);
		return;
	}
	conn_run(c);
}

static void
refuse(int fd, const char *why)
{
	turn_away(fd, why);
	close(fd);
}

/* The last descriptor is left free, by a connection that is idle: what comes with a
 * message for which there is none is closed by the kernel, and nobody is told. */
static bool
is_last(int fd)
{
	return (rlim_t)fd + 1 >= descriptors.rlim_cur;
}

static bool
move_down(int *fd)
{
	int other = conns_make_room() ? fcntl(*fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (other == -1)
		return false;
	close(*fd);
	*fd = other;
	return true;
}

static void
take(int fd, const struct envelope *e, struct slice bytes)
{
	uint64_t now = clock_ms(), limit = (uint64_t)self.settings->queue_timeout;
	uint64_t waited = now > e->queued_at ? now - e->queued_at : 0;

	atomic_store_explicit(
		&self.slot->queue_wait_ms, (uint32_t)waited, memory_order_relaxed);
	meter_queued(waited);
	if (waited > limit * 1000)
		refuse(fd, "queue_timeout passed before a worker was free");
	else if (conns_are_full() && !conns_make_room())
		refuse(fd, "worker_connections is reached");
	else if (is_last(fd) && !move_down(&fd))
		refuse(fd, strerror(EMFILE));
	else
		adopt(fd, e, bytes);
}

static bool
receive_one(void)
{
	struct envelope e;
	struct slice bytes;
	int fd;

	if (!envelope_receive(self.heritage->queue, &e, &bytes, &fd))
		return false;
	if (fd >= 0)
		take(fd, &e, bytes);
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
	if (self.heritage->queue == NULL)
		return;
	watch_init(&watch, self.heritage->queue->fds[QUEUE_OUT], on_queue);
	if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
		descriptors.rlim_cur = RLIM_INFINITY;
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
