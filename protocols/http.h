/*
 * HTTP's semantics (RFC 9110), as far as files need them, whatever carries them: dates,
 * conditional requests, ranges, content codings. Memory in, memory out. A field that a
 * request does not have is a slice without a pointer.
 */
#ifndef PROTOCOLS_HTTP_H
#define PROTOCOLS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "protocols/slice.h"

/* ---- Dates (section 5.6.7): http_date.c ---- */

enum { HTTP_DATE = 30 };

/* "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_date_write(char text[HTTP_DATE], time_t at);

/* Any of the three forms; `now` tells the century of a year of two digits. False: it is
 * none, or names a day that does not exist. */
bool http_date_read(struct slice text, time_t now, time_t *at);

/* ---- Conditional requests (section 13): http_conditions.c ---- */

struct http_conditions {
	struct slice if_match, if_none_match;
	struct slice if_modified_since, if_unmodified_since;
	struct slice if_range;
};

/* What a representation is told by. */
struct http_validators {
	struct slice etag; /* with its quotes; strong */
	time_t modified; /* not after now (section 8.8.2.1) */
	time_t now;
};

/* In the precedence of section 13.2.2: 304, 412, or 0, which means to go on. `reads`:
 * the method is GET or HEAD. */
unsigned http_conditions_check(const struct http_conditions *conditions,
	const struct http_validators *validators, bool reads);

/* Whether Range counts, as If-Range wants it (section 13.1.5). */
bool http_conditions_range(const struct http_conditions *conditions,
	const struct http_validators *validators);

/* ---- Ranges (section 14): http_ranges.c ---- */

struct http_range {
	uint64_t offset, length;
};

enum { HTTP_RANGES = 16 };

/*
 * What the field Range wants of a representation of that size. Returns the number of
 * ranges; -1: none of them is in it, which is answered 416; 0: the field is to be
 * ignored, and all is sent. That is so when it is none of bytes, when it wants more
 * than HTTP_RANGES, and when these together are more than the whole, as ranges that
 * overlap may be (section 14.2).
 */
int http_ranges(
	struct slice field, uint64_t size, struct http_range ranges[HTTP_RANGES]);

enum { HTTP_CONTENT_RANGE = sizeof("bytes -/") + 3 * 20 };

/* "bytes 0-499/1234"; without a range what a 416 says. */
void http_content_range(
	char text[HTTP_CONTENT_RANGE], const struct http_range *range, uint64_t size);

/* ---- Content codings (section 12.5.3): http_coding.c ---- */

enum { HTTP_QUALITY_MAX = 1000 };

/* How much Accept-Encoding wants a coding: 0 is not at all. "identity" has the least
 * quality where nothing is said of it. */
unsigned http_coding_quality(struct slice field, struct slice coding);

#endif
