/*
 * The arbiter: the supervising process. It knows processes, sockets, signals and
 * settings; no HTTP and no language. Once its loop runs it does not exit on an error
 * that it can log.
 */
#ifndef ARBITER_ARBITER_H
#define ARBITER_ARBITER_H

#include "gateway/common/heritage.h"
#include "gateway/config/config.h"
#include "protocols/slice.h"

/* What the arbiter is given by main, which alone knows both sides. */
struct arbiter_job {
	/* Reads the configuration anew, for HUP: NULL and the reasons when it is bad.
	 * With `previous`, which serves, it may also go on, and say what is broken. */
	struct config *(*reload)(
		void *arg, const struct config *previous, struct buffer *errors);
	void *arg;

	/* What a worker does. */
	worker_fn *worker;

	/* What a prototype does: it loads an application and forks its workers. */
	worker_fn *prototype;

	/* Written to the client of a worker that is too stuck to answer by itself. */
	struct slice timeout_answer;
	/* The same for one that has waited in a queue for too long. */
	struct slice queue_answer;
};

/* To be called before anything else is done: takes what a service manager, or the
 * arbiter before this one, has handed over by the environment. */
void arbiter_init(char *const *argv);

/* This is the new arbiter of an upgrade. */
bool arbiter_is_successor(void);

/* Runs until it is told to stop; takes the configuration over. Returns the exit status.
 */
int arbiter_run(struct config *config, const struct arbiter_job *job);

#endif
