/*
 * What files:FOLDER serves: one folder, and how. There may be several in a process.
 */
#ifndef FILES_SITE_H
#define FILES_SITE_H

#include <stdbool.h>

#include "bindings/files/cache.h"
#include "bindings/files/root.h"
#include "gateway/alicorn.h"
#include "protocols/arena.h"
#include "protocols/mime.h"

struct site {
	struct root root;
	struct cache cache;
	struct mime types;
	const char *index; /* what stands for a folder */
	const char *cache_control; /* NULL: none is sent */
	bool listing;
	struct arena memory;
	unsigned char known[AL_VAR_IDS]; /* by ids: 0, or one more than the fact */
};

/* What of a request matters here; NULL: it has no such variable. */
enum fact {
	FACT_METHOD,
	FACT_PATH,
	FACT_URI,
	FACT_ACCEPT_ENCODING,
	FACT_IF_MATCH,
	FACT_IF_NONE_MATCH,
	FACT_IF_MODIFIED_SINCE,
	FACT_IF_UNMODIFIED_SINCE,
	FACT_IF_RANGE,
	FACT_RANGE,
	FACTS,
};

struct ask {
	struct site *site;
	struct al_request *req;
	const char *facts[FACTS];
};

/* These answer a request; they return enum al_result. */

/* The gateway's page for a status, with one more field if its name is not NULL. */
int answer_error(
	struct al_request *req, unsigned status, const char *name, const char *value);

/* There is no such file: the request is the next application's, or for nobody. */
int answer_none(struct al_request *req);

/* The method is none for files. */
int answer_method(struct al_request *req);

/* An error of a system call that had to find or read what was asked for. */
int answer_errno(struct al_request *req, const char *path, int error);

/* The file, as the conditions and ranges of the request want it. */
int answer_file(const struct ask *ask, struct entry *entry);

/* A page of what is in the folder; the path is its own, "" or "a/b/". */
int answer_listing(const struct ask *ask, const char *path);

#endif
