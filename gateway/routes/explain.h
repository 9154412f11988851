/*
 * --explain: which route a request would take, why not those before it, and what
 * becomes of the request. Criteria are judged by the same table that workers have.
 */
#ifndef ROUTES_EXPLAIN_H
#define ROUTES_EXPLAIN_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "protocols/buffer.h"

/* Answers the configuration's question, a line for each step. Returns NULL, or what is
 * wrong with the question; *found is whether anything but 404 would come of it. */
const char *explain(const struct config *c, struct buffer *out, bool *found);

#endif
