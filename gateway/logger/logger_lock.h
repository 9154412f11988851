/*
 * The lock of the logger's own state: its descriptors and what is counted. The thread
 * that has it may take it again, as a signal handler may have interrupted it. A child
 * that is forked meanwhile finds it free.
 */
#ifndef LOGGER_LOGGER_LOCK_H
#define LOGGER_LOGGER_LOCK_H

void logger_lock(void);
void logger_unlock(void);

#endif
