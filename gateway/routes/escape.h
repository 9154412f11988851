/*
 * Percent-encoding (RFC 3986 section 2.1): what may stand in a part of a URI stays, all
 * else, line ends and NUL before all, becomes %XX.
 */
#ifndef ROUTES_ESCAPE_H
#define ROUTES_ESCAPE_H

#include "protocols/buffer.h"
#include "protocols/slice.h"

enum escape_set {
	ESCAPE_PATH, /* a decoded path: its own '%' becomes %25 */
	ESCAPE_URI, /* a piece of a URI, in which '%' begins an escape already */
};

void escape(struct buffer *out, struct slice text, enum escape_set set);

#endif
