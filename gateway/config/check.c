/*
 * The configuration as a whole: paths, targets, addresses.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"
#include "protocols/access_format.h"
#include "protocols/http1_guard.h"
#include "protocols/statsd.h"
#include "protocols/syslog.h"

/* How the source of a value calls the setting. */
static const char *
label(struct load *l, const struct setting *row, const struct origin *origin)
{
	bool typed = strcmp(origin->source, SOURCE_COMMAND_LINE) == 0 ||
		strcmp(origin->source, SOURCE_VARIABLE) == 0;

	if (origin->source[0] == '$')
		return origin->source;
	if (!typed || origin->line > 0)
		return row->name;
	if (row->flag == NULL)
		return "TARGET";
	return text_format(
		&l->config->memory, "--%.*s", (int)strcspn(row->flag, "|"), row->flag);
}

/* ---- Paths ---- */

const char *
load_folder(struct load *l, const struct origin *origin)
{
	struct arena *memory = &l->config->memory;
	const char *slash = origin->line > 0 ? strrchr(origin->source, '/') : NULL;

	if (slash == NULL)
		return l->cwd;
	size_t len = slash > origin->source ? (size_t)(slash - origin->source) : 1;
	const char *folder = arena_strz(memory, slice_of(origin->source, len));
	return folder != NULL ? text_absolute(folder, l->cwd, memory) : NULL;
}

/* A text with the path in it made absolute. NULL when memory is out. */
typedef const char *absolute_fn(
	const char *text, const char *folder, struct arena *memory);

/* "-" is no file but a stream. */
static const char *
absolute_path(const char *text, const char *folder, struct arena *memory)
{
	return strcmp(text, "-") == 0 ? text : text_absolute(text, folder, memory);
}

static const char *
absolute_address(const char *text, const char *folder, struct arena *memory)
{
	if (strncasecmp(text, "unix:", 5) != 0)
		return text;
	text += strncmp(text + 5, "//", 2) == 0 ? 7 : 5;
	if (*text == '\0')
		return "unix:";
	const char *path = text_absolute(text, folder, memory);
	return path != NULL ? text_format(memory, "unix:%s", path) : NULL;
}

static bool
make_absolute(absolute_fn *make, const char **items, size_t n, const char *folder,
	struct arena *memory)
{
	for (size_t i = 0; i < n; i++) {
		items[i] = make(items[i], folder, memory);
		if (items[i] == NULL)
			return false;
	}
	return true;
}

/* The values are copied first: those of a list may be another application's too. */
static bool
make_row_absolute(struct load *l, struct section s, size_t row, absolute_fn *make)
{
	struct arena *memory = &l->config->memory;
	void *member = (char *)s.settings + s.table[row].offset;
	const char *folder = load_folder(l, &s.origins[row]);
	setting_list *list = member;
	setting_str *text = member;

	if (folder == NULL)
		return false;
	if (!setting_is_list(&s.table[row]))
		return *text == NULL || make_absolute(make, text, 1, folder, memory);
	const char **items = arena_alloc(memory, (list->n + 1) * sizeof *items);
	if (items == NULL)
		return false;
	for (size_t i = 0; i < list->n; i++)
		items[i] = list->items[i];
	list->items = items;
	return make_absolute(make, items, list->n, folder, memory);
}

void
check_paths(struct load *l, struct section s)
{
	const struct origin nowhere = { 0 };

	for (size_t row = 0; row < s.n; row++) {
		enum setting_type type = s.table[row].type;
		if ((type == SETTING_PATH || type == SETTING_PATHS) &&
			!make_row_absolute(l, s, row, absolute_path))
			load_fault(l, &nowhere, "out of memory");
	}
}

/* ---- Targets ---- */

static void
check_target(struct load *l, struct app_settings *app)
{
	const struct origin *origin = &app->origins[APP_target];
	struct arena *memory = &l->config->memory;

	if (app->target == NULL) {
		if (app->origin.line > 0)
			load_fault(l, &app->origin, "application %s has no target",
				app->name);
		else
			load_fault(l, &app->origin,
				"%s: neither target nor applications",
				app->origin.source);
		return;
	}
	const char *folder = load_folder(l, origin);
	const char *reason = folder == NULL
		? "out of memory"
		: target_parse(&app->what, app->target, folder, memory);
	if (reason != NULL)
		load_fault(l, origin, "%s: \"%s\": %s",
			label(l, &app_table[APP_target], origin), app->target, reason);
	else
		app->target = app->what.text;
}

