/*
 * What a program reads: always a file, so nobody has to pump, a program that writes
 * before it reads cannot be held up, and one that does not read is no error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bindings/cgi/exchange.h"

static int
write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);
		if (done < 0 && errno != EINTR)
			return -1;
		data += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static int
open_memory(const char *data, size_t n)
{
	int fd = memfd_create("request body", MFD_CLOEXEC);

	if (fd == -1)
		return -1;
	if (write_all(fd, data, n) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* The same file anew has a position of its own and cannot be written to. */
static int
open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC);
	if (again != -1)
		return again;
	if (lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int
stdin_open(const struct exchange *x)
{
	uint64_t length = al_body_length(x->req);
	const char *data = al_body_memory(x->req);

	if (length == 0 || x->ask.redirected)
		return fcntl(x->app->null, F_DUPFD_CLOEXEC, 3);
	if (data != NULL)
		return open_memory(data, (size_t)length);
	return open_again(al_body_fd(x->req));
}
