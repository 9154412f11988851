#include "gateway/worker/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/logger/log.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/custom.h"
#include "gateway/worker/queue.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/self.h"
#include "gateway/worker/threads.h"
#include "gateway/worker/turn_away.h"

enum {
	PAUSE_MS = 100,
	FULL_MS = 1000, /* for others to take what a full worker cannot */
	UNSENT_BYTES = 256 * 1024, /* of a response, that the kernel takes before it can
				      send them */
	DEFER_S = 1, /* for the first bytes of a client */
};

struct acceptor {
	struct watch watch; /* first: see on_listener */
	const struct listener *listener;
};

static struct acceptor *acceptors;
static size_t n_acceptors;
static bool wanted; /* between accept_start and accept_stop */
static bool accepting; /* the sockets are in the epoll set */
static bool owed; /* this worker is to leave, and has not looked who waits yet */
static struct timer retry; /* runs until accepting may go on */
static uint64_t full_since; /* 0: it is not full */
static int reserve = -1; /* a descriptor to be given up when there are no more */

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

static void
refuse(int fd, const char *why)
{
	turn_away(fd, why);
	close(fd);
}

static int
accept_client(int listener, struct sockaddr_storage *peer, socklen_t *len)
{
	return accept4(
		listener, (struct sockaddr *)peer, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Descriptors are out: the one in reserve lets the client be told. */
static bool
turn_away_with_reserve(const struct acceptor *a, int error)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (reserve < 0)
		return false;
	close(reserve);
	int fd = accept_client(a->watch.fd, &peer, &len);
	if (fd >= 0)
		refuse(fd, strerror(error));
	reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static void
pause_after(const struct acceptor *a, int error)
{
	log_error("accept on %s: %s; pausing for %d ms", a->listener->address.text,
		strerror(error), PAUSE_MS);
	(void)timer_set(&self.loop.timers, &retry, self.loop.now + PAUSE_MS);
}

static void
place(int fd, const struct acceptor *a, const struct sockaddr_storage *peer,
	socklen_t len)
{
	if (conns_are_full() && !conns_make_room())
		refuse(fd, "worker_connections is reached");
	else
		conn_open(fd, a->listener, peer, len);
}

/* One connection; false when there was none to be had. */
static bool
accept_one(const struct acceptor *a)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	socklen_t len = sizeof(peer);
	int fd = accept_client(a->watch.fd, &peer, &len);
	int error = errno;

	if (fd >= 0) {
		place(fd, a, &peer, len);
		return true;
	}
	if (error == EAGAIN)
		return false;
	if (is_of_the_client(error))
		return true;
	if ((error == EMFILE || error == ENFILE) && turn_away_with_reserve(a, error))
		return true;
	pause_after(a, error);
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

/* Only TCP has these options; those who listen on another socket do without. */
static void
set_option(int listener, int option, int value)
{
	(void)setsockopt(listener, IPPROTO_TCP, option, &value, sizeof(value));
}

static void
prepare(int listener)
{
	/* Else the kernel takes megabytes of a response that its client does not:
	 * memory that no setting limits, and so long a turn that a thousand such
	 * clients hold up all others for seconds. What accept() returns inherits it. */
	set_option(listener, TCP_NOTSENT_LOWAT, UNSENT_BYTES);
	bool defer = self.settings->defer_accept && !custom_is_wanted();
	set_option(listener, TCP_DEFER_ACCEPT, defer ? DEFER_S : 0);
}

int
accept_init(void)
{
	const struct heritage *h = self.heritage;

	acceptors = calloc(h->n_listeners, sizeof(*acceptors));
	if (acceptors == NULL)
		return -1;
	n_acceptors = h->n_listeners;
	queue_open();
	retry.fn = on_pause_over;
	reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < n_acceptors; i++) {
		acceptors[i].listener = h->listeners[i];
		prepare(h->listeners[i]->fd);
		watch_init(&acceptors[i].watch, h->listeners[i]->fd, on_listener);
	}
	return 0;
}

/* A worker that is full leaves clients to the others of its pool for a while. If they
 * are still there then, nobody has a place: they are turned away. */
static bool
leaves_to_others(void)
{
	if (!conns_are_full() || !TAILQ_EMPTY(&self.idle)) {
		full_since = 0;
		return false;
	}
	if (full_since == 0) {
		full_since = self.loop.now;
		(void)timer_set(&self.loop.timers, &retry, full_since + FULL_MS);
	}
	return self.loop.now < full_since + FULL_MS;
}

/* What waits in the backlog and in the queue: who leaves may have been the one that was
 * woken for it. */
static void
take_rest(void)
{
	owed = false;
	for (size_t i = 0; i < n_acceptors; i++)
		for (int64_t n = self.settings->backlog; n > 0; n--)
			if (!accept_one(&acceptors[i]))
				break;
	/* Where others go on, they take what is in the queue. */
	if (atomic_load(&self.slot->farewell) == FAREWELL_STOP)
		queue_empty();
}

static void
adjust(void)
{
	bool now = wanted && !leaves_to_others() && retry.at == 0 &&
		!relief_is_in_charge() && !threads_are_behind();

	if (now == accepting)
		return;
	queue_adjust(now);
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
accept_adjust(void)
{
	adjust();
	if (owed && !relief_is_in_charge())
		take_rest();
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
	owed = accepting || relief_is_in_charge() || threads_are_behind();
	wanted = false;
	accept_adjust();
}
