#include "gateway/common/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What stays free for others of those who ask for room. */
enum { KEPT_BYTES = IMSG_QUEUE_MAX / 4, KEPT_FDS = IMSG_FDS / 2 };

void
channel_init(struct channel *c, int fd)
{
	c->fd = fd;
	imsg_reader_init(&c->in);
	imsg_writer_init(&c->out);
}

void
channel_release(struct channel *c)
{
	if (c->fd != -1)
		close(c->fd);
	imsg_reader_release(&c->in);
	imsg_writer_release(&c->out);
	c->fd = -1;
}

int
channel_send(struct channel *c, unsigned type, struct slice payload)
{
	if (c->fd == -1 || imsg_compose(&c->out, type, payload, -1) == -1)
		return -1;
	return channel_flush(c);
}

int
channel_send_fd(struct channel *c, unsigned type, struct slice payload, int fd)
{
	int copy = fd != -1 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd != -1 && copy == -1)
		return -1;
	if (c->fd != -1 && imsg_compose(&c->out, type, payload, copy) == 0)
		return channel_flush(c);
	if (copy != -1)
		close(copy);
	return -1;
}

bool
channel_has_room(const struct channel *c, size_t n)
{
	return c->out.queue.len + n <= IMSG_QUEUE_MAX - KEPT_BYTES &&
		c->out.n_fds < IMSG_FDS - KEPT_FDS;
}

bool
channel_waits(const struct channel *c)
{
	return c->out.queue.len > 0;
}

int
channel_flush(struct channel *c)
{
	const struct msghdr *msg;

	while ((msg = imsg_writer_msg(&c->out)) != NULL) {
		ssize_t n = sendmsg(c->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			imsg_writer_sent(&c->out, (size_t)n);
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* Reads once: 1 when something came, else as channel_receive. */
static int
read_some(struct channel *c)
{
	struct msghdr *msg = imsg_reader_msg(&c->in);

	if (msg == NULL)
		return -1;
	for (;;) {
		ssize_t n = recvmsg(c->fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n > 0)
			return imsg_reader_received(&c->in, (size_t)n) == 0 ? 1 : -1;
		if (n == 0)
			return -1;
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

int
channel_receive(struct channel *c, struct imsg *m)
{
	for (;;) {
		int got = imsg_next(&c->in, m);
		if (got != 0)
			return got;
		got = c->fd != -1 ? read_some(c) : -1;
		if (got <= 0)
			return got;
	}
}
