/*
 * Applications and fronts: what their settings mean together.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"
#include "protocols/access_format.h"
#include "protocols/http1_guard.h"
#include "protocols/statsd.h"
#include "protocols/syslog.h"

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
			load_label(l, &app_table[APP_target], origin), app->target,
			reason);
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

/* ---- Numbers of processes ---- */

static void
check_workers(struct load *l, const struct app_settings *app)
{
	const struct origin *min = &app->origins[APP_workers_min];
	const struct origin *max = &app->origins[APP_workers_max];

	if (app->workers_min > app->workers)
		load_fault(l, min, "%s: %" PRId64 " is more than workers, %" PRId64,
			load_label(l, &app_table[APP_workers_min], min),
			app->workers_min, app->workers);
	if (app->workers_max != 0 && app->workers_max < app->workers)
		load_fault(l, max, "%s: %" PRId64 " is less than workers, %" PRId64,
			load_label(l, &app_table[APP_workers_max], max),
			app->workers_max, app->workers);
}

/* ---- Protocols ---- */

static void
check_protocol(struct load *l, const struct app_settings *app)
{
	const struct origin *origin = &app->origins[APP_proxy_protocol];

	if (strcmp(app->protocol, "fastcgi") == 0 &&
		strcmp(app->proxy_protocol, "off") != 0)
		load_fault(l, origin,
			"%s: \"%s\" has no effect with protocol = \"fastcgi\", by "
			"which "
			"a web server says itself whom it speaks for",
			load_label(l, &app_table[APP_proxy_protocol], origin),
			app->proxy_protocol);
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
			load_label(l, setting, &s.origins[row]), *text, reason);
}

/* RFC 9110 section 5.1. */
static const char *
check_field_name(const char *name)
{
	bool good = *name != '\0' && http1_token(slice_str(name)) == strlen(name);

	return good ? NULL : "not the name of a header field, nor none";
}

static bool
is_said(const struct origin *origin)
{
	return origin->source != NULL && strcmp(origin->source, "default") != 0;
}

void
check_server(struct load *l, struct server_settings *server)
{
	struct section section = server_section(server, NULL);
	struct syslog_address address;
	struct identity logger;

	if (server->syslog_addr != NULL)
		check_text(l, section, SERVER_syslog_addr,
			syslog_parse(&address, server->syslog_addr));
	/* Where nothing was said the system need not have that user. */
	if (is_said(&server->origins[SERVER_log_user]))
		check_text(l, section, SERVER_log_user,
			identity_set_user(&logger, server->log_user));
	check_hooks(l, server);
	check_control(l, server);
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
	check_protocol(l, app);
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
			load_label(l, &app_table[APP_protocol], origin), app->protocol);
	if (l->faults == faults)
		check_unique(l, app, l->config->n_apps, l->n_listeners - 1);
}
