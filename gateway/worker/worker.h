/*
 * The worker's side: what the arbiter runs in a child, and the answer that is given on
 * behalf of a worker that cannot give one any more.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>

#include "gateway/common/heritage.h"
#include "protocols/slice.h"

/* A worker_fn. */
int worker_run(const struct heritage *h);

/* A worker_fn too: loads the application, reports, and unloads it. */
int worker_check(const struct heritage *h);

/* The two parts of worker_run(), for a prototype: it loads the application, NULL or why
 * not, and the workers that it forks live on from there, with heritages of their own.
 * The latter returns the exit status. */
const char *worker_load(const struct heritage *h);
int worker_born(const struct heritage *h);

/* A message to the arbiter, with a copy of the descriptor (-1: none); with the lock.
 * False: the arbiter has gone. */
bool worker_tell(enum message type, struct slice payload, int fd);

/* All that was told has gone out; nothing of it waits. */
bool worker_has_told(void);

/* There is room for so many bytes, beside the worker's own news. */
bool worker_may_tell(size_t n);

/* A complete response with that error, for struct arbiter_job. */
struct slice worker_answer(unsigned status);

#endif
