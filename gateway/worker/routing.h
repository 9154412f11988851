/*
 * Who answers a request: this worker's own application, an inner one (files, FastCGI, a
 * redirect, a status), or the application of another pool. Asked when a head is
 * complete, of connections that came by a site, which has routes.
 *
 * Three kinds of workers have to do with a site. A front accepts its connections and
 * has the inner applications; so has a worker of the one application of a site that is
 * direct. A worker of an application behind a front gets connections from its queue: it
 * answers what is for itself, and gives everything else back.
 */
#ifndef WORKER_ROUTING_H
#define WORKER_ROUTING_H

#include "gateway/common/heritage.h"
#include "gateway/worker/app.h"
#include "protocols/slice.h"

struct al_request;
struct conn;
struct envelope;

/* A route, as this worker follows it. */
struct way {
	const struct route *route;
	struct app inner; /* without a binding: none */
	/* Of the route's application: NULL: none, or it is this worker's own. */
	const struct neighbour *to;
	bool own; /* it is */
	struct slice mount;
};

/* A site, as this worker sees it. */
struct routing {
	const struct site *site;
	uint64_t id; /* the same in each generation and process */
	struct route_table *table;
	struct way *ways; /* as many as routes */
	const struct neighbour *front; /* to give back to; NULL: this worker accepts */
	/* Processes of other users are behind it: what follows a request may be theirs.
	 */
	bool isolated;
};

/* Compiles the sites that this worker has to do with, and loads and prepares their
 * inner applications. NULL, or why not, in one line. */
const char *routing_load(const struct heritage *h);
const char *routing_start(void);
void routing_unload(void);

/* That of the connections that this worker accepts; NULL: they are not routed. */
struct routing *routing_own(void);

/* Of the name of a site, or of an address: the same in each generation and process, and
 * never 0. */
uint64_t routing_id(const char *name);

/* By the id; NULL: none of those that this worker has to do with. */
struct routing *routing_find(uint64_t id);

/* This worker is a front, which runs no application code and believes no worker. */
bool routing_is_front(void);

/* The head is complete: sets req->app, or req->away, and what else the route says. 0,
 * or the status that the request is refused with. */
unsigned routing_decide(struct al_request *req);

/* The inner application has declined: the one that the route names next. */
void routing_go_on(struct al_request *req);

/* The fields that the route adds to each response. */
void routing_add_fields(struct al_request *req);

/* Another worker has decided that the next request is for this one. */
void routing_assign(struct conn *c, const struct envelope *e);

#endif
