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

/* "[2026-11-21 09:30:00 +0000] [4711] [INFO] "; returns its length. */
static size_t
write_prefix(char *out, size_t size, enum log_level level)
{
	char when[64];
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL ||
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		when[0] = '\0';
	int n = snprintf(
		out, size, "[%s] [%d] [%s] ", when, (int)getpid(), levels[level].name);
	return n > 0 ? (size_t)n : 0;
}

/* Copies text up to `size` bytes, with control bytes as \xNN; returns the length. */
static size_t
write_escaped(char *out, size_t size, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text != '\0' && n + LOG_ESCAPE <= size; text++) {
		unsigned char c = (unsigned char)*text;
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

static bool
write_line(int to, const char *line, size_t n)
{
	ssize_t written;

	do {
		written = write(to, line, n);
	} while (written == -1 && errno == EINTR);
	return written != -1;
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

void
log_vline(enum log_level level, const char *format, va_list args)
{
	char text[LOG_LINE], line[LOG_LINE];
	int saved = errno; /* also for %m, and so that the caller can go on with it */

	if (!log_enabled(level))
		return;
	vsnprintf(text, sizeof(text), format, args);
	size_t prefix = write_prefix(line, sizeof(line), level);
	size_t n =
		prefix + write_escaped(line + prefix, sizeof(line) - 1 - prefix, text);
	line[n++] = '\n';
	logger_lock();
	bool taken = write_line(fd, line, n);
	if (mirror != -1 && level <= LOG_LEVEL_WARNING)
		write_line(mirror, line, n);
	syslog_send(SYSLOG_ERROR_LOG, levels[level].severity,
		slice_of(line + prefix, n - 1 - prefix));
	note_loss(taken);
	logger_unlock();
	errno = saved;
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
