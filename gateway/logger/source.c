#include "gateway/logger/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "gateway/common/clock.h"

/* Of one source in one round, lest it holds others up; and how often losses are told.
 */
enum { LINES_A_ROUND = 512, TELL_MS = 1000 };

struct source {
	struct source_facts facts;
	struct ring ring;
	struct printed printed;
	uint64_t mark; /* lines of the ring before it are taken in this round */
	int pipe; /* -1: none, or it has ended */
	int epoll;
	bool listens; /* for more from the pipe */
	bool has_ended; /* the process */
	bool is_silent; /* the pipe has ended, */
	bool was_silent; /* and that was told */
	uint64_t tell_at; /* of clock_ms(): when losses are told of again */
	TAILQ_ENTRY(source) next;
};

/* The newest first. The arbiter is the last one: what it says of others follows what
 * they have said themselves. */
static TAILQ_HEAD(sources, source) all = TAILQ_HEAD_INITIALIZER(all);
static uint64_t moved; /* lines */

static struct source *
find(uint32_t id)
{
	struct source *s;

	TAILQ_FOREACH (s, &all, next) {
		if (s->facts.id == id)
			return s;
	}
	return NULL;
}

/* ---- What the arbiter tells ---- */

static struct source *
make(int memory)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL || ring_map(&s->ring, memory) == -1) {
		log_error("log: %s", strerror(errno));
		free(s);
		return NULL;
	}
	s->pipe = -1;
	printed_init(&s->printed, &s->ring);
	TAILQ_INSERT_HEAD(&all, s, next);
	return s;
}

void
source_add(const struct source_facts *facts, int memory)
{
	struct source *s = find(facts->id);

	if (s == NULL && (s = make(memory)) != NULL)
		s->is_silent = s->was_silent = !facts->has_pipe;
	if (s != NULL)
		s->facts = *facts;
	if (memory != -1)
		close(memory);
}

static void
watch(struct source *s, bool listens)
{
	struct epoll_event event = { .events = EPOLLIN };

	/* Its end would be told of all the time, if it were in the set for nothing. */
	if (s->pipe != -1 && s->listens != listens)
		epoll_ctl(s->epoll, listens ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->pipe,
			&event);
	s->listens = listens;
}

void
source_listen(uint32_t id, int pipe, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct source *s = find(id);

	if (s == NULL || s->pipe != -1 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, pipe, &event) == -1) {
		close(pipe);
		return;
	}
	s->pipe = pipe;
	s->epoll = epoll;
	s->listens = true;
}

void
source_end(uint32_t id)
{
	struct source *s = find(id);

	if (s == NULL)
		return;
	s->has_ended = true;
	s->facts.request_id = NULL; /* its slot may be another's from now on */
}

static void
release(struct source *s)
{
	TAILQ_REMOVE(&all, s, next);
	ring_unmap(&s->ring);
	if (s->pipe != -1)
		close(s->pipe);
	free(s);
}

void
sources_recover(struct move *m)
{
	struct source *s = find(m->source);

	if (m->holds && s != NULL)
		move_do(m, &s->ring, &s->printed);
	m->holds = 0;
}

/* ---- Lines of the ring ---- */

static bool
is_allowed(const struct source *s, uint32_t sink)
{
	return sink < SINK_IDS && (s->facts.allowed[sink / 64] >> sink % 64 & 1) != 0;
}

enum outcome { MOVED, NO_ROOM };

static enum outcome
move_line(
	struct source *s, const struct ring_line *line, uint64_t behind, struct move *m)
{
	struct sink *sink = is_allowed(s, line->sink) ? sink_find(line->sink) : NULL;
	const struct sink_line what = {
		.level = line->level <= LOG_LEVEL_DEBUG ? (enum log_level)line->level
							: LOG_LEVEL_INFO,
		.is_access = line->is_access,
		.pid = s->facts.pid,
		.app = s->facts.app,
		.text = line->text,
	};
	uint64_t in;

