/*
 * Puts the sources together, from the weakest to the strongest, and checks the whole.
 */
#include "gateway/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	return c->check_config ? CONFIG_CHECK : CONFIG_RUN;
}

static void
lay_over(struct section to, struct section from)
{
	for (size_t row = 0; row < to.n; row++)
		if (from.origins[row].source != NULL) {
			setting_copy(&to.table[row], to.settings, from.settings);
			to.origins[row] = from.origins[row];
		}
}

/* ---- The applications ---- */

/* Without applications in a file there is one, made of what stands at its top. */
static bool
make_single_app(struct load *l)
{
	struct config *c = l->config;

	c->apps = arena_alloc(&c->memory, sizeof *c->apps);
	if (c->apps == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return false;
	}
	c->n_apps = 1;
	*c->apps = l->base;
	c->apps->name = "default";
	return true;
}

static void
read_file(struct load *l)
{
	const struct command_settings *command = &l->options.command;

	if (command->config != NULL)
		file_read(l, command->config);
	else if (l->options.app.target == NULL) {
		load_fault(l, &nowhere,
			"no TARGET and no configuration file; "
			"alicorn --help tells what to give");
		l->usage_fault = true;
	}
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

/* ---- All of it ---- */

static void
read_settings(struct load *l)
{
	struct config *c = l->config;

	l->cwd = get_current_dir_name();
	if (l->cwd == NULL) {
		load_fault(l, &nowhere, "the working folder: %s", strerror(errno));
		return;
	}
	set_defaults(l, server_section(&c->server));
	set_defaults(l, app_section(&l->base));
	read_file(l);
	if (c->n_apps == 0 && !make_single_app(l))
		return;
	check_single(l);
	lay_over(server_section(&c->server), server_section(&l->options.server));
	for (size_t i = 0; i < c->n_apps; i++)
		lay_over(app_section(&c->apps[i]), app_section(&l->options.app));
	/* What is missing may be what could not be read. */
	if (!load_failed(l))
		check_config(l);
}

struct config *
config_load(int argc, char *const *argv, struct buffer *errors, bool *usage)
{
	struct config *c = calloc(1, sizeof *c);
	struct load l = {
		.config = c,
		.errors = errors,
		.faults_begin = errors->len,
	};

	if (usage != NULL)
		*usage = false;
	if (c == NULL) {
		buffer_add_str(errors, "alicorn: out of memory\n");
		return NULL;
	}
	l.usage_fault = !read_options(&l, argv + (argc > 0 ? 1 : 0));
	c->action = wanted_action(&l.options.command);
	if (!l.usage_fault && c->action != CONFIG_HELP && c->action != CONFIG_VERSION)
		read_settings(&l);
	free(l.cwd);
	if (usage != NULL)
		*usage = l.usage_fault;
	if (!load_failed(&l))
		return c;
	config_free(c);
	return NULL;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	arena_release(&c->memory);
	free(c);
}
