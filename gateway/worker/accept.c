#include "gateway/worker/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/logger/log.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/self.h"

enum { PAUSE_MS = 100 };

struct acceptor {
	struct watch watch; /* first: see on_listener */
	const struct listener *listener;
};

static struct acceptor *acceptors;
static size_t n_acceptors;
static bool wanted; /* between accept_start and accept_stop */
static bool accepting; /* the sockets are in the epoll set */
static struct timer retry; /* runs after an error that passes by itself */

/* The client had gone again before it was accepted (accept(2)): go on with the next. */
static bool
is_of_the_client(int error)
{
	static const int errors[] = { ECONNABORTED, EINTR, ENETDOWN, EPROTO,
		ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
		EPERM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

/* One connection; false when there was none to be had. */
static bool
accept_one(const struct acceptor *a)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	socklen_t len = sizeof(peer);
	int fd = accept4(a->watch.fd, (struct sockaddr *)&peer, &len,
		SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		conn_open(fd, a->listener, &peer, len);
		return true;
	}
	if (errno == EAGAIN)
		return false;
	if (is_of_the_client(errno))
		return true;
	log_error("accept on %s: %s; pausing for %d ms", a->listener->address.text,
		strerror(errno), PAUSE_MS);
	(void)timer_set(&self.loop.timers, &retry, self.loop.now + PAUSE_MS);
	return false;
}

/* One for each event: others may be idle and take the next. */
static void
on_listener(struct watch *watch, uint32_t events)
{
	(void)events;
	accept_one((struct acceptor *)watch);
}

static void
on_pause_over(struct timer *timer)
{
	(void)timer; /* that the loop woke up is all: accept_adjust comes next */
}

int
accept_init(void)
{
	const struct heritage *h = self.heritage;

	acceptors = calloc(h->n_listeners, sizeof(*acceptors));
	if (acceptors == NULL)
		return -1;
	n_acceptors = h->n_listeners;
	retry.fn = on_pause_over;
	for (size_t i = 0; i < n_acceptors; i++) {
		acceptors[i].listener = h->listeners[i];
		watch_init(&acceptors[i].watch, h->listeners[i]->fd, on_listener);
	}
	return 0;
}

void
accept_adjust(void)
{
	size_t most = (size_t)self.settings->worker_connections;
	bool now = wanted && self.n_conns < most && retry.at == 0;

	if (now == accepting)
		return;
	for (size_t i = 0; i < n_acceptors; i++) {
		struct watch *watch = &acceptors[i].watch;
		if (!now)
			loop_pause(&self.loop, watch);
		else if (loop_watch(&self.loop, watch, EPOLLIN | EPOLLEXCLUSIVE) != 0)
			log_error(
				"cannot watch a listening socket: %s", strerror(errno));
	}
	accepting = now;
}

void
accept_start(void)
{
	wanted = true;
	accept_adjust();
}

void
accept_stop(void)
{
	bool was_accepting = accepting;

	wanted = false;
	accept_adjust();
	for (size_t i = 0; was_accepting && i < n_acceptors; i++)
		while (accept_one(&acceptors[i]))
			;
}
