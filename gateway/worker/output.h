/*
 * The output queue of a connection: bytes and parts of files, in order. What the socket
 * takes at once is never copied; the rest is, and the loop sends it later. What is too
 * much for memory goes to a file, so that who writes need not wait for the client.
 */
#ifndef WORKER_OUTPUT_H
#define WORKER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct block;

/* All zero is a valid empty queue. */
struct output {
	struct block *first, *last;
	size_t memory; /* bytes in memory that wait */
	uint64_t bytes; /* all bytes that wait, of files too */
	uint64_t spooled; /* bytes in files of our own */
	uint64_t sent; /* bytes that the socket took, ever */
};

/* Where a step in sending has led to. */
enum output_result {
	OUTPUT_EMPTY, /* all was sent */
	OUTPUT_WAITING, /* the socket takes no more for now */
	OUTPUT_TURN, /* it would take more, but others should have their turn */
	OUTPUT_BROKEN, /* the peer has gone, a file was cut short, or memory is out */
};

/* Sends the queue, then the pieces; what of these the socket does not take is queued as
 * a copy. The pieces' array is changed. */
enum output_result output_send(
	struct output *o, int socket, struct iovec *pieces, size_t n_pieces);

/* The same, and then a part of a file, which is not empty. Only where some of it has to
 * wait the descriptor is duplicated; when that fails the queue is broken. */
enum output_result output_send_file(struct output *o, int socket, struct iovec *pieces,
	size_t n_pieces, int fd, off_t offset, uint64_t length);

/* Sends more of the queue. */
enum output_result output_flush(struct output *o, int socket);

/* Queues a part of a file; takes the descriptor over, also when it fails. -1: memory.
 */
int output_add_file(struct output *o, int fd, off_t offset, uint64_t length);

/* The same, as the records of a FastCGI response whose request has this id. */
int output_add_records(
	struct output *o, int fd, off_t offset, uint64_t length, uint16_t id);

/* How the queues of this process are kept. */
struct output_rules {
	bool sendfile; /* sendfile(2) works on the files that are sent */
	size_t memory_max; /* bytes of one queue; more goes to a file, if it may */
	uint64_t spool_max; /* bytes of one queue in such files; 0: none */
	const char *folder; /* of these files */
};

/* Before the first queue is used; else sendfile is used, and no file of our own. */
void output_set_rules(const struct output_rules *rules);

/* Drops what waits. */
void output_release(struct output *o);

#endif
