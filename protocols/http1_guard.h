/*
 * Inside of the HTTP/1 codec: which bytes may stand where, and what its files share.
 */
#ifndef PROTOCOLS_HTTP1_GUARD_H
#define PROTOCOLS_HTTP1_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "protocols/http1.h"
#include "protocols/slice.h"

/* Classes of bytes. Those of what is refused are the ones a loop gathers with |=. */
enum {
	HTTP1_TOKEN = 1, /* tchar, RFC 9110 section 5.6.2 */
	HTTP1_NOT_VALUE = 2, /* in no field value, RFC 9110 section 5.5 */
	HTTP1_NOT_TARGET = 4, /* in no request target */
	HTTP1_PERCENT = 8,
	HTTP1_HOST = 16, /* in a reg-name, RFC 3986 section 3.2.2; also '%' */
};

extern const uint8_t http1_class[256];

/* The classes of all bytes of a slice, together. */
static inline unsigned
http1_classes(struct slice s)
{
	unsigned classes = 0;

	for (size_t i = 0; i < s.len; i++)
		classes |= http1_class[(unsigned char)s.ptr[i]];
	return classes;
}

/* A field value may have all of these bytes (RFC 9110 section 5.5): none of them is of
 * HTTP1_NOT_VALUE. Long values are looked at by the word. */
bool http1_is_value(struct slice s);

/* The length of the token that a slice begins with. */
static inline size_t
http1_token(struct slice s)
{
	size_t n = 0;

	while (n < s.len && (http1_class[(unsigned char)s.ptr[n]] & HTTP1_TOKEN) != 0)
		n++;
	return n;
}

/* The value of a hexadecimal digit, or -1. */
static inline int
http1_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum { HTTP1_DIGITS = 20 }; /* of any uint64_t */

/* The digits of a number, to base 10 or 16, written so that they end before `end`. */
static inline struct slice
http1_digits(char *end, uint64_t number, unsigned base)
{
	char *at = end;

	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	return slice_of(at, (size_t)(end - at));
}

/* A field line takes so many bytes beside the name and the value. */
enum { HTTP1_LINE = sizeof(": \r\n") - 1 };

/* Writes one where there is room for it; where it ends. */
static inline char *
http1_put_line(char *at, struct slice name, struct slice value)
{
	at = mempcpy(at, name.ptr, name.len);
	at = mempcpy(at, ": ", 2);
	if (value.len > 0)
		at = mempcpy(at, value.ptr, value.len);
	return mempcpy(at, "\r\n", 2);
}

/* Digits and nothing else, of a number that is not above INT64_MAX. */
bool http1_number(struct slice digits, uint64_t *number);

/* A member of a comma-separated list, without case (RFC 9110 section 5.6.1). */
bool http1_list_has(struct slice list, struct slice member);

/* Every '%' is followed by two hexadecimal digits, which are not 00. */
bool http1_percents(struct slice s);

static inline int
http1_refuse(struct http1_decoder *d, int status, const char *reason)
{
	d->reason = reason;
	return -status;
}

/* The length of the head that the input begins with, when it is complete and every byte
 * of it may stand where it stands; 0: more is needed; negative: the status. */
int http1_guard_head(struct http1_decoder *d, struct slice input);

/* Knows the method, and takes the target apart: path, query, authority. 0 or a status.
 */
int http1_check_method(struct http1_decoder *d, const struct http1_head *head);
int http1_split_target(struct http1_decoder *d, struct http1_head *head);

/* host [ ":" port ], RFC 3986 section 3.2, with a host that is not empty. */
bool http1_is_authority(struct slice s);

#endif
