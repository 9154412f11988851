#include "gateway/arbiter/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/arbiter/obstacle.h"

/* Through a descriptor, as somebody whose folder it is may put a link in its place
 * meanwhile. */
static int
set(int fd, mode_t mode, const struct identity *owner)
{
	char path[64];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	if ((st.st_uid != owner->uid || st.st_gid != owner->gid) &&
		fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) == -1)
		return -1;
	/* fchmod() does not take a descriptor that was opened without any right. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode);
}

const char *
socket_file_set(const char *path, const struct app_settings *app)
{
	return socket_file_give(path, (mode_t)app->socket_mode, &app->socket_identity);
}

const char *
socket_file_give(const char *path, mode_t mode, const struct identity *owner)
{
	static char reason[PATH_MAX + 128];
	const char *failed = NULL;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 || set(fd, mode, owner) == -1) {
		snprintf(reason, sizeof(reason), "owner and mode of %s: %s", path,
			strerror(errno));
		failed = reason;
	}
	if (fd != -1)
		close(fd);
	return failed;
}

/* Whether a server accepts there. */
static bool
is_answered(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	bool refused = fd != -1 &&
		connect(fd, (const struct sockaddr *)&name, sizeof(name)) == -1 &&
		errno == ECONNREFUSED;
	if (fd != -1)
		close(fd);
	return !refused;
}

int
socket_file_clear(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode))
		errno = EEXIST;
	else if (is_answered(path))
		errno = EADDRINUSE;
	else
		return unlink(path);
	return -1;
}

/* ---- To listen ---- */

/* Nobody else can connect before the file has its owner and mode. */
static int
bind_private(int fd, const struct sockaddr_un *name)
{
	mode_t before = umask(0177);
	int done = bind(fd, (const struct sockaddr *)name, sizeof(*name));

	umask(before);
	return done;
}

static int
listen_there(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (bind_private(fd, name) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
socket_file_open(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name.sun_path, path, len);
	return socket_file_clear(path) == 0 ? listen_there(&name) : -1;
}

const char *
socket_file_why(int error)
{
	if (error == ENAMETOOLONG)
		return "the path is too long for a socket";
	if (error == EEXIST)
		return "the file exists and is not a socket";
	return obstacle_text(error, NULL);
}

void
socket_file_note(struct socket_file *f, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		*f = (struct socket_file){ .device = st.st_dev, .inode = st.st_ino };
}

bool
socket_file_is_there(const struct socket_file *f, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == f->device && st.st_ino == f->inode;
}

void
socket_file_remove(const struct socket_file *f, const char *path)
{
	if (socket_file_is_there(f, path))
		unlink(path);
}
