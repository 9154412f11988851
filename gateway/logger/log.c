#include "gateway/logger/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "gateway/config/log_sink.h"
#include "gateway/logger/logger_lock.h"
#include "gateway/logger/outlet.h"

enum { LOG_LINE = 8192 };

static const char *const levels[] = {
	[LOG_LEVEL_CRITICAL] = "CRITICAL",
	[LOG_LEVEL_ERROR] = "ERROR",
	[LOG_LEVEL_WARNING] = "WARNING",
	[LOG_LEVEL_INFO] = "INFO",
	[LOG_LEVEL_DEBUG] = "DEBUG",
};

static int fd = STDERR_FILENO;
static bool is_pipe; /* which the logger reads */
static int mirror = -1;
static enum log_level threshold = LOG_LEVEL_INFO;

static const struct log_sink *sinks;
static const uint32_t *ids;
static size_t n_sinks;
static const char *app; /* whose lines these are; NULL: the server's */

/* Lines that the log did not take; it is told of them when it takes one again. */
static unsigned lost;

/* NULL is stderr. Absolute, as the folder may be another one when it is reopened. */
static char *path;

/* ---- The descriptor ---- */

static int
open_file(const char *name)
{
	return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static void
use(int opened, bool opened_pipe)
{
	logger_lock();
	if (fd != STDERR_FILENO)
		close(fd);
	fd = opened;
	is_pipe = opened_pipe;
	logger_unlock();
}

void
log_use(int pipe)
{
	use(pipe, true);
}

const char *
log_open(const char *name)
{
	bool is_file = strcmp(name, "-") != 0;
	char *copy = is_file ? strdup(name) : NULL;
	int opened = is_file ? open_file(name) : STDERR_FILENO;

	if (opened == -1 || (is_file && copy == NULL)) {
		const char *reason = strerror(errno);
		free(copy);
		return reason;
	}
	use(opened, false);
	free(path);
	path = copy;
	return NULL;
}

void
log_reopen(void)
{
	int opened = path != NULL ? open_file(path) : STDERR_FILENO;

	if (opened == -1)
		log_error("reopen %s: %s", path, strerror(errno));
	else
		use(opened, false);
}

int
log_fd(void)
{
	return fd;
}

void
log_mirror(int other)
{
	mirror = other;
}

/* ---- Levels ---- */

bool
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcasecmp(name, levels[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	return levels[level];
}

void
log_set_level(enum log_level level)
{
	threshold = level;
}

bool
log_enabled(enum log_level level)
{
	return level <= threshold;
}

/* ---- Sinks ---- */

static bool
takes_messages(const struct log_sink *sink)
{
	return (sink->takes & SINK_LOG) != 0 && sink_is_for(sink, app);
}

/* The level is that of the sink which takes most. */
void
log_use_sinks(
	const struct log_sink *all, const uint32_t *names, size_t n, const char *whose)
{
	enum log_level level, most = LOG_LEVEL_CRITICAL;

	sinks = all;
	ids = names;
	n_sinks = n;
	app = whose;
	for (size_t i = 0; i < n; i++)
		if (takes_messages(&all[i]) && log_level_parse(all[i].level, &level) &&
			level > most)
			most = level;
	threshold = most;
}

void
log_put(unsigned sink, enum log_level level, struct slice line)
{
	if (sink < n_sinks && outlet_is_open())
		outlet_put(&(struct ring_line){
			.sink = ids[sink],
			.level = level,
			.is_access = true,
			.text = line,
		});
}

void
log_last_words(void)
{
	outlet_hurry();
}

static void
put_into_sinks(const struct log_message *m)
{
	char line[LOG_LINE];
	enum log_level most;

	for (size_t i = 0; i < n_sinks; i++) {
		if (!takes_messages(&sinks[i]) ||
			!log_level_parse(sinks[i].level, &most) || m->level > most)
			continue;
		size_t n = log_format_of(&sinks[i])(line, sizeof(line) - 1, m);
		outlet_put(&(struct ring_line){
			.sink = ids[i],
			.level = m->level,
			.text = slice_of(line, n),
		});
	}
}

/* ---- Lines of a process without a ring ---- */

static bool
write_line(int to, const char *line, size_t n)
{
	ssize_t written;

	do {
		written = write(to, line, n);
	} while (written == -1 && errno == EINTR);
	return written != -1;
}

static bool
write_text(int to, const struct log_message *m)
{
	char line[LOG_LINE];
	size_t n = log_format_text(line, sizeof(line) - 1, m);

	line[n++] = '\n';
	return write_line(to, line, n);
}

/* The logger makes of it what its sinks want. */
static bool
write_marked(int to, const struct log_message *m)
{
	char line[LOG_LINE];
	size_t n = (size_t)snprintf(
		line, sizeof(line), "%c%d %d ", LOG_MARK, (int)m->level, m->pid);

	n += log_format_bare(line + n, sizeof(line) - 1 - n, m);
	line[n++] = '\n';
	return write_line(to, line, n);
}

/* Where the log takes nothing there is no place left to say so, until it does again. */
static void
note_loss(bool taken)
{
	unsigned before = lost;

	if (!taken) {
		lost++;
	} else if (lost > 0) {
		lost = 0;
		log_warning("%u lines of the log were lost before this one", before);
	}
}

static void
write_plainly(const struct log_message *m)
{
	logger_lock();
	note_loss(is_pipe ? write_marked(fd, m) : write_text(fd, m));
	logger_unlock();
}

/* ---- Lines ---- */

static struct slice
stamp(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	size_t n = 0;

	if (localtime_r(&now, &tm) != NULL)
		n = strftime(out, size, "%Y-%m-%d %H:%M:%S %z", &tm);
	return slice_of(out, n);
}

static void __attribute__((format(printf, 3, 0))) write_about(enum log_level level,
	const struct log_about *about, const char *format, va_list args)
{
	char text[LOG_LINE], when[64];
	int saved = errno; /* also for %m, and so that the caller can go on with it */

	if (!log_enabled(level))
		return;
	vsnprintf(text, sizeof(text), format, args);
	const struct log_message m = {
		.level = level,
		.level_name = levels[level],
		.when = stamp(when, sizeof(when)),
		.pid = (int)getpid(),
		.about = *about,
		.text = slice_str(text),
	};
	if (outlet_is_open())
		put_into_sinks(&m);
	else
		write_plainly(&m);
	/* Whoever started the server, and waits, sees what goes wrong. */
	if (mirror != -1 && level <= LOG_LEVEL_WARNING)
		write_text(mirror, &m);
	errno = saved;
}

void
log_about(enum log_level level, const struct log_about *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_about(level, about, format, args);
	va_end(args);
}

void
log_vline(enum log_level level, const char *format, va_list args)
{
	const struct log_about nothing = { 0 };

	write_about(level, &nothing, format, args);
}

void
log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(level, format, args);
	va_end(args);
}

void
log_lines(enum log_level level, struct slice text)
{
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
		log_line(level, "%" SLICE_FMT, (int)len, text.ptr);
		slice_advance(&text, end != NULL ? len + 1 : len);
	}
}
