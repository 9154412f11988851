/*
 * Configuration files: libconfig's syntax, our tables' meaning. All faults of a file
 * are reported.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/config/log_read.h"
#include "gateway/config/reader.h"
#include "gateway/config/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*"

/* Where something stands. */
static struct origin
origin_at(const struct reader *r, const char *file, int line)
{
	return load_origin(r->memory, r->path, r->folder, file, line);
}

struct origin
reader_origin(const struct reader *r, const config_setting_t *s)
{
	return origin_at(
		r, config_setting_source_file(s), (int)config_setting_source_line(s));
}

/* ---- Values ---- */

/* A value as it would be written; for a message, and for setting_parse(). */
static const char *
value_text(const config_setting_t *s, struct arena *memory)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return text_format(memory, "%lld", config_setting_get_int64(s));
	case CONFIG_TYPE_FLOAT:
		return text_format(memory, "%g", config_setting_get_float(s));
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(s);
	case CONFIG_TYPE_GROUP:
		return "a group";
	default:
		return "a list";
	}
}

static bool
fits(const struct setting *row, const config_setting_t *s)
{
	int type = config_setting_type(s);
	bool number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	bool text = type == CONFIG_TYPE_STRING;

	switch (row->type) {
	case SETTING_INT:
		return number;
	case SETTING_SIZE:
		return number || text;
	case SETTING_BOOL:
		return type == CONFIG_TYPE_BOOL;
	case SETTING_STR:
	case SETTING_CHOICE:
	case SETTING_PATH:
	case SETTING_MODE:
	case SETTING_LIST:
	case SETTING_MAP:
	case SETTING_PATHS:
	case SETTING_CIDRS:
		break;
	}
	return text;
}

static void
read_value(struct reader *r, struct section to, size_t row, const config_setting_t *s,
	struct origin origin)
{
	const struct setting *setting = &to.table[row];
	const char *text = value_text(s, r->memory);

	if (fits(setting, s)) {
		load_value(r->load, to, row, setting->name, text, origin);
		return;
	}
	const char *quote = config_setting_type(s) == CONFIG_TYPE_STRING ? "\"" : "";
	load_fault(r->load, &origin, "%s: %s%s%s is not %s", setting->name, quote, text,
		quote, setting_demand(setting, r->memory));
}

/* One NAME = VALUE of a map. */
static void
read_entry(struct reader *r, struct section to, size_t row, const config_setting_t *s)
{
	const struct setting *setting = &to.table[row];
	struct origin origin = reader_origin(r, s);
	const char *name = config_setting_name(s), *text = value_text(s, r->memory);

	if (config_setting_is_aggregate(s))
		load_fault(r->load, &origin, "%s: %s: %s is not a text", setting->name,
			name, text);
	else
		load_value(r->load, to, row, setting->name,
			text_format(r->memory, "%s=%s", name, text), origin);
}

/* A list may be written as a single text, a map as a group too. */
static void
read_setting(struct reader *r, struct section to, size_t row, const config_setting_t *s)
{
	const struct setting *setting = &to.table[row];
	struct origin origin = reader_origin(r, s);
	bool many = config_setting_is_array(s) || config_setting_is_list(s);

	if (setting_is_list(setting)) {
		setting_clear(setting, to.settings);
		to.origins[row] = origin;
	}
	if (setting->type == SETTING_MAP && config_setting_is_group(s)) {
		for (int i = 0; i < config_setting_length(s); i++)
			read_entry(r, to, row, config_setting_get_elem(s, (unsigned)i));
	} else if (many && setting_is_list(setting)) {
		for (int i = 0; i < config_setting_length(s); i++)
			read_value(r, to, row, config_setting_get_elem(s, (unsigned)i),
				origin);
	} else {
		read_value(r, to, row, s, origin);
	}
}

/* ---- Names ---- */

