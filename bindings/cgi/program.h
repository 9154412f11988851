/*
 * A running program: a process group of its own, what it says on stderr, and its end.
 *
 * It belongs to an exchange until program_leave() or program_kill(); then it goes on by
 * itself, and frees itself when it has ended. The first process of the group stays a
 * zombie until nobody needs the group's number any more: as long as there is one, no
 * other group can get the number that signals are sent to.
 */
#ifndef CGI_PROGRAM_H
#define CGI_PROGRAM_H

#include "bindings/cgi/cgi.h"

enum program_state {
	PROGRAM_RUNNING,
	PROGRAM_EXITED, /* code is its exit status */
	PROGRAM_KILLED, /* code is the signal */
};

struct program {
	LIST_ENTRY(program) next; /* of the application's */
	struct cgi *app;
	enum program_state state;
	int code;

	/* Whom its end is told; NULL: nobody. */
	void (*ended)(void *arg);
	void *arg;
	struct al_request *req; /* for the log; NULL: it has been answered */

	pid_t pid; /* and process group */
	int pidfd;
	struct al_watch *pid_watch;
	struct al_timer *timer; /* what comes next: see on_timer() */
	bool terminated; /* its group was sent TERM, and is owed KILL: by the timer */

	int err; /* the end of its stderr that is ours; -1: closed */
	struct al_watch *err_watch;
	char *name; /* for the log */
	char line[1024]; /* of stderr, as far as it came; longer ones are broken */
	size_t line_len;
	size_t logged; /* bytes of stderr */
};

/* How to run it. Descriptors stay the caller's. */
struct program_plan {
	struct cgi *app;
	struct al_request *req;
	const char *file;
	char **environ;
	int in, out;
	void (*ended)(void *arg);
	void *arg;
};

/* Returns NULL and errno: E2BIG, EACCES, ENOENT, EAGAIN, … */
struct program *program_start(const struct program_plan *plan);

/* Logs what stderr has so far. */
void program_drain(struct program *p);

/* The request is over, the program may go on for `timeout`. */
void program_leave(struct program *p);

/* The request is over, and so is the program: TERM to its group, KILL after a while. */
void program_kill(struct program *p);

/* The worker ends. */
void programs_end(struct cgi *app);

/* The worker ends at once; in a signal handler, perhaps. */
void programs_kill_now(const struct cgi *app);

#endif
