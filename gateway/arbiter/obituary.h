/* What the log says of a child that died: how, why, in which request, what it used. */
#ifndef ARBITER_OBITUARY_H
#define ARBITER_OBITUARY_H

#include <sys/resource.h>

#include "gateway/arbiter/child.h"

/* The status and the usage are those of wait4(). The child's slot is still its own. */
void obituary_log(
	const struct child *child, int status, const struct rusage *used, uint64_t now);

/* For one that never had a pid. */
void obituary_log_unborn(const struct child *child);

#endif
