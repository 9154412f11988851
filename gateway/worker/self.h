/*
 * What this process is: one worker, so one global. Set up in worker.c, before an
 * application is loaded; the calls of alicorn.h find the worker through it.
 */
#ifndef WORKER_SELF_H
#define WORKER_SELF_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "gateway/common/channel.h"
#include "gateway/common/heritage.h"
#include "gateway/worker/app.h"
#include "gateway/worker/loop.h"
#include "protocols/http.h"
#include "protocols/http1.h"

struct conn;

struct worker {
	const struct heritage *heritage;
	const struct app_settings *settings;
	struct slot *slot;
	pthread_t main_thread;
	struct loop loop;
	struct app app;
	struct http1_limits limits; /* of a body none: its route is not known yet */
	uint64_t body_limit; /* where no route has one */
	LIST_HEAD(, conn) conns; /* all of them */
	TAILQ_HEAD(, conn) idle; /* those in CONN_IDLE, the longest idle first */
	TAILQ_HEAD(, conn) ready; /* those in CONN_READY, the first one first */
	size_t n_conns;
	/* Told to stop, perhaps in the middle of a request; draining begins when the
	 * loop hears of it: then it finishes what it has and takes nothing new. */
	atomic_bool leaving;
	bool draining;
	volatile sig_atomic_t serving; /* the loop runs */
	struct slice server; /* the Server field of responses; empty: none */
	char date[HTTP_DATE]; /* of the Date field, for the second date_at */
	uint64_t date_at;
};

extern struct worker self;

/* In a signal handler: the loop shall act on the signal. */
void worker_note_signal(int number);

#endif
