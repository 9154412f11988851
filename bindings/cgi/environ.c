/*
 * The environment of a program, made from nothing: the variables of the request (RFC
 * 3875 section 4.1), then what was configured. No name comes twice, as programs differ
 * in which one they take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/cgi/cgi.h"

enum { OWN_VARS = 12 };

struct own {
	const char *name;
	const char *value; /* NULL keeps the request's variable out, too */
};

/* What programs are not told. */
static const char *const dropped[] = {
	/* An option of many programs; no field is called so, but a rule is a rule. */
	"HTTP_PROXY",
	/* Of the connection, which is not theirs. */
	"HTTP_CONNECTION",
	"HTTP_UPGRADE",
	/* Passwords that are for a proxy. */
	"HTTP_PROXY_AUTHORIZATION",
	/* By these a proxy that sends files tells an application where they are. We are
	 * none, so they come from a client that pretends to be one. */
	"HTTP_X_SENDFILE",
	"HTTP_X_SENDFILE_TYPE",
	"HTTP_X_ACCEL_MAPPING",
	/* The same as REQUEST_URI. */
	"RAW_URI",
};

/* ---- Settings ---- */

static bool
has(const struct setting *settings, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (settings[i].name_len == len &&
			memcmp(settings[i].line, name, len) == 0)
			return true;
	return false;
}

static size_t
count(const char *option)
{
	size_t n = 0;

	while (al_option(option, n) != NULL)
		n++;
	return n;
}

/* The lines of a setting, behind those that are there already. */
static const char *
load_lines(struct setting *to, size_t *n, const char *option)
{
	const char *line;

	for (size_t i = 0; (line = al_option(option, i)) != NULL; i++) {
		size_t len = strcspn(line, "=");
		if (len == 0 || line[len] == '\0')
			return "params and raw_env: not of the form NAME=VALUE";
		if (has(to, *n, line, len))
			return "params and raw_env: the same name twice";
		to[(*n)++] = (struct setting){ .line = line, .name_len = len };
	}
	return NULL;
}

/* Programs look for others along PATH, and shells make one up when there is none. */
static const char *
add_path(struct cgi *app)
{
	static const char name[] = "PATH";
	const char *path = getenv(name);
	struct setting *to = &app->added[app->n_added];

	if (has(app->added, app->n_added, name, strlen(name)))
		return NULL;
	if (path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	size_t room = sizeof(name) + strlen(path) + 1;
	char *line = arena_bytes(&app->memory, room);
	if (line == NULL)
		return "out of memory";
	snprintf(line, room, "%s=%s", name, path);
	*to = (struct setting){ .line = line, .name_len = strlen(name) };
	app->n_added++;
	return NULL;
}

const char *
environ_load(struct cgi *app)
{
	size_t size = sizeof(struct setting);

	app->params = arena_alloc(&app->memory, (count("params") + 1) * size);
	app->added = arena_alloc(&app->memory, (count("raw_env") + 1) * size);
	if (app->params == NULL || app->added == NULL)
		return "out of memory";
	const char *error = load_lines(app->params, &app->n_params, "params");
	if (error == NULL)
		error = load_lines(app->added, &app->n_added, "raw_env");
	return error == NULL ? add_path(app) : error;
}

/* ---- Requests ---- */

struct maker {
	char **lines;
	size_t n;
	struct arena *memory;
	bool failed; /* memory is out */
};

static void
add(struct maker *m, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	char *line = arena_bytes(m->memory, name_len + 1 + value_len + 1);

	if (line == NULL) {
		m->failed = true;
		return;
	}
	m->lines[m->n++] = line;
	line = mempcpy(line, name, name_len);
	*line++ = '=';
	memcpy(line, value, value_len + 1);
}

/* "/srv/www" and "/a/b": the file that PATH_INFO would be as a path of its own. */
static const char *
translate(const char *root, const char *path_info, struct arena *memory)
{
	size_t len = strlen(root);

	if (path_info == NULL)
		return NULL;
	if (root[len - 1] == '/')
		len--;
	size_t room = len + strlen(path_info) + 1;
	char *path = arena_bytes(memory, room);
	if (path != NULL)
		snprintf(path, room, "%.*s%s", (int)len, root, path_info);
	return path;
}

/* What depends on the program, and what a local redirect changes: it is a GET of its
 * own without a body. */
static size_t
make_own(struct own own[OWN_VARS], const struct cgi *app, struct al_request *req,
	const struct ask *ask, const struct script *s, struct arena *memory)
{
	const char *method = al_env(req, "REQUEST_METHOD");
	bool is_head = method != NULL && strcmp(method, "HEAD") == 0;
	size_t n = 0;

	own[n++] = (struct own){ "SCRIPT_NAME", s->name };
	own[n++] = (struct own){ "PATH_INFO", s->path_info };
	own[n++] = (struct own){ "PATH_TRANSLATED",
		translate(app->root, s->path_info, memory) };
	own[n++] = (struct own){ "SCRIPT_FILENAME", s->file };
	own[n++] = (struct own){ "DOCUMENT_ROOT", app->root };
	/* RFC 3875 section 4.1.9: the address stands in for a name that is not known.
	 */
	own[n++] = (struct own){ "REMOTE_HOST", al_env(req, "REMOTE_ADDR") };
	if (!app->authorization)
		own[n++] = (struct own){ "HTTP_AUTHORIZATION", NULL };
	if (!ask->redirected)
		return n;
	own[n++] = (struct own){ "REQUEST_METHOD", is_head ? "HEAD" : "GET" };
	own[n++] = (struct own){ "REQUEST_URI", ask->uri };
	own[n++] = (struct own){ "QUERY_STRING", ask->query };
	own[n++] = (struct own){ "CONTENT_LENGTH", NULL };
	own[n++] = (struct own){ "CONTENT_TYPE", NULL };
	return n;
}

static bool
is_own(const struct own *own, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(own[i].name, name) == 0)
			return true;
	return false;
}

