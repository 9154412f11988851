/*
 * Connections. The rules: step functions do what can be done without waiting and return
 * what they want; run() acts on it; conn_move() alone changes the state.
 */
#include "gateway/worker/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/logger/log.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/detached.h"
#include "gateway/worker/ended.h"
#include "gateway/worker/fcgi.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/passing.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/self.h"
#include "gateway/worker/steps.h"
#include "gateway/worker/trust.h"
#include "gateway/worker/turn_away.h"

enum {
	STEPS_PER_TURN = 100, /* then the other connections have their turn */
	RIGHT_BEHIND_MS = 100, /* after a request */
	DRAIN_IDLE_MS = 1000, /* for a last request when the worker is to leave */
	FREE_CONNS = 256, /* that are kept for reuse */
};

static LIST_HEAD(, conn) free_conns = LIST_HEAD_INITIALIZER(free_conns);
static unsigned n_free;

/* ---- States and their time limits ---- */

static const char *const state_names[] = {
	[CONN_IDLE] = "idle",
	[CONN_HEAD] = "head",
	[CONN_BODY] = "body",
	[CONN_READY] = "ready",
	[CONN_APP] = "app",
	[CONN_FLUSH] = "flush",
	[CONN_LINGER] = "linger",
	[CONN_DETACHED] = "detached",
};

/* Where the settings have them, in seconds. A connection that has had a request may be
 * idle for as long as `keepalive` says. */
static const size_t state_limits[] = {
	[CONN_IDLE] = offsetof(struct app_settings, header_timeout),
	[CONN_HEAD] = offsetof(struct app_settings, header_timeout),
	[CONN_BODY] = offsetof(struct app_settings, body_timeout),
	[CONN_READY] = offsetof(struct app_settings, queue_timeout),
	[CONN_APP] = offsetof(struct app_settings, timeout),
	[CONN_FLUSH] = offsetof(struct app_settings, write_timeout),
	[CONN_LINGER] = offsetof(struct app_settings, linger_timeout),
};

/* Milliseconds that a connection may be in a state, or make no progress there; 0: ever.
 */
static uint64_t
state_limit(const struct conn *c)
{
	int64_t seconds;

	if (c->state == CONN_IDLE && self.draining)
		return DRAIN_IDLE_MS;
	if (c->state == CONN_IDLE && c->requests > 0)
		return (uint64_t)c->settings->keepalive * 1000;
	/* A call that does not return is the arbiter's business, or threads.c's. */
	if (c->state == CONN_DETACHED ||
		(c->state == CONN_APP && c->req->pending == NULL))
		return 0;
	memcpy(&seconds, (const char *)self.settings + state_limits[c->state],
		sizeof(seconds));
	return (uint64_t)seconds * 1000;
}

/* Until when a client may go on that is slow but steady: it has the state's limit to
 * begin with, and then must have moved so many bytes a second on average. */
static uint64_t
rate_deadline(const struct conn *c, uint64_t limit)
{
	const struct app_settings *s = self.settings;
	uint64_t rate = 0, bytes = 0;

	if (c->state == CONN_BODY) {
		rate = s->body_min_rate;
		bytes = c->req->body.length;
	} else if (c->state == CONN_FLUSH) {
		rate = s->write_min_rate;
		bytes = c->output.sent - c->sent_then;
	}
	return rate != 0 ? c->began + limit + bytes * 1000 / rate : UINT64_MAX;
}

void
conn_progress(struct conn *c)
{
	uint64_t limit = state_limit(c);

	if (limit == 0) {
		timer_stop(&c->timer);
		return;
	}
	uint64_t latest = rate_deadline(c, limit), at = self.loop.now + limit;
	if (timer_set(&self.loop.timers, &c->timer, at < latest ? at : latest) != 0)
		c->broken = true;
}

/* What the slot tells the arbiter of a state: connections whose request an event-driven
 * application has, and those that it took over. Calls are counted where they are made.
 */
static void
count_state(const struct conn *c, enum conn_state state, uint32_t by)
{
	if (state == CONN_IDLE)
		atomic_store_explicit(&self.slot->idle,
			atomic_load_explicit(&self.slot->idle, memory_order_relaxed) +
				by,
			memory_order_relaxed);
	if (state == CONN_APP && app_is_event_driven(c->req->app))
		atomic_fetch_add_explicit(
			&self.slot->pending, by, memory_order_relaxed);
	if (state == CONN_DETACHED)
		atomic_fetch_add_explicit(
			&self.slot->detached, by, memory_order_relaxed);
}

static void
enter_state(struct conn *c, enum conn_state state)
{
	c->state = state;
	c->began = self.loop.now;
	c->sent_then = c->output.sent;
	if (state == CONN_IDLE)
		TAILQ_INSERT_TAIL(&self.idle, c, in_state);
	if (state == CONN_READY)
		TAILQ_INSERT_TAIL(&self.ready, c, in_state);
	if (state == CONN_HEAD)
		access_log_begin(c->req);
	count_state(c, state, 1);
	conn_progress(c);
}

