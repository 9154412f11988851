#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	SILENCE =
		30, /* seconds after which it is asked; after twice that it has gone */
	LEAVING = 5, /* seconds for its part of the closing handshake */
};

static time_t
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec;
}

struct peer *
peer_new(struct al_request *req, int fd, const char *name)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return NULL;
	peer->req = req;
	peer->fd = fd;
	peer->heard = now();
	frame_reader_init(&peer->in, MESSAGE_MAX);
	snprintf(peer->name, sizeof(peer->name), "%s", name);
	return peer;
}

void
peer_free(struct peer *peer)
{
	frame_reader_release(&peer->in);
	free(peer->out);
	free(peer);
}

/* ---- To say ---- */

static bool
make_room(struct peer *peer, size_t n)
{
	size_t waiting = peer->queued - peer->sent, size = peer->size;

	if (n > QUEUE_MAX - waiting)
		return false;
	if (peer->sent > 0)
		memmove(peer->out, peer->out + peer->sent, waiting);
	peer->sent = 0;
	peer->queued = waiting;
	while (size - waiting < n)
		size = size == 0 ? 512 : size * 2;
	if (size == peer->size)
		return true;
	uint8_t *out = realloc(peer->out, size);
	if (out == NULL)
		return false;
	peer->out = out;
	peer->size = size;
	return true;
}

static void
append(struct peer *peer, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(peer->out + peer->queued, bytes, n);
	peer->queued += n;
}

bool
peer_queue(struct peer *peer, const void *bytes, size_t n)
{
	if (!make_room(peer, n))
		return false;
	append(peer, bytes, n);
	return true;
}

void
peer_say(struct peer *peer, enum opcode opcode, const void *data, size_t n)
{
	uint8_t head[FRAME_HEAD_MAX];
	size_t head_len = frame_head(head, opcode, n);

	if (peer->state != PEER_OPEN)
		return;
	if (!make_room(peer, head_len + n)) {
		peer->state = PEER_LEAVING; /* at once: its time has passed */
		return;
	}
	append(peer, head, head_len);
	append(peer, data, n);
}

bool
peer_flush(struct peer *peer)
{
	while (peer->sent < peer->queued) {
		ssize_t n = send(peer->fd, peer->out + peer->sent,
			peer->queued - peer->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		peer->sent += (size_t)n;
	}
	peer->sent = peer->queued = 0;
	if (peer->state == PEER_LEAVING)
		shutdown(peer->fd, SHUT_WR);
	return true;
}

/* ---- To close (RFC 6455 section 7) ---- */

static void
say_close(struct peer *peer, enum close_code code, const char *why)
{
	uint8_t data[CONTROL_MAX] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t n = strnlen(why, sizeof(data) - 2);

	memcpy(data + 2, why, n);
	peer_say(peer, OP_CLOSE, data, code == CLOSE_NO_CODE ? 0 : n + 2);
	peer->deadline = now() + LEAVING;
}

void
peer_close(struct peer *peer, enum close_code code, const char *why)
{
	if (peer->state != PEER_OPEN)
		return;
	say_close(peer, code, why);
	if (peer->state == PEER_OPEN)
		peer->state = PEER_CLOSING;
}

/* It has said that it closes, or nothing it says is understood any more. We shut our
 * end first, and read on until it has shut its own: a close now, with bytes unread,
 * would reset the connection, and might take our last frame with it. */
static void
leave(struct peer *peer, enum close_code code)
{
	if (peer->state == PEER_OPEN)
		say_close(peer, code, "");
	if (peer->state != PEER_ENDED)
		peer->state = PEER_LEAVING;
}

/* ---- To hear ---- */

static void
obey(struct peer *peer, const struct message *m, peer_message_fn *fn)
{
	switch (m->opcode) {
	case OP_TEXT:
	case OP_BINARY:
		if (peer->state == PEER_OPEN)
			fn(peer, m);
		break;
	case OP_PING:
		peer_say(peer, OP_PONG, m->data, m->n);
		break;
	case OP_CLOSE:
		leave(peer, frame_close_code(m));
		break;
	case OP_PONG:
	case OP_CONTINUATION:
		break;
	}
}

static bool
is_heard(const struct peer *peer)
{
	return peer->state == PEER_OPEN || peer->state == PEER_CLOSING;
}

/* What it says may be told to all, itself included, and that may end it. */
void
peer_hear(struct peer *peer, const uint8_t *bytes, size_t n, peer_message_fn *fn)
{
	struct message m;
	int got = 1;

	peer->heard = now();
	peer->is_asked = false;
	while (got == 1 && is_heard(peer)) {
		got = frame_read(&peer->in, &bytes, &n, &m);
		if (got == 1)
			obey(peer, &m, fn);
	}
	if (got < 0)
		leave(peer, (enum close_code) - got);
}

bool
peer_is_alive(struct peer *peer)
{
	time_t silence = now() - peer->heard;

	if (peer->state != PEER_OPEN)
		return now() < peer->deadline;
	if (silence >= SILENCE && !peer->is_asked) {
		peer->is_asked = true;
		peer_say(peer, OP_PING, NULL, 0);
	}
	return silence < 2 * SILENCE;
}
