/*
 * A slot is a worker's row in memory that the arbiter and all workers share. Its worker
 * writes, the arbiter reads; the members are single values, each valid by itself, so no
 * lock is needed. Slots are whole cache lines: no two workers write to one line.
 */
#ifndef COMMON_SLOT_H
#define COMMON_SLOT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/common/slow.h"
#include "gateway/common/tally.h"

enum { SLOT_LINE = 64, SLOT_REQUEST = 192, REQUEST_ID_MAX = 128 };

enum slot_state { SLOT_FREE, SLOT_BOOTING, SLOT_READY, SLOT_SERVING, SLOT_DRAINING };

/* Why the arbiter is about to end the worker; its last words depend on it. */
enum slot_verdict { VERDICT_NONE, VERDICT_TIMEOUT };

/* Why the arbiter has told it to stop gracefully. */
enum slot_farewell { FAREWELL_STOP, FAREWELL_RELOAD, FAREWELL_RECYCLE };

struct slot {
	alignas(SLOT_LINE) _Atomic int pid;
	_Atomic int state; /* enum slot_state */
	_Atomic int verdict; /* enum slot_verdict, written by the arbiter */
	_Atomic int farewell; /* enum slot_farewell, written by the arbiter */
	_Atomic int traced; /* its requests are followed, written by the arbiter */

	/* The request in the application. busy_since is CLOCK_MONOTONIC in
	 * milliseconds, 0 when there is none; client is the descriptor, in the worker,
	 * that a last answer can still be written to, -1 when something was sent or
	 * there is none. */
	_Atomic uint64_t busy_since;
	_Atomic int client;
	/* It has said in the log why it ends. */
	_Atomic int has_explained;

	/* Requests that the application has and has not finished: those of threads, and
	 * of event-driven bindings, too. And connections that it has taken over. */
	_Atomic uint32_t pending;
	_Atomic uint32_t detached;

	_Atomic uint64_t requests;
	_Atomic uint32_t connections;
	_Atomic uint32_t pool; /* the id of its queue: workers of one application */
	_Atomic int waits; /* for events, with nothing to do */
	_Atomic uint64_t handed_off; /* connections that it gave to the queue */
	_Atomic uint32_t queue_wait_ms; /* of the last one that it took from there */
	_Atomic uint64_t dropped_fields; /* of requests, by header_map */
	_Atomic uint32_t idle; /* of the connections: without a request */
	_Atomic uint32_t app; /* the row of its application on the board; 0: none */
	_Atomic uint32_t generation;
	_Atomic uint64_t
		resident; /* bytes of memory, written by the arbiter: board.h */
	_Atomic uint64_t proportional;

	/* "GET /path", cut, NUL-terminated; of several requests the one that began
	 * last. Only for the log: may be torn. */
	char request[SLOT_REQUEST];
	/* The request's id, "" when it has none; as above. */
	char request_id[REQUEST_ID_MAX + 1];

	/* Of requests that have ended. When its worker has, the arbiter adds it all to
	 * the row of the application, so that nothing is lost. */
	struct tally tally;
	struct slow_table slow;
};

struct slots {
	struct slot *rows;
	size_t n;
	_Atomic size_t *used; /* rows beyond have never been taken */
};

/* Shared, anonymous memory for n slots; -1 and errno. */
int slots_init(struct slots *s, size_t n);
void slots_release(struct slots *s);

/* A free row, cleared and taken, or NULL. */
struct slot *slots_take(struct slots *s);
void slot_give_back(struct slot *slot);

#endif
