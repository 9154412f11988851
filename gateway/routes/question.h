/*
 * The request that --explain asks about, read as it would be received, so that the same
 * is refused.
 */
#ifndef ROUTES_QUESTION_H
#define ROUTES_QUESTION_H

#include "protocols/buffer.h"
#include "protocols/http1.h"
#include "protocols/proxy.h"
#include "protocols/slice.h"

struct question {
	struct buffer text; /* of the head */
	struct http1_head head; /* without fields */
	struct buffer room; /* of the path */
	struct slice scheme, host, port; /* of the URL; a port only where it has one */
	struct slice path; /* route_path() */
	union proxy_address client;
	const char *client_text;
};

/* From "METHOD URL" and an address; NULL is 127.0.0.1. Returns NULL, or what is wrong.
 * question_release() is owed either way. */
const char *question_read(struct question *q, const char *text, const char *client);
void question_release(struct question *q);

#endif