/* A row by its name, or by its flag written as a name: preload for preload_app. */
static void
try_row(struct text_nearest *nearest, struct slice wrong, const struct setting *row)
{
	struct slice words = slice_str(row->flag != NULL ? row->flag : ""), word;

	text_nearest_try(nearest, wrong, slice_str(row->name));
	while (text_next_word(&words, &word))
		if (text_same_flag(word, wrong))
			*nearest = (struct text_nearest){ slice_str(row->name), 1 };
}

void
reader_unknown(struct reader *r, const config_setting_t *s, const struct section *known,
	size_t n, const char *words)
{
	struct slice name = slice_str(config_setting_name(s));
	struct slice left = slice_str(words), word;
	struct origin origin = reader_origin(r, s);
	struct text_nearest nearest = { 0 };

	while (text_next_word(&left, &word))
		text_nearest_try(&nearest, name, word);
	for (size_t i = 0; i < n; i++)
		for (size_t row = 0; row < known[i].n; row++)
			try_row(&nearest, name, &known[i].table[row]);
	const char *advice = reserved_advice(name);
	if (setting_find(command_table, COMMAND_SETTINGS, name.ptr) >= 0)
		load_fault(r->load, &origin, "%s stands on the command line only",
			name.ptr);
	else if (advice != NULL)
		load_fault(r->load, &origin, "%s: %s", name.ptr, advice);
	else if (nearest.distance > 0)
		load_fault(r->load, &origin,
			"unknown setting %s; did you mean %" SLICE_FMT "?", name.ptr,
			SLICE_ARG(nearest.word));
	else
		load_fault(r->load, &origin, "unknown setting %s", name.ptr);
}

bool
reader_known(struct reader *r, const config_setting_t *s, const struct section *known,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int row = setting_find(
			known[i].table, known[i].n, config_setting_name(s));
		if (row >= 0) {
			read_setting(r, known[i], (size_t)row, s);
			return true;
		}
	}
	return false;
}

static void
read_logs(struct reader *r, const config_setting_t *s)
{
	struct log_source source = { r->load, r->memory, r->path, r->folder, NULL, 0 };

	logs_read(&source, s);
	r->reading->sinks = source.sinks;
	r->reading->n_sinks = source.n;
}

/* The top of the file: the server's settings, and those of every application. */
static void
read_top(struct reader *r, const config_setting_t *root)
{
	struct section known[] = { server_section(&r->reading->server, r->memory),
		app_section(&r->reading->top, r->memory) };

	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
		if (strcmp(config_setting_name(s), "applications") == 0)
			r->applications = s;
		else if (strcmp(config_setting_name(s), "routes") == 0)
			r->routes = s;
		else if (strcmp(config_setting_name(s), "listeners") == 0)
			r->listeners = s;
		else if (strcmp(config_setting_name(s), "logs") == 0)
			read_logs(r, s);
		else if (!reader_known(r, s, known, 2))
			reader_unknown(
				r, s, known, 2, "applications|routes|listeners|logs");
	}
}

/* ---- Applications ---- */

static bool
is_routed(const struct reader *r)
{
	return r->routes != NULL || r->listeners != NULL;
}

static void
read_app(struct reader *r, struct app_settings *app, const config_setting_t *group)
{
	struct section known = app_section(app, r->memory);

	*app = r->reading->top;
	app->name = text_format(r->memory, "%s", config_setting_name(group));
	app->origin = reader_origin(r, group);
	if (!config_setting_is_group(group)) {
		load_fault(r->load, &app->origin,
			"application %s is not a group: %s: { ... };", app->name,
			app->name);
		return;
	}
	app->has_own_bind = config_setting_get_member(group, "bind") != NULL;
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		struct origin origin = reader_origin(r, s);
		const char *name = config_setting_name(s);
		if (setting_find(server_table, SERVER_SETTINGS, name) >= 0)
			load_fault(r->load, &origin,
				"%s is of the whole server: it stands outside of "
				"applications",
				name);
		else if (!reader_known(r, s, &known, 1))
			reader_unknown(r, s, &known, 1, "");
	}
}

