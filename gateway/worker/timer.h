/*
 * Timers in a binary heap. They are lazy: to move one to a later time only writes the
 * time down, and the heap learns of it when the earlier time comes. So a connection
 * that makes progress, and whose limit moves with each step, costs the heap nothing.
 */
#ifndef WORKER_TIMER_H
#define WORKER_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *timer);

/* Embedded in what it belongs to. All zero but fn is a valid, stopped timer. */
struct timer {
	timer_fn *fn;
	uint64_t at; /* when fn is called, in clock_ms(); 0: not at all */
	uint64_t key; /* its time in the heap, not later than `at` */
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};

/* -1: memory is out; nothing else can fail. */
int timer_set(struct timers *all, struct timer *t, uint64_t at);

/* Not called any more; the memory must stay until timer_remove. */
static inline void
timer_stop(struct timer *t)
{
	t->at = 0;
}

/* Takes it out of the heap: its memory may go. */
void timer_remove(struct timers *all, struct timer *t);

/* Calls what is due. A timer is stopped before its function is called. */
void timers_run(struct timers *all, uint64_t now);

/* Milliseconds until the next is due, rounded so that it is then due; -1: none. */
int timers_wait(const struct timers *all, uint64_t now);

void timers_release(struct timers *all);

#endif
