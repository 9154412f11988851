#include "protocols/json.h"

#include <stdint.h>

#include "protocols/plain.h"

enum { ESCAPE_BYTES = sizeof("\\u0000") - 1, REPLACEMENT = 0xfffd };

/* What a first byte says: the length of its sequence, and the least character that may
 * be written in so many bytes (RFC 3629). */
static const struct {
	unsigned char mask, bits;
	unsigned len;
	uint32_t least;
} forms[] = {
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

/* The length of the UTF-8 sequence that the text begins with, and its character; 0: it
 * is none. */
static size_t
decode(struct slice text, uint32_t *character)
{
	unsigned char first = (unsigned char)*text.ptr;
	size_t k = 0;

	while (k < sizeof(forms) / sizeof(forms[0]) &&
		(first & forms[k].mask) != forms[k].bits)
		k++;
	if (k == sizeof(forms) / sizeof(forms[0]) || text.len < forms[k].len)
		return 0;
	uint32_t c = first & (unsigned char)~forms[k].mask;
	for (size_t i = 1; i < forms[k].len; i++) {
		if ((text.ptr[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)text.ptr[i] & 0x3f);
	}
	*character = c;
	bool is_half = c >= 0xd800 && c < 0xe000;
	return c >= forms[k].least && c <= 0x10ffff && !is_half ? forms[k].len : 0;
}

static char *
write_escape(char *out, uint32_t character)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = digits[character >> shift & 15];
	return out;
}

/* One character that is not plain, taken off the text. NULL: there is no room. */
static char *
write_other(char *out, const char *end, struct slice *text)
{
	uint32_t c = (unsigned char)*text->ptr;
	size_t room = (size_t)(end - out), len = 1;

	if (c >= 0x80 && (len = decode(*text, &c)) == 0) {
		c = REPLACEMENT;
		len = 1;
	} else if (c >= 0xa0) {
		if (room < len)
			return NULL;
		memcpy(out, text->ptr, len);
		slice_advance(text, len);
		return out + len;
	}
	if (c == '"' || c == '\\') {
		if (room < 2)
			return NULL;
		*out++ = '\\';
		*out++ = (char)c;
	} else {
		if (room < ESCAPE_BYTES)
			return NULL;
		out = write_escape(out, c);
	}
	slice_advance(text, len);
	return out;
}

char *
json_escape(char *out, const char *end, struct slice text)
{
	while (text.len > 0) {
		size_t run = plain_run(text), room = (size_t)(end - out);
		if (run > 0) {
			run = run < room ? run : room;
			memcpy(out, text.ptr, run);
			out += run;
			slice_advance(&text, run);
			if (run == room)
				break;
			continue;
		}
		char *next = write_other(out, end, &text);
		if (next == NULL)
			break;
		out = next;
	}
	return out;
}

char *
json_text(char *out, const char *end, struct slice text)
{
	if (text.ptr == NULL) {
		memcpy(out, "null", 4);
		return out + 4;
	}
	*out++ = '"';
	if (out < end)
		out = json_escape(out, end, text);
	*out++ = '"';
	return out;
}
