/*
 * Syslog as RFC 3164 and RFC 5424 describe it: where it is sent to, and what a line
 * begins with.
 */
#ifndef PROTOCOLS_SYSLOG_H
#define PROTOCOLS_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "protocols/slice.h"

enum syslog_severity {
	SYSLOG_CRITICAL = 2,
	SYSLOG_ERROR = 3,
	SYSLOG_WARNING = 4,
	SYSLOG_INFO = 6,
	SYSLOG_DEBUG = 7,
};

/* Slices of the text that was parsed. */
struct syslog_address {
	bool is_local; /* a unix socket, whose path is the host */
	bool is_stream;
	struct slice host, port;
};

/* udp://HOST[:PORT], tcp://HOST[:PORT], unix:PATH with #dgram or #stream; the port is
 * 514 unless given. NULL, or what is wrong. */
const char *syslog_parse(struct syslog_address *a, const char *text);

/* "user" is 1, "local7" is 23; -1: none of that name. */
int syslog_facility(const char *name);

struct syslog_head {
	int facility;
	enum syslog_severity severity;
	struct slice when; /* "Nov  1 09:30:00" */
	struct slice host; /* empty for a local socket, where it is left out */
	struct slice tag; /* "alicorn.shop.error" */
	int pid;
	struct slice kind; /* "error", for the MSGID of RFC 5424 */
};

/* "<11>Nov  1 09:30:00 host alicorn.shop.error[4711]: "; its length, cut to the room.
 */
size_t syslog_write_head(char *out, size_t room, const struct syslog_head *head);

/* "<11>1 2026-11-01T09:30:00+01:00 host alicorn.shop 4711 error - ", RFC 5424. */
size_t syslog_write_head_5424(char *out, size_t room, const struct syslog_head *head);

#endif
