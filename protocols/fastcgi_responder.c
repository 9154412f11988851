#include "protocols/fastcgi_responder.h"

#include "protocols/http1_guard.h"

/* ---- Requests ---- */

void
fastcgi_responder_init(struct fastcgi_responder *r, uint64_t connections)
{
	*r = (struct fastcgi_responder){ .connections = connections };
	fastcgi_decoder_init(&r->decoder, FASTCGI_RESPONDER, FCGI_NULL_REQUEST_ID);
}

void
fastcgi_responder_reset(struct fastcgi_responder *r)
{
	r->decoder.id = FCGI_NULL_REQUEST_ID;
	r->stage = FASTCGI_AWAITS;
}

static enum fastcgi_part
broken(struct fastcgi_responder *r, const char *error)
{
	r->error = error;
	return FASTCGI_BROKEN;
}

static enum fastcgi_part
drop(struct fastcgi_responder *r, struct buffer *answers, unsigned protocol_status)
{
	fastcgi_end(answers, r->decoder.id, 0, protocol_status);
	fastcgi_responder_reset(r);
	return FASTCGI_DROPPED;
}

static enum fastcgi_part
begin(struct fastcgi_responder *r, struct buffer *answers)
{
	const struct fastcgi_record *record = &r->decoder.record;

	if (record->id != r->decoder.id) {
		fastcgi_end(answers, record->id, 0, FCGI_CANT_MPX_CONN);
		return FASTCGI_MORE;
	}
	if (r->stage != FASTCGI_AWAITS)
		return broken(r, "a request begins twice");
	r->keep = (record->flags & FCGI_KEEP_CONN) != 0;
	if (record->role != FCGI_RESPONDER)
		return drop(r, answers, FCGI_UNKNOWN_ROLE);
	r->stage = FASTCGI_IN_HEAD;
	return FASTCGI_MORE;
}

/* Content of a stream, which must be the one that is due, or its end. */
static enum fastcgi_part
take(struct fastcgi_responder *r, enum fastcgi_stage due, enum fastcgi_part part,
	struct slice *data)
{
	if (r->stage != due)
		return broken(r, "a stream out of its place");
	*data = r->decoder.record.data;
	if (data->len > 0)
		return part;
	r->stage++;
	return part + 1;
}

/* The value of a variable by which FCGI_GET_VALUES asks, into `text`; the empty slice:
 * there is no such variable. A connection has one request at a time. */
static struct slice
value_of(const struct fastcgi_responder *r, struct slice name, char text[HTTP1_DIGITS])
{
	if (slice_eq(name, SLICE(FCGI_MPXS_CONNS)))
		return SLICE("0");
	if (slice_eq(name, SLICE(FCGI_MAX_CONNS)) ||
		slice_eq(name, SLICE(FCGI_MAX_REQS)))
		return http1_digits(text + HTTP1_DIGITS, r->connections, 10);
	return (struct slice){ 0 };
}

static void
add_value(struct buffer *pairs, struct slice name, struct slice value)
{
	if (value.len == 0)
		return;
	buffer_add_char(pairs, (char)name.len);
	buffer_add_char(pairs, (char)value.len);
	buffer_add_slice(pairs, name);
	buffer_add_slice(pairs, value);
}

/* A query that is cut here, or was before it came, is answered as far as it goes. */
static void
answer_values(struct fastcgi_responder *r, struct buffer *answers)
{
	struct slice rest = slice_of(r->values, r->n_values), name, value;
	char head[FCGI_HEADER_LEN], text[HTTP1_DIGITS];
	struct buffer pairs = { 0 };

	while (fastcgi_pair_next(&rest, &name, &value) == 1)
		add_value(&pairs, name, value_of(r, name, text));
	fastcgi_header(head, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, pairs.len);
	buffer_add(answers, head, sizeof(head));
	buffer_add_slice(answers, buffer_slice(&pairs));
	answers->failed |= pairs.failed;
	buffer_release(&pairs);
	r->n_values = 0;
}

static void
take_values(struct fastcgi_responder *r, struct buffer *answers)
{
	struct slice data = r->decoder.record.data;
	size_t room = sizeof(r->values) - r->n_values;
	size_t n = data.len < room ? data.len : room;

	if (n > 0)
		memcpy(r->values + r->n_values, data.ptr, n);
	r->n_values += n;
	if (r->decoder.left == 0)
		answer_values(r, answers);
}

/* Records of the protocol that are of no use here are passed over; those of a later
 * version are to be known as such. */
