#include "gateway/worker/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/logger/syslog.h"
#include "gateway/logger/wall.h"
#include "gateway/worker/access_atoms.h"
#include "gateway/worker/request.h"

enum {
	LINE_BYTES = 8192, /* longer lines are cut */
	BATCH_BYTES = 64 * 1024, /* that are written at once */
};

struct step {
	access_atom_fn *put;
	struct slice text; /* its own text, or the name in braces */
};

static struct step *steps;
static size_t n_steps; /* 0: there is no access log */
static bool is_timed; /* an atom asks for the time of the request */
static bool in_handler;

static const char *path; /* NULL: none but syslog */
static int fd = -1;
static bool to_syslog;
static bool failing; /* the last write did not work, and that was said */

static char lines[BATCH_BYTES + LINE_BYTES];
static size_t gathered; /* bytes of lines */
static size_t batch; /* most of them */

/* ---- The format ---- */

static void
add_step(const struct access_part *part)
{
	struct step *step = &steps[n_steps++];

	*step = (struct step){ .put = access_put, .text = part->text };
	if (part->atom != 0) {
		const struct access_atom *atom = access_atom_find(part);
		step->put = atom->put;
		is_timed |= atom->is_time;
	}
}

/* A step has one byte of the format at least. */
static const char *
compile(const char *format)
{
	struct slice rest = slice_str(format);
	struct access_part part;
	const char *reason = NULL;

	steps = calloc(rest.len + 1, sizeof(*steps));
	if (steps == NULL)
		return strerror(errno);
	while (access_format_next(&rest, &part, &reason) == 1)
		add_step(&part);
	return reason;
}

/* ---- The file ---- */

/* Standard output is copied: it may become the log, to capture what an application
 * prints. */
static int
open_file(void)
{
	if (strcmp(path, "-") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* Writes to a pipe are not mixed with those of other workers while they are short. */
static void
use(int opened)
{
	struct stat st;
	bool is_pipe = fstat(opened, &st) == 0 && S_ISFIFO(st.st_mode);

	if (fd != -1)
		close(fd);
	fd = opened;
	batch = is_pipe ? PIPE_BUF : BATCH_BYTES;
}

const char *
access_log_open(const struct heritage *h)
{
	static char error[PATH_MAX + 128];

	path = h->app->accesslog;
	to_syslog = syslog_enabled() && !h->server->disable_redirect_access_to_syslog;
	if (path != NULL) {
		int opened = open_file();
		if (opened == -1) {
			snprintf(error, sizeof(error), "access log %s: %s", path,
				strerror(errno));
			return error;
		}
		use(opened);
	}
	return path != NULL || to_syslog ? compile(h->app->access_log_format) : NULL;
}

void
access_log_reopen(void)
{
	if (path == NULL || strcmp(path, "-") == 0)
		return;
	access_log_flush();
	int opened = open_file();
	if (opened == -1)
		log_error("reopen access log %s: %s", path, strerror(errno));
	else
		use(opened);
}

/* ---- Lines ---- */

static void
note_failure(void)
{
	if (!failing && !in_handler)
		log_error("access log %s: %s; lines are lost until it takes them again",
			path, strerror(errno));
	failing = true;
}

void
access_log_flush(void)
{
	size_t done = 0;

	while (done < gathered) {
		ssize_t n = write(fd, lines + done, gathered - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			note_failure();
			break;
		}
		done += (size_t)n;
		failing = false;
	}
	gathered = 0;
}

/* A line of so many bytes stands behind those that were gathered. */
static void
gather(size_t len)
{
	if (gathered > 0 && gathered + len > batch) {
		const char *line = lines + gathered;
		access_log_flush();
		memmove(lines, line, len);
	}
	gathered += len;
}

void
access_log_begin(struct al_request *req)
{
	if (is_timed)
		req->began_us = clock_us();
}

void
access_log(struct al_request *req)
{
	char *begin = lines + gathered;
	struct access_line line = {
		.at = begin,
		.end = begin + LINE_BYTES - 1,
		.req = req,
		.in_handler = in_handler,
	};

	if (n_steps == 0)
		return;
	if (is_timed)
		line.us = clock_us() - req->began_us;
	for (size_t i = 0; i < n_steps; i++)
		steps[i].put(&line, steps[i].text);
	size_t len = (size_t)(line.at - begin);
	if (to_syslog)
		syslog_send(SYSLOG_ACCESS_LOG, SYSLOG_INFO, slice_of(begin, len));
	if (fd == -1)
		return;
	begin[len] = '\n';
	gather(len + 1);
}

void
access_log_last_words(void)
{
	in_handler = true;
	wall_keep_zone();
}
