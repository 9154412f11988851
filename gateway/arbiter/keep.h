/*
 * What a child keeps open of what its parent has: its own, and nothing that tells of
 * others.
 */
#ifndef ARBITER_KEEP_H
#define ARBITER_KEEP_H

#include "gateway/common/heritage.h"

/* In the child, after the fork: closes every descriptor above 2 that is not its own.
 * `socket` is that of a managed program, -1: none. Ends the process when memory is out.
 */
void keep_own_descriptors(const struct heritage *h, int socket);

/* The same of any process: above 2 it keeps these. */
void keep_descriptors(int *kept, size_t n);

#endif
