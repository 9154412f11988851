#include "gateway/config/log_members.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config/log_filter.h"
#include "gateway/config/text.h"
#include "protocols/access_format.h"
#include "protocols/syslog.h"

#define COMMON_FORMAT "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s"

/* Slower than that is no request. */
enum { SLOWER_MAX = 86400000, US = 1000 };

/* Room for one more item behind those that a list has; NULL: memory is out. The old
 * list stays: lists here are short. */
static void *
grow(struct sink_maker *m, const void *items, size_t n, size_t size)
{
	char *room = arena_alloc(m->memory, (n + 1) * size);

	if (room != NULL && n > 0)
		memcpy(room, items, n * size);
	return room;
}

/* ---- Members ---- */

static const char *
take_to(struct sink_maker *m, const char *text)
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
		s->to = arena_strz(m->memory, slice_str(text + 7));
		return s->to != NULL ? syslog_parse(&address, s->to) : "out of memory";
	} else if (*text == '\0') {
		return "no path";
	} else {
		s->kind = SINK_FILE;
		s->to = text_absolute(text, m->folder, m->memory);
		return s->to != NULL ? NULL : "out of memory";
	}
	s->to = NULL;
	return NULL;
}

static const char *
take_take(struct sink_maker *m, const char *text)
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
take_word(struct sink_maker *m, const struct setting *row, const char *text,
	const char **to)
{
	struct slice words = slice_str(row->value), word;

	while (text_next_word(&words, &word))
		if (slice_caseeq(word, slice_str(text))) {
			*to = arena_strz(m->memory, word);
			return *to != NULL ? NULL : "out of memory";
		}
	return text_format(m->memory, "not %s", setting_demand(row, m->memory));
}

static const char *
take_level(struct sink_maker *m, const char *text)
{
	return take_word(m, &server_table[SERVER_loglevel], text, &m->sink->level);
}

static const char *
take_facility(struct sink_maker *m, const char *text)
{
	return take_word(
		m, &server_table[SERVER_syslog_facility], text, &m->sink->facility);
}

static const char *
take_format(struct sink_maker *m, const char *text)
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
	s->atoms = arena_strz(m->memory, slice_str(text));
	return s->atoms != NULL ? access_format_check(s->atoms) : "out of memory";
}

static const char *
take_tag(struct sink_maker *m, const char *text)
{
	m->sink->tag = arena_strz(m->memory, slice_str(text));
	return m->sink->tag != NULL ? NULL : "out of memory";
}

static const char *
take_form(struct sink_maker *m, const char *text)
{
	m->sink->rfc5424 = strcmp(text, "5424") == 0;
	return m->sink->rfc5424 || strcmp(text, "3164") == 0 ? NULL
							     : "not 3164 or 5424";
}

static const char *
take_status(struct sink_maker *m, const char *text)
{
	struct sink_filter *f = &m->sink->filter;
	struct status_rule *rules = grow(m, f->statuses, f->n_statuses, sizeof *rules);

	if (rules == NULL)
		return "out of memory";
	f->statuses = rules;
	return status_rule_parse(&rules[f->n_statuses++], slice_str(text));
}

static const char *
take_path(struct sink_maker *m, const char *text)
{
	struct sink_filter *f = &m->sink->filter;
	struct path_rule *rules = grow(m, f->paths, f->n_paths, sizeof *rules);
	const char *copy = arena_strz(m->memory, slice_str(text));

	if (rules == NULL || copy == NULL)
		return "out of memory";
	f->paths = rules;
	return path_rule_parse(&rules[f->n_paths++], copy);
}

static const char *
take_app(struct sink_maker *m, const char *text)
{
	struct text_list *apps = &m->sink->apps;
	const char **items = grow(m, apps->items, apps->n, sizeof *items);
	const char *copy = arena_strz(m->memory, slice_str(text));

	if (items == NULL || copy == NULL)
		return "out of memory";
	items[apps->n] = copy;
	*apps = (struct text_list){ items, apps->n + 1 };
	return NULL;
}

static const char *
take_slower(struct sink_maker *m, const char *text)
{
	char *end;
	double ms = strtod(text, &end);

	if (*end != '\0' || end == text || !(ms > 0 && ms <= SLOWER_MAX))
		return "not a time in milliseconds";
	m->sink->filter.slower_than_us = (uint64_t)(ms * US);
	return NULL;
}

static const char *
take_sample(struct sink_maker *m, const char *text)
{
	char *end;
	double ratio = strtod(text, &end);

	if (*end != '\0' || end == text)
		ratio = -1;
	return sample_parse(&m->sink->filter.sample, ratio);
}

/* ---- All of them ---- */

const struct sink_member sink_members[] = {
	{ "to", MEMBER_TEXT, 0, take_to },
	{ "take", MEMBER_TEXT, 0, take_take },
	{ "format", MEMBER_TEXT, 0, take_format },
	{ "apps", MEMBER_TEXTS, 0, take_app },
	{ "level", MEMBER_TEXT, SINK_LOG, take_level },
	{ "status", MEMBER_TEXTS, SINK_ACCESS, take_status },
	{ "path", MEMBER_TEXTS, SINK_ACCESS, take_path },
	{ "slower_than", MEMBER_NUMBER, SINK_ACCESS, take_slower },
	{ "sample", MEMBER_NUMBER, SINK_ACCESS, take_sample },
	{ "facility", MEMBER_TEXT, 0, take_facility },
	{ "tag", MEMBER_TEXT, 0, take_tag },
	{ "rfc", MEMBER_NUMBER, 0, take_form },
};

const size_t n_sink_members = sizeof sink_members / sizeof sink_members[0];
