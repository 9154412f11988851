/*
 * The arbiter's side of the logger: it is started before all other processes, started
 * again when it dies, and told what there is to read from and to write to. What it has
 * not written by then is in memory of the arbiter's.
 */
#ifndef ARBITER_LOGGER_H
#define ARBITER_LOGGER_H

#include "gateway/arbiter/voice.h"

/* `epoll` watches its channel; the data is logger_tag. Without these logs are as they
 * were before. -1 and errno. */
int logger_open(int epoll);
extern const char logger_tag[];

/* The configuration that counts now, for the server's own lines: starts the logger if
 * there is none. -1 and errno. */
int logger_use(const struct server_settings *server, struct sink_table *table);

/* The descriptor that processes wake it by. */
int logger_bell(void);

/* Starts it if it is missing, tells it what it does not know yet. */
void logger_step(uint64_t now);
uint64_t logger_deadline(void); /* of clock_ms(); UINT64_MAX: none */

/* It said something. */
void logger_hear(void);

/* A process has died: true if it was the logger. */
bool logger_has_ended(pid_t pid, int status);

/* All others have gone: it writes what there is, and ends; waits for that. */
void logger_close(void);

#endif
