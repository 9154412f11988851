#include "bindings/fastcgi/link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bindings/fastcgi/backend.h"
#include "bindings/fastcgi/exchange.h"
#include "bindings/fastcgi/pool.h"

/* How long a link is idle: first until it has shown that nobody waits for the process
 * that it holds, then until it is of no use. */
enum { SETTLE_MS = 20, IDLE_MS = 500 };

uint64_t
link_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct link *
link_new(struct backend *b, struct exchange *owner)
{
	struct link *l = malloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	*l = (struct link){
		.backend = b, .owner = owner, .fd = -1, .began = link_clock_ms()
	};
	TAILQ_INSERT_TAIL(&b->unanswered, l, in_list);
	b->n_busy++;
	return l;
}

static void
link_free(struct link *l)
{
	link_disconnect(l);
	if (l->timer != NULL)
		al_timer_free(l->timer);
	free(l);
}

/* ---- Connecting ---- */

/* Of an idle one: nothing was sent or closed. */
static bool
is_quiet(const struct link *l)
{
	char byte;

	return recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static void
on_events(struct al_watch *watch, unsigned events, void *arg)
{
	struct link *l = arg;

	(void)watch;
	if (events & (AL_READABLE | AL_CLOSED))
		l->readable = true;
	if (events & (AL_WRITABLE | AL_CLOSED))
		l->writable = true;
	if (l->owner != NULL)
		exchange_run(l->owner);
	else if (!is_quiet(l))
		link_close_idle(l);
}

int
link_connect(struct link *l, const struct place *place)
{
	int family = place->any.sa_family;

	l->place = *place;
	l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd == -1)
		return errno;
	if (family != AF_UNIX)
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	int error = connect(l->fd, &place->any, place->len) == 0 ? 0 : errno;
	if (error != 0 && error != EINPROGRESS)
		return error;
	l->writable = error == 0;
	l->watch = al_watch(l->fd, on_events, l);
	return l->watch != NULL ? error : errno;
}

void
link_disconnect(struct link *l)
{
	if (l->watch != NULL)
		al_unwatch(l->watch);
	l->watch = NULL;
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
	l->readable = l->writable = false;
}

void
link_answered(struct link *l)
{
	if (!l->answered)
		TAILQ_REMOVE(&l->backend->unanswered, l, in_list);
	l->answered = true;
}

/* ---- Keeping ---- */

static void
leave_idle(struct link *l)
{
	TAILQ_REMOVE(&l->backend->idle, l, in_list);
	l->backend->n_idle--;
}

void
link_close_idle(struct link *l)
{
	leave_idle(l);
	link_free(l);
}

void
link_close_oldest(struct backend *b)
{
	if (b->n_idle > 0)
		link_close_idle(TAILQ_FIRST(&b->idle));
}

struct link *
link_reuse(struct backend *b, struct exchange *owner)
{
	struct link *l;

	while ((l = TAILQ_LAST(&b->idle, links)) != NULL) {
		if (!is_quiet(l)) {
			link_close_idle(l);
			continue;
		}
		leave_idle(l);
		b->n_busy++;
		l->owner = owner;
		l->reused = true;
		l->readable = false;
		return l;
	}
	return NULL;
}

static void
on_timer(void *arg)
{
	struct link *l = arg;

	if (l->owner != NULL)
		return; /* it was set when the link was idle before */
	if (l->settled || backend_is_awaited(l->backend)) {
		link_close_idle(l);
		return;
	}
	l->settled = true;
	al_timer_reset(l->timer, IDLE_MS);
}

static bool
keep(struct link *l)
{
	struct backend *b = l->backend;

	if (b->n_idle >= b->pool->max_idle || backend_is_awaited(b) ||
		!places_have(&b->places, &l->place))
		return false;
	if (l->timer == NULL)
		l->timer = al_timer_new(SETTLE_MS, on_timer, l);
	else
		al_timer_reset(l->timer, SETTLE_MS);
	if (l->timer == NULL)
		return false;
	l->owner = NULL;
	l->settled = false;
	TAILQ_INSERT_TAIL(&b->idle, l, in_list);
	b->n_idle++;
	return true;
}

void
link_release(struct link *l, bool clean)
{
	link_answered(l);
	l->backend->n_busy--;
	if (!clean || !keep(l))
		link_free(l);
}
