/*
 * The command line, made from the tables. Options may stand before and behind TARGET;
 * "--" ends them.
 */
#include <string.h>

#include "gateway/config/sources.h"
#include "gateway/config/text.h"

#define ROW(name_, type_, letter_, flag_, value_, help_) \
	[COMMAND_##name_] = { .name = #name_, \
		.type = SETTING_##type_, \
		.offset = offsetof(struct command_settings, name_), \
		.letter = letter_, \
		.flag = flag_, \
		.value = value_, \
		.help = help_ }

const struct setting command_table[COMMAND_SETTINGS] = {
	ROW(config, STR, 'c', "config", "FILE",
		"read this configuration file, or all *.conf in this folder"),
	ROW(check_config, BOOL, 0, "check-config", NULL,
		"check the configuration, load the applications, and exit"),
	ROW(print_config, BOOL, 0, "print-config", NULL,
		"print the configuration, and where each value comes from, and exit"),
	ROW(explain, STR, 0, "explain", "METHOD URL",
		"print which route a request would take, and why, and exit"),
	ROW(explain_from, STR, 0, "explain-from", "ADDRESS",
		"the client's address for --explain, 127.0.0.1 when not set"),
	ROW(help, BOOL, 'h', "help", NULL, "print this text and exit"),
	ROW(version, BOOL, 'v', "version", NULL, "print the version and exit"),
};

enum { SECTIONS = 3 };

struct reader {
	struct load *load;
	struct section sections[SECTIONS];
	char *const *next; /* the word that comes next; NULL at the end */
	struct origin origin;
};

/* An option as it was found: its row, and how it was written. */
struct option {
	struct section section;
	size_t row;
	const char *name;
};

/* Whether a row has the flag; a flag that is only near is kept in *nearest. That of a
 * setting that has the name itself is as near as can be. */
static bool
row_has_flag(const struct setting *row, struct slice flag, struct text_nearest *nearest)
{
	struct slice words = slice_str(row->flag != NULL ? row->flag : ""), word;

	while (text_next_word(&words, &word)) {
		if (text_same_flag(word, flag))
			return true;
		if (text_same_flag(slice_str(row->name), flag))
			*nearest = (struct text_nearest){ word, 1 };
		text_nearest_try(nearest, flag, word);
	}
	return false;
}

static bool
find_flag(struct reader *r, struct slice flag, struct option *found)
{
	struct text_nearest nearest = { 0 };

	for (size_t i = 0; i < SECTIONS; i++)
		for (size_t row = 0; row < r->sections[i].n; row++)
			if (row_has_flag(&r->sections[i].table[row], flag, &nearest)) {
				found->section = r->sections[i];
				found->row = row;
				return true;
			}
	const char *advice = reserved_advice(flag);
	if (advice != NULL)
		load_fault(r->load, &r->origin, "--%" SLICE_FMT ": %s", SLICE_ARG(flag),
			advice);
	else if (nearest.distance > 0)
		load_fault(r->load, &r->origin,
			"unknown option --%" SLICE_FMT "; did you mean --%" SLICE_FMT
			"?",
			SLICE_ARG(flag), SLICE_ARG(nearest.word));
	else
		load_fault(r->load, &r->origin, "unknown option --%" SLICE_FMT,
			SLICE_ARG(flag));
	return false;
}

static bool
find_letter(struct reader *r, char letter, struct option *found)
{
	for (size_t i = 0; i < SECTIONS; i++)
		for (size_t row = 0; row < r->sections[i].n; row++)
			if (r->sections[i].table[row].letter == letter) {
				found->section = r->sections[i];
				found->row = row;
				return true;
			}
	const char *advice = reserved_advice(slice_of(&letter, 1));
	if (advice != NULL)
		load_fault(r->load, &r->origin, "-%c: %s", letter, advice);
	else
		load_fault(r->load, &r->origin, "unknown option -%c", letter);
	return false;
}

static bool
takes_value(const struct option *o)
{
	return o->section.table[o->row].type != SETTING_BOOL;
}

/* --no-sendfile is the flag of sendfile. */
static bool
says_no(const struct setting *row)
{
	return strncmp(row->flag, "no-", 3) == 0 &&
		text_same_flag(slice_str(row->flag + 3), slice_str(row->name));
}

/* What was joined to an option, else the next word. METHOD URL is two words, or one
 * text with both. */
static const char *
value_words(struct reader *r, const struct setting *row, const char *value)
{
	bool is_two = strchr(row->value, ' ') != NULL;

	if (value == NULL && *r->next != NULL)
		value = *r->next++;
	if (value == NULL || !is_two || strchr(value, ' ') != NULL)
		return value;
	if (*r->next == NULL)
		return NULL;
	return text_format(&r->load->config->memory, "%s %s", value, *r->next++);
}

static bool
set_option(struct reader *r, const struct option *o, const char *value)
{
	const struct setting *row = &o->section.table[o->row];

	if (takes_value(o))
		value = value_words(r, row, value);
	else
		value = says_no(row) ? "false" : "true";
	if (value == NULL) {
		load_fault(r->load, &r->origin, "%s needs %s", o->name,
			strchr(row->value, ' ') != NULL ? row->value : "a value");
		return false;
	}
	return load_value(r->load, o->section, o->row, o->name, value, r->origin);
}

/* --flag VALUE, --flag=VALUE, --flag. */
static bool
read_long(struct reader *r, const char *word)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] == '=' ? word + len + 1 : NULL;
	struct option o;

	if (!find_flag(r, slice_of(word + 2, len - 2), &o))
		return false;
	o.name = text_format(&r->load->config->memory, "%.*s", (int)len, word);
	if (value != NULL && !takes_value(&o)) {
		load_fault(r->load, &r->origin, "%s takes no value", o.name);
		return false;
	}
	return set_option(r, &o, value);
}

/* -w 4, -w4, -hv. */
static bool
read_short(struct reader *r, const char *word)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		struct option o;
		if (!find_letter(r, *letter, &o))
			return false;
		o.name = text_format(&r->load->config->memory, "-%c", *letter);
		if (takes_value(&o))
			return set_option(r, &o, letter[1] != '\0' ? letter + 1 : NULL);
		if (!set_option(r, &o, NULL))
			return false;
	}
	return true;
}

static bool
read_target(struct reader *r, const char *word)
{
	struct app_settings *app = &r->load->options.app;

	if (app->origins[APP_target].source == r->origin.source) {
		load_fault(r->load, &r->origin, "more than one TARGET: %s and %s",
			app->target, word);
		return false;
	}
	return load_value(r->load, app_section(app, &r->load->config->memory),
		APP_target, "TARGET", word, r->origin);
}

bool
options_read(struct load *l, char *const *words, const char *source)
{
	struct arena *memory = &l->config->memory;
	struct reader r = {
		.load = l,
		.sections = { command_section(&l->options.command, memory),
			server_section(&l->options.server, memory),
			app_section(&l->options.app, memory) },
		.next = words,
		.origin = { .source = source },
	};
	bool ended = false, good = true;

	while (good && *r.next != NULL) {
		const char *word = *r.next++;
		if (ended || word[0] != '-' || word[1] == '\0')
			good = read_target(&r, word);
		else if (strcmp(word, "--") == 0)
			ended = true;
		else if (word[1] == '-')
			good = read_long(&r, word);
		else
			good = read_short(&r, word);
	}
	return good;
}
