#include "gateway/config/log_read.h"

#include <string.h>

#include "gateway/config/log_members.h"
#include "gateway/config/text.h"

static struct origin
origin_of(const struct log_source *source, const config_setting_t *s)
{
	return load_origin(source->memory, source->path, source->folder,
		config_setting_source_file(s), (int)config_setting_source_line(s));
}

static bool
is_number(const config_setting_t *s)
{
	return config_setting_is_number(s) == CONFIG_TRUE;
}

static const char *
number_text(struct sink_maker *m, const config_setting_t *s)
{
	struct arena *memory = m->memory;

	if (config_setting_type(s) == CONFIG_TYPE_FLOAT)
		return text_format(memory, "%.17g", config_setting_get_float(s));
	return text_format(memory, "%lld", config_setting_get_int64(s));
}

static void
fault(struct sink_maker *m, const struct sink_member *member, const char *text,
	const char *reason)
{
	load_fault(m->load, &m->origin, "logs: %s: \"%s\": %s", member->name, text,
		reason);
}

static void
read_one(struct sink_maker *m, const struct sink_member *member, const char *text)
{
	const char *reason = member->take(m, text);

	if (reason != NULL)
		fault(m, member, text, reason);
}

/* Each of the texts between commas. */
static void
read_words(struct sink_maker *m, const struct sink_member *member, const char *text)
{
	struct slice rest = slice_str(text);

	while (rest.len > 0) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
		const char *word =
			arena_strz(m->memory, slice_trim(slice_of(rest.ptr, len)));
		read_one(m, member, word != NULL ? word : "");
		slice_advance(&rest, comma != NULL ? len + 1 : len);
	}
}

static void
read_list(struct sink_maker *m, const struct sink_member *member,
	const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list); i++) {
		const char *text = config_setting_get_string_elem(list, i);
		if (text != NULL)
			read_words(m, member, text);
		else
			load_fault(m->load, &m->origin,
				"logs: %s holds what is no text", member->name);
	}
}

static void
read_value(struct sink_maker *m, const struct sink_member *member,
	const config_setting_t *s)
{
	bool is_text = config_setting_type(s) == CONFIG_TYPE_STRING;
	bool is_list = config_setting_is_array(s) || config_setting_is_list(s);

	if (member->shape == MEMBER_NUMBER && is_number(s))
		read_one(m, member, number_text(m, s));
	else if (member->shape == MEMBER_TEXT && is_text)
		read_one(m, member, config_setting_get_string(s));
	else if (member->shape == MEMBER_TEXTS && is_text)
		read_words(m, member, config_setting_get_string(s));
	else if (member->shape == MEMBER_TEXTS && is_list)
		read_list(m, member, s);
	else
		load_fault(m->load, &m->origin, "logs: %s is not %s", member->name,
			member->shape == MEMBER_NUMBER ? "a number"
				: member->shape == MEMBER_TEXTS
				? "a text or a list of texts"
				: "a text");
}

static const struct sink_member *
find_member(const char *name)
{
	for (size_t i = 0; i < n_sink_members; i++)
		if (strcmp(sink_members[i].name, name) == 0)
			return &sink_members[i];
	return NULL;
}

static void
unknown(struct sink_maker *m, const char *name)
{
	struct text_nearest nearest = { 0 };

	for (size_t i = 0; i < n_sink_members; i++)
		text_nearest_try(
			&nearest, slice_str(name), slice_str(sink_members[i].name));
	if (nearest.distance > 0)
		load_fault(m->load, &m->origin,
			"logs: unknown %s; did you mean %" SLICE_FMT "?", name,
			SLICE_ARG(nearest.word));
	else
		load_fault(m->load, &m->origin, "logs: unknown %s", name);
}

/* A member that would have no effect on what the sink takes. */
static void
check_use(const struct log_source *source, struct sink_maker *m,
	const config_setting_t *group)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct sink_member *member = find_member(config_setting_name(s));
		m->origin = origin_of(source, s);
		if (member != NULL && member->takes != 0 &&
			(member->takes & m->sink->takes) == 0)
			load_fault(m->load, &m->origin,
				"logs: %s is of %s, which do not go there",
				member->name,
				member->takes == SINK_LOG ? "errors" : "access lines");
	}
}

static void
read_sink(struct log_source *source, const config_setting_t *group)
{
	struct log_sink *sink = &source->sinks[source->n++];
	struct sink_maker m = {
		.load = source->load, .memory = source->memory, .sink = sink
	};

	*sink = (struct log_sink){
		.takes = SINK_LOG | SINK_ACCESS,
		.filter.sample = SAMPLE_ALL,
		.origin = origin_of(source, group),
	};
	m.origin = sink->origin;
	m.folder = load_folder(source->load, &sink->origin);
	if (m.folder == NULL || !config_setting_is_group(group)) {
		load_fault(source->load, &m.origin,
			"logs: this is no group: logs = ( { to = \"…\"; }, … );");
		return;
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct sink_member *member = find_member(config_setting_name(s));
		m.origin = origin_of(source, s);
		if (member != NULL)
			read_value(&m, member, s);
		else
			unknown(&m, config_setting_name(s));
	}
	check_use(source, &m, group);
	if (config_setting_get_member(group, "to") == NULL)
		load_fault(source->load, &sink->origin, "logs: nothing says where to");
}

void
logs_read(struct log_source *source, const config_setting_t *list)
{
	struct origin origin = origin_of(source, list);
	int n = config_setting_length(list);

	if (!config_setting_is_list(list)) {
		load_fault(source->load, &origin,
			"logs is not a list of groups: logs = ( { to = \"…\"; }, … );");
		return;
	}
	struct log_sink *sinks = arena_alloc(
		source->memory, (source->n + (size_t)n + 1) * sizeof *sinks);
	if (sinks == NULL) {
		load_fault(source->load, &origin, "out of memory");
		return;
	}
	if (source->n > 0)
		memcpy(sinks, source->sinks, source->n * sizeof *sinks);
	source->sinks = sinks;
	for (int i = 0; i < n; i++)
		read_sink(source, config_setting_get_elem(list, (unsigned)i));
}

/* ---- A file ---- */

static void
read_root(struct log_source *source, const config_setting_t *root)
{
	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
		struct origin origin = origin_of(source, s);
		if (strcmp(config_setting_name(s), "logs") == 0)
			logs_read(source, s);
		else
			load_fault(source->load, &origin,
				"%s: there is only logs in this file",
				config_setting_name(s));
	}
}

void
logs_read_file(struct log_source *source)
{
	unsigned faults = source->load->faults;
	config_t file;

	guard_file(source->load, source->path, source->folder);
	if (source->load->faults > faults)
		return;
	config_init(&file);
	if (source->folder != NULL)
		config_set_include_dir(&file, source->folder);
	if (config_read_file(&file, source->path) == CONFIG_TRUE) {
		read_root(source, config_root_setting(&file));
	} else {
		struct origin at =
			load_origin(source->memory, source->path, source->folder,
				config_error_file(&file), config_error_line(&file));
		syntax_fault(source->load, &at, config_error_text(&file));
	}
	config_destroy(&file);
}
