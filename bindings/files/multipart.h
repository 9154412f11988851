/*
 * Several ranges of a file as one body: multipart/byteranges (RFC 9110 section 14.6).
 * The parts are read into memory, so only so many are sent, from the first on, as the
 * client's queue takes; one that is too long is sent alone, in the usual way. A
 * response may have fewer ranges than were asked for, as it names those that it has
 * (section 15.3.7).
 */
#ifndef FILES_MULTIPART_H
#define FILES_MULTIPART_H

#include "bindings/files/cache.h"
#include "gateway/alicorn.h"
#include "protocols/http.h"

struct multipart {
	const struct file *file;
	const char *part_type;
	const struct http_range *ranges;
	size_t n; /* of them, that are sent */
	char boundary[24];
	char type[64]; /* for Content-Type */
	char length[24]; /* for Content-Length */
};

/* Points to what it is given. */
void multipart_init(struct multipart *m, const struct file *file, const char *part_type,
	const struct http_range *ranges, size_t n);

/* The body, once the response was started; returns enum al_result. */
int multipart_send(const struct multipart *m, struct al_request *req);

#endif
