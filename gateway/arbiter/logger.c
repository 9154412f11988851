#include "gateway/arbiter/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/keep.h"
#include "gateway/arbiter/signals.h"
#include "gateway/common/clock.h"
#include "gateway/common/title.h"
#include "gateway/config/identity.h"
#include "gateway/logger/outlet.h"

enum {
	DELAY_FIRST_MS = 50, /* of one that died soon */
	DELAY_MOST_MS = 5000,
	LIVED_WELL_MS = 1000,
	CLOSE_MS = 15000, /* it waits for sinks itself, for a shorter time */
	ATTEMPTS = 5,
	NOBODY = 65534,
};

const char logger_tag[] = "logger";

static struct {
	pid_t pid; /* 0: none runs */
	struct channel channel;
	int epoll, bell, move;
	bool waits_for_room;
	uint64_t started, retry_at, delay_ms; /* of clock_ms() */
	const struct server_settings *server; /* NULL: there are no logs yet */
	struct voice *own; /* the arbiter's */
	struct voice *its; /* its own */
} l = { .channel = CHANNEL_CLOSED, .epoll = -1, .bell = -1, .move = -1 };

int
logger_open(int epoll)
{
	l.epoll = epoll;
	l.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l.move = move_create();
	return l.bell != -1 && l.move != -1 ? 0 : -1;
}

int
logger_bell(void)
{
	return l.bell;
}

/* ---- In the logger ---- */

/* What it gets later, it gets by messages; what there is, it has: the same way. */
static bool
obey_at_once(enum logger_message type, const void *payload, size_t len, int fd)
{
	const struct imsg m = { type, slice_of(payload, len), fd };

	logger_obey(&m);
	return true;
}

/* It has no right to anything but its descriptors. */
static void
drop_privileges(const char *user)
{
	struct identity who;
	bool is_known = identity_set_user(&who, user) == NULL;
	uid_t uid = is_known ? who.uid : NOBODY;
	/* A number alone has no group. */
	gid_t gid = is_known && who.gid != (gid_t)-1 ? who.gid : NOBODY;

	if (geteuid() == 0 &&
		(setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
			setresuid(uid, uid, uid) == -1))
		log_error("logger: become user %s: %s", user, strerror(errno));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

struct fd_list {
	int *fds;
	size_t n, room;
};

static void
add_fd(int fd, void *arg)
{
	struct fd_list *list = arg;

	if (list->n == list->room) {
		list->room = 2 * list->room + 64;
		list->fds = reallocarray(list->fds, list->room, sizeof(*list->fds));
		if (list->fds == NULL)
			_exit(EXIT_FAILURE);
	}
	list->fds[list->n++] = fd;
}

static void
keep_own(int channel)
{
	struct fd_list kept = { 0 };

	add_fd(channel, &kept);
	add_fd(l.bell, &kept);
	add_fd(l.move, &kept);
	add_fd(l.its->output, &kept);
	sinks_each_fd(add_fd, &kept);
	voices_each_fd(add_fd, &kept);
	keep_descriptors(kept.fds, kept.n);
	free(kept.fds);
}

/* The signals of a terminal or a service manager mean the arbiter, which tells the
 * logger when all others have said their last. */
static void
ignore_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
		SIGUSR2, SIGPIPE, SIGWINCH, SIGTTIN, SIGTTOU, SIGTSTP, SIGXFSZ,
		SIGALRM };
	sigset_t none;

	signals_forget();
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	signals_unblock(&none);
}

/* Its own messages come back to it by its pipe, as what others print: which sinks they
 * go to may change while it runs. */
static void __attribute__((noreturn)) live(int channel)
{
	const struct logger_job job = { channel, l.bell, l.move };

	prctl(PR_SET_NAME, "alicorn-logger");
	ignore_signals();
	log_mirror(-1);
	log_use(l.its->output);
	keep_own(channel);
	title_set("logger");
	if (logger_init(&job) == -1)
		_exit(EXIT_FAILURE);
	sinks_forget_told();
	voices_forget_told();
	sinks_tell(obey_at_once);
	voices_tell(obey_at_once);
	drop_privileges(l.server->log_user);
	_exit(logger_run());
}

/* ---- To start ---- */

static void
watch(int how, uint32_t events)
{
	struct epoll_event event = { .events = events,
		.data.ptr = (void *)(uintptr_t)logger_tag };

	epoll_ctl(l.epoll, how, l.channel.fd, &event);
	l.waits_for_room = (events & EPOLLOUT) != 0;
}

static pid_t
fork_logger(int channel)
{
	sigset_t before;

	signals_block(&before);
	pid_t pid = fork();
	if (pid == 0)
		live(channel);
	signals_unblock(&before);
	return pid;
}

/* What it need not be told: it has that from its fork. */
static bool
is_known(enum logger_message type, const void *payload, size_t len, int fd)
{
	(void)type;
	(void)payload;
	(void)len;
	(void)fd;
	return true;
}

/* One that died soon after its start: the next one waits, ever longer. */
static void
back_off(uint64_t now)
{
	bool soon = now - l.started < LIVED_WELL_MS;

	l.delay_ms = !soon ? 0 : l.delay_ms != 0 ? 2 * l.delay_ms : DELAY_FIRST_MS;
	if (l.delay_ms > DELAY_MOST_MS)
		l.delay_ms = DELAY_MOST_MS;
	l.retry_at = now + l.delay_ms;
}

/* The log cannot say it. */
static void
tell_failure(uint64_t now)
{
	dprintf(STDERR_FILENO, "alicorn: the logger cannot be started: %s\n",
		strerror(errno));
	back_off(now);
}

