/*
 * Signals as bytes in a pipe: one handler, which writes the number, and a loop that
 * reads it. Every signal that the handler sees is counted; a signalfd would merge them.
 */
#ifndef ARBITER_SIGNALS_H
#define ARBITER_SIGNALS_H

#include <signal.h>
#include <stddef.h>

/* Handles this signal from now on; the first call makes the pipe. -1 and errno. */
int signals_handle(int number);

/* Readable when a signal has come. */
int signals_fd(void);

/* The number of the oldest signal that was not taken yet; 0: there is none. */
int signals_next(void);

/* Around fork(): nothing is delivered between these two. */
void signals_block(sigset_t *before);
void signals_unblock(const sigset_t *before);

/* In a child: default dispositions for everything, no pipe. All is still blocked. */
void signals_forget(void);

/* Closes the pipe. From here to the end of the process signals stay blocked. */
void signals_release(void);

#endif
