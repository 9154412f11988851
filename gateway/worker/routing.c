#include "gateway/worker/routing.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/routes/path.h"
#include "gateway/routes/table.h"
#include "gateway/worker/answers.h"
#include "gateway/worker/envelope.h"
#include "gateway/worker/options.h"
#include "gateway/worker/request.h"
#include "gateway/worker/self.h"

static struct routing *all; /* the sites that this worker has to do with */
static size_t n_all;
static struct routing *own; /* the one that it accepts for */
static struct app nobody; /* answers what no route is for */

/* ---- The ways of a site ---- */

/* FNV-1a: the id need only differ from those of the few others. */
uint64_t
routing_id(const char *name)
{
	uint64_t hash = 14695981039346656037U;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211U;
	return hash | 1;
}

static const struct neighbour *
neighbour_of(const struct heritage *h, const struct app_settings *app)
{
	const struct neighbours *n = h->neighbours;

	for (size_t i = 0; i < n->n; i++)
		if (n->all[i].app == app)
			return &n->all[i];
	return NULL;
}

/* Files or FastCGI: a binding, with the settings of the route. */
static const char *
load_inner(struct way *way)
{
	const struct app_settings *settings = way->route->inner;

	options_use(settings);
	const char *error = app_load_inner(
		&way->inner, settings->what.binding, settings->what.spec);
	options_use(self.settings);
	return error;
}

static const char *
make_way(const struct heritage *h, const struct routing *r, struct way *way,
	const struct route *route)
{
	*way = (struct way){ .route = route };
	if (route->mount != NULL)
		way->mount = slice_str(route->mount);
	way->own = route->to == h->app;
	if (route->to != NULL && !way->own)
		way->to = neighbour_of(h, route->to);
	if (r->front != NULL) /* inner ones are the front's */
		return NULL;
	if (route->inner != NULL)
		return load_inner(way);
	if (route->to == NULL)
		way->inner = answers_app(route);
	return NULL;
}

static bool
has_several_users(const struct site *site)
{
	const struct app_settings *first = NULL;

	for (size_t i = 0; i < site->n_routes; i++) {
		const struct app_settings *to = site->routes[i].to;
		if (to != NULL && first == NULL)
			first = to;
		if (to != NULL && to->identity.uid != first->identity.uid)
			return true;
	}
	return false;
}

static struct route_table *
make_table(const struct site *site)
{
	struct route_criteria *criteria = calloc(site->n_routes, sizeof(*criteria));
	struct route_table *table = NULL;

	for (size_t i = 0; criteria != NULL && i < site->n_routes; i++) {
		const struct route *r = &site->routes[i];
		criteria[i] = (struct route_criteria){
			.host = r->host,
			.path = r->path,
			.method = r->method,
			.header = r->header,
			.source = r->source,
		};
	}
	if (criteria != NULL)
		table = route_table_new(criteria, site->n_routes);
	free(criteria);
	return table;
}

static const char *
load_site(const struct heritage *h, struct routing *r, const struct site *site)
{
	*r = (struct routing){ .site = site, .id = routing_id(site->name) };
	if (site->front != h->app)
		r->front = neighbour_of(h, site->front);
	r->isolated = has_several_users(site);
	r->table = make_table(site);
	r->ways = calloc(site->n_routes, sizeof(*r->ways));
	const char *error =
		r->table == NULL || r->ways == NULL ? "out of memory" : NULL;
	for (size_t i = 0; i < site->n_routes && error == NULL; i++)
		error = make_way(h, r, &r->ways[i], &site->routes[i]);
	if (r->front == NULL)
		own = r;
	return error;
}

/* ---- All of them ---- */

static bool
leads_to(const struct site *site, const struct app_settings *app)
{
	for (size_t i = 0; i < site->n_routes; i++)
		if (site->routes[i].to == app)
			return true;
	return false;
}

const char *
routing_load(const struct heritage *h)
{
	const char *error = NULL;
	size_t n = h->neighbours->n_sites;

	nobody = answers_app(NULL);
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return "out of memory";
	for (size_t i = 0; i < n && error == NULL; i++) {
		const struct site *site = &h->neighbours->sites[i];
		if (site->front == h->app || leads_to(site, h->app))
			error = load_site(h, &all[n_all++], site);
	}
	return error;
}

