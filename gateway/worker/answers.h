/*
 * What a route answers by itself: a redirect, or a status. An application like others,
 * so that such responses are framed, logged and counted as all are.
 */
#ifndef WORKER_ANSWERS_H
#define WORKER_ANSWERS_H

#include "gateway/config/settings.h"
#include "gateway/worker/app.h"

/* NULL: what no route is for, which is answered 404. */
struct app answers_app(const struct route *route);

/* That of a front itself, which has no other application. */
extern const struct al_binding answers_binding;

#endif
