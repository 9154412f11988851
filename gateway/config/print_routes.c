/*
 * Routes and listeners, as --print-config tells them.
 */
#include "gateway/config/routes.h"

enum { INDENT_MOST = 8 };

/* Tabs of a depth. */
static const char *
tabs(unsigned depth)
{
	static const char all[] = "\t\t\t\t\t\t\t\t";

	return all + INDENT_MOST - depth;
}

/* The settings that have an effect there. */
static void
print_used(struct buffer *out, struct app_settings *app, enum setting_use use,
	unsigned depth)
{
	for (size_t row = 0; row < APP_SETTINGS; row++)
		if (setting_is_used((enum app_setting)row, use))
			print_setting(out, app_section(app, NULL), row, tabs(depth));
}

static void
print_route(struct buffer *out, const struct route *route, unsigned depth)
{
	struct section s = route_section((struct route *)route, NULL);

	for (size_t row = 0; row < ROUTE_SETTINGS; row++)
		if (route->origins[row].source != NULL)
			print_setting(out, s, row, tabs(depth));
	if (route->inner != NULL)
		print_used(out, route->inner,
			route->files != NULL ? USE_FILES : USE_FASTCGI, depth);
}

static void
print_list(struct buffer *out, const struct site *site, unsigned depth)
{
	buffer_addf(out, "%sroutes = (\n", tabs(depth));
	for (size_t i = 0; i < site->n_routes; i++) {
		buffer_addf(out, "%s{\n", tabs(depth + 1));
		print_route(out, &site->routes[i], depth + 2);
		buffer_addf(out, "%s}%s\n", tabs(depth + 1),
			i + 1 < site->n_routes ? "," : "");
	}
	buffer_addf(out, "%s);\n", tabs(depth));
}

void
print_routes(const struct config *c, struct buffer *out)
{
	for (size_t i = 0; i < c->n_sites; i++)
		if (c->sites[i].routes == c->routes) {
			print_list(out, &c->sites[i], 0);
			return;
		}
}

/* Of an application that accepts itself a listener tells the addresses alone. */
static void
print_listener(struct buffer *out, const struct config *c, const struct site *site)
{
	struct app_settings app = *site->front;

	app.bind = site->bind;
	if (site->direct) {
		print_setting(out, app_section(&app, NULL), APP_bind, tabs(2));
	} else {
		buffer_addf(out, "%sname = \"%s\";", tabs(2), site->name);
		print_origin(out, &app.origin);
		print_used(out, &app, USE_FRONT, 2);
	}
	if (site->routes != c->routes)
		print_list(out, site, 2);
}

void
print_listeners(const struct config *c, struct buffer *out)
{
	if (c->n_sites == 0)
		return;
	buffer_add_str(out, "listeners = (\n");
	for (size_t i = 0; i < c->n_sites; i++) {
		buffer_add_str(out, "\t{\n");
		print_listener(out, c, &c->sites[i]);
		buffer_addf(out, "\t}%s\n", i + 1 < c->n_sites ? "," : "");
	}
	buffer_add_str(out, ");\n");
}
