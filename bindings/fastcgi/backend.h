/*
 * A FastCGI backend: what load() made of the target and the settings. Lives as long as
 * the process and does not change.
 */
#ifndef FASTCGI_BACKEND_H
#define FASTCGI_BACKEND_H

#include <netdb.h>
#include <stddef.h>

#include "gateway/alicorn.h"
#include "protocols/arena.h"
#include "protocols/buffer.h"

/* The id of every request: a connection has only one. */
enum { REQUEST_ID = 1 };

struct param {
	const char *name;
	const char *value;
};

struct backend {
	struct arena memory; /* of the texts and of params */
	const char *target; /* for the log */
	struct addrinfo *addresses; /* tried one after the other */
	unsigned timeout_ms; /* without progress; 0 is no limit */
	unsigned connect_ms; /* to be connected */

	/* Where scripts are. The folder is opened once, so what it is replaced by (a
	 * link that names another release) is seen after a reload. */
	const char *root; /* without links; NULL: PATH_INFO names no files */
	int root_fd;
	const char *index;
	const char *script_file; /* the front controller; NULL: none */
	const char *script_name; /* its name, from the root */

	struct param *params; /* the setting: these replace and extend all others */
	size_t n_params;
};

/* ---- script.c ---- */

/* Which script answers a request; NULL is what does not exist. */
struct script {
	const char *filename;
	const char *name;
	const char *path_info;
	const char *location; /* of a folder that was asked for without its slash */
};

/* Reads the settings root, script and index. Returns NULL, or what is wrong with them.
 */
const char *script_load(struct backend *b);

/* Returns NULL, or the status to answer with: "404 Not Found". Texts live in the arena.
 */
const char *script_find(struct script *s, const struct backend *b,
	struct al_request *req, struct arena *memory);

/* ---- params.c ---- */

/* Reads the setting params. Returns NULL, or what is wrong with it. */
const char *params_load(struct backend *b);

/* BEGIN_REQUEST and the parameters of a request. Returns NULL, or the status to answer
 * with. */
const char *params_encode(struct buffer *out, const struct backend *b,
	struct al_request *req, const struct script *script);

#endif
