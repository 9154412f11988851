/*
 * The control socket: by it alicornctl(1), or whoever else speaks its protocol, asks
 * the arbiter and tells it what to do. A connection is one command: a line of words, as
 * a shell reads them, then the answer. Its first line is "ok", "failed" or "usage";
 * what follows is text or, if the command has --json, one JSON object; then the
 * connection is closed. Nothing here waits: peers may be slow, and all they send has a
 * limit.
 */
#ifndef ARBITER_CONTROL_H
#define ARBITER_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/arbiter/control_trace.h"
#include "gateway/arbiter/socket_file.h"
#include "protocols/buffer.h"

enum {
	CONTROL_PEERS = 16,
	CONTROL_LINE = 4096,
	CONTROL_PATIENCE_MS = 10000, /* with a peer that sends or takes nothing */
};

struct arbiter;
struct control_command;

enum control_state {
	CONTROL_READING, /* the command has not come yet */
	CONTROL_WAITING, /* for what it has begun: see control_command.later */
	CONTROL_FOLLOWING, /* is told of requests, until it goes */
	CONTROL_LEAVING, /* the answer is complete; closed when it was taken */
	CONTROL_STAYING, /* the same, but closed when the server ends */
};

struct control_peer {
	int fd; /* -1: this place is free */
	uint32_t watched; /* events */
	enum control_state state;
	uid_t uid;
	pid_t pid;
	bool json;
	uint64_t deadline; /* of clock_ms(), to send or to take something; 0: none */
	struct buffer in; /* the line */
	struct buffer out; /* what was not taken yet */
	const struct control_command *command; /* NULL: none was understood yet */
	unsigned reload; /* that it waits for: see reload_ask() */
	struct trace_filter filter;
};

struct control {
	int fd; /* -1: there is no socket */
	char *path;
	struct socket_file file;
	unsigned generation; /* by whose settings it is as it is */
	bool is_tracing; /* somebody follows requests, or did in the last round */
	struct control_peer peers[CONTROL_PEERS];
};

void control_init(struct control *c);

/* Closes all, and removes the socket's file. */
void control_release(struct control *c);

/* The socket as the configuration wants it. NULL, or why it cannot be; then there is
 * still the one that was. The text lives until the next call. */
const char *control_open(struct arbiter *a);

/* Nobody comes by it any more; who came before goes on. */
void control_close(struct control *c);

/* The arbiter before this one has gone: the socket's file gets its name. */
void control_promote(struct control *c);

/* Somebody wants to be served: is, or is told why not. */
void control_accept(struct arbiter *a);

/* Whether that is what epoll knows something of the control socket by. */
bool control_owns(const struct control *c, const void *whose);
void control_hear(struct arbiter *a, void *whose);

/* Once a round: follows the settings, answers those that wait, and cuts the slow. */
void control_step(struct arbiter *a, uint64_t now);
uint64_t control_deadline(const struct control *c);

/* There is more to be sent to the peer. */
void control_flush(struct arbiter *a, struct control_peer *peer);

#endif
