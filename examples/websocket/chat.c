/*
 * A chat: what one client says all of them hear, whichever worker they are in.
 *
 *	make test-files
 *	alicorn -w 2 --chdir examples/websocket $PWD/build/examples/websocket/chat.so
 *
 * and http://127.0.0.1:8000/ in two windows of a browser. The page, chat.html, is
 *served from the current folder; the WebSocket is /chat?NAME.
 *
 * Clients are spread over the workers of the pool, and the workers share no memory.
 *What a client says is told to those of its own worker, and sent to the other workers
 *as a message of the server's, by al_send().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "handshake.h"
#include "hub.h"

const uint32_t al_flags = AL_THREAD_SAFE;

enum { TEXT_MAX = 4096, SAID = 1 /* the type of our messages to other workers */ };

/* ---- What is said ---- */

/* At most once a second: more is said than the server passes on. */
static void
complain(int error)
{
	static time_t said;
	time_t now = time(NULL);

	if (now != said)
		al_log(NULL, AL_WARNING, "other workers were not told: %s",
			strerror(error));
	said = now;
}

/* Called in the hub's thread, with its lock; al_send() may be called in any. */
static void
say(struct peer *peer, const struct message *m)
{
	char line[PEER_NAME + 2 + TEXT_MAX];

	if (m->opcode != OP_TEXT) {
		peer_close(peer, CLOSE_POLICY, "lines of text");
		return;
	}
	if (m->n > TEXT_MAX) {
		peer_close(peer, CLOSE_TOO_BIG, "");
		return;
	}
	int n = snprintf(line, sizeof(line), "%s: ", peer->name);
	if (m->n > 0)
		memcpy(line + n, m->data, m->n);
	size_t len = (size_t)n + m->n;
	hub_tell_locked(OP_TEXT, line, len);
	if (al_send(AL_TO_POOL, SAID, line, len, -1) != 0)
		complain(errno);
}

/* Called in the main thread, between requests. */
static void
hear(void *arg, pid_t from, uint32_t type, const void *data, size_t n, int fd)
{
	(void)arg, (void)from;
	if (fd >= 0)
		close(fd);
	if (type == SAID)
		hub_tell(OP_TEXT, data, n);
}

/* ---- What the gateway calls ---- */

const char *
al_worker_init(void **app)
{
	(void)app;
	al_on_message(hear, NULL);
	return hub_start(say);
}

void
al_worker_exit(void *app)
{
	(void)app;
	hub_stop();
}

static int
send_page(struct al_request *req)
{
	static const struct al_header type = { .name = "Content-Type",
		.value = "text/html; charset=utf-8" };
	int fd = open("chat.html", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		al_log(req, AL_LOG_ERROR, "chat.html: %s", strerror(errno));
		return AL_ERROR;
	}
	int failed = al_start(req, "200 OK", &type, 1) != 0 ||
		al_sendfile(req, fd, 0, -1) != 0;
	close(fd);
	return failed ? AL_ERROR : AL_DONE;
}

/* The query is the name, if it is a plain one. */
static const char *
name_of(struct al_request *req)
{
	const char *name = al_env(req, "QUERY_STRING");
	size_t n = strspn(name,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	return n > 0 && n < PEER_NAME && name[n] == '\0' ? name : "somebody";
}

int
al_handle(void *app, struct al_request *req)
{
	const char *path = al_env(req, "PATH_INFO");

	(void)app;
	if (strcmp(path, "/chat") == 0)
		return hub_adopt(req, name_of(req));
	if (strcmp(path, "/") == 0)
		return send_page(req);
	return al_start(req, "404 Not Found", NULL, 0) == 0 ? AL_DONE : AL_ERROR;
}
