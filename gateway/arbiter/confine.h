/* Limits and privileges of a child, before it reads a byte or loads anything. */
#ifndef ARBITER_CONFINE_H
#define ARBITER_CONFINE_H

#include "gateway/config/settings.h"

/* In the child. What cannot be set is reported over its channel, and it ends. */
void confine(const struct app_settings *app, int channel);

#endif