/* Room for n applications; false, and a fault, when there is none. */
static bool
make_apps(struct reader *r, size_t n, const struct origin *origin)
{
	struct reading *to = r->reading;

	to->apps = arena_alloc(r->memory, n * sizeof *to->apps);
	if (to->apps == NULL)
		load_fault(r->load, origin, "out of memory");
	else
		to->n_apps = n;
	return to->apps != NULL;
}

static void
read_apps(struct reader *r, const config_setting_t *group)
{
	struct origin origin = reader_origin(r, group);
	int n = config_setting_length(group);

	if (!config_setting_is_group(group) || n == 0)
		load_fault(r->load, &origin,
			"applications is not a group of applications: "
			"applications: { NAME: { ... }; };");
	else if (make_apps(r, (size_t)n, &origin))
		for (int i = 0; i < n; i++)
			read_app(r, &r->reading->apps[i],
				config_setting_get_elem(group, (unsigned)i));
}

bool
reader_is_name(const char *text)
{
	size_t len = strspn(text, LETTERS);

	len += len > 0 ? strspn(text + len, LETTERS "-_0123456789") : 0;
	return len > 0 && text[len] == '\0';
}

/* Whether what stands at the top is an application. Beside routes it may be but the
 * settings of their listener. */
static bool
is_app(const struct reader *r)
{
	const struct app_settings *top = &r->reading->top;
	bool said = false;

	if (is_routed(r))
		return top->target != NULL || r->load->options.app.target != NULL;
	for (size_t row = 0; row < APP_SETTINGS; row++)
		said = said || top->origins[row].source != NULL;
	return said;
}

/* Without applications there is one, made of what stands at the top. */
static void
make_single_app(struct reader *r, const char *name)
{
	const struct origin origin = { r->path, 0 };

	if (!is_app(r) || !make_apps(r, 1, &origin))
		return;
	if (!reader_is_name(name))
		load_fault(r->load, &origin,
			"%s: \"%s\", from the name of the file, is no name for an "
			"application: applications: { NAME: { ... }; };",
			r->path, name);
	*r->reading->apps = r->reading->top;
	r->reading->apps->name = text_format(r->memory, "%s", name);
	r->reading->apps->origin = origin;
	r->reading->top_is_app = r->load->is_folder || !is_routed(r);
	r->reading->apps->has_own_bind = r->reading->top_is_app;
}

/* ---- The file ---- */

static void
parse_file(struct reader *r, const char *name)
{
	config_t file;

	config_init(&file);
	if (r->folder != NULL)
		config_set_include_dir(&file, r->folder);
	if (config_read_file(&file, r->path)) {
		read_top(r, config_root_setting(&file));
		if (r->routes != NULL)
			read_routes(r);
		if (r->listeners != NULL)
			read_listeners(r);
		r->load->is_routed |= is_routed(r);
		if (r->applications != NULL)
			read_apps(r, r->applications);
		else
			make_single_app(r, name);
	} else {
		struct origin at = origin_at(
			r, config_error_file(&file), config_error_line(&file));
		syntax_fault(r->load, &at, config_error_text(&file));
	}
	config_destroy(&file);
}

struct reading *
file_read(struct load *l, const char *path, const char *name)
{
	const struct origin nowhere = { 0 };
	const char *slash = strrchr(path, '/');
	struct reading *reading = calloc(1, sizeof *reading);
	unsigned faults = l->faults;

	if (reading == NULL) {
		load_fault(l, &nowhere, "out of memory");
		return NULL;
	}
	struct reader r = { .load = l, .reading = reading, .memory = &reading->memory };
	reading->holders = 1;
	r.path = reading->path = text_format(r.memory, "%s", path);
	if (slash != NULL)
		r.folder = text_format(r.memory, "%.*s", (int)(slash - path), path);
	guard_file(l, r.path, r.folder);
	if (l->faults == faults)
		parse_file(&r, name);
	return reading;
}
