/*
 * How much of a text may stand in quotes as it is: what is ASCII, printable, and
 * neither a quote nor a backslash. Nearly all of what clients say is, so it is looked
 * at eight bytes at a time.
 */
#ifndef PROTOCOLS_PLAIN_H
#define PROTOCOLS_PLAIN_H

#include <stdint.h>

#include "protocols/slice.h"

static inline bool
plain_byte(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The highest bit of each byte that is not plain, and perhaps of bytes above it: as a
 * whole 0 or not. In x - n * ones a byte below n borrows from its highest bit. */
static inline uint64_t
plain_faults(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	const uint64_t quote = x ^ ones * '"', backslash = x ^ ones * '\\',
		       del = x ^ ones * 0x7f;

	return ((x - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones) |
		       x) &
		highs;
}

/* The number of plain bytes that the text begins with. */
static inline size_t
plain_run(struct slice text)
{
	size_t n = 0;
	uint64_t x;

	for (; n + sizeof(x) <= text.len; n += sizeof(x)) {
		memcpy(&x, text.ptr + n, sizeof(x));
		if (plain_faults(x) != 0)
			break;
	}
	while (n < text.len && plain_byte((unsigned char)text.ptr[n]))
		n++;
	return n;
}

#endif
