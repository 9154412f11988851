/*
 * One client with its WebSocket: what it says, what it is still to be told, and how the
 * connection ends. The hub, which has all of them, calls these with its lock.
 */
#ifndef WEBSOCKET_PEER_H
#define WEBSOCKET_PEER_H

#include <alicorn.h>
#include <sys/queue.h>
#include <time.h>

#include "frame.h"

enum {
	PEER_NAME = 32,
	MESSAGE_MAX = 1 << 20, /* of a client */
	QUEUE_MAX =
		4 << 20, /* bytes that wait for a client; who lets more wait is cut */
};

enum peer_state {
	PEER_OPEN,
	PEER_CLOSING, /* it was told that we close, and has not yet agreed */
	PEER_LEAVING, /* all is said; its end of the connection is waited for */
	PEER_ENDED, /* given back to the gateway: the descriptor is not ours any more */
};

struct peer {
	LIST_ENTRY(peer) link;
	struct al_request *req;
	int fd;
	uint32_t events; /* that epoll is asked for */
	enum peer_state state;
	time_t heard; /* when it last said something */
	time_t deadline; /* until when it may take to leave */
	bool is_asked; /* by a ping, whether it is still there */
	struct frame_reader in;
	uint8_t *out; /* from `sent` to `queued` it waits for the client */
	size_t sent, queued, size;
	char name[PEER_NAME];
};

/* Of the application: a text or binary message has come. */
typedef void peer_message_fn(struct peer *peer, const struct message *m);

struct peer *peer_new(struct al_request *req, int fd, const char *name);
void peer_free(struct peer *peer);

/* What came from the client, n > 0. */
void peer_hear(struct peer *peer, const uint8_t *bytes, size_t n, peer_message_fn *fn);

/* Bytes that are no frame: the head that agrees to the handshake. False: the queue is
 * full, or memory is out. */
bool peer_queue(struct peer *peer, const void *bytes, size_t n);

/* A message; who is not open, or has let too much wait, is not told. */
void peer_say(struct peer *peer, enum opcode opcode, const void *data, size_t n);

/* Begins to close, with a text for people. */
void peer_close(struct peer *peer, enum close_code code, const char *why);

/* Sends what waits. False: the client has gone. */
bool peer_flush(struct peer *peer);

/* Once a second or so. False: it has been silent, or leaving, for too long. */
bool peer_is_alive(struct peer *peer);

#endif
