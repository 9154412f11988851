/*
 * One request's exchange with the backend, over a connection of its own. client.c
 * connects, sends and receives; answer.c makes the gateway's response of what was
 * received.
 */
#ifndef FASTCGI_EXCHANGE_H
#define FASTCGI_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings/fastcgi/backend.h"
#include "gateway/alicorn.h"
#include "protocols/buffer.h"
#include "protocols/fastcgi.h"

enum exchange_state {
	EXCHANGE_CONNECT, /* connects now, or again when the timer fires */
	EXCHANGE_CONNECTING, /* waits for the kernel to connect */
	EXCHANGE_HEAD, /* sends the request, waits for the head of the response */
	EXCHANGE_BODY, /* still sends, if need be; passes on the response's body */
	EXCHANGE_DONE,
	EXCHANGE_FAILED,
};

enum { ANSWER_INPUT_MAX = 32 * 1024 }; /* bytes that answer_take() is given at once */

struct exchange {
	enum exchange_state state;
	struct al_request *req;
	const struct backend *backend;
	int status; /* to answer after EXCHANGE_FAILED when nothing was sent */

	const struct addrinfo *address; /* that is being connected to */
	int fd; /* -1: none */
	struct al_watch *watch;
	struct al_timer *timer;
	unsigned delay_ms, delayed_ms; /* before the next attempt, and all together */
	bool readable, writable; /* as far as is known */
	bool paused; /* not reading until the client has taken more */
	bool yielding; /* not reading until others had their turn */

	struct buffer out; /* to the backend */
	size_t sent; /* bytes of it that have left */
	uint64_t body_left;
	bool stdin_ended;

	struct fastcgi_decoder decoder;
	struct buffer head; /* of the response, as far as it came */
	size_t scanned; /* bytes of it */
	struct buffer line; /* of STDERR, as far as it came */
	size_t logged; /* bytes of STDERR */
};

/* Begins an exchange; takes over the contents of `out`, what is sent before the body.
 * Returns what handle() returns. */
int exchange_start(const struct backend *b, struct al_request *req, struct buffer *out);

/* The one place where the state changes. */
void exchange_set(struct exchange *x, enum exchange_state state);

/* Logs why and fails; the client gets the status if nothing was sent to it. */
void exchange_fail(struct exchange *x, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static inline bool
exchange_over(const struct exchange *x)
{
	return x->state == EXCHANGE_DONE || x->state == EXCHANGE_FAILED;
}

/* ---- answer.c ---- */

void answer_init(struct exchange *x);

/* Takes what was received from the backend. */
void answer_take(struct exchange *x, struct slice in);

/* Logs what is left of STDERR and frees. */
void answer_release(struct exchange *x);

#endif
