#include "gateway/config/log_read.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config/log_filter.h"
#include "gateway/config/text.h"
#include "protocols/access_format.h"
#include "protocols/syslog.h"

#define COMMON_FORMAT "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s"

/* Slower than that is no request. */
enum { SLOWER_MAX = 86400000, US = 1000 };

/* One row in the making. */
struct maker {
	struct log_source *source;
	struct log_sink *sink;
	const char *folder; /* that relative paths begin in */
	struct origin origin; /* of the member that is being read */
};

/* Room for one more item behind those that a list has; NULL: memory is out. The old
 * list stays: lists here are short. */
static void *
grow(struct maker *m, const void *items, size_t n, size_t size)
{
	char *room = arena_alloc(m->source->memory, (n + 1) * size);

	if (room != NULL && n > 0)
		memcpy(room, items, n * size);
	return room;
}

/* ---- Members ---- */

static const char *
take_to(struct maker *m, const char *text)
{
	struct syslog_address address;
	struct log_sink *s = m->sink;

	if (strcmp(text, "stdout") == 0)
		s->kind = SINK_STDOUT;
	else if (strcmp(text, "stderr") == 0)
		s->kind = SINK_STDERR;
	else if (strcmp(text, "journal") == 0)
		s->kind = SINK_JOURNAL;
	else if (strcmp(text, "-") == 0)
		return "neither stdout nor stderr; say which of them";
	else if (strncmp(text, "syslog:", 7) == 0) {
		s->kind = SINK_SYSLOG;
		s->to = arena_strz(m->source->memory, slice_str(text + 7));
		return s->to != NULL ? syslog_parse(&address, s->to) : "out of memory";
	} else if (*text == '\0') {
		return "no path";
	} else {
		s->kind = SINK_FILE;
		s->to = text_absolute(text, m->folder, m->source->memory);
		return s->to != NULL ? NULL : "out of memory";
	}
	s->to = NULL;
	return NULL;
}

static const char *
take_take(struct maker *m, const char *text)
{
	static const struct {
		const char *word;
		unsigned takes;
	} words[] = {
		{ "errors", SINK_LOG },
		{ "access", SINK_ACCESS },
		{ "both", SINK_LOG | SINK_ACCESS },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(text, words[i].word) == 0) {
			m->sink->takes = words[i].takes;
			return NULL;
		}
	return "not one of errors, access, both";
}

/* A word of those of a setting. */
static const char *
take_word(struct maker *m, const struct setting *row, const char *text, const char **to)
{
	struct slice words = slice_str(row->value), word;

	while (text_next_word(&words, &word))
		if (slice_caseeq(word, slice_str(text))) {
			*to = arena_strz(m->source->memory, word);
			return *to != NULL ? NULL : "out of memory";
		}
	return text_format(
		m->source->memory, "not %s", setting_demand(row, m->source->memory));
}

static const char *
take_level(struct maker *m, const char *text)
{
	return take_word(m, &server_table[SERVER_loglevel], text, &m->sink->level);
}

static const char *
take_facility(struct maker *m, const char *text)
{
	return take_word(
		m, &server_table[SERVER_syslog_facility], text, &m->sink->facility);
}

static const char *
take_format(struct maker *m, const char *text)
{
	static const struct {
		const char *word;
		enum sink_format format;
		const char *atoms;
	} words[] = {
		{ "text", SINK_TEXT, NULL },
		{ "json", SINK_JSON, NULL },
		{ "common", SINK_TEXT, COMMON_FORMAT },
		{ "combined", SINK_TEXT, COMMON_FORMAT " \"%(f)s\" \"%(a)s\"" },
	};
	struct log_sink *s = m->sink;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(text, words[i].word) == 0) {
			s->format = words[i].format;
			s->atoms = words[i].atoms;
			return NULL;
		}
	if (strstr(text, "%(") == NULL)
		return "not one of text, json, common, combined, nor a text with %(…)s";
	s->format = SINK_TEXT;
	s->atoms = arena_strz(m->source->memory, slice_str(text));
	return s->atoms != NULL ? access_format_check(s->atoms) : "out of memory";
}

static const char *
take_tag(struct maker *m, const char *text)
{
	m->sink->tag = arena_strz(m->source->memory, slice_str(text));
	return m->sink->tag != NULL ? NULL : "out of memory";
}

static const char *
take_form(struct maker *m, const char *text)
{
	m->sink->rfc5424 = strcmp(text, "5424") == 0;
	return m->sink->rfc5424 || strcmp(text, "3164") == 0 ? NULL
							     : "not 3164 or 5424";
}

static const char *
take_status(struct maker *m, const char *text)
{
	struct sink_filter *f = &m->sink->filter;
	struct status_rule *rules = grow(m, f->statuses, f->n_statuses, sizeof *rules);

	if (rules == NULL)
		return "out of memory";
	f->statuses = rules;
	return status_rule_parse(&rules[f->n_statuses++], slice_str(text));
}

static const char *
take_path(struct maker *m, const char *text)
{
	struct sink_filter *f = &m->sink->filter;
	struct path_rule *rules = grow(m, f->paths, f->n_paths, sizeof *rules);
	const char *copy = arena_strz(m->source->memory, slice_str(text));

	if (rules == NULL || copy == NULL)
		return "out of memory";
	f->paths = rules;
	return path_rule_parse(&rules[f->n_paths++], copy);
}

static const char *
take_app(struct maker *m, const char *text)
{
	struct text_list *apps = &m->sink->apps;
	const char **items = grow(m, apps->items, apps->n, sizeof *items);
	const char *copy = arena_strz(m->source->memory, slice_str(text));

	if (items == NULL || copy == NULL)
		return "out of memory";
	items[apps->n] = copy;
	*apps = (struct text_list){ items, apps->n + 1 };
	return NULL;
}

