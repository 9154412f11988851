/*
 * The table of sinks, from all that is said about logs.
 */
#include <string.h>

#include "gateway/config/log_read.h"
#include "gateway/config/sources.h"

static const struct origin nowhere = { 0 };

/* ---- The rows of logs ---- */

/* Those of a file of its own, which log_config names. */
static void
read_own_file(struct load *l, struct log_source *source)
{
	const char *path = l->config->server.log_config;
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	*source = (struct log_source){
		.load = l,
		.memory = &l->config->memory,
		.path = path,
	};
	if (slash == NULL)
		return;
	size_t len = slash > path ? (size_t)(slash - path) : 1;
	source->folder = arena_strz(source->memory, slice_of(path, len));
	logs_read_file(source);
}

static bool
is_app(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_apps; i++)
		if (strcmp(c->apps[i].name, name) == 0)
			return true;
	return false;
}

/* In a folder of files the application may be one whose file is broken just now. */
static void
check_names(struct load *l, const struct log_sink *sink)
{
	for (size_t i = 0; i < sink->apps.n; i++)
		if (l->config->n_broken == 0 && !is_app(l->config, sink->apps.items[i]))
			load_fault(l, &sink->origin, "logs: there is no application %s",
				sink->apps.items[i]);
}

/* What a row leaves open is as in the settings of the server. */
static void
complete(struct load *l, struct log_sink *sink)
{
	const struct server_settings *s = &l->config->server;

	if (sink->level == NULL)
		sink->level = s->loglevel;
	if (sink->facility == NULL)
		sink->facility = s->syslog_facility;
	if (sink->tag == NULL)
		sink->tag = s->syslog_prefix != NULL ? s->syslog_prefix : s->proc_name;
}

/* ---- The rows of the settings ---- */

static struct log_sink
sink_of_path(const char *path, enum sink_kind stream, unsigned takes)
{
	bool is_stream = strcmp(path, "-") == 0;

	return (struct log_sink){
		.kind = is_stream ? stream : SINK_FILE,
		.to = is_stream ? NULL : path,
		.takes = takes,
		.filter.sample = SAMPLE_ALL,
	};
}

static struct log_sink
sink_of_syslog(const struct server_settings *s)
{
	return (struct log_sink){
		.kind = SINK_SYSLOG,
		.to = s->syslog_addr,
		.takes = s->disable_redirect_access_to_syslog ? SINK_LOG
							      : SINK_LOG | SINK_ACCESS,
		.filter.sample = SAMPLE_ALL,
		.origin = s->origins[SERVER_syslog],
	};
}

static struct log_sink
sink_of_app(const struct app_settings *app)
{
	struct log_sink sink = sink_of_path(app->accesslog, SINK_STDOUT, SINK_ACCESS);

	sink.apps = (struct text_list){ &app->name, 1 };
	sink.origin = app->origins[APP_accesslog];
	return sink;
}

/* ---- All of them ---- */

struct table {
	struct log_sink *rows;
	size_t n;
};

static void
add(struct table *t, struct log_sink sink)
{
	t->rows[t->n++] = sink;
}

static void
add_all(struct load *l, struct table *t, const struct log_sink *sinks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_names(l, &sinks[i]);
		add(t, sinks[i]);
	}
}

/* Where logs say where the server's log goes, it need not go to stderr as well. */
static bool
is_replaced(const struct server_settings *s, const struct table *t)
{
	if (strcmp(s->origins[SERVER_errorlog].source, "default") != 0)
		return false;
	for (size_t i = 0; i < t->n; i++)
		if ((t->rows[i].takes & SINK_LOG) != 0 && t->rows[i].apps.n == 0)
			return true;
	return false;
}

static void
add_errorlog(const struct server_settings *s, struct table *t)
{
	struct log_sink sink = sink_of_path(s->errorlog, SINK_STDERR, SINK_LOG);

	sink.origin = s->origins[SERVER_errorlog];
	if (!is_replaced(s, t))
		add(t, sink);
}

/* Rows at the most: those of the settings are the log's and syslog's, and one of each
 * application. */
static size_t
count(const struct config *c, const struct log_source *own)
{
	size_t n = own->n + 2 + c->n_apps;

	for (size_t i = 0; i < c->n_files; i++)
		n += c->files[i]->n_sinks;
	return n;
}

void
check_logs(struct load *l)
{
	struct config *c = l->config;
	struct log_source own;
	struct table t = { 0 };

	read_own_file(l, &own);
	t.rows = arena_alloc(&c->memory, count(c, &own) * sizeof *t.rows);
	if (t.rows == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return;
	}
	for (size_t i = 0; i < c->n_files; i++)
		add_all(l, &t, c->files[i]->sinks, c->files[i]->n_sinks);
	add_all(l, &t, own.sinks, own.n);
	add_errorlog(&c->server, &t);
	if (c->server.syslog)
		add(&t, sink_of_syslog(&c->server));
	for (size_t i = 0; i < c->n_apps; i++)
		if (c->apps[i].accesslog != NULL)
			add(&t, sink_of_app(&c->apps[i]));
	for (size_t i = 0; i < t.n; i++)
		complete(l, &t.rows[i]);
	c->server.sinks = t.rows;
	c->server.n_sinks = t.n;
}
