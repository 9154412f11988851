/*
 * The rest of alicorn.h, of which little means something over FastCGI: there is no
 * gateway with settings, a loop and other workers. An application that does well
 * without runs; what cannot be done fails as each call says.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/alicorn.h"

/* ---- What is so ---- */

bool
al_multiprocess(void)
{
	return true;
}

bool
al_multithread(void)
{
	return false;
}

bool
al_has_next(struct al_request *req)
{
	(void)req;
	return false;
}

const char *
al_option(const char *name, size_t i)
{
	(void)name;
	(void)i;
	return NULL;
}

const char *
al_name(void)
{
	return "alicorn-fcgi";
}

const char *
al_version(void)
{
	return "alicorn/" ALICORN_VERSION;
}

unsigned
al_worker_age(void)
{
	return 1;
}

unsigned
al_generation(void)
{
	return 1;
}

unsigned
al_busy_workers(void)
{
	return 1;
}

int
al_log_fd(void)
{
	return STDERR_FILENO;
}

/* Nobody looks for changes, and nobody kills. */
void
al_file(const char *path)
{
	(void)path;
}

void
al_end_later(void)
{
}

/* ---- What cannot be done ---- */

int
al_socket(struct al_request *req, const void **unread, size_t *n)
{
	(void)req;
	*unread = NULL;
	*n = 0;
	errno = EOPNOTSUPP;
	return -1;
}

void
al_detach(struct al_request *req, const struct al_proc *proc, void *arg)
{
	(void)req;
	(void)proc;
	(void)arg;
}

int
al_send(enum al_to to, uint32_t type, const void *data, size_t n, int fd)
{
	(void)to;
	(void)type;
	(void)data;
	(void)n;
	(void)fd;
	errno = EPIPE;
	return -1;
}

void
al_on_message(al_message_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
}

/* ---- There is no loop: AL_PENDING is answered 500 ---- */

void
al_pending(struct al_request *req, const struct al_pending *calls, void *arg)
{
	(void)req;
	(void)calls;
	(void)arg;
}

void
al_finish(struct al_request *req, enum al_result result, int status)
{
	(void)req;
	(void)result;
	(void)status;
}

size_t
al_queued(struct al_request *req)
{
	(void)req;
	return 0;
}

size_t
al_queue_limit(void)
{
	return SIZE_MAX;
}

struct al_watch *
al_watch(int fd, al_watch_fn *fn, void *arg)
{
	(void)fd;
	(void)fn;
	(void)arg;
	errno = EOPNOTSUPP;
	return NULL;
}

void
al_unwatch(struct al_watch *watch)
{
	(void)watch;
}

struct al_timer *
al_timer_new(unsigned ms, al_timer_fn *fn, void *arg)
{
	(void)ms;
	(void)fn;
	(void)arg;
	return NULL;
}

void
al_timer_reset(struct al_timer *timer, unsigned ms)
{
	(void)timer;
	(void)ms;
}

void
al_timer_free(struct al_timer *timer)
{
	(void)timer;
}
