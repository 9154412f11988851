/*
 * What a file says of routes and listeners, laid over what they inherit, and checked as
 * far as one of them alone tells.
 */
#include <string.h>
#include <unistd.h>

#include "gateway/config/routes.h"
#include "gateway/config/text.h"

enum { MOST_FRONTS = 8 };

/* Lays over what has an effect in that place. */
static void
inherit(struct app_settings *to, const struct app_settings *from, enum setting_use use)
{
	for (size_t row = 0; row < APP_SETTINGS; row++)
		if (from->origins[row].source != NULL &&
			setting_is_inherited((enum app_setting)row, use)) {
			setting_copy(&app_table[row], to, from);
			to->origins[row] = from->origins[row];
		}
}

/* Faults for what has no effect in that place. */
static void
check_uses(struct load *l, const struct app_settings *said, enum setting_use use)
{
	static const char *const places[] = {
		[USE_FRONT] = "a listener: it is of applications",
		[USE_FILES] = "a route with files",
		[USE_FASTCGI] = "a route with fastcgi",
	};

	for (size_t row = 0; row < APP_SETTINGS; row++)
		if (said->origins[row].source != NULL &&
			!setting_is_used((enum app_setting)row, use))
			load_fault(l, &said->origins[row], "%s has no effect in %s",
				app_table[row].name, places[use]);
}

/* ---- Routes ---- */

/* What stands before it in a target. */
static const char *
prefix_of(const struct route *route)
{
	if (route->files != NULL)
		return "files:";
	return strncmp(route->fastcgi, "unix:", 5) == 0 ? "fcgi:" : "fcgi://";
}

/* What `files` or `fastcgi` names is what a target would. */
static void
set_target(struct load *l, struct route *route)
{
	struct app_settings *inner = route->inner;
	struct arena *memory = &l->config->memory;
	enum route_setting row = route->files != NULL ? ROUTE_files : ROUTE_fastcgi;
	const char *given = row == ROUTE_files ? route->files : route->fastcgi;
	const char *prefix = prefix_of(route);
	const struct origin *origin = &route->origins[row];
	const char *folder = load_folder(l, origin), *reason = "out of memory";

	if (folder != NULL)
		reason = target_parse(&inner->what,
			text_format(memory, "%s%s", prefix, given), folder, memory);
	inner->target = inner->what.text;
	inner->origins[APP_target] = *origin;
	if (reason != NULL)
		load_fault(l, origin, "%s: \"%s\": %s", route_table[row].name, given,
			reason);
	else if (row == ROUTE_fastcgi) /* with its paths made absolute */
		route->fastcgi = inner->what.text + strlen(prefix);
}

static void
make_inner(struct load *l, struct route *route, size_t number,
	const struct app_settings *top, const struct app_settings *said)
{
	struct arena *memory = &l->config->memory;
	bool files = route->files != NULL;
	enum setting_use use = files ? USE_FILES : USE_FASTCGI;
	struct app_settings *inner = arena_alloc(memory, sizeof *inner);

	route->inner = inner;
	if (inner == NULL) {
		load_fault(l, &route->origin, "out of memory");
		return;
	}
	*inner = l->defaults;
	inner->name = text_format(memory, "route %zu", number);
	inner->origin = route->origin;
	setting_clear(&app_table[APP_bind], inner);
	inherit(inner, top, use);
	if (said != NULL) {
		check_uses(l, said, use);
		inherit(inner, said, use);
	}
	inherit(inner, &l->options.app, use);
	check_paths(l, app_section(inner, memory));
	check_folders(l, inner);
	set_target(l, route);
}

/* Who sends no files and asks no program needs no settings of these. */
static void
refuse_inner(struct load *l, const struct app_settings *said)
{
	for (size_t row = 0; row < APP_SETTINGS; row++)
		if (said->origins[row].source != NULL)
			load_fault(l, &said->origins[row],
				"%s has no effect in a route without files or fastcgi",
				app_table[row].name);
}

