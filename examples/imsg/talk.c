#include "examples/imsg/talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

typedef int name_fn(int fd, const struct sockaddr *name, socklen_t len);

/* A socket of which bind() or connect() was called with the path. */
static int
open_named(const char *path, name_fn *use_name)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int len = snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);

	if (len < 0 || (size_t)len >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || use_name(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
talk_listen(const char *path)
{
	int fd = open_named(path, bind);

	if (fd == -1 || listen(fd, 8) == 0)
		return fd;
	close(fd);
	return -1;
}

int
talk_connect(const char *path)
{
	return open_named(path, connect);
}

int
talk_send(int socket, struct imsg_writer *w)
{
	const struct msghdr *msg;

	while ((msg = imsg_writer_msg(w)) != NULL) {
		ssize_t n = sendmsg(socket, msg, MSG_NOSIGNAL);
		if (n >= 0)
			imsg_writer_sent(w, (size_t)n);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
talk_receive(int socket, struct imsg_reader *r, struct imsg *m)
{
	int got;

	while ((got = imsg_next(r, m)) == 0) {
		struct msghdr *msg = imsg_reader_msg(r);
		ssize_t n = msg != NULL ? recvmsg(socket, msg, MSG_CMSG_CLOEXEC) : -1;
		if (n == 0)
			return 0;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || imsg_reader_received(r, (size_t)n) == -1)
			return -1;
	}
	return got;
}
