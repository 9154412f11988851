/*
 * The PROXY protocol, versions 1 and 2 (HAProxy, proxy-protocol.txt): what a proxy
 * says, before the first byte of a connection's own protocol, of the client it speaks
 * for.
 */
#ifndef PROTOCOLS_PROXY_H
#define PROTOCOLS_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>

#include "protocols/slice.h"

enum proxy_versions { PROXY_V1 = 1, PROXY_V2 = 2 };

union proxy_address {
	struct sockaddr any; /* AF_UNSPEC: nothing is told */
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct proxy_header {
	union proxy_address client;
	union proxy_address server; /* where the client connected to */
	const char *error;
};

enum { PROXY_NONE = -1, PROXY_BAD = -2 };

/*
 * Looks for a header at the beginning of the input, of one of the versions (a set of
 * enum proxy_versions). Returns its length and fills in *header; 0: more is needed;
 * PROXY_NONE: the input begins with something else; PROXY_BAD: it is broken, and error
 * says how. UNKNOWN, LOCAL, and families other than TCP over IPv4 and IPv6 tell no
 * addresses. At most 536 bytes are a header.
 */
int proxy_decode(struct proxy_header *header, unsigned versions, struct slice input);

#endif
