#include "gateway/arbiter/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/birth.h"
#include "gateway/arbiter/board_keep.h"
#include "gateway/arbiter/confine.h"
#include "gateway/arbiter/keep.h"
#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/post_fork.h"
#include "gateway/arbiter/signals.h"
#include "gateway/common/clock.h"
#include "gateway/common/log_begin.h"
#include "gateway/common/title.h"
#include "gateway/logger/log.h"

enum { SLOTS = 8192, SECOND_MS = 1000, QUICK_MS = 2000 };

int
family_init(struct family *f, worker_fn *worker, worker_fn *prototype)
{
	*f = (struct family){ .worker = worker, .prototype = prototype, .epoll = -1 };
	TAILQ_INIT(&f->children);
	hooks_init(&f->hooks);
	if (slots_init(&f->slots, SLOTS) == -1 || board_keep_init(f) == -1)
		return -1;
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	return f->epoll != -1 ? 0 : -1;
}

void
family_release(struct family *f)
{
	if (f->epoll != -1)
		close(f->epoll);
	slots_release(&f->slots);
	board_release(&f->board);
	hooks_release(&f->hooks);
}

struct child *
family_find(const struct family *f, pid_t pid)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pid == pid)
			return child;
	}
	return NULL;
}

/* ---- The child's side of the fork ---- */

/* What a child does from the fork to its end. */
static void __attribute__((noreturn))
live(const struct family *f, const struct child *child, int channel)
{
	const struct pool *pool = child->pool;
	struct heritage heritage = pool->heritage;
	sigset_t none;

	heritage.slots = &f->slots;
	heritage.board = f->board.view;
	heritage.slot = child->slot;
	heritage.age = child->age;
	heritage.channel = channel;
	heritage.log.ring = child->voice->ring;
	heritage.log.output = child->voice->output;
	heritage.born = post_fork_born;
	/* All is blocked until here: the arbiter's signals never meet its handler in a
	 * child, which would write them to the arbiter's pipe. */
	signals_forget();
	log_begin(&heritage);
	keep_own_descriptors(&heritage, pool->socket);
	sigemptyset(&none);
	signals_unblock(&none);

	title_name(heritage.server->proc_name);
	title_set("%s %s", pool->kind->name, pool->app->name);
	post_fork(&heritage, pool->kind->name);
	confine(pool->app, channel);
	exit(pool->kind->run(f, pool, &heritage));
}

/* ---- To start and to free ---- */

/* The pid, or -1 and errno. The child gets its end of the channel, and never returns.
 */
static pid_t
fork_child(const struct family *f, const struct child *child, int channel)
{
	sigset_t before;

	signals_block(&before);
	pid_t pid = fork();
	if (pid == 0)
		live(f, child, channel);
	signals_unblock(&before);
	return pid;
}

static struct voice *
give_voice(const struct child *child)
{
	const struct pool *pool = child->pool;
	const struct server_settings *server = pool->heritage.server;

	return voice_new(server, pool->sinks, pool->kind->name, pool->app->name,
		child->slot, strcmp(server->log_overflow, "block") == 0);
}

static const char *
start(struct family *f, struct child *child)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = child };
	int ends[2];

	if (child->pool->kind->has_slot) {
		child->slot = slots_take(&f->slots);
		if (child->slot == NULL) {
			errno = ENOSPC;
			return "take a slot";
		}
	}
	child->voice = give_voice(child);
	if (child->voice == NULL)
		return "make a ring for the log";
	board_keep_child(f, child);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		-1)
		return "make a channel";
	channel_init(&child->channel, ends[0]);
	const char *reason = NULL;
	if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, ends[0], &event) == -1)
		reason = "watch the channel";
	else if (child->pool->prototypes != NULL)
		reason = birth_ask(f, child, ends[1]);
	else if ((child->pid = fork_child(f, child, ends[1])) == -1)
		reason = "fork";
	int saved = errno;
	close(ends[1]);
	voice_give(child->voice);
	if (child->pid > 0)
		voice_born(child->voice, child->pid);
	errno = saved;
	return reason;
}

const char *
child_start(struct family *f, struct pool *pool)
{
	struct child *child = calloc(1, sizeof(*child));

	if (child == NULL)
		return "make room";
	child->pool = pool;
	child->age = ++f->last_age;
	child->channel = (struct channel)CHANNEL_CLOSED;
	child->started = clock_ms();
	child->deadline =
		child->started + (uint64_t)pool->app->boot_timeout * SECOND_MS;
	child->state = CHILD_BOOTING;
	pool->count[CHILD_BOOTING]++;
	TAILQ_INSERT_TAIL(&f->children, child, next);
	const struct al_facts facts = facts_of_child(child);
	hooks_run(&f->hooks, pool->heritage.server, SERVER_pre_fork, &facts);
	const char *reason = start(f, child);
	if (reason != NULL) {
		int saved = errno;
		child_free(f, child);
		errno = saved;
		return reason;
	}
	if (child->slot != NULL)
		child->slot->pid = child->pid;
	log_debug("%s starts", child_text(child));
	return NULL;
}

static void
close_channel(struct family *f, struct child *child)
{
	if (child->channel.fd == -1)
		return;
	/* Closing alone is not enough: until it has closed them, a child that was
	 * forked just now holds copies of all ends. */
	epoll_ctl(f->epoll, EPOLL_CTL_DEL, child->channel.fd, NULL);
	channel_release(&child->channel);
}

