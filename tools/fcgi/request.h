/*
 * A request that came over FastCGI, and its response: struct al_request of alicorn.h
 * where libfcgi is the gateway. There is one at a time; it keeps its memory.
 */
#ifndef FCGI_REQUEST_H
#define FCGI_REQUEST_H

#include <fcgiapp.h>

#include "gateway/alicorn.h"
#include "gateway/worker/body.h"
#include "protocols/arena.h"
#include "protocols/http1.h"

struct al_request {
	FCGX_Request fcgi;
	struct arena memory;
	struct al_var *vars; /* the environ */
	size_t n_vars;
	struct body body;
	bool is_head; /* the method is HEAD */

	struct http1_response response;
	uint64_t length; /* of the body that was written */
	bool started; /* al_start was called */
	bool begun; /* the head has gone to the web server */
	bool complete; /* the end of the body too */
	bool too_long; /* more than Content-Length was written, and logged */
	bool broken; /* the web server has gone */
};

/* ---- request.c ---- */

/* Once; -1: memory is out. */
int request_init(struct al_request *req);

/* Of a request that was accepted: its environ and its body. Returns 0, or the status to
 * answer with. */
unsigned request_receive(struct al_request *req);

/* Ready for the next one. */
void request_reset(struct al_request *req);

/* ---- response.c ---- */

/* Ends the response as the application's result says. False: it is broken off, and the
 * connection must be cut, so that the web server can see it. */
bool response_finish(struct al_request *req, int result);

/* A short response of our own. */
void response_error(struct al_request *req, unsigned status);

#endif