static void
start(uint64_t now)
{
	int ends[2];

	l.started = now;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		-1) {
		tell_failure(now);
		return;
	}
	pid_t pid = fork_logger(ends[1]);
	close(ends[1]);
	if (pid == -1) {
		close(ends[0]);
		tell_failure(now);
		return;
	}
	l.pid = pid;
	channel_init(&l.channel, ends[0]);
	watch(EPOLL_CTL_ADD, EPOLLIN);
	sinks_forget_told();
	voices_forget_told();
	sinks_tell(is_known);
	voices_tell(is_known);
}

static bool
is_due(uint64_t now)
{
	return l.server != NULL && l.pid == 0 && now >= l.retry_at;
}

/* ---- What it is told ---- */

static bool
send_it(enum logger_message type, const void *payload, size_t len, int fd)
{
	return channel_has_room(&l.channel, len) &&
		channel_send_fd(&l.channel, type, slice_of(payload, len), fd) == 0;
}

void
logger_step(uint64_t now)
{
	if (is_due(now))
		start(now);
	if (l.channel.fd == -1)
		return;
	if (sinks_tell(send_it))
		voices_tell(send_it);
	/* What found no room waits behind that; what found no descriptor, for another
	 * round. */
	bool waits = channel_waits(&l.channel);
	if (waits != l.waits_for_room)
		watch(EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

uint64_t
logger_deadline(void)
{
	return l.server != NULL && l.pid == 0 ? l.retry_at : UINT64_MAX;
}

/* The arbiter's own lines are dropped rather than waited for. */
static int
begin(const struct server_settings *server, struct sink_table *table)
{
	l.own = voice_new(server, table, "arbiter", NULL, NULL, false);
	l.its = voice_new(server, table, "logger", NULL, NULL, false);
	if (l.own == NULL || l.its == NULL)
		return -1;
	const struct outlet_gift gift = {
		.ring = fcntl(l.own->ring, F_DUPFD_CLOEXEC, 0),
		.bell = l.bell,
	};
	fcntl(l.its->output, F_SETFL, O_NONBLOCK);
	voice_born(l.own, getpid());
	voice_born(l.its, 0);
	l.its->facts.is_own = 1;
	l.own->facts.is_arbiter = 1;
	if (outlet_open(&gift) == -1)
		return -1;
	log_use(fcntl(l.own->output, F_DUPFD_CLOEXEC, 0));
	return 0;
}

int
logger_use(const struct server_settings *server, struct sink_table *table)
{
	bool is_first = l.server == NULL;

	if (is_first && begin(server, table) == -1)
		return -1;
	if (!is_first) {
		voice_move(l.own, server, table);
		voice_move(l.its, server, table);
	}
	log_use_sinks(server->sinks, table->ids, table->n, NULL);
	l.server = server;
	logger_step(clock_ms());
	return 0;
}

/* ---- What it says ---- */

static void (*const hear[])(const struct logger_number *n) = {
	[LOGGER_CHANGED] = sinks_changed,
	[LOGGER_SINK_ENDED] = sinks_ended,
	[LOGGER_DRAINED] = voices_drained,
	[LOGGER_SILENT] = voices_silent,
};

static void
hear_message(const struct imsg *m)
{
	struct logger_number n;

	if (m->type < sizeof(hear) / sizeof(hear[0]) && hear[m->type] != NULL &&
		m->payload.len == sizeof(n)) {
		memcpy(&n, m->payload.ptr, sizeof(n));
		hear[m->type](&n);
	}
	if (m->fd != -1)
		close(m->fd);
}

static void
close_channel(void)
{
	if (l.channel.fd != -1)
		epoll_ctl(l.epoll, EPOLL_CTL_DEL, l.channel.fd, NULL);
	channel_release(&l.channel);
}

void
logger_hear(void)
{
	struct imsg m;
	int got = -1;

	while (l.channel.fd != -1 && (got = channel_receive(&l.channel, &m)) == 1)
		hear_message(&m);
	if (got == -1 || channel_flush(&l.channel) == -1)
		close_channel();
}

bool
logger_has_ended(pid_t pid, int status)
{
	if (pid != l.pid || pid == 0)
		return false;
	logger_hear(); /* what it has said still holds */
	close_channel();
	l.pid = 0;
	back_off(clock_ms());
	if (WIFSIGNALED(status))
		log_error(
			"the logger (pid %d) was ended by signal %d (%s); another one "
			"goes on",
			(int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_error("the logger (pid %d) ended with status %d", (int)pid,
			WEXITSTATUS(status));
	return true;
}

/* ---- The end ---- */

/* The status of its end; -1: there is none. */
static int
await_end(void)
{
	struct pollfd end = { .fd = pidfd_open(l.pid, 0), .events = POLLIN };
	int status = 0, ready;

	do
		ready = poll(&end, 1, CLOSE_MS);
	while (ready == -1 && errno == EINTR);
	if (ready == 0)
		kill(l.pid, SIGKILL);
	close(end.fd);
	while (waitpid(l.pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

/* One that is killed on its way leaves the rest to another one. */
void
logger_close(void)
{
	int status = -1;

	for (int i = 0; l.server != NULL && status != 0 && i < ATTEMPTS; i++) {
		if (l.pid == 0)
			start(clock_ms());
		if (l.pid == 0)
			break;
		logger_step(clock_ms());
		channel_send(&l.channel, LOGGER_STOP, SLICE(""));
		status = await_end();
		logger_has_ended(l.pid, status);
	}
	l.server = NULL;
	outlet_close();
	log_use_sinks(NULL, NULL, 0, NULL);
	log_reopen();
}
