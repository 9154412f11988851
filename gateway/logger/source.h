/*
 * Sources, as the logger has them: processes with a ring that their lines come by, and
 * a pipe that what they print comes by. What a process may do is said by the arbiter:
 * which sinks its lines may go to, and where what it prints goes.
 */
#ifndef LOGGER_SOURCE_H
#define LOGGER_SOURCE_H

#include <sys/types.h>

#include "gateway/logger/move.h"

enum { SOURCE_NAME = 128, SOURCE_OUTPUTS = 32 };

struct source_facts {
	uint32_t id;
	int32_t pid;
	uint32_t is_patient; /* it waits when a sink has no room; else lines are dropped
			      */
	uint32_t has_pipe; /* that has not ended */
	uint32_t is_arbiter;
	uint32_t is_own; /* the logger itself: its pipe never ends */
	uint32_t n_outputs;
	struct {
		uint32_t sink;
		uint32_t format; /* enum sink_format */
		uint32_t level; /* the least important that it takes */
	} outputs[SOURCE_OUTPUTS]; /* where what it prints goes */
	uint64_t allowed[SINK_IDS / 64]; /* sinks that its lines may go to */
	/* Of what it does, in memory that is at the same place in all processes; NULL:
	 * none. */
	const char *request_id;
	size_t request_id_max;
	char kind[32]; /* "worker" */
	char app[SOURCE_NAME]; /* "" of the server itself */
};

/* What the arbiter tells: a source, or other facts of one; its ring; its pipe, whose
 * readable end goes to this epoll set; that the process has ended. The descriptors are
 * taken over. */
void source_add(const struct source_facts *facts, int memory);
void source_listen(uint32_t id, int pipe, int epoll);
void source_end(uint32_t id);

/* A move that a logger before this one has begun is completed. */
void sources_recover(struct move *m);

/* The lines that are there now are those of the next sources_take(). */
void sources_mark(void);

/* Moves them, as far as there is room, of all or of all but the arbiter; true: there is
 * more. */
bool sources_take(struct move *m, bool of_arbiter);

/* Tells of sources that have ended and have nothing left (their ring, or their pipe),
 * and of the lines that were lost. */
void sources_tell(void (*drained)(uint32_t id), void (*silent)(uint32_t id));

/* All shall wake the logger, or need not; false: there is something to do. */
bool sources_sleep(bool sleep);

/* Lines that were ever moved; and whether all were that there are. */
uint64_t sources_progress(void);
bool sources_are_empty(void);

/* What comes by pipes from now on is not waited for: lines that have no end are
 * complete. */
void sources_hush(void);

/* Some process may still have something to say. */
bool sources_live(void);

#endif
