/* Resource limits (setrlimit(2)) of the processes of an application. */
#ifndef ARBITER_LIMITS_H
#define ARBITER_LIMITS_H

#include "gateway/config/settings.h"

/* In the child, while it still may raise limits. NULL, or the setting that cannot be;
 * errno says why. */
const char *limits_set(const struct app_settings *app);

#endif
