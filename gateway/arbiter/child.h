/*
 * The children of the arbiter, of all kinds: how they are started, what state they are
 * in, how they are stopped. A family holds them all; it owns their slots and the
 * arbiter's ends of their channels.
 */
#ifndef ARBITER_CHILD_H
#define ARBITER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "gateway/arbiter/hooks.h"
#include "gateway/common/board.h"
#include "gateway/common/channel.h"
#include "gateway/common/heritage.h"

struct pool;
struct voice;

enum child_state {
	CHILD_BOOTING, /* started */
	CHILD_READY, /* its application is loaded; waits for the generation's commit */
	CHILD_SERVING, /* does its work */
	CHILD_STOPPING, /* was told to stop */
	CHILD_STATES,
};

/* How children are told to stop, the strongest last. */
enum stop { STOP_NO, STOP_GRACEFUL, STOP_QUICK, STOP_FORCED, STOPS };

struct child {
	struct pool *pool;
	pid_t pid;
	unsigned age; /* 1 for the first child ever */
	enum child_state state;
	enum stop stop; /* how it was told to stop */
	struct channel channel; /* closed once the other side was */
	struct slot *slot; /* NULL: this kind has none */
	struct voice *voice; /* how the logger hears it */
	bool unborn; /* it has no pid yet: see birth.h */
	int owed_signal; /* to be sent when it has one; 0: none */

	/* These are of clock_ms(); 0 stands for never. */
	uint64_t started;
	uint64_t ready;
	uint64_t deadline; /* of booting or stopping */

	/* The request that lasts too long, by its busy_since, and when its worker will
	 * be killed for it. */
	uint64_t overdue;
	uint64_t kill_at;
	uint64_t shown; /* the request whose stack was asked for, by its busy_since */

	/* What the last look at it found: see demand.c and departure.c. */
	uint64_t cpu_seen; /* nanoseconds */
	uint64_t requests_seen;
	uint64_t idle_since; /* of clock_ms(); 0: it was not looked at */
	uint64_t counted; /* of its requests, for the programs behind it: recycle.c */

	/* A connection that the program goes on with, and nobody else: see forsaken.h.
	 */
	uint64_t forsaken; /* its inode; 0: none */
	uint64_t forsaken_since; /* these are of clock_ms() */
	uint64_t links_seen;

	/* Bytes of memory, and when the second was found out: see board_measure.c. */
	uint64_t resident, proportional, weighed;

	bool is_slow; /* something waits until its channel takes it */
	unsigned lost; /* letters that it had no room for, and were not told of yet */
	uint64_t lost_told; /* of clock_ms(): when some were told of */

	const char *killed_for; /* why the arbiter ended it; NULL: it did not */
	char recycle[64]; /* why it shall be replaced; "": it shall not */
	bool explained; /* the log says already why it ends */

	TAILQ_ENTRY(child) next;
};

TAILQ_HEAD(children, child);

enum look { LOOK_SHORT = 1, LOOK_MEMORY = 2 };

struct family {
	worker_fn *worker;
	worker_fn *prototype;
	int epoll; /* watches the channels; the data is the child */
	struct slots slots;
	struct board_memory board;
	unsigned look; /* somebody looks at it: enum look */
	uint64_t measured; /* of clock_ms(): by board_measure.c */
	unsigned last_age;
	uint64_t memory_at; /* of clock_ms(): when memory is looked at again */
	uint64_t looked_at; /* of clock_ms(): when pools were, by demand.c */
	struct children children; /* the oldest first */
	struct hooks hooks;
};

/* -1 and errno. */
int family_init(struct family *f, worker_fn *worker, worker_fn *prototype);
void family_release(struct family *f);

/* The child of that pid; NULL: none of ours. */
struct child *family_find(const struct family *f, pid_t pid);

/* Starts a child of the pool. Returns NULL, or what failed; errno says why. */
const char *child_start(struct family *f, struct pool *pool);

/* Its application is loaded: it serves from now on, unless its pool holds it back. */
void child_is_ready(struct child *child, uint64_t now);
void child_serve(struct child *child);

/* Tells it to stop, unless it was told so as strongly before, and sets the time limit.
 */
void child_stop(struct child *child, enum stop how, uint64_t now);

/* Before that: why, for those of its connections that the application has taken over.
 */
void child_bid_farewell(struct child *child, enum slot_farewell why);

/* Its time to boot or to stop is over. */
void child_deadline_passed(struct child *child, uint64_t now);

void child_kill(struct child *child, const char *why);
void child_signal(struct child *child, int number);

/* Sends what its channel takes; the rest is sent by child_flush(). */
void child_tell(struct family *f, struct child *child, enum message type,
	struct slice payload, int fd);
void child_flush(struct family *f, struct child *child);

/* The other side closed the channel. */
void child_hung_up(struct family *f, struct child *child, uint64_t now);

/* It ended by itself before it had served for a second; not in a request: that one may
 * be at fault, and the others should not wait for a new worker because of it. */
bool child_failed(const struct child *child, uint64_t now);

/* "worker shop (pid 4711)"; the text lives until the next call. */
const char *child_text(const struct child *child);

/* Frees what belongs to a child that has died. */
void child_free(struct family *f, struct child *child);

#endif
