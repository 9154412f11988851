/*
 * The event loop: descriptors (epoll) and timers. A round is two calls: loop_wait,
 * which touches nothing but the epoll set, and loop_dispatch, which calls watches and
 * timers. Where several threads use a loop, a lock of theirs (lock.h) is held for all
 * calls but loop_wait and loop_kick. Nothing here knows what a connection is.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "gateway/worker/timer.h"

struct watch;

/* `events` are epoll's; 0 when it is called because of loop_again. */
typedef void watch_fn(struct watch *watch, uint32_t events);

/* Embedded in what it belongs to. */
struct watch {
	watch_fn *fn; /* NULL: closed, no more calls */
	int fd;
	bool added; /* to the epoll set */
	bool again; /* in the list of loop_again */
	struct watch *next; /* in that list, or in the list of the closed */
	void (*release)(struct watch *watch);
};

enum { EVENTS_PER_ROUND = 64 };

struct loop {
	int epoll;
	uint64_t now; /* clock_ms() when this round began */
	struct timers timers;
	/* Those of this round, and the next to be dealt with: here, not on the stack,
	 * as another thread goes on with them when this one is held up in the middle.
	 */
	struct epoll_event events[EVENTS_PER_ROUND];
	int n_events, next_event;
	uint64_t waits_until; /* what loop_wait was told; 0: nobody waits */
	struct watch kick; /* an eventfd */
	struct watch *again; /* to be called in the next round without an event */
	struct watch *closed; /* to be released at the end of this round */
};

/* -1 and errno. */
int loop_init(struct loop *loop);
void loop_release(struct loop *loop);

void watch_init(struct watch *watch, int fd, watch_fn *fn);

/* Adds it to the epoll set, or changes its events; -1 and errno. */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);

/* Out of the epoll set, to be added again later. */
void loop_pause(struct loop *loop, struct watch *watch);

/* Calls the watch once more, after all that have events; in the next round when it is
 * asked for by such a call. */
void loop_again(struct loop *loop, struct watch *watch);

/* No more calls. `release` is called when this round ends: events that epoll has
 * reported already may still name the watch until then. The descriptor is the caller's
 * to close. */
void loop_close(
	struct loop *loop, struct watch *watch, void (*release)(struct watch *watch));

/* How long the next round may wait, in milliseconds, but not longer than max_ms (-1: no
 * limit): the argument of loop_wait. */
int loop_wait_ms(struct loop *loop, int max_ms);

/* Waits for events, for so long. */
void loop_wait(struct loop *loop, int ms);

/* Calls what has events, then those of loop_again, then timers. */
void loop_dispatch(struct loop *loop);

/* The loop waits in another thread, and longer than it should by now: a kick is due. */
bool loop_oversleeps(const struct loop *loop);

/* Ends a wait, from any thread. */
void loop_kick(struct loop *loop);

#endif
