/*
 * FastCGI 1.0 as a responder speaks it: a web server's records in, one request at a
 * time out, and its response as records. Memory in, memory out.
 *
 * What the web server asks of the connection itself is answered here, and so are
 * requests that cannot be: of another role, or beside one that is active.
 */
#ifndef PROTOCOLS_FASTCGI_RESPONDER_H
#define PROTOCOLS_FASTCGI_RESPONDER_H

#include <sys/uio.h>

#include "protocols/fastcgi.h"

/* ---- Requests ---- */

enum fastcgi_part {
	FASTCGI_BROKEN = -1, /* the connection is of no use; error says why */
	FASTCGI_MORE = 0, /* all of the input was taken */
	FASTCGI_HEAD, /* data: a part of the variables */
	FASTCGI_HEAD_END,
	FASTCGI_INPUT, /* data: a part of the body */
	FASTCGI_INPUT_END, /* the request is complete */
	FASTCGI_DROPPED, /* the request is no more, and was answered: it was aborted, or
			    its role is not a responder's */
};

enum {
	FASTCGI_VALUES_MAX = 256, /* bytes of GET_VALUES that are looked at */
};

struct fastcgi_responder {
	struct fastcgi_decoder decoder;
	enum fastcgi_stage {
		FASTCGI_AWAITS, /* no request is active */
		FASTCGI_IN_HEAD,
		FASTCGI_IN_BODY,
		FASTCGI_COMPLETE,
	} stage;
	bool keep; /* the web server keeps the connection after this request */
	uint64_t connections;
	char values[FASTCGI_VALUES_MAX];
	size_t n_values;
	const char *error; /* after FASTCGI_BROKEN, for the log */
};

/* `connections` may be open at one time: for those who ask. */
void fastcgi_responder_init(struct fastcgi_responder *r, uint64_t connections);

/*
 * Takes bytes from the front of *in up to the next part of a request. Answers of this
 * side are appended to `answers`: a few bytes for each record. After FASTCGI_INPUT_END
 * comes fastcgi_responder_reset(), before the next call.
 */
enum fastcgi_part fastcgi_responder_next(struct fastcgi_responder *r, struct slice *in,
	struct slice *data, struct buffer *answers);

/* The active request has been answered: the next one may come. */
void fastcgi_responder_reset(struct fastcgi_responder *r);

/* A request is active, by which it can be answered. */
static inline bool
fastcgi_responder_is_asked(const struct fastcgi_responder *r)
{
	return r->decoder.id != FCGI_NULL_REQUEST_ID;
}

/* No byte of a record or of a request is outstanding. */
static inline bool
fastcgi_responder_is_idle(const struct fastcgi_responder *r)
{
	const struct fastcgi_decoder *d = &r->decoder;

	return !fastcgi_responder_is_asked(r) && d->n_fixed == 0 && d->left == 0 &&
		d->padding == 0;
}

/* ---- Responses ---- */

enum {
	/* Of the content of a record: of the lengths that are multiples of eight, as
	 * the protocol advises, the greatest. */
	FASTCGI_RECORD_MAX = FCGI_MAX_LENGTH & ~7,
	FASTCGI_PADDING = 7, /* at most, so that the next record is aligned too */
	FASTCGI_END_LENGTH = FCGI_HEADER_LEN + (int)sizeof(FCGI_EndRequestRecord),
};

/* Cuts the bytes of pieces into FCGI_STDOUT records, none of which is copied. */
struct fastcgi_cutter {
	const struct iovec *at; /* the piece that is next, */
	size_t used; /* and how much of it was */
	size_t left; /* bytes of all pieces */
	uint16_t id;
	bool ends; /* the response: FCGI_END_REQUEST is to follow */
	char head[FCGI_HEADER_LEN];
	char tail[FASTCGI_PADDING + FASTCGI_END_LENGTH];
};

/* The pieces must stay where they are. */
void fastcgi_cutter_init(struct fastcgi_cutter *c, uint16_t id,
	const struct iovec *pieces, size_t n, bool ends);

/* The next record, and behind the last one the end, as pieces: at most two more than
 * the cutter has. Returns their number, which is 0 when nothing is left. They are good
 * until the next call. */
size_t fastcgi_cut(struct fastcgi_cutter *c, struct iovec *out);

#endif
