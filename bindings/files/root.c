#include "bindings/files/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/alicorn.h"

enum { LOOK_AGAIN_MS = 1000, RACES = 4 };

/* ---- The folder ---- */

const char *
root_open(struct root *r, const char *path)
{
	struct stat st;

	*r = (struct root){ .path = path, .fd = -1 };
	r->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->fd == -1 || fstat(r->fd, &st) != 0)
		return "the target is not a folder";
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return NULL;
}

void
root_close(struct root *r)
{
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
}

bool
root_has_moved(struct root *r, uint64_t now_ms)
{
	const char *path = r->path;
	struct stat st = { 0 };

	if (now_ms - r->looked_ms < LOOK_AGAIN_MS)
		return false;
	r->looked_ms = now_ms;
	bool is_there = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (is_there == (r->fd != -1) &&
		(!is_there || (st.st_dev == r->dev && st.st_ino == r->ino)))
		return false;
	root_close(r);
	if (!is_there || root_open(r, path) != NULL)
		al_log(NULL, AL_LOG_ERROR, "%s: the folder is gone", path);
	else
		al_log(NULL, AL_INFO, "%s: serving the folder that is there now", path);
	r->looked_ms = now_ms;
	return true;
}

/* ---- What is beneath it ---- */

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
is_beneath(const struct root *r, int fd)
{
	char root[PATH_MAX], path[PATH_MAX];

	if (!path_of(r->fd, root) || !path_of(fd, path))
		return false;
	size_t len = strlen(root);
	return strncmp(path, root, len) == 0 &&
		(path[len] == '/' || path[len] == '\0' || root[len - 1] == '/');
}

/* Not by openat2(): what was found is held, without being opened, and the kernel asked
 * for its name. So nothing can change between the look and its use. */
static int
open_checked(const struct root *r, const char *path, int flags)
{
	char name[32];
	int held = openat(r->fd, path, O_PATH | O_CLOEXEC), fd = -1;

	if (held == -1)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", held);
	errno = EXDEV;
	if (is_beneath(r, held))
		fd = open(name, flags | O_CLOEXEC);
	int error = errno;
	close(held);
	errno = error;
	return fd;
}

/* Old kernels do not know the call, some containers forbid it, and to it a link with an
 * absolute path leads out also when it leads in again. It asks to be tried again when
 * something is moved at the same moment. */
int
root_open_file(const struct root *r, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	errno = ENOENT;
	if (r->fd == -1)
		return -1;
	for (int i = 0; i < RACES; i++) {
		fd = syscall(SYS_openat2, r->fd, path, &how, sizeof(how));
		if (fd != -1 || errno != EAGAIN)
			break;
	}
	if (fd == -1 && (errno == ENOSYS || errno == EPERM || errno == EXDEV))
		return open_checked(r, path, flags);
	return (int)fd;
}
