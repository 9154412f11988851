#include "gateway/arbiter/control_command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arbiter/control_status.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/common/clock.h"
#include "gateway/config/text.h"
#include "gateway/logger/log.h"
#include "gateway/status/render.h"

enum {
	ANSWER_MAX = 64 << 20,
	FOLLOWING_MAX = 64 << 10, /* that waits for one who follows requests */
};

void
control_init(struct control *c)
{
	*c = (struct control){ .fd = -1 };
	for (size_t i = 0; i < CONTROL_PEERS; i++)
		c->peers[i].fd = -1;
}

static void
hang_up(struct control_peer *peer)
{
	close(peer->fd);
	buffer_release(&peer->in);
	buffer_release(&peer->out);
	*peer = (struct control_peer){ .fd = -1 };
}

void
control_release(struct control *c)
{
	/* The arbiter after this one puts its socket into the place of ours: until then
	 * the file says that somebody will come. */
	if (upgrade_pid() != 0)
		c->file = (struct socket_file){ 0 };
	control_close(c);
	/* Who waits for the end comes to the next one then. */
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		if (c->peers[i].fd != -1)
			hang_up(&c->peers[i]);
	}
	control_status_release();
}

bool
control_owns(const struct control *c, const void *whose)
{
	const struct control_peer *peer = whose;

	return whose == c || (peer >= c->peers && peer < c->peers + CONTROL_PEERS);
}

/* ---- To the peer ---- */

/* An end of its side alone is none: it may still wait for the answer. */
static void
watch(struct arbiter *a, struct control_peer *peer)
{
	struct epoll_event event = { .data.ptr = peer };

	event.events = (peer->state == CONTROL_READING ? EPOLLIN : 0) |
		(peer->out.len > 0 ? EPOLLOUT : 0);
	if (event.events != peer->watched)
		epoll_ctl(a->family.epoll, EPOLL_CTL_MOD, peer->fd, &event);
	peer->watched = event.events;
}

/* Sends what the peer takes; false: it has gone. */
static bool
send_some(struct control_peer *peer)
{
	ssize_t n = 1;

	while (peer->out.len > 0 && n > 0) {
		n = send(peer->fd, peer->out.ptr, peer->out.len,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			continue;
		buffer_consume(&peer->out, (size_t)n);
		peer->deadline = clock_ms() + CONTROL_PATIENCE_MS;
	}
	return n > 0 || errno == EAGAIN || errno == EINTR;
}

/* Both its sides are closed: nobody waits for an answer. */
static bool
has_gone(const struct control_peer *peer)
{
	struct pollfd p = { .fd = peer->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* Sends, and ends the connection when that is to be. */
static void
attend(struct arbiter *a, struct control_peer *peer)
{
	bool is_there = !has_gone(peer) && send_some(peer) && !peer->out.failed;
	bool is_done = peer->state == CONTROL_LEAVING && peer->out.len == 0;

	if (!is_there || is_done) {
		hang_up(peer);
		return;
	}
	if (peer->out.len == 0)
		peer->deadline = 0;
	else if (peer->deadline == 0)
		peer->deadline = clock_ms() + CONTROL_PATIENCE_MS;
	watch(a, peer);
}

void
control_flush(struct arbiter *a, struct control_peer *peer)
{
	attend(a, peer);
}

static const char *const outcomes[] = {
	[CONTROL_DONE] = "ok\n",
	[CONTROL_FAILED] = "failed\n",
	[CONTROL_USAGE] = "usage\n",
};

/* The text as a member of an object, without the end of its last line. */
static void
wrap(struct buffer *out, bool is_good, struct slice text)
{
	struct arena memory = { 0 };

	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	const char *copy = arena_strz(&memory, text);
	buffer_add_str(out, is_good ? "{\"message\": " : "{\"error\": ");
	json_string(out, copy != NULL ? copy : strerror(ENOMEM));
	buffer_add_str(out, "}\n");
	arena_release(&memory);
}

/* What went wrong may be told in the words of an application: they give the terminal no
 * orders. */
static void
add_escaped(struct buffer *out, struct slice text)
{
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
		size_t most = LOG_ESCAPE_MAX * len;
		char *room = buffer_reserve(out, most + 1);
		if (room == NULL)
			return;
		out->len += log_escape(room, most, slice_of(text.ptr, len));
		buffer_add_str(out, end != NULL ? "\n" : "");
		slice_advance(&text, end != NULL ? len + 1 : len);
	}
}

static void
answer(struct arbiter *a, struct control_peer *peer, enum control_outcome outcome,
	struct slice text)
{
	bool is_good = outcome == CONTROL_DONE;
	bool is_object = is_good && peer->command->is_object;

	peer->out.limit = ANSWER_MAX;
	buffer_add_str(&peer->out, outcomes[outcome]);
	if (peer->json && !is_object)
		wrap(&peer->out, is_good, text);
	else if (is_good)
		buffer_add_slice(&peer->out, text);
	else
		add_escaped(&peer->out, text);
	if (peer->state != CONTROL_FOLLOWING || !is_good)
		peer->state = is_good && peer->command->stays ? CONTROL_STAYING
							      : CONTROL_LEAVING;
	else
		peer->out.limit = FOLLOWING_MAX;
	attend(a, peer);
}

/* ---- The command ---- */

static void
log_change(const struct control_peer *peer, struct slice line)
{
	line = slice_trim(line);
	enum log_level level =
		peer->command->changes ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;

	log_line(level, "control: %" SLICE_FMT ", asked by user %u (pid %d)",
		SLICE_ARG(line), (unsigned)peer->uid, (int)peer->pid);
}

/* Runs it, or asks it again. */
static void
run(struct control_call *call, control_fn *fn)
{
	struct buffer text = { .limit = ANSWER_MAX };

	call->text = &text;
	enum control_outcome outcome = fn(call);
	if (outcome == CONTROL_LATER)
		call->peer->state = CONTROL_WAITING;
	else
		answer(call->a, call->peer, outcome, buffer_slice(&text));
	buffer_release(&text);
}

static void
refuse(struct arbiter *a, struct control_peer *peer, enum control_outcome outcome,
	const char *reason)
{
	char text[512];

	snprintf(text, sizeof(text), "%s\n", reason);
	answer(a, peer, outcome, slice_str(text));
}

/* Takes --json out of the words. */
static size_t
take_json(struct control_peer *peer, char **words, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0)
			peer->json = true;
		else
			words[kept++] = words[i];
	}
	words[kept] = NULL;
	return kept;
}

