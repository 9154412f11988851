/*
 * What the atoms of the access log's format stand for.
 */
#ifndef WORKER_ACCESS_ATOMS_H
#define WORKER_ACCESS_ATOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/alicorn.h"
#include "protocols/access_format.h"

/* A line that is being written. */
struct access_line {
	char *at;
	const char *end;
	struct al_request *req;
	uint64_t us; /* that the request has taken */
	bool json; /* values are JSON's: texts in quotes, null for what is missing */
	const char *texts_end; /* how far they may go then */
	bool in_handler; /* of a signal: nothing may be allocated */
};

/* Appends the value to the line; `name` is that in the braces of %({Name}i)s. */
typedef void access_atom_fn(struct access_line *line, struct slice name);

struct access_atom {
	char letter;
	bool is_named; /* it has a name in braces */
	bool is_time; /* it needs line->us, or when the request was complete */
	access_atom_fn *put;
};

/* The row of a part of the format that is an atom; of one that means nothing here too.
 */
const struct access_atom *access_atom_find(const struct access_part *part);

/* As it stands, without escapes: for what does not come from a client. */
void access_put(struct access_line *line, struct slice text);

/* A member of an object in JSON. */
struct access_member {
	const char *key;
	access_atom_fn *put;
};

/* All of a line in JSON, n of them. */
extern const struct access_member access_members[];
extern const size_t access_n_members;

/* What is left free of a line in JSON for keys, numbers, quotes. */
enum { ACCESS_JSON_FIXED = 1024 };

#endif
