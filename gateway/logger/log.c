#include "gateway/logger/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "gateway/logger/logger_lock.h"
#include "gateway/logger/syslog.h"

enum { LOG_LINE = 8192, LOG_ESCAPE = 4 };

static const struct {
	const char *name;
	enum syslog_severity severity;
} levels[] = {
	[LOG_LEVEL_CRITICAL] = { "CRITICAL", SYSLOG_CRITICAL },
	[LOG_LEVEL_ERROR] = { "ERROR", SYSLOG_ERROR },
	[LOG_LEVEL_WARNING] = { "WARNING", SYSLOG_WARNING },
	[LOG_LEVEL_INFO] = { "INFO", SYSLOG_INFO },
	[LOG_LEVEL_DEBUG] = { "DEBUG", SYSLOG_DEBUG },
};

static int fd = STDERR_FILENO;
static int mirror = -1;
static enum log_level threshold = LOG_LEVEL_INFO;

/* Descriptors, plus one. */
enum { SINKS = 256 };
static int sinks[SINKS];

static const struct log_route *routes;
static size_t n_routes;

/* Lines that the log did not take; it is told of them when it takes one again. */
static unsigned lost;

/* NULL is stderr. Absolute, as a worker may have changed its folder when it reopens. */
static char *path;

static int
open_file(const char *name)
{
	return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

void
log_use(int opened)
{
	logger_lock();
	if (fd != STDERR_FILENO)
		close(fd);
	fd = opened;
	logger_unlock();
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
	log_use(opened);
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
		log_use(opened);
}

bool
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcasecmp(name, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
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

/* Copies text up to `size` bytes, with control bytes as \xNN; returns the length. */
static size_t
write_escaped(char *out, size_t size, struct slice text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.len && n + LOG_ESCAPE <= size; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	return n;
}

/* Not the line's own prefix, which syslog has in another form. */
static size_t
write_message(char *out, size_t room, const struct log_message *m)
{
	const struct slice parts[] = { m->about.pool, m->about.id, m->about.request };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].len > 0 && !m->about.is_named) {
			n += write_escaped(out + n, room - n, parts[i]);
			n += write_escaped(out + n, room - n, SLICE(": "));
		}
	return n + write_escaped(out + n, room - n, m->text);
}

size_t
log_format_text(char *out, size_t room, const struct log_message *m)
{
	int n = snprintf(out, room, "[%" SLICE_FMT "] [%d] [%s] ", SLICE_ARG(m->when),
		m->pid, m->level_name);
	size_t prefix = n > 0 && (size_t)n < room ? (size_t)n : 0;

	return prefix + write_message(out + prefix, room - prefix, m);
}

void
log_use_routes(const struct log_route *all, size_t n)
{
	routes = all;
	n_routes = n;
}

void
log_sink_use(unsigned sink, int to)
{
	if (sink < SINKS)
		sinks[sink] = to + 1;
}

static bool
write_line(int to, const char *line, size_t n)
{
	ssize_t written;

	do {
		written = write(to, line, n);
	} while (written == -1 && errno == EINTR);
	return written != -1;
}

void
log_put(unsigned sink, enum log_level level, struct slice line)
{
	char text[LOG_LINE];

	(void)level;
	if (sink >= SINKS || sinks[sink] == 0 || line.len >= sizeof(text))
		return;
	memcpy(text, line.ptr, line.len);
	text[line.len] = '\n';
	write_line(sinks[sink] - 1, text, line.len + 1);
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

/* Without sinks: the log's own descriptor, and syslog. */
static void
write_plainly(const struct log_message *m)
{
	char line[LOG_LINE];
	size_t n = log_format_text(line, sizeof(line) - 1, m);

	line[n++] = '\n';
	logger_lock();
	bool taken = write_line(fd, line, n);
	if (mirror != -1 && m->level <= LOG_LEVEL_WARNING)
		write_line(mirror, line, n);
	n = write_message(line, sizeof(line), m);
	syslog_send(SYSLOG_ERROR_LOG, levels[m->level].severity, slice_of(line, n));
	note_loss(taken);
	logger_unlock();
}

static void
write_to_routes(const struct log_message *m)
{
	char line[LOG_LINE];

	for (size_t i = 0; i < n_routes; i++) {
		const struct log_route *route = &routes[i];
		if (m->level <= route->level)
			log_put(route->sink, m->level,
				slice_of(line,
					route->format(line, sizeof(line) - 1, m)));
	}
}

static void __attribute__((format(printf, 3, 0)))
write_about(enum log_level level, const struct log_about *about, const char *format,
	va_list args)
{
	char text[LOG_LINE], when[64];
	int saved = errno; /* also for %m, and so that the caller can go on with it */

	if (!log_enabled(level))
		return;
	vsnprintf(text, sizeof(text), format, args);
	const struct log_message m = {
		.level = level,
		.level_name = levels[level].name,
		.when = stamp(when, sizeof(when)),
		.pid = (int)getpid(),
		.about = *about,
		.text = slice_str(text),
	};
	if (n_routes > 0)
		write_to_routes(&m);
	else
		write_plainly(&m);
	errno = saved;
}

void
log_about(
	enum log_level level, const struct log_about *about, const char *format, ...)
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