static void
run_words(struct arbiter *a, struct control_peer *peer, char **words, size_t n,
	struct slice line)
{
	struct control_call call = { .a = a, .peer = peer, .words = words + 1 };
	char reason[256];

	n = take_json(peer, words, n);
	peer->command = n > 0 ? control_command_find(words[0]) : NULL;
	if (peer->command == NULL) {
		refuse(a, peer, CONTROL_USAGE, "there is no such command; see help");
		return;
	}
	call.n = n - 1;
	if (call.n < peer->command->least || call.n > peer->command->most) {
		snprintf(reason, sizeof(reason), "usage: %s %s", peer->command->name,
			peer->command->arguments);
		refuse(a, peer, CONTROL_USAGE, reason);
		return;
	}
	log_change(peer, line);
	run(&call, peer->command->run);
}

static void
run_line(struct arbiter *a, struct control_peer *peer, struct slice line)
{
	struct arena memory = { 0 };
	char **words, *text = arena_strz(&memory, line);
	size_t n;

	peer->deadline = 0;
	peer->state = CONTROL_WAITING;
	const char *reason =
		text != NULL ? text_split(text, &words, &n, &memory) : strerror(ENOMEM);
	if (reason != NULL)
		refuse(a, peer, CONTROL_USAGE, reason);
	else
		run_words(a, peer, words, n, line);
	if (peer->fd != -1)
		watch(a, peer);
	arena_release(&memory);
}

/* ---- From the peer ---- */

static void
hear_line(struct arbiter *a, struct control_peer *peer, bool has_ended)
{
	struct slice all = buffer_slice(&peer->in);
	const char *end = all.len > 0 ? memchr(all.ptr, '\n', all.len) : NULL;
	struct slice line = all;

	if (end != NULL)
		line.len = (size_t)(end - all.ptr);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (end != NULL || (has_ended && line.len > 0))
		run_line(a, peer, line);
	else if (all.len == CONTROL_LINE)
		refuse(a, peer, CONTROL_USAGE, "the command is too long");
	else if (has_ended)
		hang_up(peer);
}

static void
hear_peer(struct arbiter *a, struct control_peer *peer)
{
	char *room = buffer_reserve(&peer->in, CONTROL_LINE - peer->in.len);

	if (room == NULL) {
		hang_up(peer);
		return;
	}
	ssize_t n = recv(peer->fd, room, CONTROL_LINE - peer->in.len, MSG_DONTWAIT);
	if (n > 0)
		peer->in.len += (size_t)n;
	if (n > 0 || n == 0)
		hear_line(a, peer, n == 0);
	else if (errno != EAGAIN && errno != EINTR)
		hang_up(peer);
}

/* An event may be older than the peer that has the place now: then there is nothing to
 * be read or sent yet, and nothing happens. */
void
control_hear(struct arbiter *a, void *whose)
{
	struct control_peer *peer = whose;

	if (whose == &a->control)
		control_accept(a);
	else if (peer->fd != -1 && peer->state == CONTROL_READING)
		hear_peer(a, peer);
	else if (peer->fd != -1)
		attend(a, peer);
}

/* ---- Once a round ---- */

static void
ask_again(struct arbiter *a, struct control_peer *peer)
{
	struct control_call call = { .a = a, .peer = peer };

	run(&call, peer->command->later);
}

static void
cut(struct arbiter *a, struct control_peer *peer)
{
	if (peer->state == CONTROL_READING)
		refuse(a, peer, CONTROL_USAGE, "no command has come");
	else
		hang_up(peer);
}

void
control_step(struct arbiter *a, uint64_t now)
{
	struct control *c = &a->control;

	if (c->generation != a->reload.current->number) {
		const char *reason = control_open(a);
		if (reason != NULL)
			log_error("%s", reason);
	}
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		struct control_peer *peer = &c->peers[i];
		if (peer->fd == -1)
			continue;
		if (peer->deadline != 0 && now >= peer->deadline)
			cut(a, peer);
		else if (peer->state == CONTROL_WAITING)
			ask_again(a, peer);
	}
	control_trace_mark(a);
}

uint64_t
control_deadline(const struct control *c)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		const struct control_peer *peer = &c->peers[i];
		if (peer->fd != -1 && peer->deadline != 0 && peer->deadline < next)
			next = peer->deadline;
	}
	return next;
}
