/*
 * A request and its response: struct al_request of alicorn.h. Request objects are
 * pooled and keep their memory, so that a request on the fast path allocates nothing.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/alicorn.h"
#include "gateway/worker/app.h"
#include "gateway/worker/body.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/error_page.h"
#include "protocols/arena.h"
#include "protocols/http1.h"

struct al_request {
	struct conn *conn;
	struct al_request *next_free;
	struct arena arena;

	/* What was received: [head][body and what is behind it]. While the head is in
	 * use its bytes stay where they are. */
	struct buffer input;
	size_t head_len;
	size_t params_len; /* of FastCGI: as far as the head has been received */
	struct http1_decoder decoder;
	struct http1_head head;
	struct http1_chunked chunked;
	struct body body;
	uint64_t spooled; /* of it, as counted by spool_take() */
	const struct cgi_request *told; /* by a web server; NULL: it came by HTTP */
	/* Who answers it: the worker's own application, unless a route says another. */
	const struct app *app;
	const struct way *way; /* the route that it takes; NULL: none */
	const struct neighbour *away; /* it is for that one's workers; NULL: it stays */
	size_t mount; /* bytes of the path that the route has made SCRIPT_NAME */
	const char *received; /* the input as it came, as an environ is made in place;
			       NULL: it still is what it was */
	uint64_t body_limit; /* that its body may have, if that is not known before */
	bool has_body;
	bool is_head; /* the method is HEAD */
	bool is_https; /* on the client's side of the proxy */
	bool has_next; /* another application is asked if this one declines */
	const char *script_name; /* from a proxy; NULL: none */
	/* Whom a proxy forwards for; AF_UNSPEC: the peer; AF_UNIX: one without address
	 */
	union proxy_address client;
	char client_addr[INET6_ADDRSTRLEN]; /* as text, when it was asked for */
	char client_port[PORT_TEXT];

	char id[REQUEST_ID_MAX + 1]; /* see request_id() */
	unsigned char id_len; /* 0: nobody has asked for it yet */

	struct al_var *vars; /* the environ; NULL until it is asked for */
	size_t n_vars;

	/* The response: described, then begun (its framing is known, its head has gone
	 * to the output), then complete. */
	struct http1_response response;
	struct http1_reply reply;
	struct buffer gathered; /* small pieces of the body that wait for more */
	uint64_t body_length; /* bytes of the body that the application has written */
	uint64_t sent_before; /* bytes the connection had sent before this response */
	bool started; /* al_start was called */
	bool names_id; /* its fields have the request's id, or another one */
	bool begun; /* the head has gone to the output */
	bool complete; /* the end of the body too */
	bool too_long; /* more than Content-Length was written, and logged */
	bool waiting; /* the client could not take all: drained() is owed */

	/* For access logs that ask: clock_us() at its first byte, and when all of it
	 * had been received; 0: not yet. */
	uint64_t began_us, ready_us;
	uint64_t called_us; /* when an application was called, 0: none was; and when */
	uint64_t answered_us; /* it had answered; 0: it has not yet */

	/* AL_ALREADY_HANDLED: see detached.c */
	uint64_t taken; /* al_socket was called, as this one; 0: it was not */
	bool given_back; /* al_finish was called */
	bool is_told; /* to end, */
	uint64_t told_at; /* in clock_ms() */
	const struct al_proc *proc;
	void *proc_arg;
	LIST_ENTRY(al_request) in_taken;

	/* AL_PENDING */
	bool in_handle; /* handle() has not returned yet */
	bool told_answered; /* AL_POST_REQUEST has been */
	bool finished; /* al_finish was called before that */
	enum al_result result;
	int error_status;
	const struct al_pending *pending;
	void *pending_arg;
};

/* From the pool; NULL when memory is out. */
struct al_request *request_new(struct conn *conn);
void request_free(struct al_request *req);

/* Ready for the next request; bytes that were received behind this one are kept. */
void request_reset(struct al_request *req);

/* Bytes that were received and belong to no request yet. */
bool request_has_input(const struct al_request *req);

/* "GET /path HTTP/1.1", cut to the room; for logs. */
void request_line(const struct al_request *req, char *text, size_t room);

/* Shows its line and its id in the worker's slot. */
void request_show(const struct al_request *req);

/* The client's address; "" for one of a unix socket. */
const char *request_peer(struct al_request *req);

/* Ends the response as the application's result says; the connection's keep_alive,
 * linger, cut and broken tell what comes next. */
void response_finish(struct al_request *req, enum al_result result, int error_status);

/* A short response of our own, when none was begun; else the connection is cut. */
void response_error(struct al_request *req, unsigned status);

/* Takes note that such a response goes out. */
void response_is_error(struct al_request *req, const struct error_page *page);

#endif
