#include "gateway/arbiter/access_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gateway/logger/log.h"

void
access_file_make(const struct app_settings *app)
{
	const char *path = app->accesslog;

	if (path == NULL || strcmp(path, "-") == 0 || app->identity.uid == geteuid())
		return;
	/* The folder may be one of the user's, so nothing that exists is given away. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1 && errno == EEXIST)
		return;
	if (fd == -1 || fchown(fd, app->identity.uid, app->identity.gid) == -1)
		log_error("access log %s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
}
