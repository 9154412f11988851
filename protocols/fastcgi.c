#include "protocols/fastcgi.h"

#include <assert.h>

static_assert(sizeof(FCGI_BeginRequestBody) == FCGI_HEADER_LEN &&
		sizeof(FCGI_EndRequestBody) == FCGI_HEADER_LEN,
	"bodies and headers share the decoder's eight bytes");

/* ---- Encoding ---- */

static unsigned char
byte(size_t value, unsigned shift)
{
	return (unsigned char)(value >> shift & 0xff);
}

void
fastcgi_header(char head[FCGI_HEADER_LEN], unsigned type, uint16_t id, size_t length)
{
	const FCGI_Header h = {
		.version = FCGI_VERSION_1,
		.type = (unsigned char)type,
		.requestIdB1 = byte(id, 8),
		.requestIdB0 = byte(id, 0),
		.contentLengthB1 = byte(length, 8),
		.contentLengthB0 = byte(length, 0),
	};

	assert(length <= FCGI_MAX_LENGTH);
	memcpy(head, &h, sizeof(h));
}

static void
add_record(struct buffer *out, unsigned type, uint16_t id, struct slice content)
{
	char head[FCGI_HEADER_LEN];

	fastcgi_header(head, type, id, content.len);
	buffer_add(out, head, sizeof(head));
	buffer_add_slice(out, content);
}

void
fastcgi_begin(struct buffer *out, uint16_t id, unsigned role, unsigned flags)
{
	const FCGI_BeginRequestBody body = {
		.roleB1 = byte(role, 8),
		.roleB0 = byte(role, 0),
		.flags = (unsigned char)flags,
	};

	add_record(out, FCGI_BEGIN_REQUEST, id,
		slice_of((const char *)&body, sizeof(body)));
}

void
fastcgi_end(
	struct buffer *out, uint16_t id, uint32_t app_status, unsigned protocol_status)
{
	const FCGI_EndRequestBody body = {
		.appStatusB3 = byte(app_status, 24),
		.appStatusB2 = byte(app_status, 16),
		.appStatusB1 = byte(app_status, 8),
		.appStatusB0 = byte(app_status, 0),
		.protocolStatus = (unsigned char)protocol_status,
	};

	add_record(
		out, FCGI_END_REQUEST, id, slice_of((const char *)&body, sizeof(body)));
}

void
fastcgi_stream(struct buffer *out, unsigned type, uint16_t id, struct slice content)
{
	while (content.len != 0) {
		size_t n =
			content.len < FCGI_MAX_LENGTH ? content.len : FCGI_MAX_LENGTH;

		add_record(out, type, id, slice_of(content.ptr, n));
		slice_advance(&content, n);
	}
}

void
fastcgi_stream_end(struct buffer *out, unsigned type, uint16_t id)
{
	add_record(out, type, id, SLICE(""));
}

/* A length below 128 takes one byte, any other four, with the highest bit set. */
static size_t
encode_length(char text[4], size_t length)
{
	if (length < 0x80) {
		text[0] = (char)length;
		return 1;
	}
	for (unsigned i = 0; i < 4; i++)
		text[i] = (char)byte(length | 0x80000000u, 24 - 8 * i);
	return 4;
}

/* The record that pairs are added to gets its header, now that its length is known. */
static void
params_close(struct fastcgi_params *p)
{
	if (p->out->failed)
		return;
	fastcgi_header(p->out->ptr + p->record, FCGI_PARAMS, p->id,
		p->out->len - p->record - FCGI_HEADER_LEN);
}

static void
params_open(struct fastcgi_params *p)
{
	p->record = p->out->len;
	buffer_add(p->out, (char[FCGI_HEADER_LEN]){ 0 }, FCGI_HEADER_LEN);
}

void
fastcgi_params_init(struct fastcgi_params *p, struct buffer *out, uint16_t id)
{
	*p = (struct fastcgi_params){ .out = out, .id = id };
	params_open(p);
}

