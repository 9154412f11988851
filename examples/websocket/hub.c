#include "hub.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake.h"

enum { EVENTS = 64, LOOK_MS = 1000, READ_SIZE = 1 << 16 };

LIST_HEAD(peers, peer);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct peers all = LIST_HEAD_INITIALIZER(all);
static struct peers dead = LIST_HEAD_INITIALIZER(dead); /* for the thread to free */
static peer_message_fn *on_message;
static pthread_t thread;
static int epoll_fd, stop_fd;

/* ---- One peer, with the lock ---- */

/* The gateway closes the descriptor, at any time from now on, and says so by ended().
 */
static void
give_back(struct peer *peer)
{
	if (peer->state == PEER_ENDED)
		return;
	peer->state = PEER_ENDED;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
	al_finish(peer->req, AL_DONE, 0);
}

/* Either something waits for the client, or we wait for it: who does not read is not
 * read from. */
static void
settle(struct peer *peer)
{
	struct epoll_event wanted = { .data.ptr = peer };

	if (peer->state == PEER_ENDED)
		return;
	if (!peer_flush(peer)) {
		give_back(peer);
		return;
	}
	wanted.events = peer->sent < peer->queued ? EPOLLOUT : EPOLLIN;
	if (wanted.events == peer->events)
		return;
	int change = peer->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (epoll_ctl(epoll_fd, change, peer->fd, &wanted) != 0)
		give_back(peer);
	peer->events = wanted.events;
}

static void
hear(struct peer *peer)
{
	static uint8_t bytes[READ_SIZE];
	ssize_t n = recv(peer->fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		peer_hear(peer, bytes, (size_t)n, on_message);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		give_back(peer);
}

static void
attend(struct peer *peer, uint32_t events)
{
	if (peer->state == PEER_ENDED)
		return;
	if ((events & EPOLLOUT) == 0)
		hear(peer);
	settle(peer);
}

/* ---- The thread ---- */

static void
free_dead(void)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&dead)) != NULL) {
		LIST_REMOVE(peer, link);
		peer_free(peer);
	}
}

/* At most once a second. */
static void
look_at_all(void)
{
	static time_t looked;
	struct timespec now;
	struct peer *peer;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec == looked)
		return;
	looked = now.tv_sec;
	LIST_FOREACH (peer, &all, link) {
		if (peer->state == PEER_ENDED)
			continue;
		if (peer_is_alive(peer))
			settle(peer);
		else
			give_back(peer);
	}
}

/* A peer that ended() was called for while events were waited for is freed behind them,
 * as one may be its own. */
static void *
run(void *unused)
{
	struct epoll_event events[EVENTS];
	bool stops = false;

	while (!stops) {
		int n = epoll_wait(epoll_fd, events, EVENTS, LOOK_MS);
		pthread_mutex_lock(&lock);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				stops = true;
			else
				attend(events[i].data.ptr, events[i].events);
		look_at_all();
		free_dead();
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

/* Signals are the server's, and meant for its own thread. */
static int
start_thread(void)
{
	sigset_t every, old;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &old);
	int error = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

const char *
hub_start(peer_message_fn *fn)
{
	struct epoll_event stop = { .events = EPOLLIN };

	on_message = fn;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (epoll_fd < 0 || stop_fd < 0 ||
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stop_fd, &stop) != 0)
		return strerror(errno);
	int error = start_thread();
	return error != 0 ? strerror(error) : NULL;
}

void
hub_stop(void)
{
	(void)eventfd_write(stop_fd, 1);
	pthread_join(thread, NULL);
	free_dead();
	close(stop_fd);
	close(epoll_fd);
}

/* ---- What the gateway asks, in the main thread ---- */

static void
terminate(void *arg, enum al_reason reason)
{
	static const struct {
		enum close_code code;
		const char *why;
	} farewells[] = {
		[AL_REASON_STOP] = { CLOSE_GOING_AWAY, "the server stops" },
		[AL_REASON_RELOAD] = { CLOSE_RESTART, "the server was reloaded" },
		[AL_REASON_RECYCLE] = { CLOSE_RESTART, "the worker is replaced" },
		[AL_REASON_TIMEOUT] = { CLOSE_POLICY, "open for too long" },
	};
	struct peer *peer = arg;

	pthread_mutex_lock(&lock);
	peer_close(peer, farewells[reason].code, farewells[reason].why);
	settle(peer);
	pthread_mutex_unlock(&lock);
}

/* Given back, or cut off by the gateway, which closes the descriptor behind this. */
static void
ended(void *arg)
{
	struct peer *peer = arg;

	pthread_mutex_lock(&lock);
	if (peer->state != PEER_ENDED && peer->events != 0)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
	peer->state = PEER_ENDED;
	LIST_REMOVE(peer, link);
	LIST_INSERT_HEAD(&dead, peer, link);
	pthread_mutex_unlock(&lock);
}

/* No status(): a peer goes on until al_finish(). */
static const struct al_proc proc = { .terminate = terminate, .ended = ended };

/* Frames may have come right behind the request, in one piece with it. */
static void
begin(struct peer *peer, const void *unread, size_t n)
{
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&all, peer, link);
	if (n > 0)
		peer_hear(peer, unread, n, on_message);
	settle(peer);
	pthread_mutex_unlock(&lock);
}

int
hub_adopt(struct al_request *req, const char *name)
{
	char head[HANDSHAKE_MAX];
	size_t len = handshake_answer(req, head), n;
	const void *unread;

	if (len == 0)
		return AL_DONE;
	int fd = al_socket(req, &unread, &n);
	if (fd < 0)
		return AL_ERROR;
	struct peer *peer = peer_new(req, fd, name);
	if (peer == NULL)
		return AL_ERROR;
	if (!peer_queue(peer, head, len)) {
		peer_free(peer);
		return AL_ERROR;
	}
	al_detach(req, &proc, peer);
	begin(peer, unread, n);
	return AL_ALREADY_HANDLED;
}

/* ---- All peers ---- */

void
hub_tell_locked(enum opcode opcode, const void *data, size_t n)
{
	struct peer *peer;

	LIST_FOREACH (peer, &all, link) {
		peer_say(peer, opcode, data, n);
		settle(peer);
	}
}

void
hub_tell(enum opcode opcode, const void *data, size_t n)
{
	pthread_mutex_lock(&lock);
	hub_tell_locked(opcode, data, n);
	pthread_mutex_unlock(&lock);
}
