#include "gateway/arbiter/control_trace.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/arbiter/inside.h"
#include "gateway/common/trace.h"
#include "gateway/status/render.h"

enum { LINE_MAX_BYTES = 8192 };

/* ---- What is wanted ---- */

static const char *
set_text(char *to, size_t room, const char *text)
{
	if (strlen(text) >= room)
		return "a name or a pattern is too long";
	memcpy(to, text, strlen(text) + 1);
	return NULL;
}

static const char *
set_app(struct trace_filter *f, const char *text)
{
	return set_text(f->app, sizeof(f->app), text);
}

static const char *
set_path(struct trace_filter *f, const char *text)
{
	return set_text(f->path, sizeof(f->path), text);
}

/* "404", or "5xx". */
static const char *
set_status(struct trace_filter *f, const char *text)
{
	unsigned first = (unsigned char)text[0] - '0';

	if (first >= 1 && first <= 5 && strcmp(text + 1, "xx") == 0) {
		f->status_least = first * 100;
		f->status_most = first * 100 + 99;
		return NULL;
	}
	char *end;
	unsigned long status = strtoul(text, &end, 10);
	if (first > 9 || *end != '\0' || status < 100 || status > 599)
		return "--status is a number such as 404, or 1xx to 5xx";
	f->status_least = f->status_most = (unsigned)status;
	return NULL;
}

static const char *
set_slower(struct trace_filter *f, const char *text)
{
	char *end;

	errno = 0;
	double ms = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !(ms >= 0 && ms < 1e9))
		return "--slower-than is a number of milliseconds";
	f->slower_us = (uint64_t)(ms * 1000);
	return NULL;
}

static const char *
set_colours(struct trace_filter *f, const char *text)
{
	(void)text;
	f->colours = true;
	return NULL;
}

static const struct {
	const char *name;
	bool has_value;
	const char *(*set)(struct trace_filter *f, const char *text);
} options[] = {
	{ "--app", true, set_app },
	{ "--colours", false, set_colours },
	{ "--path", true, set_path },
	{ "--slower-than", true, set_slower },
	{ "--status", true, set_status },
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

const char *
trace_filter_parse(struct trace_filter *f, char *const *words, size_t n)
{
	const char *reason = NULL;

	*f = (struct trace_filter){ 0 };
	for (size_t i = 0; i < n && reason == NULL; i++) {
		size_t k = 0;
		while (k < OPTIONS && strcmp(options[k].name, words[i]) != 0)
			k++;
		if (k == OPTIONS)
			return "the options are --app, --path, --slower-than, --status";
		if (options[k].has_value && ++i == n)
			return "the last option has no value";
		reason = options[k].set(f, words[i]);
	}
	return reason;
}

/* ---- Who is followed ---- */

static bool
is_followed(const struct control *c, const char *app)
{
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		const struct control_peer *peer = &c->peers[i];
		if (peer->fd == -1 || peer->state != CONTROL_FOLLOWING)
			continue;
		if (peer->filter.app[0] == '\0' || strcmp(peer->filter.app, app) == 0)
			return true;
	}
	return false;
}

static bool
has_followers(const struct control *c)
{
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		if (c->peers[i].fd != -1 && c->peers[i].state == CONTROL_FOLLOWING)
			return true;
	}
	return false;
}

void
control_trace_mark(struct arbiter *a)
{
	struct control *c = &a->control;
	struct child *child;
	bool is_wanted = has_followers(c);

	if (!is_wanted && !c->is_tracing)
		return;
	c->is_tracing = is_wanted;
	TAILQ_FOREACH (child, &a->family.children, next) {
		if (child->slot != NULL)
			atomic_store_explicit(&child->slot->traced,
				is_followed(c, child->pool->app->name),
				memory_order_relaxed);
	}
}

/* ---- Records ---- */

/* A record with its texts, which point into the message. */
struct traced {
	struct trace_record record;
	struct slice texts[TRACE_TEXTS];
	struct slice path; /* the target without its query */
	const struct child *child;
};

/* False: it is none; what a worker sends is not believed. */
static bool
read_record(struct traced *t, struct slice payload)
{
	if (payload.len < sizeof(t->record))
		return false;
	memcpy(&t->record, payload.ptr, sizeof(t->record));
	slice_advance(&payload, sizeof(t->record));
	for (size_t i = 0; i < TRACE_TEXTS; i++) {
		size_t len = t->record.lengths[i];
		if (len > payload.len || len > TRACE_TEXT_MAX)
			return false;
		t->texts[i] = slice_of(payload.ptr, len);
		slice_advance(&payload, len);
	}
	t->path = t->texts[TRACE_TARGET];
	const char *query =
		t->path.len > 0 ? memchr(t->path.ptr, '?', t->path.len) : NULL;
	if (query != NULL)
		t->path.len = (size_t)(query - t->path.ptr);
	return true;
}

