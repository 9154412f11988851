/*
 * The queues of the pools (common/queue.h): one for each application, by its name. A
 * queue is kept as long as a generation, or the arbiter after this one, has the
 * application.
 */
#ifndef ARBITER_QUEUES_H
#define ARBITER_QUEUES_H

#include "gateway/common/queue.h"

/* Those that an arbiter before this one has handed over. */
void queues_init(void);

/* That of an application; NULL and errno. */
const struct queue *queues_open(const char *name);

/* For each queues_open(). */
void queues_close(const struct queue *queue);

/* Closes what was handed over and is not used. */
void queues_settle(void);

/* Before exec, in the process that becomes the new arbiter. */
void queues_pass_on(void);

#endif
