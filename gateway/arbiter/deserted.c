#include "gateway/arbiter/deserted.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/logger/log.h"

static bool
is_deserted(const struct pool *pool)
{
	const struct queue *q = pool->heritage.queue;

	return pool->kind == &kind_worker && q != NULL &&
		pool->count[CHILD_SERVING] == 0 && !pool->hold &&
		atomic_load_explicit(&q->state->depth, memory_order_relaxed) > 0;
}

/* The next connection; -1: there is none. */
static int
take(const struct queue *q)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char rest; /* of the message, which nobody will serve, is cut off */
	struct iovec piece = { .iov_base = &rest, .iov_len = sizeof(rest) };
	struct msghdr m = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(q->fds[QUEUE_OUT], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	struct cmsghdr *part = CMSG_FIRSTHDR(&m);
	if (part != NULL && part->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	return fd;
}

/* What the client sent is read, lest the answer be lost in a reset. */
static void
turn_away(int fd, struct slice answer)
{
	char dropped[4096];

	send(fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static void
clear(const struct pool *pool, struct slice answer)
{
	const struct queue *q = pool->heritage.queue;
	unsigned n = 0;
	int fd;

	for (; (fd = take(q)) != -1; n++)
		turn_away(fd, answer);
	atomic_store_explicit(&q->state->depth, 0, memory_order_relaxed);
	if (n > 0)
		log_warning(
			"%s: no worker has served for queue_timeout; %u that waited "
			"for one were answered 503",
			pool->app->name, n);
}

static uint64_t
limit_ms(const struct pool *pool)
{
	return (uint64_t)pool->app->queue_timeout * 1000;
}

void
deserted_watch(struct generation *g, struct slice answer, uint64_t now)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		struct pool *pool = &g->pools[i];
		if (!is_deserted(pool)) {
			pool->deserted_since = 0;
		} else if (pool->deserted_since == 0) {
			pool->deserted_since = now;
		} else if (now >= pool->deserted_since + limit_ms(pool)) {
			clear(pool, answer);
			pool->deserted_since = 0;
		}
	}
}

uint64_t
deserted_deadline(const struct generation *g)
{
	uint64_t deadline = UINT64_MAX;

	for (size_t i = 0; i < g->n_pools; i++) {
		const struct pool *pool = &g->pools[i];
		if (pool->deserted_since != 0 &&
			pool->deserted_since + limit_ms(pool) < deadline)
			deadline = pool->deserted_since + limit_ms(pool);
	}
	return deadline;
}
