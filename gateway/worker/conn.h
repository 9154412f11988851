/*
 * A client's connection: a state machine that the loop drives. Each step does what can
 * be done now and says what it wants next; one place acts on that, one place changes
 * states.
 *
 *	IDLE ─ first byte ─> HEAD ─> BODY ─> READY ─> APP ─┬─> FLUSH ─┬─> IDLE
 *(keep-alive) └── error: FLUSH             │          ├─> LINGER ─> closed │ └─> closed
 *	                                                   └─> DETACHED ─> closed
 *
 * A connection has a request object only from its first byte to the end of its
 * response, so that idle ones cost little memory.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "gateway/common/heritage.h"
#include "gateway/worker/loop.h"
#include "gateway/worker/output.h"
#include "protocols/http1.h"
#include "protocols/proxy.h"

enum conn_state {
	CONN_IDLE, /* no byte of a request yet */
	CONN_HEAD, /* receives a request's head */
	CONN_BODY, /* receives its body */
	CONN_READY, /* complete, waits for the application to be called */
	CONN_APP, /* the application has the request */
	CONN_FLUSH, /* the response is complete, the client takes it */
	CONN_LINGER, /* nothing more is sent; reads so that the client sees the response
		      */
	CONN_DETACHED, /* the application has the connection itself */
};

enum { PORT_TEXT = 6 }; /* bytes of "65535" */

/* What another worker has decided of the request that comes next. */
struct assignment {
	bool is_valid; /* it has: the request is for this worker */
	uint32_t generation, route; /* by this one */
	uint32_t mount; /* bytes of its path that are SCRIPT_NAME */
};

struct fastcgi_responder;
struct routing;

struct conn {
	struct watch watch; /* first: the loop's watch is the connection */
	struct timer timer; /* of the state's time limit */
	enum conn_state state;
	bool readable; /* a read may give bytes; cleared by one that gave all */
	bool half_closed; /* the client sends no more: read until the end is seen */
	bool broken; /* reading or writing makes no sense any more */
	bool cut; /* to be reset: the response is not what it claims to be */
	bool keep_alive; /* after this response */
	bool linger; /* after it, when not kept */
	bool trusted; /* the peer is a proxy that is believed */
	bool introduced; /* no PROXY header is to be looked for any more */
	bool last; /* it is not kept after the request that it came with */
	struct assignment assignment;
	struct routing
		*routing; /* of the site that it came by; NULL: it has no routes */
	const struct app_settings *settings; /* of whoever listens: whom it believes */
	struct al_request *req;
	struct fastcgi_responder *fcgi; /* NULL: it speaks HTTP */
	struct output output;
	const struct listener *listener;
	uint64_t requests;
	uint64_t began; /* when the state did, in clock_ms() */
	uint64_t sent_then; /* bytes that had been sent by then */
	LIST_ENTRY(conn) in_all; /* of self.conns */
	TAILQ_ENTRY(conn) in_state; /* of self.idle or self.ready */
	union proxy_address peer; /* as the PROXY protocol says, where it is used */
	union proxy_address proxied; /* where the client connected to then */
	char peer_addr[INET6_ADDRSTRLEN]; /* as text, made when it is first asked for */
	char peer_port[PORT_TEXT];
};

/* Takes over a descriptor that was accepted, and begins. */
void conn_open(
	int fd, const struct listener *listener, const void *peer, size_t peer_len);

/* A connection for a descriptor of another worker, to be filled in and run; it came by
 * the address of that id (routing.h). NULL: there is no place for it, the client
 * was told and the descriptor is closed. */
struct conn *conn_adopt(int fd, struct routing *routing, uint64_t listener);

/* Lets go of it without a word to the client: another worker has it. */
void conn_leave(struct conn *c);

/* It made progress: the time limit of its state counts anew. */
void conn_progress(struct conn *c);

/* A request has begun and has not ended yet. */
static inline bool
conn_is_asked(const struct conn *c)
{
	return c->req != NULL && c->state != CONN_IDLE && c->state != CONN_LINGER &&
		c->state != CONN_DETACHED;
}

/* Another turn of its machine, now. */
void conn_run(struct conn *c);

/* Goes on after the application called al_finish. */
void conn_resume(struct conn *c);

/* Ends it, whatever its state. */
void conn_close(struct conn *c);

/* Closes the connection that has been idle for longest; false: none is. */
bool conns_make_room(void);

/* worker_connections is reached. */
bool conns_are_full(void);

/* Idle connections go to workers that stay, or have a short time for a last request;
 * all others finish. */
void conns_drain(void);

#endif
