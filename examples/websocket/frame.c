#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f };

void
frame_reader_init(struct frame_reader *r, size_t limit)
{
	*r = (struct frame_reader){ .limit = limit };
}

void
frame_reader_release(struct frame_reader *r)
{
	free(r->data);
	frame_reader_init(r, r->limit);
}

/* ---- The head of a frame ---- */

static bool
is_control(enum opcode opcode)
{
	return opcode >= OP_CLOSE;
}

static bool
is_known(unsigned opcode)
{
	return opcode <= OP_BINARY || (opcode >= OP_CLOSE && opcode <= OP_PONG);
}

static size_t
length_bytes(const struct frame_reader *r)
{
	unsigned length = r->head[1] & LENGTH;

	return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static size_t
head_size(const struct frame_reader *r)
{
	return r->head_len < 2 ? 2 : 2 + length_bytes(r) + sizeof(r->mask);
}

/* Once two bytes are there: no extension was agreed on, so the reserved bits are zero;
 * a client masks (section 5.1); a control frame is small and in one piece (5.5); a
 * message ends before the next one begins (5.4). */
static int
check_begin(struct frame_reader *r)
{
	unsigned opcode = r->head[0] & OPCODE;

	if ((r->head[0] & RESERVED) != 0 || !is_known(opcode) || !(r->head[1] & MASKED))
		return -CLOSE_PROTOCOL_ERROR;
	r->opcode = (enum opcode)opcode;
	r->is_last = (r->head[0] & FIN) != 0;
	if (is_control(r->opcode))
		return r->is_last && (r->head[1] & LENGTH) <= CONTROL_MAX
			? 0
			: -CLOSE_PROTOCOL_ERROR;
	return (r->opcode == OP_CONTINUATION) == r->in_message ? 0
							       : -CLOSE_PROTOCOL_ERROR;
}

/* The shortest form is the only one, and 63 bits are the most (section 5.2). */
static int
take_length(struct frame_reader *r)
{
	size_t n = length_bytes(r);
	uint64_t length = 0;

	for (size_t i = 0; i < n; i++)
		length = length << 8 | r->head[2 + i];
	if (n == 0)
		length = r->head[1] & LENGTH;
	if ((n == 2 && length < 126) ||
		(n == 8 && (length <= UINT16_MAX || length > INT64_MAX)))
		return -CLOSE_PROTOCOL_ERROR;
	r->length = length;
	return 0;
}

static int
begin_payload(struct frame_reader *r)
{
	if (take_length(r) != 0)
		return -CLOSE_PROTOCOL_ERROR;
	memcpy(r->mask, r->head + r->head_len - sizeof(r->mask), sizeof(r->mask));
	r->head_len = 0;
	r->at = 0;
	r->in_payload = true;
	if (is_control(r->opcode))
		return 0;
	if (!r->in_message) {
		r->len = 0;
		r->kind = r->opcode;
		r->utf8 = (struct utf8){ 0 };
		r->in_message = true;
	}
	return r->length > r->limit - r->len ? -CLOSE_TOO_BIG : 0;
}

/* 1: the head is complete. */
static int
read_head(struct frame_reader *r, const uint8_t **bytes, size_t *n)
{
	while (r->head_len < head_size(r)) {
		if (*n == 0)
			return 0;
		r->head[r->head_len++] = *(*bytes)++;
		--*n;
		if (r->head_len == 2 && check_begin(r) != 0)
			return -CLOSE_PROTOCOL_ERROR;
	}
	int result = begin_payload(r);
	return result != 0 ? result : 1;
}

/* ---- The payload ---- */

/* Room for n bytes more; what is there grows with what has come, not with what a head
 * has promised. */
static bool
make_room(struct frame_reader *r, size_t n)
{
	size_t size = r->size;

	if (n <= r->size - r->len)
		return true;
	while (size - r->len < n)
		size = size == 0 ? 512 : size * 2;
	uint8_t *data = realloc(r->data, size);
	if (data == NULL)
		return false;
	r->data = data;
	r->size = size;
	return true;
}

static void
unmask(const struct frame_reader *r, uint8_t *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = bytes[i] ^ r->mask[(r->at + i) % sizeof(r->mask)];
}

static int
take_data(struct frame_reader *r, const uint8_t *bytes, size_t n)
{
	if (!make_room(r, n))
		return -CLOSE_INTERNAL_ERROR;
	unmask(r, r->data + r->len, bytes, n);
	if (r->kind == OP_TEXT && !utf8_feed(&r->utf8, r->data + r->len, n))
		return -CLOSE_NOT_TEXT;
	r->len += n;
	return 0;
}

/* 1: the frame is complete. */
static int
read_payload(struct frame_reader *r, const uint8_t **bytes, size_t *n)
{
	uint64_t left = r->length - r->at;
	size_t taken = left < *n ? (size_t)left : *n;
	int result = 0;

	if (is_control(r->opcode))
		unmask(r, r->control + r->at, *bytes, taken);
	else if (taken > 0)
		result = take_data(r, *bytes, taken);
	*bytes += taken;
	*n -= taken;
	r->at += taken;
	if (result != 0)
		return result;
	r->in_payload = r->at < r->length;
	return !r->in_payload;
}

/* ---- Messages ---- */

/* Section 7.4: those of the registry that may be sent, and what anybody may use. */
static bool
is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
		(code >= 3000 && code <= 4999);
}

enum close_code
frame_close_code(const struct message *m)
{
	return m->n < 2 ? CLOSE_NO_CODE
			: (enum close_code)(m->data[0] << 8 | m->data[1]);
}

/* A code, and a text for people, or nothing at all (section 5.5.1). */
static int
check_close(const struct message *m)
{
	struct utf8 text = { 0 };

	if (m->n == 0)
		return 1;
	if (m->n == 1 || !is_close_code(frame_close_code(m)))
		return -CLOSE_PROTOCOL_ERROR;
	if (!utf8_feed(&text, m->data + 2, m->n - 2) || !utf8_is_complete(&text))
		return -CLOSE_NOT_TEXT;
	return 1;
}

static int
end_message(struct frame_reader *r, struct message *m)
{
	if (is_control(r->opcode)) {
		*m = (struct message){ r->opcode, r->control, (size_t)r->length };
		return m->opcode == OP_CLOSE ? check_close(m) : 1;
	}
	if (!r->is_last)
		return 0;
	r->in_message = false;
	*m = (struct message){ r->kind, r->data, r->len };
	return r->kind == OP_TEXT && !utf8_is_complete(&r->utf8) ? -CLOSE_NOT_TEXT : 1;
}

int
frame_read(struct frame_reader *r, const uint8_t **bytes, size_t *n, struct message *m)
{
	int result = 0;

	do {
		result = r->in_payload ? 1 : read_head(r, bytes, n);
		if (result == 1)
			result = read_payload(r, bytes, n);
		if (result != 1)
			return result;
		result = end_message(r, m);
	} while (result == 0);
	return result;
}

size_t
frame_head(uint8_t head[FRAME_HEAD_MAX], enum opcode opcode, size_t n)
{
	size_t more = n <= CONTROL_MAX ? 0 : n <= UINT16_MAX ? 2 : 8;

	head[0] = (uint8_t)(FIN | opcode);
	head[1] = (uint8_t)(more == 0 ? n : more == 2 ? 126 : 127);
	for (size_t i = 0; i < more; i++)
		head[2 + i] = (uint8_t)(n >> (8 * (more - 1 - i)));
	return 2 + more;
}
