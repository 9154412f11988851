/*
 * Where a redirect leads: a text with variables, of which a Location is made. Whatever
 * a request says, nothing gets into it that may not stand in a URI.
 *
 *   $scheme $host  as the client sees the server; the host with its port
 *   $path $query   the path, as routes see it, and what follows its '?'
 *   $uri           path and query as the client wrote them
 *   $rest          what the '*' of the route's path stood for, from its '/' on
 *   $$             a '$'
 */
#ifndef ROUTES_REDIRECT_H
#define ROUTES_REDIRECT_H

#include "gateway/config/settings.h"
#include "protocols/buffer.h"
#include "protocols/slice.h"

struct redirect_facts {
	struct slice scheme;
	struct slice host; /* the authority */
	struct slice raw_path, query; /* of the target, as they came */
	struct slice path; /* route_path() of raw_path */
	struct slice rest;
};

/* Adds the text with its variables replaced. A '$' before anything else is a '$'. */
void redirect_expand(
	struct buffer *out, struct slice text, const struct redirect_facts *facts);

/* $rest, of a route with these paths: what is behind the longest prefix among them that
 * holds; the whole path where none does. */
struct slice redirect_rest(const struct text_list *paths, struct slice path);

#endif
