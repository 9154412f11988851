/*
 * What a service manager is told, as sd_notify(3) describes it, over the socket that
 * NOTIFY_SOCKET names; and the beats of its watchdog. Without a manager nothing is
 * said.
 */
#ifndef ARBITER_NOTIFY_H
#define ARBITER_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

/* Takes the variables out of the environment. */
void notify_init(void);

/* Every application has a process that is ready. */
void notify_ready(unsigned processes);

/* A reload begins; and it has ended, one way or the other. Only of a server that was
 * ready before. */
void notify_reloading(void);
void notify_reloaded(unsigned processes);

/* The workers were stopped, the arbiter stays. */
void notify_paused(void);

/* The server stops. */
void notify_stopping(void);

/* The arbiter stops, and another one goes on: it is the main process from now on. */
void notify_succession(pid_t other);

/* While this is on, all of the above is noted and not said: another arbiter is the main
 * process. Turned off, it says that we are it now. */
void notify_hush(void);
void notify_speak(void);

/* Tells the watchdog that we live, when it is time to. */
void notify_beat(uint64_t now);

/* When that is, by clock_ms(); UINT64_MAX: never. */
uint64_t notify_deadline(void);

/* In a child that is about to become another arbiter: the watchdog is for it too. */
void notify_pass_on(void);

#endif
