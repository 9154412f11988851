/* Files beside the scripts, sent as they are. */
#ifndef PHP_BINDING_STATIC_H
#define PHP_BINDING_STATIC_H

#include "bindings/php/site.h"
#include "bindings/php/variables.h"

/* Closes the file. Returns enum al_result. */
int static_send(struct al_request *req, const struct facts *facts, struct place *place);

/* An answer of a status and its words. `location` may be NULL. */
int static_refuse(struct al_request *req, const char *status, const char *location);

#endif
