/*
 * Messages between processes: the same ones however the bytes are cut; composed again
 * they are the same bytes; a descriptor is handed out or closed, never lost.
 */
#include "protocols/imsg.h"

#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* As recvmsg() would: n bytes, with a descriptor unless it is -1. */
static int
receive(struct imsg_reader *r, struct slice bytes, int fd)
{
	struct msghdr *msg = imsg_reader_msg(r);

	assert(msg != NULL && bytes.len <= msg->msg_iov->iov_len);
	if (bytes.len > 0)
		memcpy(msg->msg_iov->iov_base, bytes.ptr, bytes.len);
	msg->msg_controllen = fd != -1 ? CMSG_SPACE(sizeof(int)) : 0;
	if (fd != -1) {
		struct cmsghdr *c = msg->msg_control;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return imsg_reader_received(r, bytes.len);
}

/* All messages that are there are composed again, into `w`; 0 or -1. */
static int
copy_messages(struct imsg_reader *r, struct imsg_writer *w)
{
	struct imsg m;
	int got;

	while ((got = imsg_next(r, &m)) == 1)
		assert(imsg_compose(w, m.type, m.payload, m.fd) == 0);
	return got;
}

static int
decode(struct slice in, size_t first, size_t step, struct imsg_writer *w)
{
	struct imsg_reader r;
	int got = 0;

	imsg_reader_init(&r);
	imsg_writer_init(w);
	/* One comes with the first message, when that says so. */
	int fd = in.len > 8 && in.ptr[8] == 1 ? dup(STDERR_FILENO) : -1;
	for (size_t begin = 0, end = first; got == 0; fd = -1) {
		assert(receive(&r, slice_of(in.ptr + begin, end - begin), fd) == 0);
		/* Without a byte no descriptor can have come. */
		got = end > 0 || fd == -1 ? copy_messages(&r, w) : 0;
		if (end == in.len)
			break;
		begin = end;
		end = in.len - end < step ? in.len : end + step;
	}
	imsg_reader_release(&r);
	return got;
}

void
fuzz_imsg(struct slice in)
{
	struct imsg_writer whole, other;
	int lowest = dup(STDERR_FILENO);

	in.len = in.len < 8192 ? in.len : 8192; /* what one read may give */
	close(lowest);
	int got = decode(in, in.len, 1, &whole);
	assert(whole.queue.len <= in.len);
	assert(in.len == 0 || whole.queue.len == 0 ||
		memcmp(whole.queue.ptr, in.ptr, whole.queue.len) == 0);
	int same = decode(in, fuzz_choice(in) % (in.len + 1), in.len, &other);
	assert(same == got);
	assert(slice_eq(buffer_slice(&whole.queue), buffer_slice(&other.queue)));
	imsg_writer_release(&whole);
	imsg_writer_release(&other);
	assert(dup(STDERR_FILENO) == lowest);
	close(lowest);
}
