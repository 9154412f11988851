/*
 * A prototype: a process that has loaded an application and answers no requests; the
 * workers of its pool are forked from it, so that they need not load it and share its
 * memory until they write to it.
 */
#ifndef WORKER_PROTOTYPE_H
#define WORKER_PROTOTYPE_H

#include "gateway/common/heritage.h"

/* A worker_fn. */
int prototype_run(const struct heritage *h);

#endif
