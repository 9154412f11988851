/*
 * Inside of the connection: what its steps (receive.c, respond.c) and its machine
 * (conn.c) share.
 */
#ifndef WORKER_STEPS_H
#define WORKER_STEPS_H

#include "gateway/worker/conn.h"

/* What a step wants next. */
enum want {
	WANT_STEP, /* another step: the state has changed */
	WANT_EVENT, /* nothing to do until the socket or the application is ready */
	WANT_TURN, /* there is more to do, after the others had their turn */
	WANT_CLOSE,
	WANT_LEAVE, /* another worker has it now */
};

/* One for each state: does what can be done without waiting. */
enum want conn_step_idle(struct conn *c);
enum want conn_step_head(struct conn *c);
enum want conn_step_body(struct conn *c);
enum want conn_step_ready(struct conn *c);
enum want conn_step_app(struct conn *c);
enum want conn_step_flush(struct conn *c);
enum want conn_step_linger(struct conn *c);

/* More of what the client sends, into the room behind what was received; its length. 0:
 * none for now, or the end: c->broken tells. */
size_t conn_receive(struct conn *c);

/* Keeps a piece of the request's body; WANT_STEP, unless the request is refused. */
enum want conn_keep(struct conn *c, struct slice data);

/* The request is complete: it goes to the application, or waits for it, or to another
 * worker. */
enum want conn_is_ready(struct conn *c);

/* The one way into another state, whose time limit begins. */
enum want conn_move(struct conn *c, enum conn_state state);

/* Answers with an error status; nothing more is read as a request. */
enum want conn_refuse(struct conn *c, unsigned status);

/* The request object goes back to the pool. */
void conn_drop_request(struct conn *c);

#endif
