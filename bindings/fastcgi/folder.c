#include "bindings/fastcgi/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *
folder_open(struct folder *f, const char *path, struct arena *memory)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL)
		return "no such folder";
	f->path = arena_strz(memory, slice_str(real));
	f->named = arena_strz(memory, slice_str(path));
	if (f->path == NULL || f->named == NULL)
		return "out of memory";
	f->fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->fd != -1 ? NULL : "not a folder";
}

void
folder_close(struct folder *f)
{
	if (f->fd != -1)
		close(f->fd);
	*f = (struct folder)FOLDER_CLOSED;
}

static const char *
behind(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	if (strncmp(path, folder, len) != 0)
		return NULL;
	if (path[len] == '/')
		return path + len + 1;
	return folder[len - 1] == '/' ? path + len : NULL;
}

const char *
folder_rest(const struct folder *f, const char *path)
{
	const char *rest = behind(path, f->path);

	return rest != NULL ? rest : behind(path, f->named);
}

/* Without the system call: follows the links, then looks where they led. */
static int
open_compared(const struct folder *f, const char *path, int flags)
{
	char joined[PATH_MAX], real[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s/%s", f->path, path);

	if (n < 0 || n >= (int)sizeof(joined)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (realpath(joined, real) == NULL)
		return -1;
	if (strcmp(real, f->path) != 0 && behind(real, f->path) == NULL) {
		errno = EXDEV;
		return -1;
	}
	return open(real, flags | O_CLOEXEC);
}

/* Old kernels do not know the call, some containers forbid it, and it may ask to be
 * tried again. */
int
folder_open_file(const struct folder *f, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, f->fd, path, &how, sizeof(how));

	if (fd == -1 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
		return open_compared(f, path, flags);
	return (int)fd;
}
