/*
 * What the parts of the status application share: status_app.c, status_events.c and
 * status_page.c.
 */
#ifndef WORKER_STATUS_PARTS_H
#define WORKER_STATUS_PARTS_H

#include "gateway/alicorn.h"
#include "gateway/status/status.h"
#include "protocols/buffer.h"

/* Asks the arbiter to look, also at memory. When it has, the board's `looks` is another
 * number. */
void status_ask(bool memory);

/* How things are now; -1: memory is out. */
int status_look(struct status *s);

/* An event each second from now on, until the client leaves. Returns as handle(). */
int status_stream(struct al_request *req);

enum { STATUS_NONCE = 33 };

/* The page. The nonce is what its style and script bear, and the policy in its head
 * allows. */
void status_page(struct buffer *out, const struct status *s, char nonce[STATUS_NONCE]);

#endif
