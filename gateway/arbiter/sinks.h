/*
 * The sinks of all generations, as the arbiter keeps them for the logger: what is the
 * same in two configurations is one sink, with one number, as both write to it while
 * one replaces the other. The arbiter opens files, since it may, and keeps what a
 * logger that dies must not take with it.
 */
#ifndef ARBITER_SINKS_H
#define ARBITER_SINKS_H

#include "gateway/config/settings.h"
#include "gateway/logger/logger.h"

/* Those of one configuration: for each row of its table what the logger calls it. It
 * lives as long as somebody uses it. */
struct sink_table {
	uint32_t *ids;
	size_t n;
	unsigned users;
};

/* NULL, and why: the text lives until the next call. It has one user then. */
struct sink_table *sinks_open(const struct server_settings *server, const char **why);
void sinks_share(struct sink_table *table);
void sinks_close(struct sink_table *table);

/* Opens all files anew, after they were renamed. */
void sinks_reopen(void);

/* A new logger knows of none. */
void sinks_forget_told(void);

/* What the logger was not told yet, while `send` takes it; false: it did not. */
typedef bool logger_send_fn(
	enum logger_message type, const void *payload, size_t len, int fd);
bool sinks_tell(logger_send_fn *send);

/* What it says. */
void sinks_changed(const struct logger_number *n);
void sinks_ended(const struct logger_number *n);

/* Calls back with each descriptor that the logger needs. */
void sinks_each_fd(void (*fn)(int fd, void *arg), void *arg);

#endif
