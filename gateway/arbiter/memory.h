/*
 * The watch over resident memory: above `max_worker_memory` a process is recycled,
 * above `max_worker_memory_hard` it is ended at once.
 */
#ifndef ARBITER_MEMORY_H
#define ARBITER_MEMORY_H

#include "gateway/arbiter/child.h"

/* Bytes; 0 when it cannot be told, as the process has gone. */
uint64_t memory_resident(pid_t pid);

/* Looks at all children that have such a limit, once a second. */
void memory_watch(struct family *f, uint64_t now);

/* When it looks again; UINT64_MAX: nobody has a limit. */
uint64_t memory_deadline(const struct family *f);

#endif