/* Calls fn for each inner application, until one says what is wrong. */
static const char *
for_each_inner(const char *(*fn)(struct app *app))
{
	const char *error = NULL;

	for (size_t i = 0; i < n_all; i++)
		for (size_t k = 0; k < all[i].site->n_routes && error == NULL; k++)
			if (all[i].ways[k].inner.binding != NULL)
				error = fn(&all[i].ways[k].inner);
	return error;
}

static const char *
start_inner(struct app *app)
{
	const char *error = app_start(app);

	if (error == NULL)
		app_hook(app, AL_WORKER_INIT, NULL);
	return error;
}

const char *
routing_start(void)
{
	return for_each_inner(start_inner);
}

static const char *
unload_inner(struct app *app)
{
	app_hook(app, AL_WORKER_EXIT, NULL);
	app_unload(app);
	return NULL;
}

void
routing_unload(void)
{
	for_each_inner(unload_inner);
	for (size_t i = 0; i < n_all; i++) {
		route_table_free(all[i].table);
		free(all[i].ways);
	}
	free(all);
}

struct routing *
routing_own(void)
{
	return own;
}

struct routing *
routing_find(uint64_t id)
{
	for (size_t i = 0; i < n_all; i++)
		if (all[i].id == id)
			return &all[i];
	return NULL;
}

bool
routing_is_front(void)
{
	return own != NULL && !own->site->direct;
}

/* ---- A request ---- */

static struct way *
match(struct al_request *req, struct slice path)
{
	const struct routing *r = req->conn->routing;
	bool forwarded = req->client.any.sa_family != AF_UNSPEC;
	const struct route_request asked = {
		.host = req->head.authority,
		.path = path,
		.method = req->head.method,
		.fields = req->head.fields,
		.n_fields = req->head.n_fields,
		.client = forwarded ? &req->client.any : &req->conn->peer.any,
	};
	int i = route_table_match(r->table, &asked);

	return i >= 0 ? &r->ways[i] : NULL;
}

/* So that what is left, decoded once more, is the rest of that path. */
static bool
encode_rest(struct al_request *req, struct slice rest)
{
	struct buffer text = { 0 };

	route_path_encode(&text, rest);
	char *copy = arena_strz(&req->arena, buffer_slice(&text));
	bool failed = text.failed || copy == NULL;
	req->head.path = failed ? req->head.path : slice_of(copy, text.len);
	buffer_release(&text);
	return !failed;
}

/* Behind what a proxy may have told. */
static bool
add_script_name(struct al_request *req, struct slice name)
{
	struct slice before =
		slice_str(req->script_name != NULL ? req->script_name : "");
	char *text = arena_bytes(&req->arena, before.len + name.len + 1);

	if (text == NULL)
		return false;
	memcpy(text, before.ptr, before.len);
	memcpy(text + before.len, name.ptr, name.len);
	text[before.len + name.len] = '\0';
	req->script_name = text;
	return true;
}

/* What is left behind the name means what is left of the path that was matched. It does
 * not in "/shop/../shop/x", of which "/../shop/x" would be left. */
static bool
is_rest(struct al_request *req, struct slice raw, struct slice rest)
{
	if (route_path_is_plain(raw))
		return slice_eq(raw, rest);
	char *room = arena_bytes(&req->arena, raw.len);
	return room != NULL && slice_eq(route_path(raw, room), rest);
}

/*
 * The first bytes of the path, as it was matched, are the application's SCRIPT_NAME. In
 * most requests the path was written in just that way; where it was not, PATH_INFO is
 * the rest of what was matched, so that the two cannot mean different things.
 */
static bool
take_mount(struct al_request *req, struct slice path, size_t mount)
{
	struct slice raw = req->head.path;
	struct slice name = slice_of(path.ptr, mount < path.len ? mount : path.len);

	req->mount = name.len;
	if (name.len == 0)
		return true;
	if (!add_script_name(req, name))
		return false;
	slice_advance(&path, name.len);
	if (slice_starts(raw, name)) {
		slice_advance(&raw, name.len);
		if (is_rest(req, raw, path)) {
			req->head.path = raw;
			return true;
		}
	}
	return encode_rest(req, path);
}