static const char *
take_slower(struct maker *m, const char *text)
{
	char *end;
	double ms = strtod(text, &end);

	if (*end != '\0' || end == text || !(ms > 0 && ms <= SLOWER_MAX))
		return "not a time in milliseconds";
	m->sink->filter.slower_than_us = (uint64_t)(ms * US);
	return NULL;
}

static const char *
take_sample(struct maker *m, const char *text)
{
	char *end;
	double ratio = strtod(text, &end);

	if (*end != '\0' || end == text)
		ratio = -1;
	return sample_parse(&m->sink->filter.sample, ratio);
}

/* ---- A row ---- */

enum shape { ONE_TEXT, TEXTS, NUMBER };

static const struct member {
	const char *name;
	enum shape shape; /* TEXTS may stand in one, with commas between them */
	unsigned takes; /* what it is about; 0: any sink */
	const char *(*take)(struct maker *m, const char *text);
} members[] = {
	{ "to", ONE_TEXT, 0, take_to },
	{ "take", ONE_TEXT, 0, take_take },
	{ "format", ONE_TEXT, 0, take_format },
	{ "apps", TEXTS, 0, take_app },
	{ "level", ONE_TEXT, SINK_LOG, take_level },
	{ "status", TEXTS, SINK_ACCESS, take_status },
	{ "path", TEXTS, SINK_ACCESS, take_path },
	{ "slower_than", NUMBER, SINK_ACCESS, take_slower },
	{ "sample", NUMBER, SINK_ACCESS, take_sample },
	{ "facility", ONE_TEXT, 0, take_facility },
	{ "tag", ONE_TEXT, 0, take_tag },
	{ "rfc", NUMBER, 0, take_form },
};

enum { MEMBERS = sizeof members / sizeof members[0] };

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
number_text(struct maker *m, const config_setting_t *s)
{
	struct arena *memory = m->source->memory;

	if (config_setting_type(s) == CONFIG_TYPE_FLOAT)
		return text_format(memory, "%.17g", config_setting_get_float(s));
	return text_format(memory, "%lld", config_setting_get_int64(s));
}

static void
fault(struct maker *m, const struct member *member, const char *text,
	const char *reason)
{
	load_fault(m->source->load, &m->origin, "logs: %s: \"%s\": %s", member->name,
		text, reason);
}

static void
read_one(struct maker *m, const struct member *member, const char *text)
{
	const char *reason = member->take(m, text);

	if (reason != NULL)
		fault(m, member, text, reason);
}

/* Each of the texts between commas. */
static void
read_words(struct maker *m, const struct member *member, const char *text)
{
	struct slice rest = slice_str(text);

	while (rest.len > 0) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
		const char *word = arena_strz(
			m->source->memory, slice_trim(slice_of(rest.ptr, len)));
		read_one(m, member, word != NULL ? word : "");
		slice_advance(&rest, comma != NULL ? len + 1 : len);
	}
}

static void
read_list(struct maker *m, const struct member *member, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list); i++) {
		const char *text = config_setting_get_string_elem(list, i);
		if (text != NULL)
			read_words(m, member, text);
		else
			load_fault(m->source->load, &m->origin,
				"logs: %s holds what is no text", member->name);
	}
}

static void
read_value(struct maker *m, const struct member *member, const config_setting_t *s)
{
	bool is_text = config_setting_type(s) == CONFIG_TYPE_STRING;
	bool is_list = config_setting_is_array(s) || config_setting_is_list(s);

	if (member->shape == NUMBER && is_number(s))
		read_one(m, member, number_text(m, s));
	else if (member->shape == ONE_TEXT && is_text)
		read_one(m, member, config_setting_get_string(s));
	else if (member->shape == TEXTS && is_text)
		read_words(m, member, config_setting_get_string(s));
	else if (member->shape == TEXTS && is_list)
		read_list(m, member, s);
	else
		load_fault(m->source->load, &m->origin, "logs: %s is not %s",
			member->name,
			member->shape == NUMBER		 ? "a number"
				: member->shape == TEXTS ? "a text or a list of texts"
							 : "a text");
}

static const struct member *
find_member(const char *name)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

static void
unknown(struct maker *m, const char *name)
{
	struct text_nearest nearest = { 0 };

	for (size_t i = 0; i < MEMBERS; i++)
		text_nearest_try(&nearest, slice_str(name), slice_str(members[i].name));
	if (nearest.distance > 0)
		load_fault(m->source->load, &m->origin,
			"logs: unknown %s; did you mean %" SLICE_FMT "?", name,
			SLICE_ARG(nearest.word));
	else
		load_fault(m->source->load, &m->origin, "logs: unknown %s", name);
}

/* A member that would have no effect on what the sink takes. */
static void
check_use(struct maker *m, const config_setting_t *group)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct member *member = find_member(config_setting_name(s));
		m->origin = origin_of(m->source, s);
		if (member != NULL && member->takes != 0 &&
			(member->takes & m->sink->takes) == 0)
			load_fault(m->source->load, &m->origin,
				"logs: %s is of %s, which do not go there",
				member->name,
				member->takes == SINK_LOG ? "errors" : "access lines");
	}
}

static void
read_sink(struct log_source *source, const config_setting_t *group)
{
	struct log_sink *sink = &source->sinks[source->n++];
	struct maker m = { .source = source, .sink = sink };

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
		const struct member *member = find_member(config_setting_name(s));
		m.origin = origin_of(source, s);
		if (member != NULL)
			read_value(&m, member, s);
		else
			unknown(&m, config_setting_name(s));
	}
	check_use(&m, group);
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
		load_fault(source->load, &at, "%s", config_error_text(&file));
	}
	config_destroy(&file);
}
