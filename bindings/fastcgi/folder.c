#include "bindings/fastcgi/folder.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "bindings/common/beneath.h"

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

const char *
folder_rest(const struct folder *f, const char *path)
{
	const char *rest = beneath_rest(f->path, path);

	return rest != NULL ? rest : beneath_rest(f->named, path);
}
