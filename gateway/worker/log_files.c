#include "gateway/worker/log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/logger/log.h"

enum { FILES = 64 };

static struct {
	unsigned sink;
	const char *path; /* NULL: standard output */
	int fd;
} files[FILES];

static size_t n_files;

/* Standard output is copied: it may become the log, to capture what an application
 * prints. */
static int
open_file(const char *path)
{
	if (path == NULL)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

const char *
log_files_open(unsigned sink, const char *path)
{
	static char error[PATH_MAX + 128];
	int fd = n_files < FILES ? open_file(path) : -1;

	if (fd == -1) {
		snprintf(error, sizeof(error), "access log %s: %s", path,
			strerror(errno));
		return error;
	}
	files[n_files].sink = sink;
	files[n_files].path = path;
	files[n_files++].fd = fd;
	log_sink_use(sink, fd);
	return NULL;
}

void
log_files_reopen(void)
{
	for (size_t i = 0; i < n_files; i++) {
		int fd = files[i].path != NULL ? open_file(files[i].path) : -1;
		if (fd == -1 && files[i].path != NULL)
			log_error("reopen access log %s: %s", files[i].path,
				strerror(errno));
		if (fd == -1)
			continue;
		log_sink_use(files[i].sink, fd);
		close(files[i].fd);
		files[i].fd = fd;
	}
}
