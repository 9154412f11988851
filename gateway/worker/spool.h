/*
 * Spool files hold what is too much for memory: request bodies, and responses that
 * clients take slowly. They have no name, so nothing is left of them whatever happens.
 */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include <sys/types.h>

#include "protocols/slice.h"

/* A new file in the folder; -1 and errno. */
int spool_open(const char *folder);

/* Writes all of the data; -1 and errno (ENOSPC, …). */
int spool_write(int fd, struct slice data, off_t offset);

#endif
