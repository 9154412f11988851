/*
 * Addresses: what they mean, and that nobody else has them.
 */
#include <string.h>
#include <strings.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

void
check_addresses(struct load *l, struct app_settings *app)
{
	struct arena *memory = &l->config->memory;
	const struct setting *row = &app_table[APP_bind];
	const struct origin *origin = &app->origins[APP_bind];
	size_t n = app->bind.n;

	if (n == 0 && !l->is_routed)
		load_fault(l, origin, "bind: application %s has no address", app->name);
	app->addresses = arena_alloc(memory, (n + 1) * sizeof *app->addresses);
	if (app->addresses == NULL || !check_bind_paths(l, app)) {
		load_fault(l, origin, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text = app->bind.items[i];
		const char *reason = address_parse(&app->addresses[i], text, memory);
		if (reason != NULL)
			load_fault(l, origin, "%s: \"%s\": %s",
				load_label(l, row, origin), text, reason);
	}
}

/* Port 0 is a new one each time. */
static bool
same_address(const struct address *a, const struct address *b)
{
	return a->kind == b->kind && strcmp(a->port, b->port) == 0 &&
		strcmp(a->port, "0") != 0 &&
		(a->kind == ADDRESS_TCP ? strcasecmp(a->host, b->host)
					: strcmp(a->host, b->host)) == 0;
}

/* Whether an address of `app` before number n is the one given. */
static bool
listens_on(const struct app_settings *app, size_t n, const struct address *address)
{
	for (size_t i = 0; i < n; i++)
		if (same_address(&app->addresses[i], address))
			return true;
	return false;
}

/* An application, or what accepts for several. */
static const char *
owner(struct load *l, const struct app_settings *app)
{
	bool front = target_is_front(&app->what);

	if (front && app->name == NULL)
		return "a listener";
	return text_format(&l->config->memory, "%s %s",
		front ? "listener" : "application", app->name);
}

static void
check_other(struct load *l, const struct app_settings *app, size_t i,
	const struct app_settings *other)
{
	const struct origin *origin = &app->origins[APP_bind];

	if (listens_on(other, other->bind.n, &app->addresses[i]))
		load_fault(l, origin, "%s: %s is the address of %s and of %s",
			load_label(l, &app_table[APP_bind], origin),
			app->addresses[i].text, owner(l, other), owner(l, app));
}

void
check_unique(struct load *l, const struct app_settings *app, size_t n_apps,
	size_t n_listeners)
{
	const struct origin *origin = &app->origins[APP_bind];
	const char *name = load_label(l, &app_table[APP_bind], origin);

	for (size_t i = 0; i < app->bind.n; i++) {
		const struct address *address = &app->addresses[i];
		if (listens_on(app, i, address))
			load_fault(l, origin, "%s: %s is given twice", name,
				address->text);
		for (size_t other = 0; other < n_apps; other++)
			check_other(l, app, i, &l->config->apps[other]);
		for (size_t other = 0; other < n_listeners; other++)
			check_other(l, app, i, &l->listeners[other].app);
	}
}
