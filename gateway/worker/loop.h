/*
 * The event loop: descriptors (epoll) and timers. One owner at a time: whoever calls
 * loop_round. Nothing here knows what a connection is.
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

struct loop {
	int epoll;
	uint64_t now; /* clock_ms() when this round began */
	struct timers timers;
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

/* One round: waits until something happens, but not longer than max_ms (-1: no limit);
 * calls watches, then timers. */
void loop_round(struct loop *loop, int max_ms);

#endif
