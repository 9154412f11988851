/*
 * The parameters of a request: the gateway's environ, what FastCGI adds to it, and the
 * setting params. In this order each replaces those before it; no name is sent twice,
 * as some responders take the first and some the last.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/fastcgi/app.h"
#include "protocols/fastcgi.h"

/* Header fields by which a proxy that sends files tells an application where they are.
 * We are no such proxy, so they come from a client that pretends to be one. */
static const char *const dropped_prefixes[] = {
	"HTTP_X_SENDFILE",
	"HTTP_X_ACCEL_",
	"HTTP_X_LIGHTTPD_SEND_FILE",
};

enum { OWN_PARAMS = 6 };

static bool
has(const struct param *params, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(params[i].name, name) == 0)
			return true;
	return false;
}

/* The next one, of the form NAME=VALUE. */
static const char *
load_param(struct app *app, const char *text)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text)
		return "params: not of the form NAME=VALUE";
	const char *name =
		arena_strz(&app->memory, slice_of(text, (size_t)(equals - text)));
	if (name == NULL)
		return "out of memory";
	if (has(app->params, app->n_params, name))
		return "params: the same name twice";
	app->params[app->n_params++] =
		(struct param){ .name = name, .value = equals + 1 };
	return NULL;
}

const char *
params_load(struct app *app)
{
	const char *error = NULL;
	size_t n = 0;

	while (al_option("params", n) != NULL)
		n++;
	if (n == 0)
		return NULL;
	app->params = arena_alloc(&app->memory, n * sizeof(*app->params));
	if (app->params == NULL)
		return "out of memory";
	for (size_t i = 0; i < n && error == NULL; i++)
		error = load_param(app, al_option("params", i));
	return error;
}

/* What FastCGI adds, or has its own mind of. A value of NULL keeps the environ's
 * variable of that name from being sent. */
static size_t
own_params(struct param own[OWN_PARAMS], const struct app *app, const struct script *s,
	const char *body_length)
{
	size_t n = 0;

	own[n++] = (struct param){ "SCRIPT_NAME", s->name };
	own[n++] = (struct param){ "PATH_INFO", s->path_info };
	own[n++] = (struct param){ "SCRIPT_FILENAME", s->filename };
	own[n++] = (struct param){ "DOCUMENT_ROOT", app->root.path };
	/* php-cgi that was built to be safe as a CGI program wants to see it. */
	own[n++] = (struct param){ "REDIRECT_STATUS", "200" };
	if (body_length != NULL)
		own[n++] = (struct param){ "CONTENT_LENGTH", body_length };
	return n;
}

static bool
is_dropped(const struct al_var *var)
{
	for (size_t i = 0; i < sizeof(dropped_prefixes) / sizeof(dropped_prefixes[0]);
		i++)
		if (slice_starts(slice_of(var->name, var->name_len),
			    slice_str(dropped_prefixes[i])))
			return true;
	return false;
}

static int
add_own(struct fastcgi_params *out, const struct param *own, size_t n,
	const struct app *app)
{
	for (size_t i = 0; i < n; i++) {
		if (own[i].value == NULL ||
			has(app->params, app->n_params, own[i].name))
			continue;
		if (fastcgi_params_add(
			    out, slice_str(own[i].name), slice_str(own[i].value)) != 0)
			return -1;
	}
	return 0;
}

static int
add_setting(struct fastcgi_params *out, const struct app *app)
{
	for (size_t i = 0; i < app->n_params; i++)
		if (fastcgi_params_add(out, slice_str(app->params[i].name),
			    slice_str(app->params[i].value)) != 0)
			return -1;
	return 0;
}

static int
add_environ(struct fastcgi_params *out, const struct al_var *vars, size_t n_vars,
	const struct param *own, size_t n_own, const struct app *app)
{
	for (size_t i = 0; i < n_vars; i++) {
		const struct al_var *v = &vars[i];
		if (has(own, n_own, v->name) ||
			has(app->params, app->n_params, v->name) || is_dropped(v))
			continue;
		if (fastcgi_params_add(out, slice_of(v->name, v->name_len),
			    slice_of(v->value, v->value_len)) != 0)
			return -1;
	}
	return 0;
}

unsigned
params_encode(struct buffer *out, const struct app *app, struct al_request *req,
	const struct script *script)
{
	struct param own[OWN_PARAMS];
	struct fastcgi_params p;
	uint64_t length = al_body_length(req);
	char digits[24];
	size_t n_vars;
	const struct al_var *vars = al_env_all(req, &n_vars);

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)length);
	size_t n = own_params(own, app, script, length != 0 ? digits : NULL);
	fastcgi_begin(out, REQUEST_ID, FCGI_RESPONDER,
		app->pool.max_idle != 0 ? FCGI_KEEP_CONN : 0);
	fastcgi_params_init(&p, out, REQUEST_ID);
	if (add_environ(&p, vars, n_vars, own, n, app) != 0 ||
		add_own(&p, own, n, app) != 0 || add_setting(&p, app) != 0)
		return 431;
	fastcgi_params_end(&p);
	return out->failed || n_vars == 0 ? 500 : 0;
}