int
fastcgi_params_add(struct fastcgi_params *p, struct slice name, struct slice value)
{
	char lengths[8];

	if (name.len > FCGI_MAX_LENGTH || value.len > FCGI_MAX_LENGTH)
		return -1;
	size_t n = encode_length(lengths, name.len);
	n += encode_length(lengths + n, value.len);
	size_t pair = n + name.len + value.len;
	if (pair > FCGI_MAX_LENGTH)
		return -1;
	if (p->out->len - p->record - FCGI_HEADER_LEN + pair > FCGI_MAX_LENGTH) {
		params_close(p);
		params_open(p);
	}
	buffer_add(p->out, lengths, n);
	buffer_add_slice(p->out, name);
	buffer_add_slice(p->out, value);
	return 0;
}

void
fastcgi_params_end(struct fastcgi_params *p)
{
	params_close(p);
	/* A record without pairs ends the stream already. */
	if (p->out->len - p->record > FCGI_HEADER_LEN)
		fastcgi_stream_end(p->out, FCGI_PARAMS, p->id);
}

/* ---- Decoding ---- */

/* What a record type is to the client and to the responder; FASTCGI_ERROR where it must
 * not come. */
static const enum fastcgi_event types[FCGI_MAXTYPE + 1][2] = {
	[0] = { FASTCGI_ERROR, FASTCGI_ERROR },
	[FCGI_BEGIN_REQUEST] = { FASTCGI_ERROR, FASTCGI_BEGIN },
	[FCGI_ABORT_REQUEST] = { FASTCGI_ERROR, FASTCGI_ABORT },
	[FCGI_END_REQUEST] = { FASTCGI_END, FASTCGI_ERROR },
	[FCGI_PARAMS] = { FASTCGI_ERROR, FASTCGI_PARAMS },
	[FCGI_STDIN] = { FASTCGI_ERROR, FASTCGI_STDIN },
	[FCGI_STDOUT] = { FASTCGI_STDOUT, FASTCGI_ERROR },
	[FCGI_STDERR] = { FASTCGI_STDERR, FASTCGI_ERROR },
	[FCGI_DATA] = { FASTCGI_ERROR, FASTCGI_IGNORED },
	[FCGI_GET_VALUES] = { FASTCGI_ERROR, FASTCGI_VALUES },
	[FCGI_GET_VALUES_RESULT] = { FASTCGI_IGNORED, FASTCGI_ERROR },
	[FCGI_UNKNOWN_TYPE] = { FASTCGI_IGNORED, FASTCGI_ERROR },
};

void
fastcgi_decoder_init(struct fastcgi_decoder *d, enum fastcgi_side side, uint16_t id)
{
	*d = (struct fastcgi_decoder){ .side = side, .id = id };
}

static enum fastcgi_event
broken(struct fastcgi_decoder *d, const char *error)
{
	d->error = error;
	return FASTCGI_ERROR;
}

/* What the record is whose header has been read. */
static enum fastcgi_event
classify(struct fastcgi_decoder *d)
{
	const struct fastcgi_record *r = &d->record;

	/* Types of later versions are management records, which have no id. */
	if (r->type > FCGI_MAXTYPE)
		return r->id == FCGI_NULL_REQUEST_ID ? FASTCGI_IGNORED
						     : broken(d, "unknown record type");
	enum fastcgi_event event = types[r->type][d->side];
	if (event == FASTCGI_ERROR)
		return broken(d, "unexpected record type");
	if (event == FASTCGI_IGNORED)
		return event;
	if (event == FASTCGI_BEGIN)
		return r->id != FCGI_NULL_REQUEST_ID
			? event
			: broken(d, "request without an id");
	if (event == FASTCGI_VALUES)
		return r->id == FCGI_NULL_REQUEST_ID
			? event
			: broken(d, "management record with an id");
	if (r->id != d->id)
		return d->side == FASTCGI_RESPONDER ? FASTCGI_IGNORED
						    : broken(d, "wrong request id");
	return event;
}

