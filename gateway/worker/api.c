/*
 * The part of alicorn.h that belongs to no request: watches, timers, options.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alicorn.h"
#include "gateway/logger/log.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/peers.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/threads.h"
#include "protocols/arena.h"

struct al_watch {
	struct watch watch; /* first: see on_event */
	al_watch_fn *fn;
	void *arg;
};

static void
on_event(struct watch *watch, uint32_t events)
{
	struct al_watch *w = (struct al_watch *)watch;
	unsigned told = 0;

	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		told |= AL_READABLE;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		told |= AL_WRITABLE;
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		told |= AL_CLOSED;
	lock_give();
	w->fn(w, told, w->arg);
	lock_take();
}

/* What comes in the main thread would come in the middle of calls in other threads, and
 * relief would call it in the middle of one in this thread. */
static bool
may_watch(void)
{
	errno = ENOTSUP;
	if (threads_are_used())
		return false;
	relief_give_up();
	return true;
}

struct al_watch *
al_watch(int fd, al_watch_fn *fn, void *arg)
{
	struct al_watch *w = may_watch() ? malloc(sizeof(*w)) : NULL;

	if (w == NULL)
		return NULL;
	*w = (struct al_watch){ .fn = fn, .arg = arg };
	watch_init(&w->watch, fd, on_event);
	lock_take();
	int result = loop_watch(
		&self.loop, &w->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	lock_give();
	if (result == 0)
		return w;
	free(w);
	return NULL;
}

static void
release(struct watch *watch)
{
	free(watch);
}

void
al_unwatch(struct al_watch *w)
{
	lock_take();
	loop_close(&self.loop, &w->watch, release);
	lock_give();
}

struct al_timer {
	struct timer timer; /* first: see on_timer */
	al_timer_fn *fn;
	void *arg;
};

static void
on_timer(struct timer *timer)
{
	struct al_timer *t = (struct al_timer *)timer;

	lock_give();
	t->fn(t->arg);
	lock_take();
}

struct al_timer *
al_timer_new(unsigned ms, al_timer_fn *fn, void *arg)
{
	struct al_timer *t = may_watch() ? malloc(sizeof(*t)) : NULL;

	if (t == NULL)
		return NULL;
	*t = (struct al_timer){ .timer.fn = on_timer, .fn = fn, .arg = arg };
	lock_take();
	int result = timer_set(&self.loop.timers, &t->timer, self.loop.now + ms);
	lock_give();
	if (result == 0)
		return t;
	free(t);
	return NULL;
}

void
al_timer_reset(struct al_timer *t, unsigned ms)
{
	lock_take();
	/* Cannot fail: al_timer_new made room for it, and the heap does not shrink. */
	(void)timer_set(&self.loop.timers, &t->timer, self.loop.now + ms);
	lock_give();
}

void
al_timer_free(struct al_timer *t)
{
	lock_take();
	timer_remove(&self.loop.timers, &t->timer);
	lock_give();
	free(t);
}

const char *
al_name(void)
{
	return self.settings->name;
}

unsigned
al_worker_age(void)
{
	return self.heritage->age;
}

unsigned
al_generation(void)
{
	return self.heritage->generation;
}

unsigned
al_busy_workers(void)
{
	return peers_busy();
}

int
al_log_fd(void)
{
	return log_fd();
}

const char *
al_version(void)
{
	return "alicorn/" ALICORN_VERSION;
}
