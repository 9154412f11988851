/*
 * alicorn-worker.h: workers of one's own kind, `-k ./myworker.so`. The arbiter forks,
 * watches, replaces and stops them as it does its own; what they do with the listening
 * sockets, and which protocol they speak, is theirs. Documented in alicorn-worker(7).
 *
 * All calls are made in the process's main thread, but al_worker_notify() and
 * al_worker_log(), which may be called in any.
 */
#ifndef ALICORN_WORKER_H
#define ALICORN_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define AL_WORKER_ABI 1

struct al_listener {
	int fd; /* listens, does not block, and stays the gateway's: it is not closed */
	const char *address; /* "127.0.0.1:8000", "unix:/run/x.sock" */
};

/* What a worker is given; all of it lives as long as the process. */
struct al_worker {
	const char *name; /* of the application */
	const char *target; /* what stands behind "python:", for the worker to load */
	pid_t arbiter;
	unsigned age; /* 1 for the first process ever started, then 2, … */
	unsigned generation; /* of the configuration: 1, and one more at each reload */
	unsigned timeout; /* seconds between two al_worker_notify(); 0: no limit */
	unsigned graceful_timeout; /* seconds from AL_CONTROL_STOP to its end */
	const struct al_listener *listeners;
	size_t n_listeners;
};

/* A shared object that is a worker class exports one of these as al_worker_class. */
struct al_worker_class {
	uint32_t abi; /* AL_WORKER_ABI */
	const char *name; /* "chargen" */

	/* Loads what is to be served; may set *state. Returns NULL, or says in one line
	 * why it cannot: the server does not start then, a reload is given up. */
	const char *(*init)(const struct al_worker *worker, void **state);

	/* Serves. Returns the exit status of the process: 0 after a stop. */
	int (*run)(const struct al_worker *worker, void *state);
};

/* Defined by the shared object. */
extern const struct al_worker_class al_worker_class;

/* What the gateway has to say; more than one bit may be set. */
enum al_control {
	AL_CONTROL_SERVE = 1, /* accept from now on; before, an older generation does */
	AL_CONTROL_STOP = 2, /* accept no more, finish, and return from run() */
};

/* A descriptor that becomes readable when al_control() has something to do: signals,
 * and messages of the arbiter. Not to be read or closed. */
int al_control_fd(void);

/* Does what there is to do, such as opening the logs anew, without waiting, and returns
 * the enum al_control of now: the bits stay set. */
unsigned al_control(void);

/* A sign of life, with what the worker does (NULL: it waits, and no limit counts until
 * the next call). One whose last sign of work is older than `timeout` is killed and
 * replaced. Costs no system call. */
void al_worker_notify(const char *what);

/* Value i of a setting of this application, as text, as al_option() in alicorn.h. */
const char *al_worker_option(const char *name, size_t i);

/* A line for the log; the levels are those of enum al_level in alicorn.h. */
void al_worker_log(int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
