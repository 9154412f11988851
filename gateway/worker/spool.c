#include "gateway/worker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t limit, taken;

void
spool_set_limit(uint64_t bytes)
{
	limit = bytes;
}

bool
spool_take(uint64_t bytes)
{
	if (limit != 0 && (bytes > limit || taken > limit - bytes))
		return false;
	taken += bytes;
	return true;
}

void
spool_give_back(uint64_t bytes)
{
	taken -= bytes;
}

/* Not every file system knows O_TMPFILE. */
int
spool_open(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[4096];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if (snprintf(path, sizeof(path), "%s/alicorn-XXXXXX", folder) >=
		(int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int
spool_write(int fd, struct slice data, off_t offset)
{
	while (data.len > 0) {
		ssize_t n = pwrite(fd, data.ptr, data.len, offset);
		if (n < 0 && errno != EINTR)
			return -1;
		offset += n > 0 ? n : 0;
		slice_advance(&data, n > 0 ? (size_t)n : 0);
	}
	return 0;
}
