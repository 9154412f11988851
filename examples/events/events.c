/*
 * Server-sent events: what is posted is told to all who listen, in all workers.
 *
 *	make test-files
 *	alicorn -w 2 build/examples/events/events.so
 *	curl -N http://127.0.0.1:8000/ &
 *	curl -d 'hello' http://127.0.0.1:8000/
 *
 * In a page: new EventSource("/").onmessage = e => console.log(e.data). The browser
 *comes back by itself when the stream ends.
 *
 * As a WebSocket, such a response stays for hours, so the connection leaves. But its
 * client has nothing to say, and needs no thread: whoever has an event writes it, and
 * status(), which the gateway asks about once a second, finds out who has gone. All of
 * it happens in the main thread, as al_flags does not allow for others; so there is no
 * lock.
 */
#include <alicorn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BODY_MAX = 1024,
	EVENT_MAX = 8 * BODY_MAX, /* "data: " and LF for each byte, if all are LF */
	LISTENERS_MAX = 10000,
	QUIET = 15, /* seconds after which a comment shows that the stream is alive */
	POSTED = 1, /* the type of our messages to other workers */
};

struct listener {
	LIST_ENTRY(listener) link;
	int fd;
	int quiet; /* looks since it was told something */
	bool has_gone;
};

static LIST_HEAD(, listener) all = LIST_HEAD_INITIALIZER(all);
static unsigned n_listeners;

/* ---- Who listens ---- */

/* Never waits. Who does not take an event at once has let many of them pile up; he is
 * given up, and may come back. */
static void
tell(struct listener *l, const char *text, size_t n)
{
	l->quiet = 0;
	if (!l->has_gone && send(l->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		l->has_gone = true;
}

/* The end of its stream, or an error; it has no more to say, and is not read. */
static bool
has_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* 0: the gateway ends the connection, and calls ended(). So we never call al_finish().
 */
static int
status(void *arg)
{
	struct listener *l = arg;

	l->has_gone |= has_closed(l->fd);
	if (++l->quiet >= QUIET)
		tell(l, ":\n\n", 3);
	return !l->has_gone;
}

/* The page may tell this from an error. */
static void
terminate(void *arg, enum al_reason reason)
{
	static const char *const last[] = {
		[AL_REASON_STOP] = "event: bye\ndata: stop\n\n",
		[AL_REASON_RELOAD] = "event: bye\ndata: reload\n\n",
		[AL_REASON_RECYCLE] = "event: bye\ndata: recycle\n\n",
		[AL_REASON_TIMEOUT] = "event: bye\ndata: timeout\n\n",
	};
	struct listener *l = arg;

	tell(l, last[reason], strlen(last[reason]));
	l->has_gone = true;
}

static void
ended(void *arg)
{
	struct listener *l = arg;

	LIST_REMOVE(l, link);
	n_listeners--;
	free(l);
}

/* The head is ours to write. Without a length the stream lasts as long as the
 * connection, whatever the version of HTTP. */
static int
begin(struct al_request *req)
{
	static const struct al_proc proc = {
		.status = status, .terminate = terminate, .ended = ended
	};
	static const char head[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n\r\nretry: 1000\n\n";
	const void *unread;
	size_t n;
	int fd = al_socket(req, &unread, &n);
	struct listener *l = fd >= 0 ? malloc(sizeof(*l)) : NULL;

	if (l == NULL)
		return AL_ERROR;
	*l = (struct listener){ .fd = fd };
	LIST_INSERT_HEAD(&all, l, link);
	n_listeners++;
	tell(l, head, sizeof(head) - 1);
	al_detach(req, &proc, l);
	return AL_ALREADY_HANDLED;
}

/* ---- What is posted ---- */

static void
tell_all(const char *text, size_t n)
{
	struct listener *l;

	LIST_FOREACH (l, &all, link)
		tell(l, text, n);
}

static void
hear(void *arg, pid_t from, uint32_t type, const void *data, size_t n, int fd)
{
	(void)arg, (void)from;
	if (fd >= 0)
		close(fd);
	if (type == POSTED)
		tell_all(data, n);
}

/* Each line of the body is a line of the event. 0: it is too long. */
static size_t
make_event(struct al_request *req, char event[EVENT_MAX])
{
	char line[BODY_MAX + 1];
	size_t len = 0;
	ssize_t n;

	if (al_body_length(req) >= BODY_MAX)
		return 0;
	while ((n = al_readline(req, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		int added = snprintf(event + len, EVENT_MAX - len, "data: %.*s\n",
			(int)strcspn(line, "\r\n"), line);
		len += (size_t)added;
	}
	event[len++] = '\n';
	return n == 0 ? len : 0;
}

/* al_start() returns 0 or -1, which are AL_DONE and AL_ERROR. */
static int
publish(struct al_request *req)
{
	char event[EVENT_MAX];
	size_t n = make_event(req, event);

	if (n == 0)
		return al_start(req, "413 Content Too Large", NULL, 0);
	tell_all(event, n);
	if (al_send(AL_TO_POOL, POSTED, event, n, -1) != 0)
		return al_start(req, "503 Service Unavailable", NULL, 0);
	return al_start(req, "204 No Content", NULL, 0);
}

/* ---- What the gateway calls ---- */

const char *
al_worker_init(void **app)
{
	(void)app;
	al_on_message(hear, NULL);
	return NULL;
}

int
al_handle(void *app, struct al_request *req)
{
	const char *method = al_env(req, "REQUEST_METHOD");

	(void)app;
	if (strcmp(method, "POST") == 0)
		return publish(req);
	if (strcmp(method, "GET") == 0 && n_listeners < LISTENERS_MAX)
		return begin(req);
	return al_start(req, "503 Service Unavailable", NULL, 0);
}
