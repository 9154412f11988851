/* What the kernel does when memory is out: it kills a process. */
#ifndef ARBITER_OOM_H
#define ARBITER_OOM_H

#include <stdbool.h>

/* Whether it killed any since the last call; the first call, at start, is not asked. */
bool oom_has_killed(void);

#endif
