#include "bindings/files/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/common/beneath.h"
#include "gateway/alicorn.h"

enum { LOOK_AGAIN_MS = 1000 };

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

int
root_open_file(const struct root *r, const char *path, int flags)
{
	errno = ENOENT;
	return r->fd != -1 ? beneath_open_followed(r->fd, path, flags) : -1;
}
