/*
 * From a request to a link: the queue, the choice of a backend, the connection. As long
 * as nothing was sent, another address or backend can be tried.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "bindings/fastcgi/exchange.h"

enum { DELAY_FIRST_MS = 2, DELAY_MAX_MS = 100 };

/* ---- Waiting for a link ---- */

static void
begin_link(struct exchange *x)
{
	x->place = x->link->backend->place;
	x->n_places = 0;
	if (x->link->reused)
		transfer_begin(x);
	else
		exchange_set(x, EXCHANGE_CONNECT);
}

static bool
join_queue(struct exchange *x)
{
	struct pool *p = &x->app->pool;

	if (x->queued)
		return false;
	if (!pool_enqueue(p, x)) {
		exchange_fail(x, 503, "%u requests wait already", p->n_waiting);
		return true;
	}
	al_timer_reset(x->timer, p->queue_ms);
	return false;
}

bool
connect_wait(struct exchange *x, bool expired)
{
	struct pool *p = &x->app->pool;

	if (expired) {
		exchange_fail(x, 503, "no connection has become free for %u s",
			p->queue_ms / 1000);
		return true;
	}
	switch (pool_take(p, x, x->tried)) {
	case POOL_TAKEN:
		begin_link(x);
		return true;
	case POOL_WAIT:
		return join_queue(x);
	case POOL_NONE:
		break;
	}
	/* Why has been logged where it failed. */
	if (x->tried != 0)
		exchange_set(x, EXCHANGE_FAILED);
	else
		exchange_fail(x, 503, "there is no backend to try");
	return true;
}

/* ---- Connecting ---- */

/* Nobody listens there, or it cannot be reached: the next address, or backend. */
static bool
try_next(struct exchange *x, int error)
{
	struct backend *b = x->link->backend;

	link_disconnect(x->link);
	if (++x->n_places < b->places.n) {
		x->place++;
		exchange_set(x, EXCHANGE_CONNECT);
		return true;
	}
	al_log(x->req, AL_LOG_ERROR, "%s: cannot connect: %s", b->name,
		strerror(error));
	x->status = error == ETIMEDOUT ? 504 : 503;
	x->tried |= pool_bit(&x->app->pool, b);
	backend_failed(b);
	link_release(x->link, false);
	x->link = NULL;
	exchange_set(x, EXCHANGE_WAIT);
	return true;
}

/* The backlog of a unix socket is full, and the kernel does not queue us. Another
 * backend may have room. */
static bool
try_elsewhere(struct exchange *x)
{
	struct pool *p = &x->app->pool;
	struct link *here = x->link;

	x->full |= pool_bit(p, here->backend);
	if (pool_take(p, x, x->tried | x->full) != POOL_TAKEN) {
		x->link = here;
		x->full = 0;
		return false;
	}
	link_release(here, false);
	begin_link(x);
	return true;
}

static bool
try_later(struct exchange *x)
{
	link_disconnect(x->link);
	if (try_elsewhere(x))
		return true;
	if (x->delayed_ms >= x->app->pool.connect_ms) {
		exchange_fail(x, 503, "cannot connect: its queue is full");
		return true;
	}
	x->delay_ms = x->delay_ms == 0 ? DELAY_FIRST_MS : x->delay_ms * 2;
	if (x->delay_ms > DELAY_MAX_MS)
		x->delay_ms = DELAY_MAX_MS;
	x->delayed_ms += x->delay_ms;
	al_timer_reset(x->timer, x->delay_ms);
	return false;
}

static void
connected(struct exchange *x)
{
	struct backend *b = x->link->backend;

	b->place = x->place % b->places.n;
	backend_works(b);
	transfer_begin(x);
}

/* Of ours, not of the backend. */
static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
		error == ENOMEM || error == ENOSPC || error == EADDRNOTAVAIL;
}

bool
connect_begin(struct exchange *x)
{
	const struct places *places = &x->link->backend->places;

	int error = link_connect(x->link, &places->items[x->place % places->n]);
	if (is_shortage(error)) {
		exchange_fail(x, 503, "cannot connect: %s", strerror(error));
		return true;
	}
	if (error == EAGAIN)
		return try_later(x);
	if (error != 0 && error != EINPROGRESS)
		return try_next(x, error);
	al_timer_reset(x->timer, x->app->pool.connect_ms);
	if (error == 0)
		connected(x);
	else
		exchange_set(x, EXCHANGE_CONNECTING);
	return true;
}

bool
connect_finish(struct exchange *x, bool expired)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!x->link->writable)
		return expired && try_next(x, ETIMEDOUT);
	if (getsockopt(x->link->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error != 0)
		return try_next(x, error);
	connected(x);
	return true;
}
