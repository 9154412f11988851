/*
 * Where lines go, and which of them: the table of sinks of a configuration. It has two
 * sources, that of `logs` and the settings that were there before it (errorlog, syslog,
 * accesslog and those about them), which become rows too: there is one way underneath.
 * A line is made by the process that has something to say, once for each sink that
 * takes it; a sink is called by its place in the table.
 */
#ifndef CONFIG_LOG_SINK_H
#define CONFIG_LOG_SINK_H

#include "gateway/config/settings.h"

enum sink_kind {
	SINK_FILE, /* `to` is its path, absolute */
	SINK_STDOUT,
	SINK_STDERR,
	SINK_SYSLOG, /* `to` is the address, as syslog_parse() takes it */
	SINK_JOURNAL, /* systemd's, by its own socket */
};

enum sink_takes {
	SINK_LOG = 1, /* the server's log, with what applications say in it */
	SINK_ACCESS = 2, /* a line for each request */
};

enum sink_format {
	SINK_TEXT, /* the log as it always was; requests by `atoms` */
	SINK_JSON, /* an object in each line */
};

/* Requests whose status is in the range, or is not. */
struct status_rule {
	bool but; /* !304 */
	unsigned first, last;
};

/* Requests whose path, without the query, is this, or begins or ends with it. */
struct path_rule {
	bool any_before, any_behind; /* "*.css", "/api/" and "*" */
	const char *text;
	size_t len;
};

/* Which requests; what is not set lets all pass. */
struct sink_filter {
	const struct status_rule *statuses;
	size_t n_statuses;
	const struct path_rule *paths; /* one of them */
	size_t n_paths;
	uint64_t slower_than_us;
	/* Of all that pass the others so many in SAMPLE_ALL, and each that failed by a
	 * status from 500 on. */
	uint32_t sample;
};

enum { SAMPLE_ALL = 1 << 24 };

struct log_sink {
	enum sink_kind kind;
	const char *to; /* NULL where the kind says all */
	unsigned takes; /* enum sink_takes */
	const char *level; /* the least important lines of SINK_LOG: "info" */
	enum sink_format format;
	/* The form of a request's line in SINK_TEXT; NULL: the access_log_format of its
	 * application. */
	const char *atoms;
	/* Of SINK_SYSLOG: the word for syslog_facility(), the name in the tags or NULL,
	 * and the form, RFC 5424 or RFC 3164. */
	const char *facility;
	const char *tag;
	bool rfc5424;
	struct text_list
		apps; /* whose lines; empty: of all, and of the server itself */
	struct sink_filter filter;
	struct origin origin;
};

/* Whether lines of the application of that name go there; NULL is the server itself. */
bool sink_is_for(const struct log_sink *sink, const char *app);

#endif
