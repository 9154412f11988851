/*
 * Spool files hold what is too much for memory: request bodies, and responses that
 * clients take slowly. They have no name, so nothing is left of them whatever happens.
 */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocols/slice.h"

/* A new file in the folder; -1 and errno. */
int spool_open(const char *folder);

/* Writes all of the data; -1 and errno (ENOSPC, …). */
int spool_write(int fd, struct slice data, off_t offset);

/* All spool files of this process may hold so many bytes; 0: no limit. */
void spool_set_limit(uint64_t bytes);

/* Counts bytes that are written to a file, until they are given back with it; false:
 * that is too much, and they do not count. */
bool spool_take(uint64_t bytes);
void spool_give_back(uint64_t bytes);

#endif
