/*
 * The lock of what threads of a process share of the log: its ring, its descriptors.
 * The thread that has it may take it again, as a signal handler may have interrupted
 * it. A child that is forked meanwhile finds it free.
 */
#ifndef LOGGER_LOGGER_LOCK_H
#define LOGGER_LOGGER_LOCK_H

#include <stdbool.h>

/* True: this thread did not have it before. */
bool logger_lock(void);
void logger_unlock(void);

#endif
