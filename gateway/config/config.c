/*
 * Puts the sources together, from the weakest to the strongest, and checks the whole.
 */
#include "gateway/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/routes.h"
#include "gateway/config/sources.h"
#include "gateway/config/text.h"

static const struct origin nowhere = { 0 };

/* ---- The built-in values ---- */

/* Takes "…$NAME|text" apart: …VALUE where the environment variable is set, else text.
 */
static const char *
fallback_text(const char *fallback, struct origin *origin, struct arena *memory)
{
	const char *dollar = strchr(fallback, '$');
	const char *bar = dollar != NULL ? strchr(dollar, '|') : NULL;

	*origin = (struct origin){ "default", 0 };
	if (bar == NULL)
		return fallback;
	const char *name = arena_strz(memory, slice_of(dollar, (size_t)(bar - dollar)));
	const char *value = name != NULL ? getenv(name + 1) : NULL;
	if (value == NULL || *value == '\0')
		return bar + 1;
	origin->source = name;
	return text_format(memory, "%.*s%s", (int)(dollar - fallback), fallback, value);
}

static void
set_defaults(struct load *l, struct section s)
{
	for (size_t row = 0; row < s.n; row++) {
		const struct setting *setting = &s.table[row];
		struct origin origin = { "default", 0 };
		const char *text = setting->fallback;
		if (text != NULL)
			text = fallback_text(text, &origin, &l->config->memory);
		if (text == NULL || (setting_is_list(setting) && *text == '\0')) {
			setting_clear(setting, s.settings);
			s.origins[row] = origin;
		} else {
			load_value(l, s, row, origin.source, text, origin);
		}
	}
}

/* ---- The command line ---- */

/* The variable is weaker than the command line, so it comes first. */
static bool
read_options(struct load *l, char *const *words)
{
	const char *variable = getenv(SOURCE_VARIABLE);
	const struct origin origin = { SOURCE_VARIABLE, 0 };
	char **split;
	size_t n;

	if (variable != NULL) {
		const char *reason =
			text_split(variable, &split, &n, &l->config->memory);
		if (reason != NULL)
			load_fault(l, &origin, "%s", reason);
		if (reason != NULL || !options_read(l, split, SOURCE_VARIABLE))
			return false;
	}
	return options_read(l, words, SOURCE_COMMAND_LINE);
}

static enum config_action
wanted_action(const struct command_settings *c)
{
	if (c->help)
		return CONFIG_HELP;
	if (c->version)
		return CONFIG_VERSION;
	if (c->print_config)
		return CONFIG_PRINT;
	if (c->explain != NULL)
		return CONFIG_EXPLAIN;
	return c->check_config ? CONFIG_CHECK : CONFIG_RUN;
}

void
lay_over(struct section to, struct section from)
{
	for (size_t row = 0; row < to.n; row++)
		if (from.origins[row].source != NULL) {
			setting_copy(&to.table[row], to.settings, from.settings);
			to.origins[row] = from.origins[row];
		}
}

/* ---- What files say ---- */

/* Two files may say the same of the server, but not two things. */
static void
check_agreement(struct load *l, struct section said, struct section before)
{
	for (size_t row = 0; row < said.n; row++) {
		const struct setting *setting = &said.table[row];
		const struct origin *other = &before.origins[row];
		if (said.origins[row].source != NULL && other->line > 0 &&
			!setting_same(setting, said.settings, before.settings))
			load_fault(l, &said.origins[row],
				"%s is another value in %s:%u", setting->name,
				other->source, other->line);
	}
}

/* With routes an application has those addresses alone that it names itself: the others
 * are for a listener. */
static void
keep_own_bind(struct app_settings *app, const struct app_settings *said)
{
	const struct setting *row = &app_table[APP_bind];

	setting_clear(row, app);
	if (said->has_own_bind && said->origins[APP_bind].source != NULL) {
		setting_copy(row, app, said);
		app->origins[APP_bind] = said->origins[APP_bind];
	}
}

bool
load_app(struct load *l, const struct app_settings *said)
{
	struct config *c = l->config;
	struct arena *memory = &c->memory;
	struct app_settings *apps =
		load_grow(l, c->apps, c->n_apps, &l->apps_room, sizeof *apps);

	if (apps == NULL)
		return false;
	c->apps = apps;
	struct app_settings *app = &apps[c->n_apps++];
	*app = l->defaults;
	app->name = said->name;
	app->origin = said->origin;
	/* Sections are for reading and for writing; what is said is only read. */
	lay_over(app_section(app, memory),
		app_section((struct app_settings *)said, NULL));
	lay_over(app_section(app, memory), app_section(&l->options.app, NULL));
	if (l->is_routed)
		keep_own_bind(app, said);
	return true;
}

static bool
hold_reading(struct load *l, struct reading *r)
{
	struct config *c = l->config;
	struct reading **files =
		reallocarray(c->files, c->n_files + 1, sizeof(struct reading *));

	if (files == NULL)
		return false;
	c->files = files;
	c->files[c->n_files++] = r;
	r->holders++;
	return true;
}

