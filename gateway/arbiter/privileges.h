/*
 * Privileges: what the processes of an application are and may, which is as little as
 * their settings allow. The arbiter, which may be root, keeps its own.
 */
#ifndef ARBITER_PRIVILEGES_H
#define ARBITER_PRIVILEGES_H

#include "gateway/config/settings.h"

/* NULL, or why processes of the application must not or cannot be started by us; the
 * text lives until the next call. */
const char *privileges_check(const struct app_settings *app);

/* In the child, before it reads a byte or loads anything: umask, user, groups, no
 * capabilities, none to be gained. NULL, or what failed; errno says why. */
const char *privileges_drop(const struct app_settings *app);

#endif
