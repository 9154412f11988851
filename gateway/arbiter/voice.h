/*
 * A voice: how a process is heard by the logger. The arbiter makes it before the
 * process and keeps it until the logger has all of it: the ring of its lines, and the
 * pipe of what it prints. Neither is lost with the process, nor with a logger.
 */
#ifndef ARBITER_VOICE_H
#define ARBITER_VOICE_H

#include <sys/types.h>

#include "gateway/arbiter/sinks.h"

struct slot;

struct voice {
	struct source_facts facts;
	struct sink_table *table;
	int ring; /* its memory */
	int pipe; /* the end that the logger reads; -1: it has ended */
	int output; /* the other one; -1: the process has it */
	bool is_known; /* the process has a pid, or is dead: the logger is told */
	bool told, pipe_told;
	bool has_ended, end_told;
	TAILQ_ENTRY(voice) next;
};

/* Whose it is: an application's, with a slot, or, if both are NULL, the server's own. A
 * patient process waits for room. NULL and errno. */
struct voice *voice_new(const struct server_settings *server, struct sink_table *table,
	const char *kind, const char *app, const struct slot *slot, bool is_patient);

/* Its lines go to the sinks of another configuration. */
void voice_move(struct voice *v, const struct server_settings *server,
	struct sink_table *table);

/* The process has what is its own, and has that pid. */
void voice_give(struct voice *v);
void voice_born(struct voice *v, pid_t pid);

/* It has died: v is not the caller's any more. */
void voice_end(struct voice *v);

/* For the logger: as sinks.h has it. */
void voices_forget_told(void);
bool voices_tell(logger_send_fn *send);
void voices_drained(const struct logger_number *n);
void voices_silent(const struct logger_number *n);
void voices_each_fd(void (*fn)(int fd, void *arg), void *arg);

#endif
