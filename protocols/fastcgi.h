/*
 * FastCGI 1.0: the codec, for both sides of a connection. Memory in, memory out.
 *
 * Encoders append to a buffer, whose sticky failure is asked once at the end. The
 * decoder takes bytes as they come, cut anywhere, and hands contents out as slices of
 * them. Constants are those of <fastcgi.h>. Requests are not multiplexed.
 */
#ifndef PROTOCOLS_FASTCGI_H
#define PROTOCOLS_FASTCGI_H

#include <fastcgi.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/buffer.h"
#include "protocols/slice.h"

/* ---- Encoding ---- */

/* The eight bytes before `length` (at most FCGI_MAX_LENGTH) bytes of content. For
 * contents that are written where they stand; without padding. */
void fastcgi_header(
	char head[FCGI_HEADER_LEN], unsigned type, uint16_t id, size_t length);

/* So many bytes without meaning, at most 255, follow the content. */
static inline void
fastcgi_set_padding(char head[FCGI_HEADER_LEN], size_t padding)
{
	head[offsetof(FCGI_Header, paddingLength)] = (char)padding;
}

void fastcgi_begin(struct buffer *out, uint16_t id, unsigned role, unsigned flags);

void fastcgi_end(
	struct buffer *out, uint16_t id, uint32_t app_status, unsigned protocol_status);

/* Content of a stream (FCGI_STDIN, FCGI_STDOUT, FCGI_STDERR), as many records as it
 * takes. */
void fastcgi_stream(
	struct buffer *out, unsigned type, uint16_t id, struct slice content);

/* The empty record that ends a stream. */
void fastcgi_stream_end(struct buffer *out, unsigned type, uint16_t id);

/*
 * The PARAMS stream. A name-value pair stands whole in one record: php takes the parts
 * of a pair that is split, which the protocol allows, for a broken request.
 */
struct fastcgi_params {
	struct buffer *out;
	uint16_t id;
	size_t record; /* where the record begins that pairs are added to */
};

void fastcgi_params_init(struct fastcgi_params *p, struct buffer *out, uint16_t id);
/* -1: the pair does not fit in a record; it was not added. */
int fastcgi_params_add(struct fastcgi_params *p, struct slice name, struct slice value)
	__attribute__((warn_unused_result));
/* Ends the stream. */
void fastcgi_params_end(struct fastcgi_params *p);

/* ---- Decoding ---- */

enum fastcgi_event {
	FASTCGI_ERROR = -1, /* not FastCGI, or not now: the connection is of no use */
	FASTCGI_NEED_MORE = 0, /* all of the input was taken */
	/* what a responder receives */
	FASTCGI_BEGIN, /* id, role, flags */
	FASTCGI_ABORT,
	FASTCGI_PARAMS, /* data; fastcgi_pair_next() reads the whole stream */
	FASTCGI_STDIN, /* data */
	FASTCGI_VALUES, /* data; what the other side asks of the connection itself */
	/* what a client receives */
	FASTCGI_STDOUT, /* data */
	FASTCGI_STDERR, /* data */
	FASTCGI_END, /* app_status, protocol_status */
	/* either */
	FASTCGI_IGNORED, /* a management record, or one of no active request: was
			    skipped */
};

enum fastcgi_side { FASTCGI_CLIENT, FASTCGI_RESPONDER };

/* What came with an event. */
struct fastcgi_record {
	unsigned type;
	uint16_t id;
	struct slice data; /* a part of the input; empty: the stream ends */
	unsigned role, flags;
	uint32_t app_status;
	unsigned protocol_status;
};

struct fastcgi_decoder {
	enum fastcgi_side side;
	/* The active request. A client sets it; a responder's is set by BEGIN_REQUEST,
	 * and is set back to 0 by the responder when it has answered. */
	uint16_t id;
	enum fastcgi_state {
		FASTCGI_HEADER,
		FASTCGI_CONTENT, /* of a stream */
		FASTCGI_BODY, /* the eight bytes of BEGIN_REQUEST or END_REQUEST */
		FASTCGI_SKIP, /* ignored content, and padding */
	} state;
	enum fastcgi_event event; /* of the record that is being read */
	unsigned char
		fixed[FCGI_HEADER_LEN]; /* a header or a body, as far as it came */
	size_t n_fixed;
	size_t left; /* bytes of content */
	size_t padding; /* bytes behind it */
	struct fastcgi_record record;
	const char *error; /* after FASTCGI_ERROR, for the log */
};

void fastcgi_decoder_init(
	struct fastcgi_decoder *d, enum fastcgi_side side, uint16_t id);

/*
 * Takes bytes from the front of *in up to the next event, which d->record describes. A
 * record of more bytes than the input has gives several events.
 *
 * A client takes STDOUT, STDERR and END_REQUEST of its own request, and ignores
 * management records; all else is an error. A responder takes BEGIN_REQUEST whenever it
 * comes: when its id is not d->id, another request is active and the answer is
 * FCGI_CANT_MPX_CONN; what belongs to no active request it ignores, as the protocol
 * says.
 */
enum fastcgi_event fastcgi_next(struct fastcgi_decoder *d, struct slice *in);

/* Takes the next name-value pair from the front of a whole PARAMS stream: 1; 0: there
 * is none left; -1: what is left is no pair. */
int fastcgi_pair_next(struct slice *in, struct slice *name, struct slice *value);

#endif