/* What the request meets here. */
static void
set_limit(struct al_request *req)
{
	const struct route *route = req->way->route;
	const struct app_settings *s =
		route->inner != NULL ? route->inner : self.settings;
	uint64_t limit = route->limit_request_body != 0 ? route->limit_request_body
							: s->limit_request_body;

	req->body_limit = limit != 0 ? limit : INT64_MAX;
}

/* Files are tried for what they can answer, where an application comes next. */
static bool
begins_inside(const struct al_request *req, const struct way *way)
{
	if (way->inner.binding == NULL)
		return false;
	return way->route->to == NULL ||
		(req->head.framing == HTTP1_NO_BODY &&
			(req->is_head || slice_eq(req->head.method, SLICE("GET"))));
}

void
routing_go_on(struct al_request *req)
{
	const struct way *way = req->way;

	req->has_next = false;
	req->app = &self.app;
	/* Who cannot answer it gives it back. */
	if (!way->own)
		req->away = way->to != NULL ? way->to : req->conn->routing->front;
}

/* Whether it is for the worker itself that a connection was handed to: not when files
 * come first, which are the front's. */
static bool
is_for_us(const struct routing *r, const struct way *way)
{
	return r->front == NULL || (way->own && way->route->inner == NULL);
}

/* For the pool that may be next. */
static bool
keep_received(struct al_request *req)
{
	char *copy = arena_bytes(&req->arena, req->input.len);

	if (copy != NULL)
		memcpy(copy, req->input.ptr, req->input.len);
	req->received = copy;
	return copy != NULL;
}

static unsigned
follow(struct al_request *req, struct way *way, struct slice path)
{
	const struct routing *r = req->conn->routing;

	req->way = way;
	if (!is_for_us(r, way)) {
		req->away = r->front;
		return 0;
	}
	if (begins_inside(req, way)) {
		req->app = &way->inner;
		req->has_next = way->route->to != NULL;
		if (way->to != NULL && !keep_received(req))
			return 500;
	} else {
		routing_go_on(req);
	}
	if (req->away != NULL) {
		req->mount = way->mount.len;
		return 0;
	}
	set_limit(req);
	return take_mount(req, path, way->mount.len) ? 0 : 500;
}

/* As it was decided elsewhere. */
static unsigned
follow_assigned(struct al_request *req, struct slice path)
{
	struct assignment *a = &req->conn->assignment;
	const struct routing *r = req->conn->routing;

	a->is_valid = false;
	if (r != NULL && a->generation == self.heritage->generation &&
		a->route < r->site->n_routes) {
		req->way = &r->ways[a->route];
		set_limit(req);
	}
	return take_mount(req, path, a->mount) ? 0 : 500;
}

unsigned
routing_decide(struct al_request *req)
{
	struct slice path = req->head.path;

	if (!route_path_is_plain(path)) {
		char *room = arena_bytes(&req->arena, path.len + 1);
		if (room == NULL)
			return 500;
		path = route_path(path, room);
	}
	if (req->conn->assignment.is_valid)
		return follow_assigned(req, path);
	struct way *way = match(req, path);
	if (way != NULL)
		return follow(req, way, path);
	req->away = req->conn->routing->front;
	req->app = &nobody;
	return 0;
}

void
routing_add_fields(struct al_request *req)
{
	const struct text_list *fields = &req->way->route->response_headers;

	for (size_t i = 0; i < fields->n; i++) {
		const char *name = fields->items[i], *equals = strchr(name, '=');
		(void)http1_response_field(&req->response,
			slice_of(name, (size_t)(equals - name)), slice_str(equals + 1));
	}
}

void
routing_assign(struct conn *c, const struct envelope *e)
{
	c->assignment = (struct assignment){
		.is_valid = e->assigned,
		.generation = e->generation,
		.route = e->route,
		.mount = e->mount,
	};
}
