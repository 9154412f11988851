/*
 * Typed, length-prefixed messages between processes over a unix stream socket, each
 * with at most one descriptor. Documented in alicorn-imsg(3).
 *
 * This is the codec; it makes no system call. A writer hands out the msghdr for
 * sendmsg(), a reader the one for recvmsg():
 *
 *	imsg_compose(&w, MY_TYPE, payload, -1);
 *	while ((msg = imsg_writer_msg(&w)) != NULL && (n = sendmsg(s, msg, flags)) > 0)
 *		imsg_writer_sent(&w, n);
 *
 *	n = recvmsg(s, imsg_reader_msg(&r), MSG_CMSG_CLOEXEC);
 *	imsg_reader_received(&r, n);
 *	while ((got = imsg_next(&r, &m)) == 1)
 *		handle(&m);
 *
 * On the wire: length of the whole message (4 bytes), type (4), flags (2; bit 0: a
 * descriptor comes with it), zero (2), then the payload; integers in the machine's byte
 * order, as the peer runs on the same machine.
 */
#ifndef PROTOCOLS_IMSG_H
#define PROTOCOLS_IMSG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "protocols/buffer.h"
#include "protocols/slice.h"

enum {
	IMSG_HEADER = 12, /* bytes before the payload */
	IMSG_PAYLOAD_MAX = 65536, /* bytes of payload */
	IMSG_FDS = 16, /* descriptors that may wait in a reader or a writer */
	IMSG_QUEUE_MAX = 1 << 20, /* bytes that may wait in a writer */
};

struct imsg {
	uint32_t type;
	struct slice payload; /* lives until the reader is used again */
	int fd; /* -1: none; else it is the receiver's to close */
};

/* A descriptor and the stream position of its message's first byte. */
struct imsg_fd {
	uint64_t at;
	int fd;
};

struct imsg_writer {
	struct buffer queue;
	uint64_t sent; /* bytes that have left, ever */
	struct imsg_fd fds[IMSG_FDS];
	size_t n_fds;
	struct msghdr msg;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(int))];
};

struct imsg_reader {
	struct buffer input;
	size_t taken; /* bytes of input that were handed out */
	int fds[IMSG_FDS];
	size_t n_fds;
	struct msghdr msg;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(int) * IMSG_FDS)];
};

void imsg_writer_init(struct imsg_writer *w);
/* Closes the descriptors that were not sent. */
void imsg_writer_release(struct imsg_writer *w);

/* Queues a message. On success the writer owns fd and closes it when it was sent. -1
 * with errno EMSGSIZE (payload) or ENOBUFS (queue full, memory): nothing was queued and
 * fd stays the caller's. */
int imsg_compose(struct imsg_writer *w, uint32_t type, struct slice payload, int fd);

/* What to give to sendmsg(), or NULL when the queue is empty. */
const struct msghdr *imsg_writer_msg(struct imsg_writer *w);
/* The n bytes that sendmsg() took. */
void imsg_writer_sent(struct imsg_writer *w, size_t n);

void imsg_reader_init(struct imsg_reader *r);
/* Closes the descriptors that were not handed out. */
void imsg_reader_release(struct imsg_reader *r);

/* What to give to recvmsg(); NULL when memory is out. */
struct msghdr *imsg_reader_msg(struct imsg_reader *r);
/* The n bytes that recvmsg() gave. -1 with errno EBADMSG when the control data was cut:
 * descriptors were lost and the channel is of no use. */
int imsg_reader_received(struct imsg_reader *r, size_t n);

/* 1 and the next message; 0 when it is not complete yet; -1 with errno EBADMSG: the
 * length is not one, or a descriptor is missing; the stream cannot be followed any
 * more. */
int imsg_next(struct imsg_reader *r, struct imsg *m);

#endif
