/*
 * The built-in application of the target "status:": a page, its events, JSON,
 * Prometheus' metrics, and what load balancers ask. It reads the board and the slots,
 * and nothing else; it cannot change anything.
 */
#ifndef WORKER_STATUS_APP_H
#define WORKER_STATUS_APP_H

#include "gateway/alicorn.h"

extern const struct al_binding status_binding;

#endif
