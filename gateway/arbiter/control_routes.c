#include "gateway/arbiter/control_routes.h"

#include "gateway/arbiter/listener.h"
#include "gateway/status/render.h"

/* The first row of route_table that is no criterion. */
enum { FIRST_OUTCOME = ROUTE_app };

/* ---- One route ---- */

static bool
is_said(const struct route *r, size_t row)
{
	return r->origins[row].source != NULL;
}

/* Value i of a setting of the route, with its NUL; false: there is none. */
static bool
take_value(const struct route *r, size_t row, size_t i, struct buffer *value)
{
	buffer_reset(value);
	if (!setting_text(&route_table[row], r, i, value))
		return false;
	buffer_add_char(value, '\0');
	return !value->failed;
}

static void
add_setting_text(struct buffer *out, const struct route *r, size_t row)
{
	struct buffer value = { 0 };

	buffer_addf(out, " %s", route_table[row].name);
	for (size_t i = 0; take_value(r, row, i, &value); i++)
		buffer_addf(out, "%s%s", i == 0 ? " " : ", ", value.ptr);
	buffer_release(&value);
}

/* "host example.org -> app blog (php:/srv/blog)" */
static void
add_route_text(struct buffer *out, const struct route *r)
{
	size_t begin = out->len;

	buffer_add_str(out, "   ");
	for (size_t row = 0; row < FIRST_OUTCOME; row++) {
		if (is_said(r, row))
			add_setting_text(out, r, row);
	}
	if (out->len == begin + 3)
		buffer_add_str(out, " *");
	buffer_add_str(out, " ->");
	for (size_t row = FIRST_OUTCOME; row < ROUTE_SETTINGS; row++) {
		if (is_said(r, row))
			add_setting_text(out, r, row);
	}
	if (r->to != NULL)
		buffer_addf(out, " (%s)", r->to->what.text);
	buffer_add_char(out, '\n');
}

static void
add_setting_json(struct buffer *out, const struct route *r, size_t row)
{
	struct buffer value = { 0 };
	bool is_list = setting_is_list(&route_table[row]);

	buffer_addf(out, "\"%s\": %s", route_table[row].name, is_list ? "[" : "");
	for (size_t i = 0; take_value(r, row, i, &value); i++) {
		buffer_add_str(out, i > 0 ? ", " : "");
		json_string(out, value.ptr);
	}
	buffer_add_str(out, is_list ? "]" : "");
	buffer_release(&value);
}

static void
add_route_json(struct buffer *out, const struct route *r)
{
	bool is_first = true;

	buffer_add_char(out, '{');
	for (size_t row = 0; row < ROUTE_SETTINGS; row++) {
		if (!is_said(r, row))
			continue;
		buffer_add_str(out, is_first ? "" : ", ");
		is_first = false;
		add_setting_json(out, r, row);
	}
	if (r->to != NULL) {
		buffer_add_str(out, ", \"target\": ");
		json_string(out, r->to->what.text);
	}
	buffer_add_char(out, '}');
}

/* ---- Addresses, and what they lead to ---- */

/* What an application without routes does with all that it gets. */
static struct route
only_route(const struct app_settings *app)
{
	struct route r = { .app = app->name, .to = app };

	r.origins[ROUTE_app] = app->origin;
	r.origins[ROUTE_app].source = app->name;
	return r;
}

struct place {
	const struct pool *pool; /* whose workers accept there */
	struct route only;
	const struct route *routes;
	size_t n_routes;
};

static struct place
place_of(const struct pool *pool)
{
	const struct site *site = pool->app->site;

	if (site != NULL)
		return (struct place){
			.pool = pool, .routes = site->routes, .n_routes = site->n_routes
		};
	return (struct place){
		.pool = pool, .only = only_route(pool->app), .n_routes = 1
	};
}

static const struct route *
route_of(const struct place *p, size_t i)
{
	return p->routes != NULL ? &p->routes[i] : &p->only;
}

static void
add_place_text(struct buffer *out, const struct place *p)
{
	for (size_t i = 0; i < p->pool->heritage.n_listeners; i++)
		buffer_addf(out, "%s%s", i > 0 ? ", " : "",
			listener_text(p->pool->heritage.listeners[i]));
	buffer_add_char(out, '\n');
	for (size_t i = 0; i < p->n_routes; i++)
		add_route_text(out, route_of(p, i));
}

static void
add_place_json(struct buffer *out, const struct place *p)
{
	buffer_add_str(out, "{\"addresses\": [");
	for (size_t i = 0; i < p->pool->heritage.n_listeners; i++) {
		buffer_add_str(out, i > 0 ? ", " : "");
		json_string(out, listener_text(p->pool->heritage.listeners[i]));
	}
	buffer_add_str(out, "], \"routes\": [");
	for (size_t i = 0; i < p->n_routes; i++) {
		buffer_add_str(out, i > 0 ? ", " : "");
		add_route_json(out, route_of(p, i));
	}
	buffer_add_str(out, "]}");
}

/* Workers that a prototype forks have the same addresses as that. */
static bool
is_place(const struct pool *pool)
{
	return pool->prototypes == NULL && pool->heritage.n_listeners > 0;
}

enum control_outcome
control_run_routes(struct control_call *call)
{
	const struct generation *g = call->a->reload.current;
	struct buffer *out = call->text;
	bool json = call->peer->json, is_first = true;

	if (json)
		buffer_add_char(out, '[');
	for (size_t i = 0; i < g->n_pools; i++) {
		if (!is_place(&g->pools[i]))
			continue;
		struct place place = place_of(&g->pools[i]);
		if (json)
			buffer_add_str(out, is_first ? "" : ",\n ");
		is_first = false;
		(json ? add_place_json : add_place_text)(out, &place);
	}
	if (json)
		buffer_add_str(out, "]\n");
	return CONTROL_DONE;
}
