#include "protocols/proxy.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>

enum {
	V1_MAX = 107, /* bytes with CRLF, as the specification counts them */
	V1_WORDS = 6,
	V2_HEAD = 16,
	V2_MAX = 536, /* more than addresses and the TLVs that are in use need */
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_TCP4_BYTES = 12,
	V2_TCP6_BYTES = 36,
};

static const struct slice v1_mark = SLICE_INIT("PROXY ");
static const struct slice v2_mark = SLICE_INIT("\r\n\r\n\0\r\nQUIT\n");

static int
refuse(struct proxy_header *header, const char *error)
{
	header->error = error;
	return PROXY_BAD;
}

/* The input begins with the mark, or is the beginning of it. */
static bool
may_begin(struct slice input, struct slice mark)
{
	size_t n = input.len < mark.len ? input.len : mark.len;

	return slice_eq(slice_of(input.ptr, n), slice_of(mark.ptr, n));
}

/* ---- Version 1: "PROXY TCP4 client server port port\r\n" ---- */

static bool
parse_port(struct slice text, in_port_t *port)
{
	unsigned number = 0;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		number = number * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*port = htons((in_port_t)number);
	return number <= UINT16_MAX;
}

static bool
parse_address(union proxy_address *a, bool v6, struct slice host, struct slice port)
{
	char text[INET6_ADDRSTRLEN];

	if (host.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%" SLICE_FMT, SLICE_ARG(host));
	if (v6) {
		a->v6.sin6_family = AF_INET6;
		return inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1 &&
			parse_port(port, &a->v6.sin6_port);
	}
	a->v4.sin_family = AF_INET;
	return inet_pton(AF_INET, text, &a->v4.sin_addr) == 1 &&
		parse_port(port, &a->v4.sin_port);
}

static size_t
split(struct slice line, struct slice words[V1_WORDS])
{
	size_t n = 0;

	for (;;) {
		const char *blank = memchr(line.ptr, ' ', line.len);
		if (n == V1_WORDS)
			return n + 1; /* too many */
		words[n++] = slice_of(line.ptr,
			blank != NULL ? (size_t)(blank - line.ptr) : line.len);
		if (blank == NULL)
			return n;
		slice_advance(&line, (size_t)(blank + 1 - line.ptr));
	}
}

static int
decode_v1(struct proxy_header *header, struct slice input)
{
	struct slice words[V1_WORDS];
	size_t most = input.len < V1_MAX ? input.len : V1_MAX;
	const char *lf = memchr(input.ptr, '\n', most);

	if (lf == NULL)
		return most == V1_MAX ? refuse(header, "line without an end") : 0;
	if (lf[-1] != '\r')
		return refuse(header, "LF without CR");
	size_t n = split(slice_of(input.ptr, (size_t)(lf - 1 - input.ptr)), words);
	int length = (int)(lf + 1 - input.ptr);
	if (slice_eq(words[1], SLICE("UNKNOWN")))
		return length; /* what follows means nothing */
	bool v6 = slice_eq(words[1], SLICE("TCP6"));
	if (n != V1_WORDS || (!v6 && !slice_eq(words[1], SLICE("TCP4"))))
		return refuse(header, "not PROXY TCP4 or TCP6 and four words");
	if (!parse_address(&header->client, v6, words[2], words[4]) ||
		!parse_address(&header->server, v6, words[3], words[5]))
		return refuse(header, "bad address or port");
	return length;
}

/* ---- Version 2: binary ---- */

static void
read_v4(struct proxy_header *header, const char *bytes)
{
	header->client.v4.sin_family = header->server.v4.sin_family = AF_INET;
	memcpy(&header->client.v4.sin_addr, bytes, 4);
	memcpy(&header->server.v4.sin_addr, bytes + 4, 4);
	memcpy(&header->client.v4.sin_port, bytes + 8, 2);
	memcpy(&header->server.v4.sin_port, bytes + 10, 2);
}

static void
read_v6(struct proxy_header *header, const char *bytes)
{
	header->client.v6.sin6_family = header->server.v6.sin6_family = AF_INET6;
	memcpy(&header->client.v6.sin6_addr, bytes, 16);
	memcpy(&header->server.v6.sin6_addr, bytes + 16, 16);
	memcpy(&header->client.v6.sin6_port, bytes + 32, 2);
	memcpy(&header->server.v6.sin6_port, bytes + 34, 2);
}

static int
decode_v2(struct proxy_header *header, struct slice input)
{
	const unsigned char *head = (const unsigned char *)input.ptr;

	if (input.len < V2_HEAD)
		return 0;
	unsigned command = head[12], family = head[13];
	size_t bytes = (size_t)head[14] << 8 | head[15];
	if (command != V2_LOCAL && command != V2_PROXY)
		return refuse(header, "neither LOCAL nor PROXY of version 2");
	if (V2_HEAD + bytes > V2_MAX)
		return refuse(header, "too long");
	if (input.len < V2_HEAD + bytes)
		return 0;
	int length = (int)(V2_HEAD + bytes);
	if (command == V2_LOCAL)
		return length; /* a health check of the proxy itself */
	if ((family == V2_TCP4 && bytes < V2_TCP4_BYTES) ||
		(family == V2_TCP6 && bytes < V2_TCP6_BYTES))
		return refuse(header, "too short for its addresses");
	if (family == V2_TCP4)
		read_v4(header, input.ptr + V2_HEAD);
	else if (family == V2_TCP6)
		read_v6(header, input.ptr + V2_HEAD);
	return length;
}

int
proxy_decode(struct proxy_header *header, unsigned versions, struct slice input)
{
	bool v1 = (versions & PROXY_V1) != 0 && may_begin(input, v1_mark);
	bool v2 = (versions & PROXY_V2) != 0 && may_begin(input, v2_mark);

	*header = (struct proxy_header){ 0 };
	if (v1 && input.len >= v1_mark.len)
		return decode_v1(header, input);
	if (v2 && input.len >= v2_mark.len)
		return decode_v2(header, input);
	return v1 || v2 ? 0 : PROXY_NONE;
}
