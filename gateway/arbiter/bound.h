/* What a socket that somebody else has bound is bound to. */
#ifndef ARBITER_BOUND_H
#define ARBITER_BOUND_H

#include <stdbool.h>

#include "gateway/config/address.h"

/* Whether it is bound to this address, of TCP or unix; port 0 is none. A name is looked
 * up. */
bool bound_to(int fd, const struct address *wanted);

/* Fills in kind, host and port, in the arena; false: it is of another family. */
bool bound_address(int fd, struct address *address, struct arena *memory);

#endif
