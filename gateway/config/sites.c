/*
 * Sites, made when all files are read: which listener has which routes, which
 * application a route leads to, and whose workers accept.
 */
#include <string.h>

#include "gateway/config/routes.h"
#include "gateway/config/text.h"

static const struct origin nowhere = { 0 };

/* ---- Listeners ---- */

/* Files that say nothing of listeners have one, whose settings stand at their tops. */
static void
add_listener(struct load *l)
{
	const struct listener silent = { .app.origin = l->routes.items[0].origin };

	if (l->n_listeners == 0)
		load_listener(l, &silent, &l->top);
}

/* The routes of a listener: its own, or those of all. */
static struct route_list *
routes_of(struct load *l, struct listener *listener)
{
	return listener->routes.n > 0 ? &listener->routes : &l->routes;
}

/* Takes those away that have nothing to do. */
static void
drop_idle_listeners(struct load *l)
{
	size_t n = 0;
	bool common = false;

	for (size_t i = 0; i < l->n_listeners; i++) {
		struct listener *listener = &l->listeners[i];
		common |= listener->routes.n == 0;
		if (routes_of(l, listener)->n > 0)
			l->listeners[n++] = *listener;
		else
			load_lack(l, &listener->app.origin,
				"a listener has no routes, of its own or at the top of "
				"a file");
	}
	l->n_listeners = n;
	if (l->routes.n > 0 && !common)
		load_lack(l, &l->routes.items[0].origin,
			"no listener has these routes: each has others of its own");
}

/* ---- Applications ---- */

static struct app_settings *
find_app(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_apps; i++)
		if (strcmp(c->apps[i].name, name) == 0)
			return &c->apps[i];
	return NULL;
}

static void
tell_missing(struct load *l, const struct route *route)
{
	struct text_nearest nearest = { 0 };

	for (size_t i = 0; i < l->config->n_apps; i++)
		text_nearest_try(&nearest, slice_str(route->app),
			slice_str(l->config->apps[i].name));
	load_lack(l, &route->origins[ROUTE_app],
		"app: there is no application %s%s%" SLICE_FMT "%s", route->app,
		nearest.distance > 0 ? "; did you mean " : "", SLICE_ARG(nearest.word),
		nearest.distance > 0 ? "?" : "");
}

/* What stands in for a route to an application whose file is broken, or not there. */
static void
close_route(struct route *route)
{
	route->origins[ROUTE_status] = route->origins[ROUTE_app];
	route->status = 503;
	route->app = route->mount = route->files = NULL;
	route->origins[ROUTE_app] = route->origins[ROUTE_mount] =
		route->origins[ROUTE_files] = nowhere;
	route->inner = NULL;
}

/* Finds the applications of routes, or does without. */
static void
mark_apps(struct load *l, struct route_list *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		struct route *route = &routes->items[i];
		struct app_settings *app =
			route->app != NULL ? find_app(l->config, route->app) : NULL;
		if (app != NULL) {
			app->routed = true;
		} else if (route->app != NULL) {
			tell_missing(l, route);
			close_route(route);
		}
	}
}

/* One that is a file has no line of its own. */
static const struct origin *
place_of(const struct app_settings *app)
{
	return app->origin.line > 0 ? &app->origin : &app->origins[APP_target];
}

/* Takes those away that nobody could reach. */
static void
drop_idle_apps(struct load *l)
{
	struct config *c = l->config;
	size_t n = 0;

	for (size_t i = 0; i < c->n_apps; i++) {
		const struct app_settings *app = &c->apps[i];
		if (app->routed || app->bind.n > 0)
			c->apps[n++] = *app;
		else
			load_lack(l, place_of(app),
				"application %s has neither a bind of its own nor a "
				"route",
				app->name);
	}
	c->n_apps = n;
}

/* From here on the applications stay where they are. */
static void
resolve_apps(struct load *l, struct route_list *routes)
{
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].app != NULL)
			routes->items[i].to = find_app(l->config, routes->items[i].app);
}

/* ---- Fronts ---- */

/* The one application that routes lead to; NULL: there is none or another one, or a
 * program that only a front talks to. */
static const struct app_settings *
only_app(const struct route_list *routes)
{
	const struct app_settings *app = NULL;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		if (route->fastcgi != NULL ||
			(app != NULL && route->to != NULL && route->to != app))
			return NULL;
		if (route->to != NULL)
			app = route->to;
	}
	return app;
}

/* Whether the workers of an application can look at routes, send files and redirect
 * themselves: those that run one request at a time, of a plain binding. */
static bool
can_route(const struct app_settings *app)
{
	static const char *const others[] = { "fastcgi", "cgi", "files" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(app->what.binding, others[i]) == 0)
			return false;
	return app->threads == 1 && strchr(app->worker_class, '/') == NULL &&
		strcmp(app->protocol, "http") == 0;
}

