/*
 * Messages of applications to the workers of their pool and to the arbiter's hook: both
 * ways through the arbiter, over the channel.
 */
#ifndef WORKER_MESSAGES_H
#define WORKER_MESSAGES_H

#include "protocols/imsg.h"

/* One has come, a MESSAGE_DELIVER: it is kept for the application. */
void messages_receive(const struct imsg *m);

/* The main thread, after each round: calls the application with those that came. */
void messages_attend(void);

#endif