static void
pass_over(const struct fastcgi_record *record, struct buffer *answers)
{
	FCGI_UnknownTypeBody body = { .type = (unsigned char)record->type };
	char head[FCGI_HEADER_LEN];

	if (record->type <= FCGI_MAXTYPE)
		return;
	fastcgi_header(head, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, sizeof(body));
	buffer_add(answers, head, sizeof(head));
	buffer_add(answers, &body, sizeof(body));
}

/* FASTCGI_MORE: the record is dealt with. */
static enum fastcgi_part
act(struct fastcgi_responder *r, enum fastcgi_event event, struct slice *data,
	struct buffer *answers)
{
	switch (event) {
	case FASTCGI_BEGIN:
		return begin(r, answers);
	case FASTCGI_ABORT:
		return drop(r, answers, FCGI_REQUEST_COMPLETE);
	case FASTCGI_PARAMS:
		return take(r, FASTCGI_IN_HEAD, FASTCGI_HEAD, data);
	case FASTCGI_STDIN:
		return take(r, FASTCGI_IN_BODY, FASTCGI_INPUT, data);
	case FASTCGI_VALUES:
		take_values(r, answers);
		return FASTCGI_MORE;
	case FASTCGI_IGNORED:
		pass_over(&r->decoder.record, answers);
		return FASTCGI_MORE;
	case FASTCGI_ERROR:
		return broken(r, r->decoder.error);
	case FASTCGI_NEED_MORE:
	case FASTCGI_STDOUT:
	case FASTCGI_STDERR:
	case FASTCGI_END:
		return FASTCGI_MORE; /* no event of this side */
	}
	return FASTCGI_MORE;
}

enum fastcgi_part
fastcgi_responder_next(struct fastcgi_responder *r, struct slice *in,
	struct slice *data, struct buffer *answers)
{
	enum fastcgi_part part = FASTCGI_MORE;
	enum fastcgi_event event;

	*data = (struct slice){ 0 };
	if (r->error != NULL)
		return FASTCGI_BROKEN;
	do {
		event = fastcgi_next(&r->decoder, in);
		part = act(r, event, data, answers);
	} while (part == FASTCGI_MORE && event != FASTCGI_NEED_MORE);
	return part;
}

/* ---- Responses ---- */

void
fastcgi_cutter_init(struct fastcgi_cutter *c, uint16_t id, const struct iovec *pieces,
	size_t n, bool ends)
{
	char *end = c->tail + FASTCGI_PADDING;

	*c = (struct fastcgi_cutter){ .at = pieces, .id = id, .ends = ends };
	for (size_t i = 0; i < n; i++)
		c->left += pieces[i].iov_len;
	/* The end of the stream, and FCGI_REQUEST_COMPLETE, all of whose bytes are 0.
	 */
	fastcgi_header(end, FCGI_STDOUT, id, 0);
	fastcgi_header(end + FCGI_HEADER_LEN, FCGI_END_REQUEST, id,
		sizeof(FCGI_EndRequestBody));
}

/* Takes so many bytes off the front of the pieces; returns the number of parts. */
static size_t
cut_content(struct fastcgi_cutter *c, struct iovec *out, size_t length)
{
	size_t n = 0;

	c->left -= length;
	while (length > 0) {
		size_t part = c->at->iov_len - c->used;
		part = part < length ? part : length;
		out[n++] = (struct iovec){
			.iov_base = (char *)c->at->iov_base + c->used,
			.iov_len = part,
		};
		c->used += part;
		length -= part;
		if (c->used == c->at->iov_len) {
			c->at++;
			c->used = 0;
		}
	}
	return n;
}

size_t
fastcgi_cut(struct fastcgi_cutter *c, struct iovec *out)
{
	size_t length = c->left < FASTCGI_RECORD_MAX ? c->left : FASTCGI_RECORD_MAX;
	size_t padding = -length & FASTCGI_PADDING, n = 0;

	if (length > 0) {
		fastcgi_header(c->head, FCGI_STDOUT, c->id, length);
		fastcgi_set_padding(c->head, padding);
		out[n++] = (struct iovec){ c->head, FCGI_HEADER_LEN };
		n += cut_content(c, out + n, length);
	}
	bool ends = c->ends && c->left == 0;
	if (ends || padding > 0)
		out[n++] = (struct iovec){ c->tail + FASTCGI_PADDING - padding,
			padding + (ends ? FASTCGI_END_LENGTH : 0) };
	c->ends = c->ends && !ends;
	return n;
}
