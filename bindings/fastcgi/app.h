/*
 * A FastCGI application: what load() made of the target and the settings. Lives as long
 * as the process; only its pool changes.
 */
#ifndef FASTCGI_APP_H
#define FASTCGI_APP_H

#include <stdbool.h>
#include <stddef.h>

#include "bindings/fastcgi/folder.h"
#include "bindings/fastcgi/pool.h"
#include "gateway/alicorn.h"
#include "protocols/arena.h"
#include "protocols/buffer.h"
#include "protocols/cgi.h"

/* The id of every request: a connection has only one at a time. */
enum { REQUEST_ID = 1 };

struct param {
	const char *name;
	const char *value;
};

struct app {
	struct arena memory; /* of the texts, params and roots */
	struct pool pool;

	/* Where scripts are; none: PATH_INFO names no files. */
	struct folder root;
	const char *index;
	const char *script_file; /* the front controller; NULL: none */
	const char *script_name; /* its name, from the root */

	struct param *params; /* the setting: these replace and extend all others */
	size_t n_params;

	struct folder *sendfile_roots;
	size_t n_sendfile_roots;
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
const char *script_load(struct app *app);

/* Returns 0, or the status to answer with: 301 to its location, or an error. Texts live
 * in the arena. */
unsigned script_find(struct script *s, const struct app *app, struct al_request *req,
	struct arena *memory);

/* ---- params.c ---- */

/* Reads the setting params. Returns NULL, or what is wrong with it. */
const char *params_load(struct app *app);

/* BEGIN_REQUEST and the parameters of a request. Returns 0, or the error to answer
 * with.
 */
unsigned params_encode(struct buffer *out, const struct app *app,
	struct al_request *req, const struct script *script);

/* ---- sendfile.c ---- */

/* Reads the setting sendfile_roots. Returns NULL, or what is wrong with it. */
const char *sendfile_load(struct app *app);

/* The field of a response by which the application has a file sent in place of its
 * body; NULL: there is none, or no folder whose files it may name. */
const struct http1_field *sendfile_order(
	const struct app *app, const struct cgi_head *head);

bool sendfile_is_order(struct slice name);

/* Opens the file that such a field names and tells its size; -1 and errno when there is
 * no file of that name under the roots. */
int sendfile_open(const struct app *app, const struct http1_field *order, off_t *size);

#endif