void
child_free(struct family *f, struct child *child)
{
	/* What a program started does not outlive it. */
	if (child->pool->kind->leads_group && child->pid > 0)
		kill(-child->pid, SIGKILL);
	birth_end(child);
	close_channel(f, child);
	if (child->slot != NULL)
		board_keep_return(f, child);
	if (child->voice != NULL)
		voice_end(child->voice);
	child->pool->count[child->state]--;
	TAILQ_REMOVE(&f->children, child, next);
	free(child);
}

/* ---- Its states ---- */

/* The one place that changes the state, and the pool's count of each. */
static void
set_state(struct child *child, enum child_state state)
{
	child->pool->count[child->state]--;
	child->pool->count[state]++;
	child->state = state;
}

void
child_is_ready(struct child *child, uint64_t now)
{
	if (child->state != CHILD_BOOTING)
		return;
	child->ready = now;
	child->deadline = 0;
	child->pool->was_ready = true;
	set_state(child, CHILD_READY);
	log_debug("%s is ready", child_text(child));
	if (!child->pool->hold)
		child_serve(child);
}

void
child_serve(struct child *child)
{
	/* It has always room for the one small message that a child is ever sent. When
	 * it has gone, its death is noticed by itself. */
	channel_send(&child->channel, MESSAGE_SERVE, SLICE(""));
	set_state(child, CHILD_SERVING);
}

void
child_bid_farewell(struct child *child, enum slot_farewell why)
{
	if (child->slot != NULL)
		child->slot->farewell = (int)why;
}

void
child_stop(struct child *child, enum stop how, uint64_t now)
{
	const struct pool *pool = child->pool;

	if (child->stop >= how)
		return;
	child->stop = how;
	if (child->state != CHILD_STOPPING)
		set_state(child, CHILD_STOPPING);
	switch (how) {
	case STOP_GRACEFUL:
		child_signal(child, SIGTERM);
		child->deadline =
			now + (uint64_t)pool->app->graceful_timeout * SECOND_MS;
		break;
	case STOP_QUICK:
		child_signal(child, pool->kind->quick_signal);
		child->deadline = now + QUICK_MS;
		break;
	case STOP_FORCED:
		child->explained = true; /* whoever forces it says so */
		child_kill(child, "forced");
		break;
	case STOP_NO:
	case STOPS:
		break;
	}
}

void
child_deadline_passed(struct child *child, uint64_t now)
{
	if (child->state == CHILD_STOPPING)
		child_kill(child, "it did not stop in time");
	else if (child->channel.fd == -1 && child->pool->kind->settle_ms != 0)
		child_is_ready(child, now);
	else
		child_kill(child, "boot timeout");
}

void
child_hung_up(struct family *f, struct child *child, uint64_t now)
{
	close_channel(f, child);
	if (child->state == CHILD_BOOTING && child->pool->kind->settle_ms != 0)
		child->deadline = now + child->pool->kind->settle_ms;
}

bool
child_failed(const struct child *child, uint64_t now)
{
	bool in_request = child->slot != NULL && child->slot->busy_since != 0;
	bool soon =
		child->ready == 0 || (now - child->ready < SECOND_MS && !in_request);

	return child->state != CHILD_STOPPING && soon;
}

/* ---- Signals ---- */

void
child_signal(struct child *child, int number)
{
	if (child->unborn) {
		child->owed_signal = number;
		return;
	}
	/* A group may not exist yet, or have lost its leader: then the child alone. */
	if (!child->pool->kind->leads_group || kill(-child->pid, number) == -1)
		kill(child->pid, number);
}

void
child_kill(struct child *child, const char *why)
{
	if (child->killed_for == NULL)
		child->killed_for = why;
	child->deadline = 0;
	child->kill_at = 0;
	child_signal(child, SIGKILL);
	/* Perhaps nobody will ever be there to be killed: it is not waited for. */
	if (child->unborn)
		shutdown(child->channel.fd, SHUT_RDWR);
}

/* The loop is woken up by room in a channel only while something waits for it. */
static void
watch_room(struct family *f, struct child *child)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = child };
	bool waits = child->channel.fd != -1 && channel_waits(&child->channel);

	if (waits == child->is_slow)
		return;
	child->is_slow = waits;
	if (waits)
		event.events |= EPOLLOUT;
	epoll_ctl(f->epoll, EPOLL_CTL_MOD, child->channel.fd, &event);
}

void
child_tell(struct family *f, struct child *child, enum message type,
	struct slice payload, int fd)
{
	channel_send_fd(&child->channel, type, payload, fd);
	watch_room(f, child);
}

void
child_flush(struct family *f, struct child *child)
{
	if (child->is_slow)
		channel_flush(&child->channel);
	watch_room(f, child);
}

/* ---- For the log ---- */

const char *
child_text(const struct child *child)
{
	static char text[256];

	if (child->unborn)
		snprintf(text, sizeof(text), "unborn %s %s", child->pool->kind->name,
			child->pool->app->name);
	else
		snprintf(text, sizeof(text), "%s %s (pid %d)", child->pool->kind->name,
			child->pool->app->name, (int)child->pid);
	return text;
}
