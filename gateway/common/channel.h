/*
 * A channel: one end of the socketpair between the arbiter and a child, with imsg
 * messages in both directions. Non-blocking; what the socket does not take waits in the
 * queue.
 */
#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include <stdbool.h>

#include "protocols/imsg.h"
#include "protocols/slice.h"

struct channel {
	int fd; /* -1: closed */
	struct imsg_reader in;
	struct imsg_writer out;
};

/* clang-format off */
#define CHANNEL_CLOSED { .fd = -1 }
/* clang-format on */

/* Takes the descriptor over. */
void channel_init(struct channel *c, int fd);
void channel_release(struct channel *c);

/* Queues a message and sends what the socket takes. -1 when the peer has gone or the
 * queue is full; the caller then treats the channel as closed. */
int channel_send(struct channel *c, unsigned type, struct slice payload);

/* The same with a copy of the descriptor; -1: none. When no copy can be had, nothing is
 * sent. */
int channel_send_fd(struct channel *c, unsigned type, struct slice payload, int fd);

/* Whether n bytes more, and perhaps a descriptor, leave room in the queue for what is
 * not sent often but must not be lost. */
bool channel_has_room(const struct channel *c, size_t n);

/* Something waits in the queue. */
bool channel_waits(const struct channel *c);

/* Sends more of the queue, when the socket is writable. Returns as channel_send. */
int channel_flush(struct channel *c);

/* The next message: 1 and *m, whose payload lives until the next call; 0 when there is
 * none yet; -1 when the peer has gone or sent nonsense. */
int channel_receive(struct channel *c, struct imsg *m);

#endif
