/*
 * The hub: one thread of each worker that serves all WebSockets of this worker, by
 * epoll, while the worker answers requests as usual.
 *
 *   main thread                                   hub thread
 *   hub_adopt()  al_socket, al_detach  ────────>  reads, writes
 *   terminate()  a close frame is begun ───────>  ends it: al_finish
 *   ended()      the peer is unlinked  ────────>  frees it
 *
 * One lock is held by whoever looks at peers; nobody waits for a client with it.
 */
#ifndef WEBSOCKET_HUB_H
#define WEBSOCKET_HUB_H

#include <alicorn.h>

#include "peer.h"

/* In al_worker_init: starts the thread. In al_worker_exit: ends it. */
const char *hub_start(peer_message_fn *fn);
void hub_stop(void);

/* In al_handle: makes a WebSocket of the request, or refuses it. Returns what
 * al_handle is to return. */
int hub_adopt(struct al_request *req, const char *name);

/* Tells all clients of this worker. The second is for the function of hub_start(),
 * which is called with the lock. */
void hub_tell(enum opcode opcode, const void *data, size_t n);
void hub_tell_locked(enum opcode opcode, const void *data, size_t n);

#endif
