/*
 * One hook of the server: a command that is executed, or a function that is called.
 * What fails is logged here.
 */
#ifndef ARBITER_HOOK_H
#define ARBITER_HOOK_H

#include <stdbool.h>

#include "gateway/alicorn-hooks.h"
#include "gateway/config/settings.h"

enum { HOOK_LIMIT_MS = 30000, HOOK_EXIT_LIMIT_MS = 5000 };

/* What the setting names, of on_starting and those that follow it. */
const struct hook *hook_of(
	const struct server_settings *server, enum server_setting which);

/* Calls the function, or starts the command. False: that failed. *pid is the command's
 * then, else 0. */
bool hook_start(const struct server_settings *server, enum server_setting which,
	const struct al_facts *facts, pid_t *pid);

/* A command has ended: whether it has succeeded. */
bool hook_ended(enum server_setting which, int status);

/* The same with its end, which is waited for; one that takes longer is killed. Returns
 * whether to go on: it succeeded, or need not. */
bool hook_complete(const struct server_settings *server, enum server_setting which,
	const struct al_facts *facts, int limit_ms);

#endif
