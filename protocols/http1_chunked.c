/*
 * Chunked bodies, RFC 9112 section 7.1: one byte, one step of a table, but for the
 * digits of a size and the data itself. Extensions and trailers must be well formed,
 * and are dropped: nobody here knows one, and both may be.
 */
#include "protocols/http1.h"

#include "protocols/http1_guard.h"

enum {
	SIZE_DIGITS = 16, /* of a chunk's size, with leading zeros */
	OVERHEAD_MAX = 8192, /* bytes of extensions and trailers in a body */
	CHUNKS_FREE = 16384, /* chunks of any size; then they must hold on average */
	CHUNK_AVERAGE = 16, /* so many bytes */
};

enum byte {
	FORBIDDEN,
	TCHAR,
	TEXT,
	BLANK,
	CR,
	LF,
	SEMICOLON,
	COLON,
	EQUALS,
	QUOTE,
	BACKSLASH,
	BYTES
};

/* What a byte is to the table below. */
static enum byte
byte_of(unsigned char c)
{
	switch (c) {
	case ' ':
	case '\t':
		return BLANK;
	case '\r':
		return CR;
	case '\n':
		return LF;
	case ';':
		return SEMICOLON;
	case ':':
		return COLON;
	case '=':
		return EQUALS;
	case '"':
		return QUOTE;
	case '\\':
		return BACKSLASH;
	}
	if ((http1_class[c] & HTTP1_TOKEN) != 0)
		return TCHAR;
	return (http1_class[c] & HTTP1_NOT_VALUE) == 0 ? TEXT : FORBIDDEN;
}

/* The state that follows a byte; what is not named is an error. */
static const unsigned char next[][BYTES] = {
	[CHUNK_EXT_FIRST] = {
		[BLANK] = CHUNK_EXT_FIRST,
		[TCHAR] = CHUNK_EXT_NAME,
	},
	[CHUNK_EXT_NAME] = {
		[TCHAR] = CHUNK_EXT_NAME,
		[BLANK] = CHUNK_EXT_NAME_END,
		[EQUALS] = CHUNK_EXT_VALUE_FIRST,
		[SEMICOLON] = CHUNK_EXT_FIRST,
		[CR] = CHUNK_SIZE_LF,
	},
	[CHUNK_EXT_NAME_END] = {
		[BLANK] = CHUNK_EXT_NAME_END,
		[EQUALS] = CHUNK_EXT_VALUE_FIRST,
		[SEMICOLON] = CHUNK_EXT_FIRST,
	},
	[CHUNK_EXT_VALUE_FIRST] = {
		[BLANK] = CHUNK_EXT_VALUE_FIRST,
		[TCHAR] = CHUNK_EXT_VALUE,
		[QUOTE] = CHUNK_EXT_QUOTED,
	},
	[CHUNK_EXT_VALUE] = {
		[TCHAR] = CHUNK_EXT_VALUE,
		[BLANK] = CHUNK_EXT_VALUE_END,
		[SEMICOLON] = CHUNK_EXT_FIRST,
		[CR] = CHUNK_SIZE_LF,
	},
	[CHUNK_EXT_VALUE_END] = {
		[BLANK] = CHUNK_EXT_VALUE_END,
		[SEMICOLON] = CHUNK_EXT_FIRST,
	},
	[CHUNK_EXT_QUOTED] = {
		[TCHAR ... BLANK] = CHUNK_EXT_QUOTED,
		[SEMICOLON ... EQUALS] = CHUNK_EXT_QUOTED,
		[BACKSLASH] = CHUNK_EXT_ESCAPE,
		[QUOTE] = CHUNK_EXT_QUOTED_END,
	},
	[CHUNK_EXT_ESCAPE] = {
		[TCHAR ... BLANK] = CHUNK_EXT_QUOTED,
		[SEMICOLON ... BACKSLASH] = CHUNK_EXT_QUOTED,
	},
	[CHUNK_EXT_QUOTED_END] = {
		[BLANK] = CHUNK_EXT_VALUE_END,
		[SEMICOLON] = CHUNK_EXT_FIRST,
		[CR] = CHUNK_SIZE_LF,
	},
	[CHUNK_SIZE_LF] = { [LF] = CHUNK_DATA },
	[CHUNK_DATA_CR] = { [CR] = CHUNK_DATA_LF },
	[CHUNK_DATA_LF] = { [LF] = CHUNK_SIZE_FIRST },
	[CHUNK_TRAILER_FIRST] = {
		[TCHAR] = CHUNK_TRAILER_NAME,
		[CR] = CHUNK_LAST_LF,
	},
	[CHUNK_TRAILER_NAME] = {
		[TCHAR] = CHUNK_TRAILER_NAME,
		[COLON] = CHUNK_TRAILER_VALUE,
	},
	[CHUNK_TRAILER_VALUE] = {
		[TCHAR ... BLANK] = CHUNK_TRAILER_VALUE,
		[SEMICOLON ... BACKSLASH] = CHUNK_TRAILER_VALUE,
		[CR] = CHUNK_TRAILER_LF,
	},
	[CHUNK_TRAILER_LF] = { [LF] = CHUNK_TRAILER_FIRST },
	[CHUNK_LAST_LF] = { [LF] = CHUNK_END },
	[CHUNK_END] = { 0 },
};

