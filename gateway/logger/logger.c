#include "gateway/logger/logger.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gateway/common/clock.h"

/*
 * After something came the logger looks again by itself, for a while: processes that
 * have much to say need not wake it then, which would cost each a system call a line.
 */
enum {
	LOOK_MS = 4,
	LOOKS = 50, /* without anything new, before it sleeps */
	FAREWELL_MS = 5000, /* for sinks that take nothing, at the end */
	SHORT_MS = 500, /* for syslog and the journal */
	EVENTS = 32,
};

static struct channel channel;
static struct move *move;
static int epoll, bell;
static uint64_t stop_at; /* of clock_ms(); 0: it goes on */

static void
tell(enum logger_message type, uint32_t id, uint32_t number)
{
	const struct logger_number n = { id, number };

	channel_send(&channel, type, slice_of((const char *)&n, sizeof(n)));
}

static void
tell_changed(uint32_t id, uint32_t number)
{
	tell(LOGGER_CHANGED, id, number);
}

static void
tell_ended(uint32_t id)
{
	tell(LOGGER_SINK_ENDED, id, 0);
}

static void
tell_drained(uint32_t id)
{
	tell(LOGGER_DRAINED, id, 0);
}

static void
tell_silent(uint32_t id)
{
	tell(LOGGER_SILENT, id, 0);
}

/* ---- What the arbiter says ---- */

static void
on_sink(const void *facts, int fd)
{
	sink_add(facts, fd);
}

static void
on_file(const void *payload, int fd)
{
	const struct logger_number *n = payload;

	sink_use(n->id, n->number, fd);
}

static void
on_sink_end(const void *payload, int fd)
{
	const struct logger_number *n = payload;

	(void)fd;
	sink_end(n->id);
}

static void
on_source(const void *facts, int fd)
{
	source_add(facts, fd);
}

static void
on_pipe(const void *payload, int fd)
{
	const struct logger_number *n = payload;

	source_listen(n->id, fd, epoll);
}

static void
on_source_end(const void *payload, int fd)
{
	const struct logger_number *n = payload;

	(void)fd;
	source_end(n->id);
}

static void
on_stop(const void *payload, int fd)
{
	(void)payload;
	(void)fd;
	if (stop_at == 0)
		stop_at = clock_ms() + FAREWELL_MS;
}

static const struct {
	size_t size; /* of the payload */
	bool has_fd;
	void (*run)(const void *payload, int fd);
} messages[] = {
	[LOGGER_SINK] = { sizeof(struct sink_facts), true, on_sink },
	[LOGGER_FILE] = { sizeof(struct logger_number), true, on_file },
	[LOGGER_SINK_END] = { sizeof(struct logger_number), false, on_sink_end },
	[LOGGER_SOURCE] = { sizeof(struct source_facts), false, on_source },
	[LOGGER_PIPE] = { sizeof(struct logger_number), true, on_pipe },
	[LOGGER_SOURCE_END] = { sizeof(struct logger_number), false, on_source_end },
	[LOGGER_STOP] = { 0, false, on_stop },
};

void
logger_obey(const struct imsg *m)
{
	union {
		struct sink_facts sink;
		struct source_facts source;
		struct logger_number number;
	} payload;

	if (m->type < sizeof(messages) / sizeof(messages[0]) &&
		messages[m->type].run != NULL &&
		messages[m->type].size == m->payload.len &&
		(m->fd != -1 || !messages[m->type].has_fd)) {
		memcpy(&payload, m->payload.ptr, m->payload.len);
		messages[m->type].run(&payload, m->fd);
	} else if (m->fd != -1) {
		close(m->fd);
	}
}

/* False: the arbiter has gone. Then it goes on until nobody has anything to say. */
static bool
hear_arbiter(void)
{
	struct imsg m;
	int got = -1;

	while (channel.fd != -1 && (got = channel_receive(&channel, &m)) == 1)
		logger_obey(&m);
	if (got == -1 && channel.fd != -1)
		channel_release(&channel);
	else if (channel.fd != -1)
		channel_flush(&channel);
	return channel.fd != -1;
}

/* ---- Rounds ---- */

static void
wait_for_news(int ms)
{
	struct epoll_event events[EVENTS];
	eventfd_t rung;

	epoll_wait(epoll, events, EVENTS, ms);
	(void)eventfd_read(bell, &rung);
}

static int
shorter(int a, int b)
{
	if (a == -1 || b == -1)
		return a == -1 ? b : a;
	return a < b ? a : b;
}

/* How long to wait before the next round; `quiet` rounds before this one brought
 * nothing. */
static int
rest(int quiet, int sinks_ms)
{
	if (quiet < LOOKS)
		return shorter(LOOK_MS, sinks_ms);
	return sources_sleep(true) ? sinks_ms : 0;
}

static bool
is_over(bool has_arbiter, int quiet)
{
	bool is_late = clock_ms() + FAREWELL_MS >= stop_at + SHORT_MS;

	if (stop_at != 0 && quiet > 1 && sources_are_empty() &&
		(is_late ? sinks_are_done() : sinks_are_empty()))
		return true;
	if (stop_at != 0 && clock_ms() >= stop_at)
		return true;
	return !has_arbiter && !sources_live() && sinks_are_empty();
}

int
logger_init(const struct logger_job *job)
{
	struct epoll_event event = { .events = EPOLLIN };

	channel_init(&channel, job->channel);
	bell = job->bell;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	move = move_map(job->move);
	if (epoll == -1 || move == NULL ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, job->channel, &event) == -1 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event) == -1)
		return -1;
	return 0;
}

int
logger_run(void)
{
	bool has_arbiter = true;
	int quiet = 0, ms = 0;

	sources_recover(move);
	while (!is_over(has_arbiter, quiet)) {
		wait_for_news(ms);
		sources_sleep(false);
		/* What a process says after it has asked for something comes after it.
		 */
		sources_mark();
		has_arbiter = hear_arbiter();
		uint64_t before = sources_progress();
		/* What was said before is for the files before; the arbiter says what
		 * it has done after it has sent the new ones. */
		if (sinks_are_to_change())
			sources_take(move, false);
		sinks_change(clock_ms(), tell_changed);
		bool more = sources_take(move, true);
		ms = sinks_write(clock_ms(), tell_ended);
		sources_tell(tell_drained, tell_silent);
		quiet = sources_progress() == before ? quiet + 1 : 0;
		ms = more ? 0 : rest(quiet, ms);
		if (stop_at != 0 && quiet > 0) {
			sources_hush();
			ms = shorter(ms, LOOK_MS);
		}
	}
	return 0;
}
