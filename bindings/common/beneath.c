#include "bindings/common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RACES = 4 };

const char *
beneath_rest(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (strncmp(path, folder, len) != 0)
		return NULL;
	if (path[len] == '/')
		return path + len + 1;
	return len != 0 && folder[len - 1] == '/' ? path + len : NULL;
}

/* It asks to be tried again when something is moved at the same moment. */
static int
open_by_kernel(int folder, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACES; i++) {
		fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
		if (fd != -1 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

/* Old kernels do not know the call, some containers forbid it, and there may be no end
 * of moving. */
static bool
knows_nothing(int error)
{
	return error == ENOSYS || error == EPERM || error == EAGAIN;
}

static bool
path_of(int fd, char path[PATH_MAX])
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	if (n > 0)
		path[n] = '\0';
	return n > 0 && path[0] == '/';
}

static bool
is_beneath(int folder, int fd)
{
	char root[PATH_MAX], path[PATH_MAX];

	return path_of(folder, root) && path_of(fd, path) &&
		(strcmp(path, root) == 0 || beneath_rest(root, path) != NULL);
}

/* What was found is held, without being opened, and the kernel asked for its name. So
 * nothing can change between the look and its use. */
static int
open_checked(int folder, const char *path, int flags)
{
	char name[32];
	int held = openat(folder, path, O_PATH | O_CLOEXEC), fd = -1;

	if (held == -1)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", held);
	errno = EXDEV;
	if (is_beneath(folder, held))
		fd = open(name, flags | O_CLOEXEC);
	int error = errno;
	close(held);
	errno = error;
	return fd;
}

int
beneath_open(int folder, const char *path, int flags)
{
	int fd = open_by_kernel(folder, path, flags);

	return fd == -1 && knows_nothing(errno) ? open_checked(folder, path, flags)
						: fd;
}

int
beneath_open_followed(int folder, const char *path, int flags)
{
	int fd = open_by_kernel(folder, path, flags);

	return fd == -1 && (errno == EXDEV || knows_nothing(errno))
		? open_checked(folder, path, flags)
		: fd;
}
