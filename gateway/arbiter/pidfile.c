#include "gateway/arbiter/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The pid in the file; 0 when there is none. */
static pid_t
read_pid(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;
	return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* Creates the file `path`; -1 and errno. */
static int
write_pid(const char *path)
{
	int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd == -1)
		return -1;
	/* Readable for all, whatever the umask says. */
	int done = fchmod(fd, 0644) == 0 && dprintf(fd, "%d\n", (int)getpid()) > 0 ? 0
										   : -1;
	return close(fd) == 0 ? done : -1;
}

const char *
pidfile_write(const char *path)
{
	static char reason[PATH_MAX + 64];
	char fresh[PATH_MAX];
	pid_t other = read_pid(path);

	if (other != 0 && other != getpid() && is_alive(other)) {
		snprintf(reason, sizeof(reason), "pidfile %s: process %d runs already",
			path, (int)other);
		return reason;
	}
	int n = snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(fresh)) {
		errno = ENAMETOOLONG;
	} else if (write_pid(fresh) == 0 && rename(fresh, path) == 0) {
		return NULL;
	} else {
		int saved = errno;
		unlink(fresh);
		errno = saved;
	}
	snprintf(reason, sizeof(reason), "pidfile %s: %s", path, strerror(errno));
	return reason;
}

void
pidfile_remove(const char *path)
{
	if (read_pid(path) == getpid())
		unlink(path);
}
