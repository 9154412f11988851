/*
 * What is told of a request: a few facts that the interpreter itself asks for, and
 * $_SERVER, which is made when a script first mentions it.
 */
#ifndef PHP_BINDING_VARIABLES_H
#define PHP_BINDING_VARIABLES_H

#include <php.h>

#include "bindings/php/site.h"
#include "gateway/alicorn.h"

enum fact {
	FACT_OTHER,
	FACT_METHOD,
	FACT_URI,
	FACT_QUERY,
	FACT_MOUNT,
	FACT_PATH,
	FACT_TYPE,
	FACT_COOKIE,
	FACT_AUTHORIZATION,
	FACT_IF_MODIFIED_SINCE,
	FACT_HIDDEN, /* not for scripts */
	FACTS,
};

struct facts {
	struct al_request *req;
	const char *text[FACTS]; /* NULL: the request has none */
};

/* What is the same in all requests. After the interpreter's start; NULL, or what is
 * wrong. */
const char *variables_load(const struct site *site);

void variables_release(void);

void facts_read(struct facts *facts, struct al_request *req);

/* Adds to the array that is to become $_SERVER. */
void variables_register(
	zval *array, const struct facts *facts, const struct place *script);

#endif
