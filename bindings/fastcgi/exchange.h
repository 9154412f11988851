/*
 * One request's exchange with a backend. client.c is its life, connect.c finds a link,
 * transfer.c sends and receives over it; answer.c makes the gateway's response of what
 * was received.
 */
#ifndef FASTCGI_EXCHANGE_H
#define FASTCGI_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings/fastcgi/app.h"
#include "gateway/alicorn.h"
#include "protocols/buffer.h"
#include "protocols/fastcgi.h"

enum exchange_state {
	EXCHANGE_WAIT, /* for a link */
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
	struct app *app;
	int status; /* to answer after EXCHANGE_FAILED when nothing was sent */
	struct al_timer *timer; /* of what is waited for */

	TAILQ_ENTRY(exchange) in_queue;
	bool queued;
	bool served; /* it has had a link */

	struct link *link; /* NULL: none */
	bool fresh; /* not over a link that was used before */
	bool repeatable; /* doing it twice is the same as doing it once */
	bool repeated; /* it was sent anew, and is not once more */
	uint64_t tried; /* backends that did not take a connection */
	uint64_t full; /* backends whose queue was found full */
	size_t place, n_places; /* of its backend: that is tried, and how many were */
	unsigned delay_ms, delayed_ms; /* before the next attempt, and all together */

	bool paused; /* not reading until the client has taken more */
	bool yielding; /* not reading until others had their turn */
	bool answered; /* the backend has sent something */
	bool refused; /* it takes no more of the request, which is no error */

	/* To the backend: what comes before the body, which stays to be sent again, and
	 * parts of the body behind it. */
	struct buffer out;
	size_t head_len;
	size_t sent; /* bytes of out */
	uint64_t body_at; /* bytes of the body that were put there */
	bool stdin_ended;

	struct fastcgi_decoder decoder;
	struct buffer head; /* of the response, as far as it came */
	size_t scanned; /* bytes of it */
	bool discards; /* a file was sent in place of the body */
	bool clean; /* the answer ended where it should, and nothing came behind it */
	struct buffer line; /* of STDERR, as far as it came */
	size_t logged; /* bytes of STDERR */
};

/* Begins an exchange; takes over the contents of `out`, what is sent before the body.
 * Returns what handle() returns. */
int exchange_start(struct app *app, struct al_request *req, struct buffer *out);

/* Goes on with what is possible now. It may be no more after that. */
void exchange_run(struct exchange *x);

/* The one place where the state changes. */
void exchange_set(struct exchange *x, enum exchange_state state);

/* Logs why and fails; the client gets the status if nothing was sent to it. */
void exchange_fail(struct exchange *x, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Who is spoken with, for the log. */
const char *exchange_peer(const struct exchange *x);

static inline bool
exchange_over(const struct exchange *x)
{
	return x->state == EXCHANGE_DONE || x->state == EXCHANGE_FAILED;
}

/*
 * Steps return true when the next can follow at once, and false when there is something
 * to wait for. `expired`: the timer has fired.
 */

/* ---- connect.c ---- */

bool connect_wait(struct exchange *x, bool expired);
bool connect_begin(struct exchange *x);
bool connect_finish(struct exchange *x, bool expired);

/* ---- transfer.c ---- */

/* Makes a link's first use, or another attempt: the whole request is still to be sent.
 */
void transfer_begin(struct exchange *x);
bool transfer_step(struct exchange *x, bool expired);

/* ---- answer.c ---- */

void answer_init(struct exchange *x);

/* Takes what was received from the backend. */
void answer_take(struct exchange *x, struct slice in);

/* Logs what is left of STDERR and frees. */
void answer_release(struct exchange *x);

#endif