/* An address of its own has no routes, and an application not two lists of them. */
static bool
is_free(const struct app_settings *app, const struct route_list *routes)
{
	return app->site != NULL ? app->site->routes == routes->items
				 : app->bind.n == 0;
}

/* The application that listens on a listener's addresses itself, as that is cheaper;
 * NULL: a front does. */
static struct app_settings *
direct_app(struct load *l, struct listener *listener)
{
	const struct route_list *routes = routes_of(l, listener);
	const struct app_settings *app = listener->says_more ? NULL : only_app(routes);

	if (app == NULL || !can_route(app) || !is_free(app, routes))
		return NULL;
	return find_app(l->config, app->name);
}

/* Adds addresses to those that an application has. */
static bool
add_addresses(struct load *l, struct app_settings *to, const struct app_settings *from)
{
	struct arena *memory = &l->config->memory;
	size_t n = to->bind.n + from->bind.n;
	const char **texts = arena_alloc(memory, n * sizeof *texts);
	struct address *addresses = arena_alloc(memory, n * sizeof *addresses);

	if (texts == NULL || addresses == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct app_settings *of = i < to->bind.n ? to : from;
		size_t at = i < to->bind.n ? i : i - to->bind.n;
		texts[i] = of->bind.items[at];
		addresses[i] = of->addresses[at];
	}
	to->bind = (setting_list){ texts, n };
	to->addresses = addresses;
	to->origins[APP_bind] = from->origins[APP_bind];
	return true;
}

/* "front", "front2": one that is no application's. */
static const char *
free_name(const struct load *l)
{
	struct arena *memory = &l->config->memory;
	const char *name = "front";

	for (unsigned i = 2; find_app(l->config, name) != NULL; i++)
		name = text_format(memory, "front%u", i);
	return name;
}

static void
check_name(struct load *l, const struct app_settings *front)
{
	const struct app_settings *other = find_app(l->config, front->name);

	if (other != NULL)
		load_fault(l, &front->origin,
			"name: %s is the name of the %s in %s already", front->name,
			target_is_front(&other->what) ? "listener" : "application",
			other->origin.source);
}

/* ---- Sites ---- */

static struct app_settings *
make_front(struct load *l, struct listener *listener)
{
	struct config *c = l->config;
	struct app_settings *front = &listener->app;

	if (front->name == NULL)
		front->name = free_name(l);
	check_name(l, front);
	c->apps[c->n_apps] = *front;
	return &c->apps[c->n_apps++];
}

static void
make_site(struct load *l, struct site *site, struct listener *listener)
{
	const struct route_list *routes = routes_of(l, listener);
	struct app_settings *app = direct_app(l, listener);

	*site = (struct site){
		.front = app != NULL ? app : make_front(l, listener),
		.direct = app != NULL,
		.bind = listener->app.bind,
		.routes = routes->items,
		.n_routes = routes->n,
	};
	if (site->direct && !add_addresses(l, app, &listener->app))
		load_fault(l, &nowhere, "out of memory");
	site->name = site->front->name;
	if (site->front->site == NULL)
		site->front->site = site;
}

static void
make_room(struct load *l)
{
	struct config *c = l->config;
	struct app_settings *apps =
		arena_alloc(&c->memory, (c->n_apps + l->n_listeners) * sizeof *apps);

	c->sites = arena_alloc(&c->memory, l->n_listeners * sizeof *c->sites);
	if (apps == NULL || c->sites == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return;
	}
	if (c->n_apps > 0)
		memcpy(apps, c->apps, c->n_apps * sizeof *apps);
	c->apps = apps;
	c->n_sites = l->n_listeners;
}

void
sites_make(struct load *l)
{
	struct config *c = l->config;

	if (l->routes.n > 0)
		add_listener(l);
	drop_idle_listeners(l);
	for (size_t i = 0; i < l->n_listeners; i++)
		mark_apps(l, routes_of(l, &l->listeners[i]));
	drop_idle_apps(l);
	if (l->faults == 0 && c->n_apps == 0 && l->n_listeners == 0)
		load_fault(l, &nowhere, "%s: there is nothing to serve",
			l->options.command.config);
	if (l->faults > 0)
		return;
	if (l->n_listeners > 0)
		make_room(l);
	for (size_t i = 0; i < c->n_sites; i++)
		resolve_apps(l, routes_of(l, &l->listeners[i]));
	for (size_t i = 0; i < c->n_sites; i++)
		make_site(l, &c->sites[i], &l->listeners[i]);
	c->routes = l->routes.items;
}