static bool
matches(const char *pattern, struct slice path)
{
	char text[TRACE_TEXT_MAX + 1];

	if (path.len > 0)
		memcpy(text, path.ptr, path.len);
	text[path.len] = '\0';
	return fnmatch(pattern, text, 0) == 0;
}

static bool
is_wanted(const struct trace_filter *f, const struct traced *t)
{
	const struct trace_record *r = &t->record;

	return (f->app[0] == '\0' || strcmp(f->app, t->child->pool->app->name) == 0) &&
		(f->status_most == 0 ||
			(r->status >= f->status_least &&
				r->status <= f->status_most)) &&
		r->us >= f->slower_us &&
		(f->path[0] == '\0' || matches(f->path, t->path));
}

/* ---- Lines ---- */

static void
add_escaped(struct buffer *out, struct slice text)
{
	if (text.len == 0)
		buffer_add_char(out, '-');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c > 0x20 && c < 0x7f && c != '\\')
			buffer_add_char(out, (char)c);
		else
			buffer_addf(out, "\\x%02x", c);
	}
}

/* Three digits; by its first one it has a colour. */
static void
add_status(struct buffer *out, uint32_t status, bool colours)
{
	static const char *const colour_of[] = { "36", "32", "36", "33", "31" };

	if (colours && status >= 100 && status < 600)
		buffer_addf(out, "\033[%sm%" PRIu32 "\033[0m",
			colour_of[status / 100 - 1], status);
	else
		buffer_addf(out, "%3" PRIu32, status);
}

static void
add_text_line(struct buffer *out, const struct traced *t, bool colours)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	buffer_addf(out, "%02d:%02d:%02d.%03ld %s[%d] ", parts.tm_hour, parts.tm_min,
		parts.tm_sec, now.tv_nsec / 1000000, t->child->pool->app->name,
		(int)t->child->pid);
	add_status(out, t->record.status, colours);
	buffer_addf(out, " %8.3f ms %8" PRIu64 " B ", (double)t->record.us / 1e3,
		t->record.bytes);
	add_escaped(out, t->texts[TRACE_CLIENT]);
	buffer_add_char(out, ' ');
	add_escaped(out, t->texts[TRACE_METHOD]);
	buffer_add_char(out, ' ');
	add_escaped(out, t->texts[TRACE_TARGET]);
	if (t->texts[TRACE_ID].len > 0) {
		buffer_add_char(out, ' ');
		add_escaped(out, t->texts[TRACE_ID]);
	}
	buffer_add_char(out, '\n');
}

static void
add_member(struct buffer *out, const char *name, struct slice value)
{
	char text[TRACE_TEXT_MAX + 1];

	if (value.len > 0)
		memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	buffer_addf(out, ", \"%s\": ", name);
	json_string(out, text);
}

static void
add_json_line(struct buffer *out, const struct traced *t)
{
	static const char *const names[] = { [TRACE_CLIENT] = "client",
		[TRACE_METHOD] = "method",
		[TRACE_TARGET] = "target",
		[TRACE_ID] = "id" };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buffer_addf(out,
		"{\"time\": %" PRId64 ".%03ld, \"application\": ", (int64_t)now.tv_sec,
		now.tv_nsec / 1000000);
	json_string(out, t->child->pool->app->name);
	buffer_addf(out,
		", \"pid\": %d, \"status\": %" PRIu32 ", \"duration_ms\": %.3f, "
		"\"bytes\": %" PRIu64,
		(int)t->child->pid, t->record.status, (double)t->record.us / 1e3,
		t->record.bytes);
	for (size_t i = 0; i < TRACE_TEXTS; i++)
		add_member(out, names[i], t->texts[i]);
	buffer_add_str(out, "}\n");
}

static void
tell_dropped(struct control_peer *peer)
{
	buffer_addf(&peer->out,
		peer->json ? "{\"dropped\": %" PRIu64 "}\n"
			   : "(%" PRIu64 " requests are not shown)\n",
		peer->filter.dropped);
	peer->filter.dropped = 0;
}

static void
tell(struct arbiter *a, struct control_peer *peer, const struct traced *t)
{
	peer->filter.dropped += t->record.dropped;
	if (!is_wanted(&peer->filter, t))
		return;
	if (peer->out.len + LINE_MAX_BYTES > peer->out.limit) {
		peer->filter.dropped++;
		return;
	}
	if (peer->filter.dropped > 0)
		tell_dropped(peer);
	if (peer->json)
		add_json_line(&peer->out, t);
	else
		add_text_line(&peer->out, t, peer->filter.colours);
	control_flush(a, peer);
}

void
control_trace(struct arbiter *a, const struct child *child, struct slice payload)
{
	struct traced t = { .child = child };

	if (!read_record(&t, payload))
		return;
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		struct control_peer *peer = &a->control.peers[i];
		if (peer->fd != -1 && peer->state == CONTROL_FOLLOWING)
			tell(a, peer, &t);
	}
}
