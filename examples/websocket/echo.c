/*
 * Says back what it is told, over WebSockets (RFC 6455).
 *
 *	make test-files
 *	alicorn build/examples/websocket/echo.so
 *
 * or, without the Makefile,
 *
 *	cc -shared -fPIC -o echo.so echo.c hub.c peer.c frame.c utf8.c handshake.c
 *sha1.c \
 *		$(pkg-config --cflags alicorn)
 *
 * A WebSocket stays for hours. A worker calls al_handle() for one request at a time, so
 * the connection must leave: al_handle() takes the descriptor by al_socket(), says whom
 * to ask about it by al_detach(), and returns AL_ALREADY_HANDLED. From then on a thread
 * of our own, see hub.c, speaks to all such clients, and the worker is free. The
 *gateway goes on counting the connection: a graceful stop waits for it and tells us
 *about it.
 */
#include "hub.h"

/* Connections may begin in several threads, with the setting threads: the hub has a
 * lock. */
const uint32_t al_flags = AL_THREAD_SAFE;

static void
echo(struct peer *peer, const struct message *m)
{
	peer_say(peer, m->opcode, m->data, m->n);
}

const char *
al_worker_init(void **app)
{
	(void)app;
	return hub_start(echo);
}

void
al_worker_exit(void *app)
{
	(void)app;
	hub_stop();
}

int
al_handle(void *app, struct al_request *req)
{
	(void)app;
	return hub_adopt(req, "");
}