static const char *const faults[] = {
	[CHUNK_SIZE_FIRST] = "no chunk size",
	[CHUNK_SIZE] = "bad chunk size",
	[CHUNK_EXT_FIRST... CHUNK_EXT_QUOTED_END] = "bad chunk extension",
	[CHUNK_SIZE_LF] = "CR without LF after a chunk size",
	[CHUNK_DATA_CR... CHUNK_DATA_LF] = "no CRLF after chunk data",
	[CHUNK_TRAILER_FIRST... CHUNK_TRAILER_LF] = "bad trailer",
	[CHUNK_LAST_LF] = "CR without LF after the last chunk",
};

static int
refuse(struct http1_chunked *c, int status, const char *reason)
{
	c->state = CHUNK_BAD;
	c->reason = reason;
	return -status;
}

void
http1_chunked_init(struct http1_chunked *c, uint64_t limit)
{
	*c = (struct http1_chunked){ .state = CHUNK_SIZE_FIRST, .limit = limit };
}

/* The size is known: the chunk may be one too many. */
static int
check_size(struct http1_chunked *c)
{
	if (c->left > (uint64_t)INT64_MAX - c->total)
		return refuse(c, 400, "chunk size overflows");
	if (c->left > c->limit || c->total > c->limit - c->left)
		return refuse(c, 413, "chunked body above the limit");
	/* Each chunk costs work: of small ones there may be many, but not for ever. */
	if (++c->chunks > CHUNKS_FREE + c->total / CHUNK_AVERAGE)
		return refuse(c, 400, "too many small chunks");
	return 0;
}

/* CHUNK_SIZE_FIRST and CHUNK_SIZE. */
static int
step_size(struct http1_chunked *c, char byte)
{
	int digit = http1_hex(byte);

	if (c->state == CHUNK_SIZE_FIRST) {
		c->digits = 0;
		c->left = 0;
	}
	if (digit >= 0) {
		if (++c->digits > SIZE_DIGITS)
			return refuse(c, 400, "long chunk size");
		c->left = c->left << 4 | (unsigned)digit;
		c->state = CHUNK_SIZE;
		return 0;
	}
	if (c->state == CHUNK_SIZE_FIRST || (byte != ';' && byte != '\r'))
		return refuse(c, 400, faults[c->state]);
	c->state = byte == ';' ? CHUNK_EXT_FIRST : CHUNK_SIZE_LF;
	return check_size(c);
}

/* All other states but CHUNK_DATA. */
static int
step_table(struct http1_chunked *c, char byte)
{
	enum http1_chunk_state was = c->state;
	bool ext = was >= CHUNK_EXT_FIRST && was <= CHUNK_EXT_QUOTED_END;
	bool trailer = was >= CHUNK_TRAILER_FIRST && was <= CHUNK_TRAILER_LF;

	if ((ext || trailer) && ++c->overhead > OVERHEAD_MAX)
		return trailer ? refuse(c, 431, "long trailers")
			       : refuse(c, 400, "long chunk extensions");
	c->state = next[was][byte_of((unsigned char)byte)];
	if (c->state == CHUNK_BAD)
		return refuse(c, 400, faults[was]);
	if (c->state == CHUNK_DATA && c->left == 0)
		c->state = CHUNK_TRAILER_FIRST;
	return 0;
}

static struct slice
take_data(struct http1_chunked *c, struct slice *in)
{
	struct slice data = slice_of(in->ptr, c->left < in->len ? c->left : in->len);

	slice_advance(in, data.len);
	c->total += data.len;
	c->left -= data.len;
	if (c->left == 0)
		c->state = CHUNK_DATA_CR;
	return data;
}

int
http1_chunked_next(struct http1_chunked *c, struct slice *in, struct slice *data)
{
	int status = c->state == CHUNK_BAD ? -400 : 0;

	while (status == 0 && c->state != CHUNK_END && in->len > 0) {
		if (c->state == CHUNK_DATA) {
			*data = take_data(c, in);
			return HTTP1_DATA;
		}
		if (c->state == CHUNK_SIZE_FIRST || c->state == CHUNK_SIZE)
			status = step_size(c, in->ptr[0]);
		else
			status = step_table(c, in->ptr[0]);
		slice_advance(in, 1);
	}
	if (status != 0)
		return status;
	return c->state == CHUNK_END ? HTTP1_END : HTTP1_NEED_MORE;
}
