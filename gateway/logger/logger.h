/*
 * The logger: the process that lines end up in and that owns the logs. It takes them
 * from the rings and pipes of all others, and writes them to the sinks. All that must
 * not be lost with it is in memory that the arbiter keeps: a logger may be killed at
 * any moment, and the next one goes on where it was.
 */
#ifndef LOGGER_LOGGER_H
#define LOGGER_LOGGER_H

#include "gateway/common/channel.h"
#include "gateway/logger/source.h"

/* What travels over its channel. */
enum logger_message {
	/* arbiter to logger */
	LOGGER_SINK = 1, /* struct sink_facts, with the stock's memory */
	LOGGER_FILE, /* struct logger_number, with the file */
	LOGGER_SINK_END, /* struct logger_number: nobody uses it any more */
	LOGGER_SOURCE, /* struct source_facts, with the ring's memory */
	LOGGER_PIPE, /* struct logger_number, with the end to read */
	LOGGER_SOURCE_END, /* struct logger_number: the process has died */
	LOGGER_STOP, /* write what there is, and end */
	/* logger to arbiter: struct logger_number */
	LOGGER_CHANGED, /* the sink has that file now; those before it can be closed */
	LOGGER_SINK_ENDED, /* it is empty, and forgotten */
	LOGGER_DRAINED, /* the source has nothing left in its ring, and is forgotten */
	LOGGER_SILENT, /* its pipe has ended */
};

struct logger_number {
	uint32_t id; /* of a sink, or of a source */
	uint32_t number; /* of a file */
};

/* What it is given at its fork. Messages that the arbiter would have sent before may be
 * given to logger_obey() by the new process itself. */
struct logger_job {
	int channel;
	int bell; /* an eventfd that processes wake it by */
	int move; /* the memory of the move */
};

/* -1: it cannot begin. */
int logger_init(const struct logger_job *job);
void logger_obey(const struct imsg *m);

/* Until it is told to stop, or the arbiter has gone and nobody else can say anything
 * any more. Returns the exit status. */
int logger_run(void);

#endif
