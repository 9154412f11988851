/*
 * The board: what the arbiter tells whoever looks at the server. Shared memory that it
 * alone can write; its children have it mapped for reading. What stands there of
 * requests is of workers that have ended: those that live have theirs in their slots.
 */
#ifndef COMMON_BOARD_H
#define COMMON_BOARD_H

#include <stdbool.h>

#include "gateway/common/slow.h"
#include "gateway/common/tally.h"

enum {
	BOARD_APPS = 512, /* applications beyond have no row */
	BOARD_NAME = 128,
	BOARD_TARGET = 192,
	BOARD_BINDING = 16,
	BOARD_FAILURE = 512,
	BOARD_VERSION = 16,
};

enum board_state {
	BOARD_STARTING, /* not every application has had a process that was ready */
	BOARD_SERVING,
	BOARD_PAUSED, /* the workers were told to stop, the arbiter stays: WINCH */
	BOARD_STOPPING,
};

/* Why a process ended that was wanted. */
enum board_restart {
	RESTART_CRASH, /* a signal of its own making */
	RESTART_EXIT, /* it ended by itself */
	RESTART_TIMEOUT, /* a request took too long */
	RESTART_MEMORY, /* it was too large */
	RESTART_RECYCLED, /* it had served enough */
	RESTART_KILLED, /* by somebody else, or as it did not stop */
	RESTART_BOOT, /* it was never ready */
	RESTARTS,
};

enum board_kind { BOARD_WORKERS, BOARD_PROTOTYPES, BOARD_PROGRAMS, BOARD_KINDS };

/* Of all generations. */
struct board_processes {
	_Atomic uint32_t wanted, booting, ready, serving, stopping;
	_Atomic uint64_t resident; /* bytes of memory, when they were last looked at */
	_Atomic uint64_t proportional; /* PSS: what is shared is divided; 0: unknown */
};

struct board_app {
	_Atomic int present; /* it is of the configuration, or has processes */
	char name[BOARD_NAME];
	char target[BOARD_TARGET];
	char binding[BOARD_BINDING];
	struct board_processes processes[BOARD_KINDS];
	_Atomic uint64_t restarts[RESTARTS];
	_Atomic uint32_t queue_depth; /* connections between its workers */
	_Atomic int64_t backlog; /* connections to accept; -1: that cannot be told */
	struct tally gone;
	_Atomic uint64_t gone_requests;
	struct slow_row slow[SLOW_ROWS_ALL];
};

struct board {
	/* Odd while rows are written that belong together; who has read without a
	 * change in between has read what was true at one time. */
	_Atomic uint32_t version;
	/* How often the arbiter has looked after somebody had asked it to, by a
	 * message: memory and backlogs are as old as that, all else is as it is. */
	_Atomic uint64_t looks;

	char program[BOARD_VERSION]; /* "0.1.0" */
	_Atomic int pid;
	_Atomic int64_t started; /* seconds of the wall clock */
	_Atomic int state; /* enum board_state */
	_Atomic uint32_t generation;
	_Atomic uint64_t reloads, failed_reloads;
	char failure[BOARD_FAILURE]; /* why the last one failed; "": it did not */

	_Atomic uint32_t n_apps; /* rows that were ever used */
	struct board_app apps[BOARD_APPS];
};

struct board_memory {
	struct board *own; /* not in children */
	const struct board *view; /* at the same address in all of them */
};

/* -1 and errno. */
int board_init(struct board_memory *m);
void board_release(struct board_memory *m);

/* Around what belongs together. */
void board_write_begin(struct board *b);
void board_write_end(struct board *b);

/* The number of the row of an application, from 1, taken when it has none yet; 0: all
 * are taken. */
unsigned board_row(struct board *b, const char *name);

/* For readers: a version, and whether it still holds. */
uint32_t board_read_begin(const struct board *b);
bool board_read_end(const struct board *b, uint32_t version);

#endif
