/*
 * Lines for the log. One line per event, written whole:
 *   [2026-11-21 09:30:00 +0000] [pid] [INFO] text
 *   [2026-11-21 09:30:00 +0000] [pid] [INFO] pool: id: GET /path: text
 * Control bytes are escaped, so that no peer writes to a terminal. A message says what
 * was attempted, on what, and why it failed. An error is logged once, where it is
 * handled.
 */
#ifndef LOGGER_LOG_H
#define LOGGER_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "protocols/slice.h"

enum log_level {
	LOG_LEVEL_CRITICAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Opens the log: "-" is stderr. NULL, or why not, and then the old one stays. */
const char *log_open(const char *path);

/* Opens the same path anew, after it was renamed. */
void log_reopen(void);

/* Writes to this descriptor instead, which becomes the log's own: somebody else has
 * reopened the log, and had the right to. */
void log_use(int opened);

/* "info" and so on; false when it is none. */
bool log_level_parse(const char *name, enum log_level *level);

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* The descriptor, for what becomes an application's stderr. */
int log_fd(void);

/* Warnings and what is worse go to this descriptor too; -1: to none. */
void log_mirror(int other);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The descriptor of a sink, which stays the caller's; -1: it is none any more. */
void log_sink_use(unsigned sink, int to);

/* A complete line, without its LF, for the sink of that place in the configuration's
 * table. Whoever makes it escapes what would break it. Makes no system call while the
 * logger keeps up, and may be called by threads and in signal handlers. A sink that
 * was not given is none: nothing happens. */
void log_put(unsigned sink, enum log_level level, struct slice line);

/* What a message is about; in text it stands before it, each part with a colon, unless
 * the message names it itself. What is empty is left out. */
struct log_about {
	struct slice pool; /* the application's name */
	struct slice id; /* of the request */
	struct slice request; /* "GET /path", as its client wrote it */
	bool is_named;
};

void log_about(enum log_level level, const struct log_about *about, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* What a message is made of, for those that write it in another form. */
struct log_message {
	enum log_level level;
	const char *level_name; /* "INFO" */
	struct slice when; /* "2026-11-21 09:30:00 +0000" */
	int pid;
	struct log_about about; /* not escaped, as the text */
	struct slice text;
};

/* Writes the line without its LF into so much room; returns its length. */
typedef size_t log_format_fn(char *out, size_t room, const struct log_message *m);

/* "[2026-11-21 09:30:00 +0000] [4711] [INFO] text", with control bytes as \xNN. */
log_format_fn log_format_text;

/* A sink that takes messages, from which level on, and their form there. */
struct log_route {
	unsigned sink;
	enum log_level level;
	log_format_fn *format;
};

/* From now on messages go there; the array stays the caller's, and what it is. Without
 * any they go to the log's descriptor. */
void log_use_routes(const struct log_route *routes, size_t n);

/* Each line of a text as one of the log. */
void log_lines(enum log_level level, struct slice text);

#define log_critical(...) log_line(LOG_LEVEL_CRITICAL, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