static void
leave_state(struct conn *c)
{
	if (c->state == CONN_IDLE)
		TAILQ_REMOVE(&self.idle, c, in_state);
	if (c->state == CONN_READY)
		TAILQ_REMOVE(&self.ready, c, in_state);
	count_state(c, c->state, (uint32_t)-1);
}

enum want
conn_move(struct conn *c, enum conn_state state)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("connection %d: %s -> %s", c->watch.fd, state_names[c->state],
			state_names[state]);
	leave_state(c);
	enter_state(c, state);
	return WANT_STEP;
}

/* ---- Life ---- */

static void
release(struct watch *watch)
{
	struct conn *c = (struct conn *)watch;

	if (n_free >= FREE_CONNS) {
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&free_conns, c, in_all);
	n_free++;
}

void
conn_drop_request(struct conn *c)
{
	if (c->req != NULL)
		request_free(c->req);
	c->req = NULL;
}

/* The application has an unfinished request of a connection that ends. */
static void
abort_pending(struct conn *c)
{
	struct al_request *req = c->req;

	if (c->state != CONN_APP || req->pending == NULL)
		return;
	const struct al_pending *calls = req->pending;
	req->pending = NULL;
	lock_give();
	calls->aborted(req, req->pending_arg);
	app_hook(req->app, AL_POST_REQUEST, req);
	lock_take();
}

static void
count_conns(int change)
{
	self.n_conns += (size_t)change;
	atomic_store_explicit(
		&self.slot->connections, (uint32_t)self.n_conns, memory_order_relaxed);
}

/* The object goes, and our descriptor. */
void
conn_leave(struct conn *c)
{
	leave_state(c);
	conn_drop_request(c);
	output_release(&c->output);
	timer_remove(&self.loop.timers, &c->timer);
	loop_close(&self.loop, &c->watch, release);
	close(c->watch.fd);
	fcgi_close(c);
	LIST_REMOVE(c, in_all);
	count_conns(-1);
}

void
conn_close(struct conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	abort_pending(c);
	if (conn_is_asked(c) || c->state == CONN_DETACHED)
		request_ended(c->req);
	if (c->state == CONN_DETACHED)
		detached_end(c->req);
	if (c->cut)
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	conn_leave(c);
}

enum want
conn_refuse(struct conn *c, unsigned status)
{
	response_error(c->req, status);
	return conn_move(c, CONN_FLUSH);
}

/* ---- The machine ---- */

static enum want
step(struct conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
		return conn_step_idle(c);
	case CONN_HEAD:
		return c->fcgi != NULL ? fcgi_step(c) : conn_step_head(c);
	case CONN_BODY:
		return c->fcgi != NULL ? fcgi_step(c) : conn_step_body(c);
	case CONN_READY:
		return conn_step_ready(c);
	case CONN_APP:
		return conn_step_app(c);
	case CONN_FLUSH:
		return conn_step_flush(c);
	case CONN_LINGER:
		return conn_step_linger(c);
	case CONN_DETACHED:
		return WANT_EVENT;
	}
	return WANT_CLOSE;
}

/* A connection enters the epoll set when it has to wait for the first time; one that
 * ends with its first request never does. That of an application is out of it. */
static bool
await(struct conn *c)
{
	return c->watch.added || c->state == CONN_READY || c->state == CONN_DETACHED ||
		loop_watch(&self.loop, &c->watch,
			EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0;
}

void
conn_run(struct conn *c)
{
	enum want want = WANT_STEP;

	for (unsigned n = 0; want == WANT_STEP && n < STEPS_PER_TURN; n++)
		want = step(c);
	if (want == WANT_LEAVE)
		conn_leave(c);
	else if (want == WANT_CLOSE || !await(c))
		conn_close(c);
	else if (want != WANT_EVENT)
		loop_again(&self.loop, &c->watch);
}

/* The end of the client's side came right behind its request. Where this worker may
 * have been held up meanwhile, the kernel knows when the last data and the last segment
 * came.
 */
static bool
is_right_behind(const struct conn *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (self.loop.now < c->began + RIGHT_BEHIND_MS)
		return true;
	return getsockopt(c->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
		info.tcpi_last_data_recv < info.tcpi_last_ack_recv + RIGHT_BEHIND_MS;
}

/* Who closes his side right behind a request waits for its answer; later he has left.
 */
static bool
has_left(const struct conn *c, uint32_t events)
{
	return (events & EPOLLRDHUP) != 0 && !c->half_closed && c->state == CONN_APP &&
		c->req->pending != NULL && !is_right_behind(c) &&
		strcmp(self.settings->half_closed, "abort") == 0;
}

/* Both directions are closed. */
static bool
is_cut(const struct conn *c, uint32_t events)
{
	return (events & (EPOLLHUP | EPOLLERR)) != 0 &&
		(c->state == CONN_APP || c->state == CONN_READY);
}

static void
on_event(struct watch *watch, uint32_t events)
{
	struct conn *c = (struct conn *)watch;

	c->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	c->broken |= is_cut(c, events) || has_left(c, events);
	c->half_closed |= (events & EPOLLRDHUP) != 0;
	conn_run(c);
}

static void
on_timer(struct timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));

	switch (c->state) {
	case CONN_HEAD:
	case CONN_BODY:
		conn_refuse(c, 408);
		break;
	case CONN_READY:
		conn_refuse(c, 503);
		break;
	case CONN_APP:
		abort_pending(c);
		conn_refuse(c, 504);
		break;
	case CONN_FLUSH:
		c->cut = true;
		conn_close(c);
		return;
	case CONN_IDLE:
	case CONN_LINGER:
		conn_close(c);
		return;
	case CONN_DETACHED:
		return;
	}
	conn_run(c);
}

