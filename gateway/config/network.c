#include "gateway/config/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "gateway/config/text.h"

enum { BITS = 128, V4_OFFSET = 12, V4_BITS = 96 };

static const unsigned char v4_prefix[V4_OFFSET] = { [10] = 0xff, [11] = 0xff };

static void
set_v4(unsigned char address[16], const void *v4)
{
	memcpy(address, v4_prefix, V4_OFFSET);
	memcpy(address + V4_OFFSET, v4, 16 - V4_OFFSET);
}

/* ---- From text ---- */

/* The address before the slash; n->bits becomes the number that a prefix's length is
 * counted from. */
static bool
parse_address(struct network *n, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		set_v4(n->prefix, &v4);
		n->bits = V4_BITS;
		return true;
	}
	n->bits = 0;
	return inet_pton(AF_INET6, copy, n->prefix) == 1;
}

/* The length of the prefix, one to three digits. */
static bool
parse_length(const char *text, unsigned most, unsigned *length)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 3 || text[len] != '\0')
		return false;
	*length = 0;
	for (; *text != '\0'; text++)
		*length = *length * 10 + (unsigned)(*text - '0');
	return *length <= most;
}

/* Whether a bit behind the first ones is set. */
static bool
has_more_bits(const struct network *n)
{
	for (unsigned bit = n->bits; bit < BITS; bit++)
		if ((n->prefix[bit / 8] & (0x80 >> bit % 8)) != 0)
			return true;
	return false;
}

const char *
network_parse(struct network *n, const char *text, struct arena *memory)
{
	size_t len = strcspn(text, "/");
	unsigned length = 0;

	*n = (struct network){ 0 };
	if (strcmp(text, "*") == 0)
		return NULL;
	if (!parse_address(n, text, len))
		return "not an address, a network such as 10.0.0.0/8, or *";
	if (text[len] == '\0') {
		n->bits = BITS;
		return NULL;
	}
	if (!parse_length(text + len + 1, BITS - n->bits, &length))
		return text_format(memory,
			"not a network: its length is a number from 0 to %u",
			BITS - n->bits);
	n->bits += length;
	if (has_more_bits(n))
		return text_format(memory,
			"not a network: it has bits behind the first %u", length);
	return NULL;
}

/* ---- A peer ---- */

static bool
holds(const struct network *n, const unsigned char address[16])
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->prefix, address, whole) != 0)
		return false;
	return rest == 0 || (n->prefix[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool
networks_hold(const struct network *networks, size_t n, const struct sockaddr *peer)
{
	unsigned char address[16];

	if (peer->sa_family == AF_INET6)
		memcpy(address,
			&((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
			sizeof address);
	else if (peer->sa_family == AF_INET)
		set_v4(address,
			&((const struct sockaddr_in *)(const void *)peer)->sin_addr);
	else
		return false;
	for (size_t i = 0; i < n; i++)
		if (holds(&networks[i], address))
			return true;
	return false;
}
