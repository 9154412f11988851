/*
 * What a worker tells the arbiter of a request that has ended, while somebody follows
 * requests: MESSAGE_TRACE. Behind the record stand its texts, one after the other.
 */
#ifndef COMMON_TRACE_H
#define COMMON_TRACE_H

#include <stdint.h>

/* In this order. */
enum trace_text {
	TRACE_CLIENT, /* its address */
	TRACE_METHOD,
	TRACE_TARGET, /* cut */
	TRACE_ID, /* of the request */
	TRACE_TEXTS,
};

enum { TRACE_TEXT_MAX = 1024 };

struct trace_record {
	uint64_t us; /* that it took, from its first byte on; 0: not known */
	uint64_t bytes; /* of the response's body */
	uint32_t status;
	uint32_t dropped; /* records before it, that the channel did not take */
	uint16_t lengths[TRACE_TEXTS];
};

#endif
