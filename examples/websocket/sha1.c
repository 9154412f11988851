#include "sha1.h"

#include <string.h>

enum { BLOCK = 64 };

static uint32_t
rotate(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

/* The function and the constant of a round, RFC 3174 section 5. */
static uint32_t
mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (round < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (round < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
add_block(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned i = 0; i < 16; i++, block += 4)
		w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 |
			(uint32_t)block[2] << 8 | block[3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* What is left of the data, a one bit, zeros, and the length in bits at the end of a
 * block. */
static void
add_end(uint32_t h[5], const uint8_t *rest, size_t n, uint64_t bits)
{
	uint8_t end[2 * BLOCK] = { 0 };
	size_t size = n < BLOCK - 8 ? BLOCK : 2 * BLOCK;

	memcpy(end, rest, n);
	end[n] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		end[size - 1 - i] = (uint8_t)(bits >> (8 * i));
	for (size_t at = 0; at < size; at += BLOCK)
		add_block(h, end + at);
}

void
sha1(const void *data, size_t n, uint8_t digest[SHA1_BYTES])
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	const uint8_t *bytes = data;
	size_t at = 0;

	for (; n - at >= BLOCK; at += BLOCK)
		add_block(h, bytes + at);
	add_end(h, bytes + at, n - at, (uint64_t)n * 8);
	for (unsigned i = 0; i < SHA1_BYTES; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