	move_begin(m, s->facts.id, false, behind);
	if (sink != NULL && sink_offer(sink, &what, &in) == 0)
		move_add(m, line->sink, in);
	else if (sink != NULL && sink->facts.waits && s->facts.is_patient)
		return NO_ROOM;
	else if (sink != NULL)
		ring_refuse(&s->ring);
	move_do(m, &s->ring, &s->printed);
	moved++;
	return MOVED;
}

/* Whether there is more that has room. */
static bool
take_lines(struct source *s, struct move *m)
{
	struct ring_line line;
	uint64_t behind;
	int got = 0;

	for (int i = 0; i < LINES_A_ROUND; i++) {
		got = ring_next(&s->ring, s->mark, &line, &behind);
		if (got == -1)
			log_error("%s %s (pid %d) spoiled its log lines", s->facts.kind,
				s->facts.app, (int)s->facts.pid);
		if (got != 1 || move_line(s, &line, behind, m) == NO_ROOM)
			return false;
	}
	return got == 1;
}

/* ---- What it prints ---- */

static struct slice
stamp(void)
{
	static char text[64];
	static time_t made;
	static size_t len;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made && localtime_r(&now, &tm) != NULL) {
		len = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
		made = now;
	}
	return slice_of(text, len);
}

/* What the process was doing, as far as that can be told: its request may be over. */
static struct slice
request_id(const struct source *s)
{
	const char *id = s->facts.request_id;

	return id != NULL ? slice_of(id, strnlen(id, s->facts.request_id_max))
			  : SLICE("");
}

/* A number and the space behind it. */
static unsigned
take_number(struct slice *text)
{
	unsigned n = 0;

	for (; text->len > 0 && *text->ptr >= '0' && *text->ptr <= '9' && n < 1 << 24;
		slice_advance(text, 1))
		n = n * 10 + (unsigned)(*text->ptr - '0');
	if (text->len > 0)
		slice_advance(text, 1);
	return n;
}

/* Text is text; behind a mark it is a message of a process without a ring, such as one
 * that the application has forked. */
static struct log_message
read_printed(const struct source *s, struct slice text)
{
	const char *app = s->facts.app;
	struct log_message m = { .level = LOG_LEVEL_INFO, .pid = s->facts.pid };

	if (text.len > 0 && *text.ptr == LOG_MARK) {
		slice_advance(&text, 1);
		unsigned level = take_number(&text);
		m.pid = (int)take_number(&text);
		if (level <= LOG_LEVEL_DEBUG)
			m.level = (enum log_level)level;
	} else {
		m.about.pool = slice_str(*app != '\0' ? app : s->facts.kind);
		m.about.id = request_id(s);
	}
	m.level_name = log_level_name(m.level);
	m.when = stamp();
	m.text = text;
	return m;
}

/* 1: it is in the stock; 0: the sink does not take it; -1: it has no room. */
static int
offer_printed(
	const struct source *s, size_t i, const struct log_message *m, uint64_t *in)
{
	static char made[SINK_ENTRY_MAX];
	struct sink *sink = sink_find(s->facts.outputs[i].sink);
	struct sink_line line = {
		.level = m->level,
		.pid = m->pid,
		.app = s->facts.app,
	};

	if (sink == NULL || m->level > s->facts.outputs[i].level)
		return 0;
	const struct log_sink form = {
		.kind = (enum sink_kind)sink->facts.kind,
		.format = (enum sink_format)s->facts.outputs[i].format,
	};
	line.text = slice_of(made, log_format_of(&form)(made, sizeof(made), m));
	return sink_offer(sink, &line, in) == 0 ? 1 : -1;
}

static enum outcome
move_printed(struct source *s, struct slice text, uint64_t behind, struct move *m)
{
	const struct log_message message = read_printed(s, text);
	bool is_lost = false;

	move_begin(m, s->facts.id, true, behind);
	for (size_t i = 0; i < s->facts.n_outputs && i < SOURCE_OUTPUTS; i++) {
		uint32_t id = s->facts.outputs[i].sink;
		uint64_t in = 0;
		int got = offer_printed(s, i, &message, &in);
		if (got == 1)
			move_add(m, id, in);
		else if (got == -1 && sink_find(id)->facts.waits && s->facts.is_patient)
			return NO_ROOM;
		is_lost |= got == -1;
	}
	if (is_lost)
		ring_refuse(&s->ring);
	move_do(m, &s->ring, &s->printed);
	moved++;
	return MOVED;
}

