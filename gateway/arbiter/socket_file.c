#include "gateway/arbiter/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	static char reason[PATH_MAX + 128];
	const char *failed = NULL;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 ||
		set(fd, (mode_t)app->socket_mode, &app->socket_identity) == -1) {
		snprintf(reason, sizeof(reason), "owner and mode of %s: %s", path,
			strerror(errno));
		failed = reason;
	}
	if (fd != -1)
		close(fd);
	return failed;
}
