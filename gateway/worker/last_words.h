/*
 * Last words: what clients are told when this worker ends in the middle of their
 * requests, whatever the cause. A crash answers 502 from the signal handler, SIGABRT
 * after a time limit 504; an application that calls _exit() or exit() meets ours, which
 * answers 502 and says so in the log; a quick stop answers 503. Where a part of a
 * response was sent, the connection ends so that the client can see that it is a part.
 */
#ifndef WORKER_LAST_WORDS_H
#define WORKER_LAST_WORDS_H

/* From now on in this process. */
void last_words_arm(void);

enum { SIGNAL_STACK = 64 * 1024 };

/* Handlers in this thread run on it, SIGNAL_STACK bytes, so that they have room when
 * its own is full; NULL: not any more. */
void last_words_use_stack(char *stack);

/* The loop has heard of a quick stop: ends the process. */
void last_words_quit(void) __attribute__((noreturn));

/* The worker ends by itself: nothing is left to say. */
void last_words_disarm(void);

#endif
