/*
 * The files that the application was loaded from, for the arbiter, which watches them
 * with the setting reload.
 */
#ifndef WORKER_FILES_H
#define WORKER_FILES_H

#include "gateway/common/channel.h"

/* Asks the binding for them, and sends those that were not sent before. */
void files_tell(struct channel *channel);

/* The same after requests, which may have loaded more. */
void files_tell_new(struct channel *channel);

#endif
