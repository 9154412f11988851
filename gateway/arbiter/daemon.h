/*
 * Daemon mode: the program goes on in the background, and the process that was started
 * waits until the server is ready, or is not going to be, and exits with its status.
 */
#ifndef ARBITER_DAEMON_H
#define ARBITER_DAEMON_H

#include <stdbool.h>

/* Returns in the daemon: NULL; or why there is none. Until daemon_report() what goes
 * wrong is told on the terminal too. With `keep_output` standard output and error stay
 * what they are, unless they are the terminal. */
const char *daemon_begin(bool keep_output);

/* The status for the process that waits; only the first one counts. */
void daemon_report(int status);

#endif
