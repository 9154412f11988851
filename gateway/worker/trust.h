/*
 * Whom to believe. A proxy tells things of its client that the client could tell as
 * well: its address (PROXY protocol), its scheme, names that pass for others in the
 * environ. They count only when the peer is one of those that the settings trust.
 */
#ifndef WORKER_TRUST_H
#define WORKER_TRUST_H

#include <stdbool.h>

#include "gateway/worker/request.h"

/* At the beginning of a connection, by the socket's own peer. */
void trust_peer(struct conn *c);

/* Looks for a PROXY header before the first head. True: that is done, the connection's
 * peer is who it names. False: *status is what to answer, or 0 when more is needed. */
bool trust_introduction(struct conn *c, unsigned *status);

/* With a complete head: takes out the fields that are not believed and reads those that
 * are. 0, or the status to answer. */
unsigned trust_request(struct al_request *req);

#endif
