/*
 * Server-sent events: how things are, once a second, for each client that listens. One
 * timer serves all, and there is none when nobody listens.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "gateway/status/render.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/self.h"
#include "gateway/worker/status_parts.h"

enum {
	EVERY_MS = 1000,
	KEPT = 10, /* looks: what is recent is what happened since the first of them */
	SLOW_BYTES = 1 << 20, /* that a client has not taken: it misses events */
};

struct stream {
	struct al_request *req;
	LIST_ENTRY(stream) next;
};

static LIST_HEAD(, stream) streams = LIST_HEAD_INITIALIZER(streams);
static struct al_timer *timer;
static struct status kept[KEPT]; /* a ring */
static size_t n_kept, oldest;

static void
forget_looks(void)
{
	for (size_t i = 0; i < KEPT; i++)
		status_release(&kept[i]);
	n_kept = oldest = 0;
}

static void
end_stream(struct stream *s)
{
	LIST_REMOVE(s, next);
	free(s);
}

static void
on_aborted(struct al_request *req, void *arg)
{
	(void)req;
	end_stream(arg);
}

static const struct al_pending calls = { .aborted = on_aborted };

/* The oldest look goes when there are enough. */
static void
keep(const struct status *s)
{
	if (n_kept == KEPT) {
		status_release(&kept[oldest]);
		kept[oldest] = *s;
		oldest = (oldest + 1) % KEPT;
		return;
	}
	kept[n_kept++] = *s;
}

/* An event; a line, as JSON has no line ends. */
static int
make_event(struct buffer *out)
{
	struct status s;

	if (status_look(&s) != 0)
		return -1;
	buffer_add_str(out, "data: ");
	status_json(out, &s, n_kept > 0 ? &kept[oldest] : NULL);
	buffer_add_str(out, "\n\n");
	keep(&s);
	return out->failed ? -1 : 0;
}

static void
send_event(struct stream *s, struct slice event)
{
	if (al_queued(s->req) < SLOW_BYTES &&
		al_write(s->req, event.ptr, event.len) == 0)
		al_flush(s->req);
}

/* A worker that is to stop does not wait for those who would listen for ever. */
static void
dismiss_all(void)
{
	struct stream *s;

	while ((s = LIST_FIRST(&streams)) != NULL) {
		struct al_request *req = s->req;
		end_stream(s);
		al_finish(req, AL_DONE, 0);
	}
}

static void
on_timer(void *arg)
{
	struct buffer event = { 0 };
	struct stream *s;

	(void)arg;
	if (self.leaving)
		dismiss_all();
	if (LIST_EMPTY(&streams)) {
		al_timer_free(timer);
		timer = NULL;
		forget_looks();
		return;
	}
	al_timer_reset(timer, EVERY_MS);
	if (make_event(&event) == 0)
		LIST_FOREACH (s, &streams, next)
			send_event(s, buffer_slice(&event));
	buffer_release(&event);
	status_ask(true); /* for the next one */
}

/* The first event is what is known; the arbiter looks for the second one. */
static int
begin(struct stream *s)
{
	static const struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/event-stream" },
		{ .name = "Cache-Control", .value = "no-store" },
		{ .name = "X-Content-Type-Options", .value = "nosniff" },
		{ .name = "X-Accel-Buffering", .value = "no" },
	};
	static const char retry[] = "retry: 2000\n\n";

	if (timer == NULL && (timer = al_timer_new(1, on_timer, NULL)) == NULL)
		return -1;
	if (al_start(s->req, "200 OK", headers, sizeof(headers) / sizeof(headers[0])) !=
			0 ||
		al_write(s->req, retry, strlen(retry)) != 0)
		return -1;
	return al_flush(s->req);
}

int
status_stream(struct al_request *req)
{
	struct stream *s = malloc(sizeof(*s));

	if (s == NULL)
		return AL_ERROR;
	*s = (struct stream){ .req = req };
	if (strcmp(al_env(req, "REQUEST_METHOD"), "HEAD") == 0 || begin(s) != 0) {
		free(s);
		return al_start(req, "200 OK", NULL, 0) == 0 ? AL_DONE : AL_ERROR;
	}
	meter_answered(req); /* how long it goes on says nothing of the server */
	LIST_INSERT_HEAD(&streams, s, next);
	al_pending(req, &calls, s);
	return AL_PENDING;
}
