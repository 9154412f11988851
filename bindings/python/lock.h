/*
 * The interpreter's lock. A thread of the gateway holds it only while it is in Python:
 * with a request, in a hook, between the calls about a fork. These functions are for
 * such threads: the main one, and those that AL_THREAD_START was told of.
 */
#ifndef PYTHON_LOCK_H
#define PYTHON_LOCK_H

#include <stdbool.h>

void lock_take(void);
void lock_give(void);

/* Whether this thread waits for nothing of Python: it has given the lock up. In a
 * signal handler too. */
bool lock_is_given(void);

/* The calling thread begins, or ends, to be one of those that may take the lock. */
void lock_thread_start(void);
void lock_thread_exit(void);

#endif
