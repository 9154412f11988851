/* The hook post_fork, in the process that was forked. */
#ifndef ARBITER_POST_FORK_H
#define ARBITER_POST_FORK_H

#include "gateway/common/heritage.h"

/* When it must succeed and does not, that is reported over the channel, and the process
 * ends. `kind` is the name of the child's kind. */
void post_fork(const struct heritage *h, const char *kind);

/* The same in a worker that a prototype has forked. */
void post_fork_born(const struct heritage *h);

#endif
