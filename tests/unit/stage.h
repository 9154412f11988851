/*
 * A stage for the arbiter: workers that do as they are told, and the arbiter looked at
 * from outside, by its processes, its log and its exit status. Nothing here waits for a
 * fixed time; a condition is waited for, for as long as a busy machine may need.
 */
#ifndef UNIT_STAGE_H
#define UNIT_STAGE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/common/clock.h"

enum { STAGE_PATIENCE_MS = 15000, STAGE_CHILDREN = 64, STAGE_NAME = 128 };

/* What the next configuration says, and what workers found; shared by all processes. */
struct stage {
	char behaviour[STAGE_NAME]; /* of the workers, unless there is a command */
	char command[STAGE_NAME]; /* of the program, for sh -c */
	char prototype[STAGE_NAME]; /* behaviour of the prototype; "": there is none */
	char bind[2][STAGE_NAME]; /* "": none */
	char pidfile[STAGE_NAME];
	int64_t workers, timeout, graceful_timeout, boot_timeout, boot_attempts;
	bool is_broken; /* it cannot be read */

	_Atomic int served; /* MESSAGE_SERVE was received */
	_Atomic int faults; /* something was not as a worker should find it */
	_Atomic int descriptors; /* of a worker, at its start */
	_Atomic int tired; /* so many more workers ask for their replacement */
	_Atomic int stuck; /* a worker is or was stuck in a request */
	_Atomic int loaded; /* a prototype was ready */
	char target[STAGE_NAME]; /* what a worker was told to load */
};

extern struct stage *stage;
extern char stage_folder[STAGE_NAME]; /* of the log and whatever a test makes */
extern pid_t stage_arbiter;

/* Two workers that sleep, and no limits that would be met. */
void stage_set_up(void);
/* Nothing may be left over in the folder but the log. */
void stage_tear_down(void);

void stage_start(void);
/* Returns when all workers serve. */
void stage_start_and_serve(void);

/* Sends a signal; or some, each when the arbiter has taken the one before. */
void stage_tell(int number);
void stage_tell_times(int number, int times);

/* TERM, and the end that should follow. */
void stage_stop(void);
void stage_expect_exit(int status);

/* The children of the arbiter that live, without its logger; returns how many. */
int stage_children(pid_t *pids);

const char *stage_log(void);
int stage_count(const char *what_the_log_says);

/* Connects to the first TCP port that the log names; -1 and errno. */
int stage_connect(void);

void stage_wait_log(const char *what, int times);
void stage_wait_children(int n);
void stage_pause(void);

#define stage_wait(condition) \
	do { \
		uint64_t give_up_ = clock_ms() + STAGE_PATIENCE_MS; \
		while (!(condition)) { \
			ck_assert_msg(clock_ms() < give_up_, \
				"waited for " #condition "; the log:\n%s", \
				stage_log()); \
			stage_pause(); \
		} \
	} while (0)

#endif
