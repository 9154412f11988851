/*
 * Resource limits (setrlimit(2)): those of the processes of an application, and the
 * descriptors of the arbiter itself. It holds some for each process, and may have more
 * than it was started with; what it starts gets what it was started with.
 */
#ifndef ARBITER_LIMITS_H
#define ARBITER_LIMITS_H

#include "gateway/config/config.h"

/* In the arbiter: as many descriptors as its processes need, those of a reload too, if
 * they are allowed. NULL, or why not even those that serve can be had; the text lives
 * until the next call. */
const char *limits_raise(const struct config *config);

/* The same for so many processes more than are configured. */
void limits_raise_by(unsigned processes);

/* In a child: what the arbiter was started with. */
void limits_restore(void);

/* In a child, while it still may raise limits; limits_restore() is a part of it. NULL,
 * or the setting that cannot be; errno says why. */
const char *limits_set(const struct app_settings *app);

#endif