static bool
is_dropped(const char *name)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (strcmp(dropped[i], name) == 0)
			return true;
	return false;
}

/* Those of the request come first, so what is added is checked against them. */
static void
add_settings(struct maker *m, const struct cgi *app)
{
	size_t n_request = m->n;

	for (size_t i = 0; i < app->n_params; i++)
		m->lines[m->n++] = (char *)app->params[i].line;
	for (size_t i = 0; i < app->n_added; i++) {
		const struct setting *s = &app->added[i];
		bool taken = has(app->params, app->n_params, s->line, s->name_len);
		for (size_t k = 0; k < n_request && !taken; k++)
			taken = strncmp(m->lines[k], s->line, s->name_len + 1) == 0;
		if (!taken)
			m->lines[m->n++] = (char *)s->line;
	}
}

char **
environ_make(const struct cgi *app, struct al_request *req, const struct ask *ask,
	const struct script *script, struct arena *memory)
{
	struct maker m = { .memory = memory };
	struct own own[OWN_VARS];
	size_t n_vars;
	const struct al_var *vars = al_env_all(req, &n_vars);
	size_t n_own = make_own(own, app, req, ask, script, memory);
	size_t room = n_vars + n_own + app->n_params + app->n_added + 1;

	m.lines = arena_alloc(memory, room * sizeof(*m.lines));
	if (m.lines == NULL || n_vars == 0)
		return NULL;
	for (size_t i = 0; i < n_own; i++)
		if (own[i].value != NULL &&
			!has(app->params, app->n_params, own[i].name,
				strlen(own[i].name)))
			add(&m, own[i].name, own[i].value);
	for (size_t i = 0; i < n_vars; i++)
		if (!is_own(own, n_own, vars[i].name) && !is_dropped(vars[i].name) &&
			!has(app->params, app->n_params, vars[i].name,
				vars[i].name_len))
			add(&m, vars[i].name, vars[i].value);
	add_settings(&m, app);
	m.lines[m.n] = NULL;
	return m.failed ? NULL : m.lines;
}
