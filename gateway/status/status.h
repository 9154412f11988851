/*
 * What is known of a running server at one time: the board and the slots, taken
 * together into plain values. The other files of this folder make texts of it: JSON,
 * Prometheus' format, a table for terminals.
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/common/board.h"
#include "gateway/common/slot.h"

enum status_activity {
	STATUS_BOOTING, /* or it waits until all of its generation are ready */
	STATUS_IDLE,
	STATUS_BUSY,
	STATUS_DRAINING,
	STATUS_ACTIVITIES,
};

/* "idle"; the names of restarts ("crash"), kinds ("programs"), states ("serving") and
 * responses ("2xx", "499"). */
extern const char *const status_activity_names[STATUS_ACTIVITIES];
extern const char *const status_restart_names[RESTARTS];
extern const char *const status_kind_names[BOARD_KINDS];
extern const char *const status_state_names[];
extern const char *const status_response_names[TALLY_RESPONSES];

struct status_worker {
	size_t app; /* its place among the applications */
	pid_t pid;
	enum status_activity activity;
	unsigned generation;
	uint64_t busy_ms; /* that its request has taken until now; 0: it has none */
	uint64_t requests; /* that its application was called for */
	uint32_t connections, idle, in_flight;
	uint64_t resident, proportional; /* bytes; 0: not known */
	char request[SLOT_REQUEST]; /* the one it has, or had last */
	char request_id[REQUEST_ID_MAX + 1];
};

struct status_processes {
	uint32_t wanted, booting, ready, serving, stopping;
	uint64_t resident, proportional;
};

struct status_app {
	char name[BOARD_NAME];
	char target[BOARD_TARGET];
	char binding[BOARD_BINDING];
	struct status_processes processes[BOARD_KINDS];
	uint32_t workers[STATUS_ACTIVITIES]; /* how many do what */
	struct tally tally; /* of all workers that ever were */
	uint64_t restarts[RESTARTS];
	uint32_t queue_depth, connections, idle, in_flight;
	int64_t backlog; /* -1: not known */
	struct slow_request slow[SLOW_ROWS_ALL]; /* the slowest first */
	size_t n_slow;
	size_t first_worker, n_workers; /* of the status' workers */
};

struct status {
	char program[BOARD_VERSION];
	pid_t pid;
	enum board_state state;
	bool is_ready; /* serves, and every application has a process that does */
	unsigned generation;
	uint64_t reloads, failed_reloads;
	char failure[BOARD_FAILURE];
	int64_t started, at_ms; /* of the wall clock: seconds, milliseconds */
	uint64_t taken; /* clock_ms() */
	struct status_app *apps; /* in the order of the configuration; new ones last */
	size_t n_apps;
	struct status_worker *workers; /* those of an application together */
	size_t n_workers;
};

/* All zero is a valid empty status. -1: memory is out, and nothing was taken. */
int status_take(struct status *s, const struct board *board, const struct slots *slots);
void status_release(struct status *s);

/* Whether requests are to be sent here: what load balancers ask. Takes no copy. */
bool status_is_ready(const struct board *board);

/* What happened to an application between two looks. */
struct status_recent {
	double seconds; /* 0: there was no look before, and all else is 0 */
	double requests; /* a second */
	double errors; /* of them 5xx, a second */
	uint64_t quantiles[4]; /* microseconds, in the application */
};

/* 0.5, 0.9, 0.99, 0.999; "p50" and so on. */
extern const double status_quantiles[4];
extern const char *const status_quantile_names[4];

/* `before` may be NULL, or not know the application. */
void status_recent(struct status_recent *r, const struct status *now, size_t app,
	const struct status *before);

/* The one that `before` has of that name, or NULL. */
const struct status_app *status_find(const struct status *s, const char *name);

uint64_t status_restarts(const struct status_app *app);
uint64_t status_memory(const struct status_app *app, bool proportional);

#endif
