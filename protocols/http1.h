/*
 * HTTP/1.0 and HTTP/1.1 (RFC 9112): the codec. Memory in, memory out.
 *
 * Requests are decoded in two steps. The head is decoded when all of it is there, so
 * that every slice of it points into the caller's buffer: a guard looks at the raw
 * bytes first (what llhttp lets through, RFC 9112 does not), then llhttp parses, then
 * the meaning is checked (Host, framing). The body is then counted (Content-Length) or
 * decoded (chunked).
 *
 * Errors are negative HTTP statuses: -400, -414, …; the connection cannot be used
 * further.
 */
#ifndef PROTOCOLS_HTTP1_H
#define PROTOCOLS_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/buffer.h"
#include "protocols/slice.h"

/* ---- Request heads: http1_head.c, http1_guard.c, http1_target.c ---- */

struct http1_limits {
	size_t line; /* bytes of the request line without CRLF; above: 414 */
	size_t fields; /* number of field lines; above: 431 */
	size_t field_size; /* bytes of one field line without CRLF; above: 431 */
	uint64_t body; /* bytes of a body; above: 413 */
};

struct http1_field {
	struct slice name;
	struct slice value; /* without the white space around it */
};

enum http1_framing { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED };

struct http1_head {
	struct slice method;
	struct slice target; /* as it was received */
	struct slice path; /* of the target: "/a%20b", or "*" */
	struct slice query; /* of the target, without the '?' */
	struct slice
		authority; /* host and port: the target's when it has one, else Host */
	struct http1_field
		*fields; /* memory of the caller, for limits.fields of them */
	size_t n_fields;
	enum http1_framing framing;
	uint64_t length; /* of the body, with HTTP1_LENGTH */
	unsigned minor; /* HTTP/1.minor: 0 or 1 */
	bool keep_alive; /* the client would keep the connection */
	bool expect_continue;
};

struct http1_decoder {
	struct http1_limits limits;
	size_t scanned; /* bytes of the input that were looked at already */
	size_t line; /* where the line begins that is being looked at */
	size_t lines; /* number of lines before it */
	const char *reason; /* after an error, for the log: "bare CR in the head" */
};

void http1_decoder_init(struct http1_decoder *d, const struct http1_limits *limits);

/*
 * The input begins with a request and is all that was received of it; at the next call
 * the same bytes stand there (perhaps elsewhere in memory) with more behind them. Every
 * byte is looked at once for the end of the head, so a dripped head costs no more.
 * Returns the length of the head, when it is complete: *head is filled in, d is ready
 * for the next request. 0: more is needed. Negative: the status to answer. head->fields
 * must be set to room for limits.fields before.
 */
int http1_decode_head(
	struct http1_decoder *d, struct slice input, struct http1_head *head);

/* ---- Chunked bodies: http1_chunked.c (RFC 9112 section 7.1) ---- */

enum http1_chunk_state {
	CHUNK_BAD, /* after an error, for good */
	CHUNK_SIZE_FIRST,
	CHUNK_SIZE,
	CHUNK_EXT_FIRST,
	CHUNK_EXT_NAME,
	CHUNK_EXT_NAME_END,
	CHUNK_EXT_VALUE_FIRST,
	CHUNK_EXT_VALUE,
	CHUNK_EXT_VALUE_END,
	CHUNK_EXT_QUOTED,
	CHUNK_EXT_ESCAPE,
	CHUNK_EXT_QUOTED_END,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_FIRST,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_END,
};

struct http1_chunked {
	enum http1_chunk_state state;
	unsigned digits; /* of the size that is being read */
	uint64_t left; /* of this chunk */
	uint64_t total; /* bytes of data so far */
	uint64_t limit; /* of total; above: 413 */
	uint64_t chunks;
	size_t overhead; /* bytes of extensions and trailers so far; limited */
	const char *reason;
};

void http1_chunked_init(struct http1_chunked *c, uint64_t limit);

enum { HTTP1_NEED_MORE = 0, HTTP1_DATA = 1, HTTP1_END = 2 };

/* Takes bytes from the front of *in. HTTP1_DATA: *data is a piece of the body (a part
 * of what *in was). HTTP1_END: the body is complete, *in begins behind it.
 * HTTP1_NEED_MORE: all was taken. Negative: the status to answer. */
int http1_chunked_next(struct http1_chunked *c, struct slice *in, struct slice *data);

/* ---- Responses: http1_response.c, http1_encode.c ---- */

/* The standard reason phrase, or "Unknown". */
const char *http1_reason(unsigned status);

/* A response with this status, to a HEAD request or not, has no body (RFC 9112 6.3). */
bool http1_no_body(unsigned status, bool is_head);

/* A response that an application described, before its framing is known. */
struct http1_response {
	unsigned status;
	struct slice
		reason; /* in the status that was passed; empty: the standard one */
	struct buffer fields; /* checked field lines, as they will be sent */
	int64_t length; /* of Content-Length, -1 when the application gave none */
	bool has_date, has_server;
	bool close; /* the application said Connection: close */
	const char *error; /* what was wrong, after -1 */
};

/* Parses "200 OK" or "200"; -1: not a status from 200 to 599, or a reason with control
 * bytes. Empties the response first; its buffer is kept. */
int http1_response_status(struct http1_response *r, struct slice status);

/* Adds a field, checked (RFC 9110 sections 5.1, 5.5); hop-by-hop fields are left out
 * and Content-Length and Connection understood. -1: not a field, or a second, different
 * Content-Length, or not a number; -1 and error "out of memory". */
int http1_response_field(
	struct http1_response *r, struct slice name, struct slice value);

void http1_response_release(struct http1_response *r);

struct http1_reply {
	enum http1_framing framing; /* NO_BODY: neither length nor chunked is said */
	uint64_t length; /* with HTTP1_LENGTH */
	bool keep_alive;
	bool http10; /* the request was HTTP/1.0: keep-alive must be said */
	bool cgi; /* a head of RFC 3875 section 6: the connection is not HTTP's */
	struct slice server; /* empty: no Server field */
	struct slice date; /* RFC 9110 section 5.6.7 */
	struct http1_field more; /* of the gateway's own; without a name: none */
};

/* The head as it goes out. Content-Length, Transfer-Encoding, Connection, Date and
 * Server come from here. Sticky failure of `out` when memory is out. */
void http1_encode_head(struct buffer *out, const struct http1_response *r,
	const struct http1_reply *reply);

enum { HTTP1_CHUNK_HEAD = 20 };

/* "1f4\r\n" into text; returns its length. Behind the data stands "\r\n"; the last
 * chunk, which ends the body, is HTTP1_LAST_CHUNK. */
size_t http1_chunk_head(char text[HTTP1_CHUNK_HEAD], uint64_t size);
#define HTTP1_LAST_CHUNK "0\r\n\r\n"

#endif