/* ---- Names ---- */

/* libconfig sees to the names within one file. */
static void
check_name(struct load *l, const struct app_settings *app)
{
	for (const struct app_settings *other = l->config->apps; other < app; other++)
		if (strcmp(other->name, app->name) == 0)
			load_fault(l, &app->origin, "application %s is in %s already",
				app->name, other->origin.source);
}

/* ---- Addresses ---- */

static void
check_addresses(struct load *l, struct app_settings *app)
{
	struct arena *memory = &l->config->memory;
	const struct setting *row = &app_table[APP_bind];
	const struct origin *origin = &app->origins[APP_bind];
	size_t n = app->bind.n;

	if (n == 0 && !l->is_routed)
		load_fault(l, origin, "bind: application %s has no address", app->name);
	app->addresses = arena_alloc(memory, (n + 1) * sizeof *app->addresses);
	if (app->addresses == NULL ||
		!make_row_absolute(
			l, app_section(app, memory), APP_bind, absolute_address)) {
		load_fault(l, origin, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text = app->bind.items[i];
		const char *reason = address_parse(&app->addresses[i], text, memory);
		if (reason != NULL)
			load_fault(l, origin, "%s: \"%s\": %s", label(l, row, origin),
				text, reason);
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
			label(l, &app_table[APP_bind], origin), app->addresses[i].text,
			owner(l, other), owner(l, app));
}

/* Against those that come before: the listeners of a file do after its applications. */
static void
check_unique(struct load *l, const struct app_settings *app, size_t n_apps,
	size_t n_listeners)
{
	const struct origin *origin = &app->origins[APP_bind];
	const char *name = label(l, &app_table[APP_bind], origin);

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

/* ---- Numbers of processes ---- */

static void
check_workers(struct load *l, const struct app_settings *app)
{
	const struct origin *min = &app->origins[APP_workers_min];
	const struct origin *max = &app->origins[APP_workers_max];

	if (app->workers_min > app->workers)
		load_fault(l, min, "%s: %" PRId64 " is more than workers, %" PRId64,
			label(l, &app_table[APP_workers_min], min), app->workers_min,
			app->workers);
	if (app->workers_max != 0 && app->workers_max < app->workers)
		load_fault(l, max, "%s: %" PRId64 " is less than workers, %" PRId64,
			label(l, &app_table[APP_workers_max], max), app->workers_max,
			app->workers);
}

/* ---- Kinds of workers ---- */

/* NULL, or what is wrong; the path of a shared object is made absolute. */
static const char *
find_worker_class(struct load *l, struct app_settings *app)
{
	static const char *const words[] = { "sync", "gthread", "iterating" };
	struct arena *memory = &l->config->memory;
	const char *given = app->worker_class;
	size_t len = strlen(given);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(given, words[i]) == 0)
			return NULL;
	if (len <= 3 || strcmp(given + len - 3, ".so") != 0)
		return "not sync, gthread, iterating or FILE.so; no client is waited "
		       "for here, and threads = N runs more requests at once";
	if (app->preload_app)
		return "preload_app is not for workers of a kind of one's own";
	app->worker_class = text_absolute(
		given, load_folder(l, &app->origins[APP_worker_class]), memory);
	if (app->worker_class == NULL)
		return "out of memory";
	return access(app->worker_class, R_OK) == 0 ? NULL : strerror(errno);
}

/* ---- Logs ---- */

/* `reason` is what is wrong with a text; NULL: nothing. */
static void
check_text(struct load *l, struct section s, size_t row, const char *reason)
{
	const struct setting *setting = &s.table[row];
	const setting_str *text =
		(const void *)((const char *)s.settings + setting->offset);

	if (reason != NULL)
		load_fault(l, &s.origins[row], "%s: \"%s\": %s",
			label(l, setting, &s.origins[row]), *text, reason);
}

/* RFC 9110 section 5.1. */
static const char *
check_field_name(const char *name)
{
	bool good = *name != '\0' && http1_token(slice_str(name)) == strlen(name);

	return good ? NULL : "not the name of a header field, nor none";
}

void
check_server(struct load *l, struct server_settings *server)
{
	struct syslog_address address;

	if (server->syslog_addr != NULL)
		check_text(l, server_section(server, NULL), SERVER_syslog_addr,
			syslog_parse(&address, server->syslog_addr));
	check_hooks(l, server);
	check_control(l, server);
}

/* ---- Folders ---- */

/* A folder that is gone is told with its line, not by each process that needs it. */
static void
check_folders(struct load *l, const struct app_settings *app)
{
	static const enum app_setting rows[] = { APP_chdir, APP_root, APP_venv };
	struct stat st;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct setting *row = &app_table[rows[i]];
		const struct origin *origin = &app->origins[rows[i]];
		const setting_str *path =
			(const void *)((const char *)app + row->offset);
		if (*path == NULL)
			continue;
		bool found = stat(*path, &st) == 0;
		if (!found || !S_ISDIR(st.st_mode))
			load_fault(l, origin, "%s: %s: %s", label(l, row, origin),
				*path, found ? "not a folder" : strerror(errno));
	}
}

