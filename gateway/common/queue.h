/*
 * The queue of a pool: connections on their way from one worker to another. A
 * socketpair (SOCK_SEQPACKET) that the arbiter makes and all workers of an application
 * inherit, of each generation, so what lies in it outlives any of them. A message is a
 * header, the bytes that were received and not yet answered, and the descriptor.
 */
#ifndef COMMON_QUEUE_H
#define COMMON_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

/* Shared by all who have the queue. */
struct queue_state {
	alignas(64) _Atomic uint32_t depth; /* messages that lie in it */
};

/* Its descriptors. */
enum queue_fd {
	QUEUE_IN, /* to send to, non-blocking */
	QUEUE_OUT, /* to receive from, non-blocking */
	QUEUE_STATE, /* memory, that of the state */
	QUEUE_NOTES, /* memory that only a front maps: see worker/introductions.h */
	QUEUE_FDS,
};

struct queue {
	int fds[QUEUE_FDS];
	struct queue_state *state; /* at the same address in all children */
	uint32_t id; /* another one for each queue of an arbiter, from 1 */
};

/* A new one, or by its descriptors one that another arbiter has made. -1 and errno. */
int queue_init(struct queue *q);
int queue_init_from(struct queue *q, const int fds[QUEUE_FDS]);
void queue_release(struct queue *q);

#endif
