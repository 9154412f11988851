#include "protocols/imsg.h"

#include <errno.h>
#include <unistd.h>

enum { IMSG_HAS_FD = 1, IMSG_READ = 16384 };

struct header {
	uint32_t length;
	uint32_t type;
	uint16_t flags;
	uint16_t zero;
};

_Static_assert(sizeof(struct header) == IMSG_HEADER, "the header has no padding");

void
imsg_writer_init(struct imsg_writer *w)
{
	*w = (struct imsg_writer){ .n_fds = 0 };
	buffer_init(&w->queue, IMSG_QUEUE_MAX);
}

void
imsg_writer_release(struct imsg_writer *w)
{
	for (size_t i = 0; i < w->n_fds; i++)
		close(w->fds[i].fd);
	buffer_release(&w->queue);
	imsg_writer_init(w);
}

int
imsg_compose(struct imsg_writer *w, uint32_t type, struct slice payload, int fd)
{
	struct header header = {
		.length = (uint32_t)(IMSG_HEADER + payload.len),
		.type = type,
		.flags = fd != -1 ? IMSG_HAS_FD : 0,
	};

	if (payload.len > IMSG_PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if ((fd != -1 && w->n_fds == IMSG_FDS) ||
		buffer_reserve(&w->queue, header.length) == NULL) {
		/* A message that did not fit does not spoil the queue for later ones.
		 */
		w->queue.failed = false;
		errno = ENOBUFS;
		return -1;
	}
	if (fd != -1)
		w->fds[w->n_fds++] = (struct imsg_fd){ w->sent + w->queue.len, fd };
	buffer_add(&w->queue, &header, sizeof(header));
	buffer_add_slice(&w->queue, payload);
	return 0;
}

static void
attach_fd(struct imsg_writer *w, int fd)
{
	w->msg.msg_control = w->control;
	w->msg.msg_controllen = sizeof(w->control);
	struct cmsghdr *c = CMSG_FIRSTHDR(&w->msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

/*
 * A descriptor travels with the first byte that its sendmsg() sends. So what is handed
 * out begins with a message that has one, or ends before it.
 */
const struct msghdr *
imsg_writer_msg(struct imsg_writer *w)
{
	size_t next = 0; /* the first descriptor that must stay behind */

	if (w->queue.len == 0)
		return NULL;
	w->msg = (struct msghdr){ .msg_iov = &w->iov, .msg_iovlen = 1 };
	w->iov = (struct iovec){ w->queue.ptr, w->queue.len };
	if (w->n_fds > 0 && w->fds[0].at == w->sent)
		attach_fd(w, w->fds[next++].fd);
	if (next < w->n_fds)
		w->iov.iov_len = (size_t)(w->fds[next].at - w->sent);
	return &w->msg;
}

void
imsg_writer_sent(struct imsg_writer *w, size_t n)
{
	if (n == 0)
		return;
	if (w->n_fds > 0 && w->fds[0].at == w->sent) {
		close(w->fds[0].fd);
		memmove(w->fds, w->fds + 1, --w->n_fds * sizeof(w->fds[0]));
	}
	w->sent += n;
	buffer_consume(&w->queue, n);
}

void
imsg_reader_init(struct imsg_reader *r)
{
	*r = (struct imsg_reader){ .n_fds = 0 };
	/* Room for what is left of a message, always less than a whole one, and a read.
	 */
	buffer_init(&r->input, IMSG_HEADER + IMSG_PAYLOAD_MAX + IMSG_READ);
}

void
imsg_reader_release(struct imsg_reader *r)
{
	for (size_t i = 0; i < r->n_fds; i++)
		close(r->fds[i]);
	buffer_release(&r->input);
	imsg_reader_init(r);
}

struct msghdr *
imsg_reader_msg(struct imsg_reader *r)
{
	if (r->taken != 0)
		buffer_consume(&r->input, r->taken);
	r->taken = 0;
	r->iov.iov_base = buffer_reserve(&r->input, IMSG_READ);
	r->iov.iov_len = IMSG_READ;
	r->msg = (struct msghdr){
		.msg_iov = &r->iov,
		.msg_iovlen = 1,
		.msg_control = r->control,
		.msg_controllen = sizeof(r->control),
	};
	return r->iov.iov_base != NULL ? &r->msg : NULL;
}

/* Keeps the descriptors of one control message; false when there are too many: those
 * that find no room are closed. */
static bool
keep_fds(struct imsg_reader *r, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool kept = true;

	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (r->n_fds < IMSG_FDS) {
			r->fds[r->n_fds++] = fd;
		} else {
			close(fd);
			kept = false;
		}
	}
	return kept;
}

int
imsg_reader_received(struct imsg_reader *r, size_t n)
{
	bool whole = (r->msg.msg_flags & MSG_CTRUNC) == 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&r->msg);

	r->input.len += n;
	for (; c != NULL; c = CMSG_NXTHDR(&r->msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			whole = keep_fds(r, c) && whole;
	}
	if (!whole) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

static bool
is_valid(const struct header *h)
{
	return h->length >= IMSG_HEADER &&
		h->length <= IMSG_HEADER + IMSG_PAYLOAD_MAX &&
		(h->flags & ~IMSG_HAS_FD) == 0 && h->zero == 0;
}

static int
take_fd(struct imsg_reader *r)
{
	int fd = r->fds[0];

	memmove(r->fds, r->fds + 1, --r->n_fds * sizeof(r->fds[0]));
	return fd;
}

int
imsg_next(struct imsg_reader *r, struct imsg *m)
{
	size_t left = r->input.len - r->taken;
	struct header header;

	if (left == 0 && r->n_fds != 0)
		goto bad; /* a descriptor that belongs to no message */
	if (left < IMSG_HEADER)
		return 0;
	const char *at = r->input.ptr + r->taken;
	memcpy(&header, at, sizeof(header));
	if (!is_valid(&header))
		goto bad;
	if (left < header.length)
		return 0;
	bool has_fd = (header.flags & IMSG_HAS_FD) != 0;
	if (has_fd && r->n_fds == 0)
		goto bad;
	m->type = header.type;
	m->payload = slice_of(at + IMSG_HEADER, header.length - IMSG_HEADER);
	m->fd = has_fd ? take_fd(r) : -1;
	r->taken += header.length;
	return 1;
bad:
	errno = EBADMSG;
	return -1;
}
