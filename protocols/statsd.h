/*
 * Lines of statsd: a metric each, many in a datagram. And the extension of DogStatsD
 * that gives them tags.
 */
#ifndef PROTOCOLS_STATSD_H
#define PROTOCOLS_STATSD_H

#include <stdbool.h>
#include <stdint.h>

#include "protocols/buffer.h"

/* Slices of the text that was parsed. */
struct statsd_address {
	bool is_local; /* a unix socket, whose path is the host */
	struct slice host, port;
};

/* HOST[:PORT], [V6][:PORT], unix://PATH; the port is 8125 unless given. NULL, or what
 * is wrong. */
const char *statsd_parse(struct statsd_address *a, const char *text);

/* What all metrics of a sender have in common; NULL: nothing. */
struct statsd_names {
	const char *prefix; /* with or without a dot at its end */
	const char *tags; /* "region:eu,host:a" */
};

/* A line each: so many more, a state, a duration in microseconds that stands for
 * 1 / rate of its kind. */
void statsd_count(struct buffer *out, const struct statsd_names *names,
	const char *name, uint64_t n);
void statsd_gauge(struct buffer *out, const struct statsd_names *names,
	const char *name, uint64_t n);
void statsd_histogram(struct buffer *out, const struct statsd_names *names,
	const char *name, uint64_t n);
void statsd_time(struct buffer *out, const struct statsd_names *names, const char *name,
	uint64_t us, double rate);

#endif
