/*
 * One request that a script answers: sapi.c is what the interpreter asks of its server,
 * response.c what it sends, run.c the life of the request.
 */
#ifndef PHP_BINDING_EXCHANGE_H
#define PHP_BINDING_EXCHANGE_H

#include <php.h>
#include <SAPI.h>

#include "bindings/php/site.h"
#include "bindings/php/variables.h"
#include "gateway/alicorn.h"

struct exchange {
	struct al_request *req;
	struct facts facts;
	const struct place *script;
	bool closing; /* the script goes on after its response, the connection does not
		       */
	bool finished; /* the response is complete */
	bool failed; /* the response is none */
	int file; /* to be sent instead of what the script writes; FILE_NONE: none */
};

/* The one that is in the interpreter, or NULL. */
static inline struct exchange *
exchange_now(void)
{
	return SG(server_context);
}

/* ---- run.c ---- */

/* Runs the script; returns enum al_result. */
int exchange_run(
	struct al_request *req, const struct facts *facts, const struct place *script);

/* ---- response.c ---- */

/* Status and fields. 0, or -1: they are refused. */
int response_start(struct exchange *x, sapi_headers_struct *headers);

/* Some of the body. 0, or -1: the client has gone. */
int response_write(struct exchange *x, const char *text, size_t n);

/* Sends what was written so far. Returns as response_write. */
int response_flush(struct exchange *x);

/* Nothing follows. */
void response_finish(struct exchange *x);

/* ---- sapi.c ---- */

/* Starts the interpreter; NULL, or what is wrong. */
const char *interpreter_start(void);

void interpreter_stop(void);

#endif
