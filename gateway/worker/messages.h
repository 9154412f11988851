/*
 * Messages of applications to the workers of their pool and to the arbiter's hook: both
 * ways through the arbiter, over the channel.
 */
#ifndef WORKER_MESSAGES_H
#define WORKER_MESSAGES_H

#include <stdbool.h>

#include "protocols/imsg.h"

/* Those that the application sends wait for room in the channel: there may be some. */
void messages_forward(void);

/* One has come, a MESSAGE_DELIVER: it is kept for the application, or lost, when it
 * was read although there was no room. */
bool messages_have_room(void);
void messages_receive(const struct imsg *m);

/* The main thread, after each round: calls the application with those that came. */
void messages_attend(void);

#endif