/* ---- All of it ---- */

/* What applications and fronts have in common. */
static void
check_pool(struct load *l, struct app_settings *app)
{
	struct section section = app_section(app, &l->config->memory);
	struct statsd_address statsd;

	check_text(l, section, APP_access_log_format,
		access_format_check(app->access_log_format));
	if (app->statsd_host != NULL)
		check_text(l, section, APP_statsd_host,
			statsd_parse(&statsd, app->statsd_host));
	check_text(l, section, APP_request_id_header,
		check_field_name(app->request_id_header));
	check_addresses(l, app);
	check_identity(l, app);
	check_workers(l, app);
}

void
check_apps(struct load *l, size_t first)
{
	struct config *c = l->config;
	unsigned faults = l->faults;

	for (size_t i = first; i < c->n_apps; i++) {
		struct app_settings *app = &c->apps[i];
		struct section section = app_section(app, &c->memory);
		check_paths(l, section);
		check_folders(l, app);
		check_text(l, section, APP_worker_class, find_worker_class(l, app));
		check_target(l, app);
		check_pool(l, app);
	}
	if (l->faults > faults)
		return;
	for (size_t i = first; i < c->n_apps; i++) {
		check_name(l, &c->apps[i]);
		check_unique(l, &c->apps[i], i, l->n_listeners);
	}
}

void
check_listener(struct load *l, struct app_settings *app)
{
	const struct origin *origin = &app->origins[APP_protocol];
	unsigned faults = l->faults;

	if (app->bind.n == 0)
		load_fault(
			l, &app->origins[APP_bind], "bind: a listener has no address");
	check_paths(l, app_section(app, &l->config->memory));
	check_pool(l, app);
	if (strcmp(app->protocol, "http") != 0)
		load_fault(l, origin, "%s: a listener with routes speaks http, not %s",
			label(l, &app_table[APP_protocol], origin), app->protocol);
	if (l->faults == faults)
		check_unique(l, app, l->config->n_apps, l->n_listeners - 1);
}

void
check_inner(struct load *l, struct route *route)
{
	struct app_settings *inner = route->inner;
	struct arena *memory = &l->config->memory;
	bool files = route->files != NULL;
	enum route_setting row = files ? ROUTE_files : ROUTE_fastcgi;
	const struct origin *origin = &route->origins[row];
	const char *given = files ? route->files : route->fastcgi;
	const char *prefix = files		  ? "files:"
		: strncmp(given, "unix:", 5) == 0 ? "fcgi:"
						  : "fcgi://";
	const char *folder = load_folder(l, origin);

	check_paths(l, app_section(inner, memory));
	check_folders(l, inner);
	const char *reason = folder == NULL
		? "out of memory"
		: target_parse(&inner->what, text_format(memory, "%s%s", prefix, given),
			  folder, memory);
	inner->target = inner->what.text;
	inner->origins[APP_target] = *origin;
	if (reason != NULL)
		load_fault(l, origin, "%s: \"%s\": %s", route_table[row].name, given,
			reason);
	else if (!files) /* with its paths made absolute */
		route->fastcgi = inner->what.text + strlen(prefix);
}
