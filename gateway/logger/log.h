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
#include <stdint.h>

#include "protocols/slice.h"

enum log_level {
	LOG_LEVEL_CRITICAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Opens the log of a process without sinks: "-" is stderr. NULL, or why not, and then
 * the old one stays. */
const char *log_open(const char *path);

/* Opens the same path anew, after it was renamed. */
void log_reopen(void);

/* Writes to this descriptor instead, which becomes the log's own: it is a pipe that the
 * logger reads. */
void log_use(int pipe);

/* "info" and so on; false when it is none. */
bool log_level_parse(const char *name, enum log_level *level);

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* The descriptor, for what becomes an application's stderr. */
int log_fd(void);

/* Stands before a message in what the logger reads of a process: then follow its level,
 * a pid and the text, with a space between each. */
enum { LOG_MARK = 1 };

/* Warnings and what is worse go to this descriptor too; -1: to none. */
void log_mirror(int other);

/* This process is about to end: from now on no line waits for room. */
void log_last_words(void);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* ---- Sinks ---- */

struct log_sink;

/* The sinks of the configuration: `ids` says for each what the logger calls it. Lines
 * go where they are for this application, or, if it is NULL, for the server itself.
 * What is given stays the caller's, and what it is. */
void log_use_sinks(
	const struct log_sink *sinks, const uint32_t *ids, size_t n, const char *app);

/* A complete line about a request, without its LF, for the sink of that place in the
 * configuration's table. Whoever makes it escapes what would break it. Makes no system
 * call while the logger keeps up, and may be called by threads and in signal handlers.
 */
void log_put(unsigned sink, enum log_level level, struct slice line);

/* ---- Forms ---- */

/* What a message is about; in text it stands before it, each part with a colon, unless
 * the message names it itself. What is empty is left out. */
struct log_about {
	struct slice pool; /* the application's name */
	struct slice id; /* of the request */
	struct slice request; /* "GET /path", as its client wrote it */
	bool is_named;
};

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

/* "[2026-11-21 09:30:00 +0000] [4711] [INFO] text", with control bytes as \xNN; and
 * without what stands in brackets, for syslog. For JSON there is log_json.h. */
log_format_fn log_format_text, log_format_bare;

/* A text with all that gives terminals orders as \xNN, as far as there is room. */
enum { LOG_ESCAPE_MAX = 4 }; /* what a byte becomes, at most */
size_t log_escape(char *out, size_t room, struct slice text);

/* The one for messages in that sink. */
log_format_fn *log_format_of(const struct log_sink *sink);

/* "INFO" */
const char *log_level_name(enum log_level level);

/* ---- To log ---- */

void log_about(enum log_level level, const struct log_about *about, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* Each line of a text as one of the log. */
void log_lines(enum log_level level, struct slice text);

#define log_critical(...) log_line(LOG_LEVEL_CRITICAL, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
