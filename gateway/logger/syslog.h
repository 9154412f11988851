/*
 * Log lines that also go to syslog. It never waits for more than a moment and is never
 * a reason to stop: what cannot be sent is dropped, as the lines are in the log itself.
 * Each process has a socket of its own, opened when it sends its first line.
 */
#ifndef LOGGER_SYSLOG_H
#define LOGGER_SYSLOG_H

#include <stdbool.h>

#include "protocols/syslog.h"

enum syslog_log { SYSLOG_ERROR_LOG, SYSLOG_ACCESS_LOG };

/* From now on, also in the children. The host is looked up once, here. A prefix of NULL
 * is none. NULL, or why lines cannot be sent; nothing is sent then. */
const char *syslog_use(const char *address, const char *prefix, const char *facility);

void syslog_stop(void);

bool syslog_enabled(void);

/* A line without its end. */
void syslog_send(enum syslog_log log, enum syslog_severity severity, struct slice text);

#endif
