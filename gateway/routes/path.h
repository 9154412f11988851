/*
 * The path that routes are matched against. It is decoded, runs of '/' are one, and
 * "." and ".." are gone (RFC 3986 section 5.2.4), so that no criterion is evaded by
 * another spelling of the same path.
 */
#ifndef ROUTES_PATH_H
#define ROUTES_PATH_H

#include <stdbool.h>

#include "protocols/buffer.h"
#include "protocols/slice.h"

/* Whether route_path() would leave the path of a request as it is. Most are plain. */
bool route_path_is_plain(struct slice raw);

/*
 * The path that is meant, decoded once. It stands in `to`, which has room for raw.len
 * bytes; it is `raw` itself when that is plain. It begins with '/' where raw does, and
 * else is what raw decodes to: "*" stays "*".
 */
struct slice route_path(struct slice raw, char *to);

/* Encodes a decoded path again, so that it decodes to the same and holds only what may
 * stand in a path (RFC 3986 section 3.3). */
void route_path_encode(struct buffer *out, struct slice path);

/*
 * What a mount takes off: of "/blog/x", mounted at "/blog", "/x" is left, and nothing
 * of
 * "/blog" itself. The mount begins with '/' and does not end with one, or is empty.
 * False: the path is not beneath it.
 */
bool route_mount(struct slice path, struct slice mount, struct slice *rest);

#endif
