/*
 * Routes and listeners of a file, as they are said there: what they mean together with
 * other files is for sites.c.
 */
#include <string.h>

#include "gateway/config/reader.h"
#include "gateway/config/text.h"

/* ---- Lists of groups ---- */

/* The number of groups of a list; 0, and a fault, when it is none of these. */
static size_t
count_groups(struct reader *r, const config_setting_t *list)
{
	const char *name = config_setting_name(list);
	struct origin origin = reader_origin(r, list);
	size_t n = (size_t)config_setting_length(list);
	bool good = config_setting_is_list(list) && n > 0;

	for (size_t i = 0; good && i < n; i++)
		good = config_setting_is_group(
			config_setting_get_elem(list, (unsigned)i));
	if (!good)
		load_fault(r->load, &origin,
			"%s is not a list of groups: %s = ( { ... }, { ... } );", name,
			name);
	return good ? n : 0;
}

/* Items for the groups of a list, all zero; NULL, and a fault, without memory. */
static void *
make_items(struct reader *r, const config_setting_t *list, size_t n, size_t size)
{
	struct origin origin = reader_origin(r, list);
	void *items = arena_alloc(r->memory, n * size);

	if (items == NULL)
		load_fault(r->load, &origin, "out of memory");
	return items != NULL ? memset(items, 0, n * size) : NULL;
}

/* A setting that the sections do not know. */
static void
refuse(struct reader *r, const config_setting_t *s, const struct section *known,
	size_t n, const char *words, const char *place)
{
	struct origin origin = reader_origin(r, s);
	const char *name = config_setting_name(s);

	if (setting_find(server_table, SERVER_SETTINGS, name) >= 0)
		load_fault(r->load, &origin,
			"%s is of the whole server: it stands outside of %s", name,
			place);
	else
		reader_unknown(r, s, known, n, words);
}

/* ---- Routes ---- */

/* The settings of an application that a route says, if any. */
static struct app_settings *
keep_inner(struct reader *r, const struct app_settings *said)
{
	struct app_settings *inner = NULL;

	for (size_t row = 0; row < APP_SETTINGS && inner == NULL; row++)
		if (said->origins[row].source != NULL)
			inner = arena_alloc(r->memory, sizeof *inner);
	if (inner != NULL)
		*inner = *said;
	return inner;
}

static void
read_route(struct reader *r, struct route *route, const config_setting_t *group)
{
	struct app_settings inner = { 0 };
	const struct section known[] = { route_section(route, r->memory),
		app_section(&inner, r->memory) };

	route->origin = reader_origin(r, group);
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		if (!reader_known(r, s, known, 2))
			refuse(r, s, known, 2, "", "routes");
	}
	route->inner = keep_inner(r, &inner);
}

static void
read_list(struct reader *r, struct route_list *to, const config_setting_t *list)
{
	size_t n = count_groups(r, list);

	if (n == 0 || (to->items = make_items(r, list, n, sizeof *to->items)) == NULL)
		return;
	to->n = to->room = n;
	for (size_t i = 0; i < n; i++)
		read_route(
			r, &to->items[i], config_setting_get_elem(list, (unsigned)i));
}

void
read_routes(struct reader *r)
{
	read_list(r, &r->reading->routes, r->routes);
}

/* ---- Listeners ---- */

static void
read_name(struct reader *r, struct listener *listener, const config_setting_t *s)
{
	struct origin origin = reader_origin(r, s);
	const char *name = config_setting_get_string(s);

	if (name != NULL && reader_is_name(name))
		listener->name = text_format(r->memory, "%s", name);
	else
		load_fault(r->load, &origin,
			"name: not a name of letters, digits, - and _ that begins with "
			"a letter");
}

static void
read_listener(
	struct reader *r, struct listener *listener, const config_setting_t *group)
{
	const struct section known = app_section(&listener->app, r->memory);

	listener->app.origin = reader_origin(r, group);
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		if (strcmp(config_setting_name(s), "name") == 0)
			read_name(r, listener, s);
		else if (strcmp(config_setting_name(s), "routes") == 0)
			read_list(r, &listener->routes, s);
		else if (!reader_known(r, s, &known, 1))
			refuse(r, s, &known, 1, "name|routes", "listeners");
	}
}

void
read_listeners(struct reader *r)
{
	struct reading *to = r->reading;
	size_t n = count_groups(r, r->listeners);

	if (n == 0)
		return;
	to->listeners = make_items(r, r->listeners, n, sizeof *to->listeners);
	if (to->listeners == NULL)
		return;
	to->n_listeners = n;
	for (size_t i = 0; i < n; i++)
		read_listener(r, &to->listeners[i],
			config_setting_get_elem(r->listeners, (unsigned)i));
}