static void
load_route(struct load *l, struct route_list *to, const struct route *said,
	const struct app_settings *top)
{
	struct arena *memory = &l->config->memory;
	struct route *items =
		load_grow(l, to->items, to->n, &to->room, sizeof *to->items);

	if (items == NULL)
		return;
	to->items = items;
	struct route *route = &items[to->n++];
	*route = *said;
	route->inner = NULL;
	check_paths(l, route_section(route, memory));
	check_route(l, route);
	if (route->files != NULL || route->fastcgi != NULL)
		make_inner(l, route, to->n, top, said->inner);
	else if (said->inner != NULL)
		refuse_inner(l, said->inner);
}

static void
load_list(struct load *l, struct route_list *to, const struct route_list *said,
	const struct app_settings *top)
{
	for (size_t i = 0; i < said->n; i++) {
		size_t n = to->n;
		load_route(l, to, &said->items[i], top);
		if (n > 0 && to->n > n)
			check_reach(l, &to->items[n], &to->items[n - 1]);
	}
}

/* ---- Listeners ---- */

/* One for each processor: a front waits for nobody. */
static int64_t
default_fronts(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MOST_FRONTS ? MOST_FRONTS : n;
}

static bool
says_more(const struct listener *said)
{
	bool more = said->name != NULL;

	for (size_t row = 0; row < APP_SETTINGS; row++)
		more |= said->app.origins[row].source != NULL && row != APP_bind;
	return more;
}

void
load_listener(
	struct load *l, const struct listener *said, const struct app_settings *top)
{
	struct listener *items = load_grow(l, l->listeners, l->n_listeners,
		&l->listeners_room, sizeof *l->listeners);

	if (items == NULL)
		return;
	l->listeners = items;
	struct listener *listener = &items[l->n_listeners++];
	struct app_settings *app = &listener->app;
	*listener = (struct listener){
		.name = said->name, .app = l->defaults, .says_more = says_more(said)
	};
	app->name = said->name;
	app->origin = said->app.origin;
	target_front(&app->what);
	app->target = app->what.text;
	app->workers = default_fronts();
	app->origins[APP_workers] = (struct origin){ "default", 0 };
	inherit(app, top, USE_FRONT);
	check_uses(l, &said->app, USE_FRONT);
	lay_over(app_section(app, NULL),
		app_section((struct app_settings *)&said->app, NULL));
	inherit(app, &l->options.app, USE_FRONT);
	load_list(l, &listener->routes, &said->routes, top);
	check_listener(l, app);
}

/* ---- A file ---- */

bool
top_is_app(const struct load *l, const struct reading *r)
{
	bool has_target = r->top.target != NULL || l->options.app.target != NULL;

	return r->top_is_app && (has_target || !l->is_routed);
}

static void
load_listeners(struct load *l, const struct reading *r)
{
	static const struct app_settings nothing = { 0 };
	const struct app_settings *top = top_is_app(l, r) ? &nothing : &r->top;
	const struct origin *bind = &top->origins[APP_bind];

	if (r->n_listeners > 0 && bind->source != NULL)
		load_fault(l, bind,
			"bind has no effect beside listeners: each has one of its own");
	for (size_t i = 0; i < r->n_listeners; i++) {
		const struct listener *said = &r->listeners[i];
		if (said->app.origins[APP_bind].source == NULL)
			load_fault(l, &said->app.origin, "a listener has no bind");
		load_listener(l, said, top);
	}
}

/* The one listener of files that say none has one address. */
static void
check_top(struct load *l, const struct app_settings *top)
{
	const struct setting *row = &app_table[APP_bind];
	const struct origin *said = &top->origins[APP_bind];
	const struct origin *other = &l->top.origins[APP_bind];

	if (said->source != NULL && other->source != NULL &&
		!setting_same(row, top, &l->top))
		load_fault(l, said, "bind is another value in %s:%u", other->source,
			other->line);
}

void
load_routes(struct load *l, const struct reading *r)
{
	load_listeners(l, r);
	load_list(l, &l->routes, &r->routes, &r->top);
	if (!top_is_app(l, r))
		check_top(l, &r->top);
}

void
load_top(struct load *l, const struct reading *r)
{
	struct app_settings top = r->top;

	if (top_is_app(l, r))
		return;
	lay_over(app_section(&top, NULL), app_section(&l->top, NULL));
	l->top = top;
}