void
conn_resume(struct conn *c)
{
	lock_give();
	app_hook(c->req->app, AL_POST_REQUEST, c->req);
	lock_take();
	c->req->pending = NULL;
	conn_move(c, CONN_FLUSH);
	loop_again(&self.loop, &c->watch);
}

/* In the state in which connections begin. */
static struct conn *
conn_new(int fd, struct routing *routing, const struct listener *listener)
{
	struct conn *c = LIST_FIRST(&free_conns);

	if (c != NULL) {
		LIST_REMOVE(c, in_all);
		n_free--;
	} else if ((c = malloc(sizeof(*c))) == NULL) {
		turn_away(fd, strerror(ENOMEM));
		close(fd);
		return NULL;
	}
	*c = (struct conn){
		.timer.fn = on_timer,
		.listener = listener,
		.routing = routing,
		.settings = routing != NULL ? routing->site->front : self.settings,
	};
	watch_init(&c->watch, fd, on_event);
	LIST_INSERT_HEAD(&self.conns, c, in_all);
	count_conns(1);
	return c;
}

void
conn_open(int fd, const struct listener *listener, const void *peer, size_t peer_len)
{
	struct conn *c = conn_new(fd, routing_own(), listener);

	if (c == NULL)
		return;
	c->readable = true;
	memcpy(&c->peer, peer, peer_len < sizeof(c->peer) ? peer_len : sizeof(c->peer));
	trust_peer(c);
	enter_state(c, CONN_IDLE);
	if (fcgi_is_spoken() && fcgi_open(c) != 0) {
		conn_close(c);
		return;
	}
	/* Who stops accepts all that wait before it serves one of them: a client that
	 * was answered may come back, and the queue would never be empty. */
	if (self.draining)
		loop_again(&self.loop, &c->watch);
	else
		conn_run(c);
}

/* The listening sockets of a site, or, without one, of the worker. */
struct listening {
	const struct listener *const *all;
	size_t n;
};

static struct listening
listening_of(const struct routing *routing)
{
	const struct neighbour *front = routing != NULL ? routing->front : NULL;

	if (front != NULL)
		return (struct listening){ front->listeners, front->n_listeners };
	return (struct listening){ self.heritage->listeners,
		self.heritage->n_listeners };
}

/* That of the address; another one, where it has gone with a reload. */
static const struct listener *
find_listener(const struct listening *listening, uint64_t id)
{
	for (size_t i = 0; i < listening->n; i++)
		if (routing_id(listening->all[i]->address.text) == id)
			return listening->all[i];
	return listening->all[0];
}

struct conn *
conn_adopt(int fd, struct routing *routing, uint64_t listener)
{
	const struct listening listening = listening_of(routing);

	if (listening.n == 0) {
		turn_away(fd, "the listener that it came by is gone");
		close(fd);
		return NULL;
	}
	struct conn *c = conn_new(fd, routing, find_listener(&listening, listener));
	if (c != NULL)
		enter_state(c, CONN_IDLE);
	return c;
}

bool
conns_make_room(void)
{
	struct conn *c = TAILQ_FIRST(&self.idle);

	if (c != NULL)
		conn_close(c);
	return c != NULL;
}

bool
conns_are_full(void)
{
	return self.n_conns >= (size_t)self.settings->worker_connections;
}

void
conns_drain(void)
{
	struct conn *c = TAILQ_FIRST(&self.idle), *next;

	for (; c != NULL; c = next) {
		next = TAILQ_NEXT(c, in_state);
		if (passing_yield(c))
			conn_leave(c);
		else
			conn_progress(c);
	}
}
