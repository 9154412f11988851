/*
 * Which of a site's routes a request belongs to: the first one, in the order of the
 * file, whose criteria hold. The table knows nothing of what routes do. It is made when
 * a configuration is taken up; to look something up changes nothing and allocates
 * nothing.
 */
#ifndef ROUTES_TABLE_H
#define ROUTES_TABLE_H

#include <stddef.h>
#include <sys/socket.h>

#include "gateway/config/settings.h"
#include "protocols/http1.h"
#include "protocols/slice.h"

/*
 * What a route asks for. All criteria must hold; of the values of one, any; one without
 * values always holds. Texts and networks belong to the caller and live as long as the
 * table.
 */
struct route_criteria {
	/* "shop.example", "*.shop.example" (all below it, at any depth, not the name
	 * itself), "*"; without port */
	struct text_list host;
	/* "/a", "*.php", "*"; "/a/" with a '*' behind it is a prefix: "/a" and all
	 * beneath it, not "/ab"; not encoded */
	struct text_list path;
	struct text_list method; /* "GET" */
	struct text_list header; /* names, one of which must be there */
	struct network_list source; /* of the client's address */
};

struct route_request {
	struct slice host; /* the authority, as it came */
	struct slice path; /* as in gateway/routes/path.h, or "*" */
	struct slice method;
	const struct http1_field *fields;
	size_t n_fields;
	const struct sockaddr *client; /* one of a unix socket is in no network */
};

struct route_table;

/* Routes are told by their place among the n. NULL when memory is out. */
struct route_table *route_table_new(const struct route_criteria *routes, size_t n)
	__attribute__((warn_unused_result));
void route_table_free(struct route_table *t);

/* The first route whose criteria hold, or -1. */
int route_table_match(const struct route_table *t, const struct route_request *request);

/* The host of an authority: without the port, and the dot that may end a name. */
struct slice route_host(struct slice authority);

#endif
