/*
 * What a child process gets from the arbiter: the border between the two sides. The
 * arbiter's side fills it in; the worker's side reads it. Neither includes the other.
 */
#ifndef COMMON_HERITAGE_H
#define COMMON_HERITAGE_H

#include <stddef.h>
#include <sys/types.h>

#include "gateway/common/board.h"
#include "gateway/common/queue.h"
#include "gateway/common/slot.h"
#include "gateway/config/settings.h"

/* One listening socket, non-blocking. */
struct listener {
	int fd;
	struct address address;
};

/* An application of the same generation, as those see it whose requests are handed to
 * it: its queue, and where its clients connect to. */
struct neighbour {
	const struct app_settings *app;
	const struct queue *queue;
	const struct listener *const *listeners;
	size_t n_listeners;
};

/* All of them, and the sites whose routes lead to them. */
struct neighbours {
	struct neighbour *all;
	size_t n;
	const struct site *sites;
	size_t n_sites;
};

/* How a child is heard by the logger. */
struct log_share {
	int ring; /* memory for its lines */
	int output; /* the end of a pipe, for what it prints */
	int bell; /* an eventfd that wakes the logger */
	const uint32_t *sinks; /* what the logger calls those of the configuration */
};

struct heritage {
	const struct server_settings *server;
	const struct app_settings *app;
	/* What the binding loads; of a managed program its address. */
	const char *target;
	const struct listener *const *listeners;
	size_t n_listeners;
	const struct queue *queue; /* of its pool; NULL: it has none */
	const struct neighbours *neighbours;
	const struct slots *slots; /* of all workers */
	const struct board *board; /* what the arbiter tells of the server */
	struct slot *slot; /* this worker's own row */
	int channel; /* to the arbiter, non-blocking */
	struct log_share log;
	unsigned age; /* 1 for the first worker ever started, then 2, … */
	unsigned generation; /* of the configuration */
	/* What a worker does that its prototype has forked, before all else: the hook
	 * post_fork, after which it may be over. */
	void (*born)(const struct heritage *h);
};

/* What a worker is given that a prototype forks, besides its channel, a descriptor. The
 * slots are at the same address in all processes: they are mapped before any fork. */
struct birth {
	struct slot *slot;
	unsigned age;
};

/* Runs in the child, after the fork, with default signals and nothing blocked; returns
 * the exit status. */
typedef int worker_fn(const struct heritage *h);

/* What travels over the channel: imsg types. */
enum message {
	/* worker to arbiter */
	MESSAGE_READY = 1, /* the application is loaded */
	MESSAGE_FAILED, /* it cannot be loaded; the payload is the reason, a text */
	MESSAGE_RECYCLE, /* it has served enough requests, and serves on until a stop */
	MESSAGE_FILES, /* it was loaded from these: paths, each with its NUL */
	MESSAGE_BORN, /* its prototype has forked it; the payload is its pid_t */
	MESSAGE_LOOK, /* somebody looks at the board; "m": at memory, too */
	MESSAGE_SEND, /* from its application to others: struct letter, then the data */
	MESSAGE_TRACE, /* a request that has ended: struct trace_record, its texts */
	/* arbiter to worker */
	MESSAGE_SERVE, /* begin to accept: the generation is committed */
	MESSAGE_DELIVER, /* the same, from another worker */
	/* arbiter to prototype */
	MESSAGE_RING, /* of the worker that is to be forked next: the memory of its
			 ring, */
	MESSAGE_OUTPUT, /* and its pipe; each is a descriptor */
	MESSAGE_SPAWN, /* fork a worker; struct birth, with its end of its channel */
};

/* What an application sends, with or without a descriptor: AL_TO_POOL, AL_TO_ARBITER,
 * and AL_MESSAGE_MAX of the interface. */
enum letter_to { LETTER_TO_POOL, LETTER_TO_ARBITER };
enum { LETTER_DATA_MAX = 16 * 1024 };

struct letter {
	uint32_t to; /* enum letter_to */
	uint32_t type; /* the application's own */
	int32_t from; /* the sender's pid, as the arbiter knows it */
};

/* The signal by which the arbiter has a worker write to the log what its application is
 * doing; it goes on. */
#define SIGNAL_SHOW_STACK (SIGRTMAX - 1)

/* Exit statuses, of the program and of a child. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_CONFIG = 1, /* configuration, pidfile, address in use */
	EXIT_USAGE = 2, /* command line */
	EXIT_BOOT = 3, /* the workers of a pool died before one was ready */
	EXIT_LOAD = 4, /* an application could not be loaded */
};

#endif
