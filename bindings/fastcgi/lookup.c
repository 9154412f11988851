#include "bindings/fastcgi/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/alicorn.h"

enum { STACK_BYTES = 512 * 1024 };

struct lookup {
	atomic_int holders; /* the loop and the thread: the last one frees it */
	int done; /* eventfd: the thread writes to it */
	struct al_watch *watch;
	lookup_fn *fn;
	void *arg;
	struct host host;
	/* The thread's, until it has written. */
	struct places found;
	int error;
};

static void
leave(struct lookup *l)
{
	if (atomic_fetch_sub(&l->holders, 1) > 1)
		return;
	close(l->done);
	places_release(&l->found);
	free(l);
}

static void *
look_up(void *arg)
{
	struct lookup *l = arg;

	l->error = places_look_up(&l->found, &l->host);
	eventfd_write(l->done, 1);
	leave(l);
	return NULL;
}

static void
on_done(struct al_watch *watch, unsigned events, void *arg)
{
	struct lookup *l = arg;
	eventfd_t n;

	(void)events;
	if (eventfd_read(l->done, &n) != 0)
		return; /* it only says that it can be written */
	al_unwatch(watch);
	l->fn(l->arg, l->error, &l->found);
	leave(l);
}

/* Signals are the main thread's. Returns 0 or an errno. */
static int
start_thread(struct lookup *l)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attributes, look_up, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

struct lookup *
lookup_start(const struct host *host, lookup_fn *fn, void *arg)
{
	struct lookup *l = malloc(sizeof(*l));
	int error;

	if (l == NULL)
		return NULL;
	*l = (struct lookup){ .holders = 2, .fn = fn, .arg = arg, .host = *host };
	l->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->watch = l->done != -1 ? al_watch(l->done, on_done, l) : NULL;
	if (l->watch == NULL)
		error = errno;
	else
		error = start_thread(l);
	if (error == 0)
		return l;
	if (l->watch != NULL)
		al_unwatch(l->watch);
	if (l->done != -1)
		close(l->done);
	free(l);
	errno = error;
	return NULL;
}

void
lookup_cancel(struct lookup *l)
{
	al_unwatch(l->watch);
	leave(l);
}