static bool
move_all_printed(struct source *s, struct move *m)
{
	struct slice text;
	uint64_t behind;

	while (printed_next(&s->printed, s->is_silent, &text, &behind)) {
		if (move_printed(s, text, behind, m) == NO_ROOM)
			return false;
	}
	return true;
}

static void
close_pipe(struct source *s)
{
	close(s->pipe);
	s->pipe = -1;
	s->is_silent = true;
}

static bool
take_printed(struct source *s, struct move *m)
{
	bool has_room = move_all_printed(s, m);

	watch(s, has_room);
	if (!has_room || s->pipe == -1)
		return false;
	ssize_t n = printed_read(&s->printed, s->pipe);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != ENOBUFS))
		close_pipe(s);
	watch(s, move_all_printed(s, m));
	return n > 0;
}

/* ---- All of them ---- */

void
sources_mark(void)
{
	struct source *s;

	TAILQ_FOREACH_REVERSE(s, &all, sources, next)
	{
		s->mark = ring_end(&s->ring);
	}
}

bool
sources_take(struct move *m, bool of_arbiter)
{
	struct source *s;
	bool more = false;

	TAILQ_FOREACH (s, &all, next) {
		if (s->facts.is_arbiter && !of_arbiter)
			continue;
		/* In this order: what a child of the process has said, which has only
		 * the pipe, comes before what the process says of its end. */
		more |= take_printed(s, m);
		more |= take_lines(s, m);
	}
	return more;
}

/* Only when there is room: the line that tells of it would be lost as well. */
static void
tell_losses(struct source *s, uint64_t now)
{
	struct ring_state *state = s->ring.state;

	if (state->dropped + state->refused == state->told || now < s->tell_at)
		return;
	for (uint32_t id = 0; id < SINK_IDS; id++) {
		const struct sink *sink = is_allowed(s, id) ? sink_find(id) : NULL;
		if (sink != NULL && !sink_has_room(sink))
			return;
	}
	s->tell_at = now + TELL_MS;
	uint64_t n = ring_losses(&s->ring);
	log_warning("%" PRIu64 " lines of %s%s%s (pid %d) were dropped", n,
		s->facts.kind, s->facts.app[0] != '\0' ? " " : "", s->facts.app,
		(int)s->facts.pid);
}

static bool
has_lines(const struct source *s)
{
	return ring_end(&s->ring) != s->ring.at;
}

void
sources_tell(void (*drained)(uint32_t id), void (*silent)(uint32_t id))
{
	uint64_t now = clock_ms();
	struct source *s = TAILQ_FIRST(&all), *next;

	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, next);
		tell_losses(s, now);
		bool has_text = s->printed.begin != s->printed.end;
		if (s->is_silent && !has_text && !s->was_silent) {
			s->was_silent = true;
			silent(s->facts.id);
		}
		if (s->has_ended && s->was_silent && !has_lines(s)) {
			drained(s->facts.id);
			s->tell_at = 0;
			tell_losses(s, now);
			release(s);
		}
	}
}

bool
sources_sleep(bool sleep)
{
	struct source *s;
	bool quiet = true;

	TAILQ_FOREACH (s, &all, next) {
		bool is_stuck = s->mark != s->ring.at;
		if (!ring_sleep(&s->ring, sleep) && !is_stuck)
			quiet = false;
	}
	return quiet;
}

uint64_t
sources_progress(void)
{
	return moved;
}

bool
sources_are_empty(void)
{
	struct source *s;

	TAILQ_FOREACH (s, &all, next) {
		if (has_lines(s) || s->printed.begin != s->printed.end)
			return false;
	}
	return true;
}

void
sources_hush(void)
{
	struct source *s;

	TAILQ_FOREACH (s, &all, next) {
		s->is_silent = true;
	}
}

bool
sources_live(void)
{
	struct source *s;

	TAILQ_FOREACH (s, &all, next) {
		if ((!s->is_silent && !s->facts.is_own) || has_lines(s))
			return true;
	}
	return false;
}
