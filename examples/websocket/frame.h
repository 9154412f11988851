/*
 * Frames and messages (RFC 6455 section 5), as a server reads and writes them. No input
 * or output is done here: the reader is given bytes as they come, in pieces of any
 * size.
 */
#ifndef WEBSOCKET_FRAME_H
#define WEBSOCKET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utf8.h"

enum opcode {
	OP_CONTINUATION = 0,
	OP_TEXT = 1,
	OP_BINARY = 2,
	OP_CLOSE = 8,
	OP_PING = 9,
	OP_PONG = 10,
};

/* Section 7.4.1, and the registry of such codes. */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_PROTOCOL_ERROR = 1002,
	CLOSE_NO_CODE = 1005, /* stands for a frame without one, is never sent */
	CLOSE_NOT_TEXT = 1007,
	CLOSE_POLICY = 1008,
	CLOSE_TOO_BIG = 1009,
	CLOSE_INTERNAL_ERROR = 1011,
	CLOSE_RESTART = 1012,
};

enum { CONTROL_MAX = 125, FRAME_HEAD_MAX = 10 };

struct message {
	enum opcode opcode; /* any but OP_CONTINUATION */
	const uint8_t *data;
	size_t n;
};

struct frame_reader {
	size_t limit; /* of a message, in bytes */
	/* The frame that is being read. */
	uint8_t head[14];
	size_t head_len;
	bool in_payload, is_last;
	enum opcode opcode;
	uint8_t mask[4];
	uint64_t at, length;
	uint8_t control[CONTROL_MAX]; /* between fragments of a message */
	/* The message that its fragments make. */
	bool in_message;
	enum opcode kind;
	uint8_t *data;
	size_t len, size;
	struct utf8 utf8;
};

void frame_reader_init(struct frame_reader *r, size_t limit);
void frame_reader_release(struct frame_reader *r);

/*
 * Reads from *bytes and moves it on. 1: a message is complete, and is there until the
 * next call. 0: all was read, and more is needed. Else, negative, the code to close the
 * connection with; the reader must not be used again.
 */
int frame_read(
	struct frame_reader *r, const uint8_t **bytes, size_t *n, struct message *m);

/* The head of a whole message of n bytes; returns its length. */
size_t frame_head(uint8_t head[FRAME_HEAD_MAX], enum opcode opcode, size_t n);

/* Of an OP_CLOSE, which frame_read() has found in order. */
enum close_code frame_close_code(const struct message *m);

#endif