bool
load_reading(struct load *l, struct reading *r)
{
	struct config *c = l->config;
	size_t n_apps = c->n_apps, n_routes = l->routes.n;
	size_t n_listeners = l->n_listeners;
	size_t n_said = r->top_is_app && !top_is_app(l, r) ? 0 : r->n_apps;
	unsigned faults = l->faults;
	struct section server = server_section(&c->server, &c->memory);
	struct section said = server_section(&r->server, NULL);

	check_agreement(l, said, server);
	check_server(l, &r->server);
	for (size_t i = 0; i < n_said; i++)
		if (!load_app(l, &r->apps[i]))
			break;
	check_apps(l, n_apps);
	load_routes(l, r);
	if (l->faults == faults && !hold_reading(l, r))
		load_fault(l, &nowhere, "out of memory");
	if (l->faults > faults) {
		c->n_apps = n_apps;
		l->routes.n = n_routes;
		l->n_listeners = n_listeners;
		return false;
	}
	lay_over(server, said);
	load_top(l, r);
	return true;
}

static const char single_name[] = "default";

static void
read_single(struct load *l, const char *path)
{
	struct reading *r = file_read(l, path, single_name);

	if (r != NULL && l->faults == 0)
		load_reading(l, r);
	reading_free(r);
}

/* People who know gunicorn may have one of its files. */
static bool
is_python(const char *path)
{
	size_t len = strlen(path);

	return strncmp(path, "python:", 7) == 0 ||
		(len > 3 && strcmp(path + len - 3, ".py") == 0);
}

static void
read_path(struct load *l, const char *path)
{
	struct stat st;

	if (is_python(path))
		load_fault(l, &nowhere,
			"%s: a configuration is no Python program but a file as in "
			"alicorn.conf(5); alicorn-convert makes one of gunicorn's",
			path);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		folder_read(l, path);
	else
		read_single(l, path);
}

/* ---- The applications ---- */

/* Without an application in a file, TARGET is the one. */
static void
add_target(struct load *l)
{
	const char *path = l->options.command.config;
	const struct app_settings app = { .name = single_name, .origin = { path, 0 } };

	if (load_app(l, &app))
		check_apps(l, 0);
}

/* TARGET names what one application runs; which one of several would it be? */
static void
check_single(struct load *l)
{
	const struct app_settings *said = &l->options.app;

	if (l->config->n_apps > 1 && said->target != NULL) {
		load_fault(l, &said->origins[APP_target],
			"TARGET %s together with %s, which has several applications",
			said->target, l->options.command.config);
		l->usage_fault = true;
	}
}

static void
read_files(struct load *l)
{
	const char *path = l->options.command.config;

	if (path != NULL)
		read_path(l, path);
	else if (l->options.app.target == NULL) {
		load_fault(l, &nowhere,
			"no TARGET and no configuration file; "
			"alicorn --help tells what to give");
		l->usage_fault = true;
	}
	/* What is missing may be what could not be read. */
	if (l->faults == 0 && l->config->n_apps == 0 && !l->is_routed)
		add_target(l);
	check_single(l);
	if (l->faults == 0 && l->is_routed)
		sites_make(l);
}

/* ---- All of it ---- */

static void
read_settings(struct load *l)
{
	struct config *c = l->config;
	struct section server = server_section(&c->server, &c->memory);

	l->cwd = get_current_dir_name();
	if (l->cwd == NULL) {
		load_fault(l, &nowhere, "the working folder: %s", strerror(errno));
		return;
	}
	set_defaults(l, server);
	set_defaults(l, app_section(&l->defaults, &c->memory));
	read_files(l);
	lay_over(server, server_section(&l->options.server, NULL));
	check_server(l, &c->server);
	check_paths(l, server);
	if (l->faults == 0)
		check_logs(l);
}

struct config *
config_load(int argc, char *const *argv, const struct config *previous,
	struct buffer *errors, bool *usage)
{
	struct config *c = calloc(1, sizeof *c);
	struct load l = { .config = c, .previous = previous, .errors = errors };

	if (usage != NULL)
		*usage = false;
	if (c == NULL) {
		buffer_add_str(errors, "alicorn: out of memory\n");
		return NULL;
	}
	l.usage_fault = !read_options(&l, argv + (argc > 0 ? 1 : 0));
	c->action = wanted_action(&l.options.command);
	c->explain = l.options.command.explain;
	c->explain_from = l.options.command.explain_from;
	if (!l.usage_fault && c->action != CONFIG_HELP && c->action != CONFIG_VERSION)
		read_settings(&l);
	free(l.cwd);
	if (usage != NULL)
		*usage = l.usage_fault;
	if (l.faults == 0 && !errors->failed)
		return c;
	config_free(c);
	return NULL;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_files; i++)
		reading_free(c->files[i]);
	free(c->files);
	arena_release(&c->memory);
	free(c);
}
