/*
 * The id of a request: what all that is written about it has in common, here and in
 * the proxies before and the services behind. A proxy that is believed may have given
 * it one; else it gets one of ours, a UUID of version 7 (RFC 9562): it begins with the
 * time, so ids sort as requests came, and 62 bits of it are random.
 *
 * It is chosen when somebody asks for the first time, which for most requests is the
 * call of the application: a connection may go to other workers before that.
 */
#ifndef WORKER_REQUEST_ID_H
#define WORKER_REQUEST_ID_H

#include "gateway/worker/request.h"

/* Before the first request of the process. */
void request_id_open(const struct app_settings *settings);

/* NUL-terminated; empty when ids are turned off. Under the lock, or when it was asked
 * for before. A signal handler may call it. */
struct slice request_id(struct al_request *req);

/* Puts it where the application will see it, in the field of the request, in place of
 * what a client may have written there. Before the environ is made. */
void request_id_give(struct al_request *req);

/* The name of the field; empty when ids are turned off. */
struct slice request_id_name(void);

/* The field of the response; without a name when ids are turned off. */
struct http1_field request_id_field(struct al_request *req);

#endif
