/*
 * Hooks of the server: what functions of a C plug-in are given. A setting such as
 * child_exit = "c:./notify.so:on_child_exit" names one; see alicorn(3).
 *
 * They are called in the arbiter, post_fork in the new process, as the user that
 * started the server. They must return soon: meanwhile the arbiter does nothing else.
 */
#ifndef ALICORN_HOOKS_H
#define ALICORN_HOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is known. New members come at the end. */
struct al_facts {
	const char *hook; /* "child_exit" */
	const char *pool; /* the application's name; NULL: it is about none */
	const char *kind; /* "worker", "program" or "prototype"; NULL with the pool */
	pid_t arbiter;
	pid_t worker; /* the process that it is about; 0: none, or not forked yet */
	unsigned age; /* of that process: 1 for the first ever started */
	unsigned generation; /* of the configuration */
	int status; /* that waitpid() gave for it; -1: it has not ended */
	unsigned workers_old, workers_new; /* of nworkers_changed; old may be 0 */

	/* Of on_message: what the application gave to al_send(), until the function
	 * returns. To keep the descriptor, dup() it; -1: there is none. */
	uint32_t type;
	const void *data;
	size_t length;
	int fd;
};

/* Returns NULL, or says in one line what failed; the text is never freed. */
typedef const char *al_server_hook(const struct al_facts *facts);

#ifdef __cplusplus
}
#endif

#endif
