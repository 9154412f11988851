/*
 * The replacement of the program while it runs. USR2 starts the program anew, as it is
 * on disk now: a second arbiter beside the first one, its parent, on the same sockets.
 * Both serve until one of them is told to stop. When that is the old one, the new one
 * is promoted and is the arbiter; when it is the new one, all is as before.
 */
#ifndef ARBITER_UPGRADE_H
#define ARBITER_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/alicorn-hooks.h"
#include "gateway/arbiter/listener.h"

/* To be called first: remembers how the program was called, and takes what the arbiter
 * before us left in the environment out of it. */
void upgrade_init(char *const *argv);

/* This arbiter was started by another one, by USR2. */
bool upgrade_is_successor(void);

/* And that one still runs. */
bool upgrade_is_second(void);

/* True once: when the arbiter before us has gone. Its end comes as a CHLD. */
bool upgrade_was_promoted(void);

/* Starts the new arbiter, by way of the hook pre_exec. NULL, or why not. */
const char *upgrade_begin(struct listeners *all, const struct server_settings *server,
	const struct al_facts *facts);

/* The new arbiter; 0: there is none. */
pid_t upgrade_pid(void);

/* A process has died: true if it was the new arbiter. */
bool upgrade_has_ended(pid_t pid);

#endif