/* Begins the record of the header in d->fixed. */
static enum fastcgi_event
begin_record(struct fastcgi_decoder *d)
{
	FCGI_Header h;

	memcpy(&h, d->fixed, sizeof(h));
	if (h.version != FCGI_VERSION_1)
		return broken(d, "wrong protocol version");
	d->record = (struct fastcgi_record){
		.type = h.type,
		.id = (uint16_t)(h.requestIdB1 << 8 | h.requestIdB0),
	};
	d->left = (size_t)(h.contentLengthB1 << 8 | h.contentLengthB0);
	d->padding = h.paddingLength;
	d->event = classify(d);
	if (d->event == FASTCGI_ERROR)
		return d->event;
	if (d->event == FASTCGI_IGNORED) {
		d->state = FASTCGI_SKIP;
		return d->event;
	}
	if (d->event == FASTCGI_BEGIN || d->event == FASTCGI_END) {
		if (d->left != sizeof(d->fixed))
			return broken(d, "record of a wrong length");
		d->state = FASTCGI_BODY;
		return FASTCGI_NEED_MORE;
	}
	if (d->event == FASTCGI_ABORT && d->left != 0)
		return broken(d, "record of a wrong length");
	d->state = d->left != 0 ? FASTCGI_CONTENT : FASTCGI_SKIP;
	/* An empty record is an event of its own: the end of its stream, or an abort.
	 */
	return d->left == 0 ? d->event : FASTCGI_NEED_MORE;
}

/* The body in d->fixed, of BEGIN_REQUEST or END_REQUEST. */
static enum fastcgi_event
read_body(struct fastcgi_decoder *d)
{
	const unsigned char *b = d->fixed;

	if (d->event == FASTCGI_BEGIN) {
		d->record.role = (unsigned)(b[0] << 8 | b[1]);
		d->record.flags = b[2];
		if (d->id == FCGI_NULL_REQUEST_ID)
			d->id = d->record.id;
	} else {
		d->record.app_status = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
			(uint32_t)b[2] << 8 | b[3];
		d->record.protocol_status = b[4];
	}
	d->left = 0;
	d->state = FASTCGI_SKIP;
	return d->event;
}

/* Gathers eight bytes; true when they are complete. */
static bool
gather(struct fastcgi_decoder *d, struct slice *in)
{
	size_t n = sizeof(d->fixed) - d->n_fixed;

	if (n > in->len)
		n = in->len;
	memcpy(d->fixed + d->n_fixed, in->ptr, n);
	d->n_fixed += n;
	slice_advance(in, n);
	if (d->n_fixed < sizeof(d->fixed))
		return false;
	d->n_fixed = 0;
	return true;
}

/* Takes up to *left bytes off the input, and counts them. */
static struct slice
take(struct slice *in, size_t *left)
{
	struct slice part = slice_of(in->ptr, in->len < *left ? in->len : *left);

	slice_advance(in, part.len);
	*left -= part.len;
	return part;
}

static void
skip(struct fastcgi_decoder *d, struct slice *in)
{
	take(in, &d->left);
	take(in, &d->padding);
	if (d->left == 0 && d->padding == 0)
		d->state = FASTCGI_HEADER;
}

enum fastcgi_event
fastcgi_next(struct fastcgi_decoder *d, struct slice *in)
{
	enum fastcgi_event event = FASTCGI_NEED_MORE;

	if (d->error != NULL)
		return FASTCGI_ERROR;
	while (in->len != 0 && event == FASTCGI_NEED_MORE)
		switch (d->state) {
		case FASTCGI_HEADER:
			if (gather(d, in))
				event = begin_record(d);
			break;
		case FASTCGI_CONTENT:
			d->record.data = take(in, &d->left);
			event = d->event;
			if (d->left == 0)
				d->state = FASTCGI_SKIP;
			break;
		case FASTCGI_BODY:
			if (gather(d, in))
				event = read_body(d);
			break;
		case FASTCGI_SKIP:
			skip(d, in);
			break;
		}
	return event;
}

static bool
decode_length(struct slice *in, size_t *length)
{
	const unsigned char *b = (const unsigned char *)in->ptr;
	size_t n = in->len != 0 && b[0] >= 0x80 ? 4 : 1;

	if (in->len < n)
		return false;
	*length = n == 1 ? b[0]
			 : (size_t)(b[0] & 0x7f) << 24 | (size_t)b[1] << 16 |
			(size_t)b[2] << 8 | b[3];
	slice_advance(in, n);
	return true;
}

int
fastcgi_pair_next(struct slice *in, struct slice *name, struct slice *value)
{
	size_t name_len, value_len;

	if (in->len == 0)
		return 0;
	if (!decode_length(in, &name_len) || !decode_length(in, &value_len) ||
		name_len > in->len || value_len > in->len - name_len)
		return -1;
	*name = take(in, &name_len);
	*value = take(in, &value_len);
	return 1;
}
