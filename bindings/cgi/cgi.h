/*
 * CGI programs (RFC 3875): what load() made of the target and the settings, and the
 * parts of the binding that wait for nothing. Only the queue changes after that.
 */
#ifndef CGI_CGI_H
#define CGI_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "gateway/alicorn.h"
#include "protocols/arena.h"

struct exchange;
struct program;

/* One line of an environment, "NAME=VALUE". */
struct setting {
	const char *line;
	size_t name_len;
};

struct cgi {
	struct arena memory; /* of the texts */
	const char *folder; /* of the programs, without links */
	const char *program; /* answers everything; NULL: the path names one */
	const char *root; /* DOCUMENT_ROOT */
	const char *index; /* what answers for a folder */

	struct setting *params; /* replace all others of their names */
	struct setting *added; /* PATH and raw_env: no variable of a request is lost */
	size_t n_params, n_added;

	const char **sendfile_roots; /* without links */
	size_t n_sendfile_roots;

	bool nph; /* programs that make whole responses may run */
	bool authorization; /* programs may see that field */
	unsigned processes; /* that run at a time */
	unsigned wait_ms; /* for one's turn */
	unsigned
		timeout_ms; /* of a program that goes on behind its response; 0: none */
	int null; /* /dev/null */

	unsigned running; /* programs */
	LIST_HEAD(, program) programs; /* these, and those that are not buried yet */
	TAILQ_HEAD(, exchange) waiting; /* for their turn */
};

/* What is asked for: by the client, or by a program's local redirect. */
struct ask {
	const char *path; /* behind the mount, decoded */
	const char *query;
	const char *uri; /* path and query as they were sent; NULL: the client's */
	bool redirected;
};

/* ---- script.c ---- */

/* Which program answers; NULL is what does not exist. */
struct script {
	const char *file; /* to be run */
	const char *name; /* SCRIPT_NAME */
	const char *path_info;
	const char *location; /* of a folder that was asked for without its slash */
};

/* Reads the target and the settings root and index. Returns NULL, or what is wrong. */
const char *script_load(struct cgi *app, const char *target);

/* Returns 0, or the status to answer with: 301 to its location, or an error. Texts live
 * in the arena. */
unsigned script_find(struct script *s, const struct cgi *app, struct al_request *req,
	const struct ask *ask, struct arena *memory);

/* Its own name says that it makes whole responses. */
bool script_is_nph(const struct script *s);

/* ---- environ.c ---- */

/* Reads the settings params and raw_env. Returns NULL, or what is wrong with them. */
const char *environ_load(struct cgi *app);

/* The environment of a program, ended by NULL; NULL: memory is out. */
char **environ_make(const struct cgi *app, struct al_request *req,
	const struct ask *ask, const struct script *script, struct arena *memory);

/* ---- sendfile.c ---- */

/* Reads the setting sendfile_roots. Returns NULL, or what is wrong with it. */
const char *sendfile_load(struct cgi *app);

/* Opens a regular file for a program that may have it sent. -1 and errno; EXDEV: it is
 * in none of the folders. */
int sendfile_open(const struct cgi *app, const char *path);

#endif
