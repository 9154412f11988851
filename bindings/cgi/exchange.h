/*
 * One request's exchange with a program, or with several, one after the other, when
 * they redirect to each other. exchange.c waits for a turn, runs and reads; answer.c
 * makes the gateway's response of what was read.
 */
#ifndef CGI_EXCHANGE_H
#define CGI_EXCHANGE_H

#include "bindings/cgi/cgi.h"
#include "bindings/cgi/head.h"
#include "bindings/cgi/program.h"
#include "protocols/buffer.h"

enum exchange_state {
	EXCHANGE_WAITING, /* for its turn, as too many programs run */
	EXCHANGE_HEAD, /* the program runs; its response has not begun */
	EXCHANGE_BODY, /* it has, and is passed on */
	EXCHANGE_ENDING, /* stdout has ended; how did the program? */
	EXCHANGE_DONE,
	EXCHANGE_FAILED,
};

enum { ANSWER_INPUT_MAX = 32 * 1024 }; /* bytes that answer_take() is given at once */

struct exchange {
	TAILQ_ENTRY(exchange) next; /* of those that wait */
	enum exchange_state state;
	struct al_request *req;
	struct cgi *app;
	int status; /* to answer after EXCHANGE_FAILED when nothing was sent */

	struct arena memory; /* of what follows */
	struct ask ask;
	struct script script;
	unsigned redirects; /* local ones that were followed */

	struct program *program; /* NULL: none */
	int out; /* the end of its stdout that is ours; -1: closed */
	struct al_watch *watch;
	struct al_timer *timer;
	bool readable; /* as far as is known */
	bool paused; /* not reading until the client has taken more */

	bool nph; /* the response is a whole one */
	struct buffer head; /* of the response, as far as it came */
	size_t scanned; /* bytes of it */
	bool started; /* its head was taken */
	bool dropping; /* the rest: a file, or another program, answers instead */
	struct local
		local; /* where a local redirect goes to; uri is NULL: there is none */
};

/* Begins an exchange; takes the arena over. Returns what handle() returns. */
int exchange_start(struct cgi *app, struct al_request *req, const struct ask *ask,
	const struct script *script, struct arena *memory);

/* Programs have ended: those that wait have their turn. */
void exchange_next(struct cgi *app);

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

/* An answer of our own. Returns what handle() returns. */
int exchange_refuse(struct al_request *req, unsigned status, const char *location);

/* ---- stdin.c ---- */

/* A descriptor of the request's body for the program, which the caller closes. -1 and
 * errno. */
int stdin_open(const struct exchange *x);

/* ---- answer.c ---- */

/* Before a program runs. */
void answer_init(struct exchange *x);

/* Takes what a program wrote. A local redirect is left to the caller, in x->local. */
void answer_take(struct exchange *x, struct slice in);

void answer_release(struct exchange *x);

#endif
