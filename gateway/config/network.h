/*
 * Whom to trust: single addresses and networks, as gunicorn writes them in
 * forwarded_allow_ips: 10.1.2.3, 10.0.0.0/8, ::1, fd00::/8, or "*" for all.
 */
#ifndef CONFIG_NETWORK_H
#define CONFIG_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "protocols/arena.h"

/* An IPv4 address is held as ::ffff:a.b.c.d, as a socket of both families tells it. */
struct network {
	unsigned char prefix[16];
	unsigned bits; /* of the prefix that count; 0: all addresses are meant */
};

/* Returns NULL, or what is wrong. */
const char *network_parse(struct network *n, const char *text, struct arena *memory);

/* Whether one of the n networks holds the address of a peer. A peer on a unix socket
 * has none and is in no network. */
bool networks_hold(
	const struct network *networks, size_t n, const struct sockaddr *peer);

#endif
