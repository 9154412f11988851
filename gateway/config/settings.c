#include "gateway/config/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/text.h"

#define ROW( \
	settings, name_, type_, letter_, flag_, default_, min_, max_, value_, help_) \
	{ .name = #name_, \
		.type = SETTING_##type_, \
		.offset = offsetof(settings, name_), \
		.letter = letter_, \
		.flag = flag_, \
		.fallback = default_, \
		.min = min_, \
		.max = max_, \
		.value = value_, \
		.help = help_ },

const struct setting server_table[SERVER_SETTINGS] = {
#define SERVER(...) ROW(struct server_settings, __VA_ARGS__)
#include "gateway/config/settings.def"
};

const struct setting app_table[APP_SETTINGS] = {
#define APP(...) ROW(struct app_settings, __VA_ARGS__)
#include "gateway/config/settings.def"
};

const struct setting route_table[ROUTE_SETTINGS] = {
#define ROUTE(...) ROW(struct route, __VA_ARGS__)
#include "gateway/config/settings.def"
};

int
setting_find(const struct setting *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void *
member_of(const struct setting *row, void *settings)
{
	return (char *)settings + row->offset;
}

static const void *
const_member_of(const struct setting *row, const void *settings)
{
	return (const char *)settings + row->offset;
}

/* ---- From text ---- */

static const char *
refusal(const struct setting *row, struct arena *memory)
{
	return text_format(memory, "not %s", setting_demand(row, memory));
}

/* Digits only: strtoll would also take white space and signs. */
static bool
parse_digits(const char *text, int64_t *number, const char **end)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoll(text, &stop, 10);
	*end = stop;
	return errno == 0;
}

static const char *
parse_int(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	int64_t number;
	const char *end;

	if (!parse_digits(text, &number, &end) || *end != '\0' || number < row->min ||
		number > row->max)
		return refusal(row, memory);
	*(setting_int *)member = number;
	return NULL;
}

static const char *
parse_size(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	static const char units[] = "KMG";
	int64_t number;
	const char *end;

	if (!parse_digits(text, &number, &end))
		return refusal(row, memory);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		int shift = 10 * (int)(unit - units + 1);
		if (number > INT64_MAX >> shift)
			return refusal(row, memory);
		number <<= shift;
		end++;
	}
	if (*end != '\0' || number < row->min || number > row->max)
		return refusal(row, memory);
	*(setting_size *)member = (uint64_t)number;
	return NULL;
}

static const char *
parse_bool(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	/* The others are what people give an environment variable. */
	static const char *const words[][2] = { { "false", "true" }, { "no", "yes" },
		{ "n", "y" }, { "0", "1" }, { "off", "on" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (size_t yes = 0; yes < 2; yes++)
			if (strcmp(text, words[i][yes]) == 0) {
				*(setting_bool *)member = yes != 0;
				return NULL;
			}
	return refusal(row, memory);
}

static const char *
parse_str(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	(void)row;
	const char *copy = arena_strz(memory, slice_str(text));
	if (copy == NULL)
		return "more than memory holds";
	*(setting_str *)member = copy;
	return NULL;
}

/* In any case of letters, as gunicorn takes its log levels. */
static const char *
parse_choice(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	struct slice words = slice_str(row->value), word;

	while (text_next_word(&words, &word))
		if (slice_caseeq(word, slice_str(text))) {
			*(setting_str *)member = arena_strz(memory, word);
			return *(setting_str *)member != NULL
				? NULL
				: "more than memory holds";
		}
	return refusal(row, memory);
}

/* Into an array of its own: the items so far may be another application's too. */
static const char *
parse_item(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	setting_list *list = member;
	const char **items = arena_alloc(memory, (list->n + 1) * sizeof *items);

	if (items == NULL)
		return "more than memory holds";
	if (list->n > 0)
		memcpy(items, list->items, list->n * sizeof *items);
	const char *reason = parse_str(row, &items[list->n], text, memory);
	if (reason == NULL)
		*list = (setting_list){ items, list->n + 1 };
	return reason;
}

/* The octal digits of chmod; 0o22, as Python writes them, means the same. */
static const char *
parse_mode(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	const char *digits = strncmp(text, "0o", 2) == 0 ? text + 2 : text;
	size_t len = strspn(digits, "01234567");

	if (len == 0 || len > 4 || digits[len] != '\0')
		return refusal(row, memory);
	*(setting_mode *)member = (int)strtol(digits, NULL, 8);
	return NULL;
}

static const char *
parse_network(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	setting_cidrs *list = member;
	size_t n = list->texts.n;
	struct network *networks = arena_alloc(memory, (n + 1) * sizeof *networks);

	if (networks == NULL)
		return "more than memory holds";
	if (n > 0)
		memcpy(networks, list->networks, n * sizeof *networks);
	const char *reason = network_parse(&networks[n], text, memory);
	if (reason == NULL)
		reason = parse_item(row, &list->texts, text, memory);
	if (reason == NULL)
		list->networks = networks;
	return reason;
}

static const char *
parse_pair(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	const char *equal = strchr(text, '=');

	if (equal == NULL || equal == text)
		return refusal(row, memory);
	return parse_item(row, member, text, memory);
}

typedef const char *parse_fn(const struct setting *row, void *member, const char *text,
	struct arena *memory);

/* The member of a list begins with the list of its texts. */
static const struct type {
	parse_fn *parse;
	size_t size;
	bool list;
} types[] = {
	[SETTING_INT] = { parse_int, sizeof(setting_int), false },
	[SETTING_SIZE] = { parse_size, sizeof(setting_size), false },
	[SETTING_BOOL] = { parse_bool, sizeof(setting_bool), false },
	[SETTING_STR] = { parse_str, sizeof(setting_str), false },
	[SETTING_CHOICE] = { parse_choice, sizeof(setting_str), false },
	[SETTING_PATH] = { parse_str, sizeof(setting_str), false },
	[SETTING_MODE] = { parse_mode, sizeof(setting_mode), false },
	[SETTING_LIST] = { parse_item, sizeof(setting_list), true },
	[SETTING_MAP] = { parse_pair, sizeof(setting_list), true },
	[SETTING_PATHS] = { parse_item, sizeof(setting_list), true },
	[SETTING_CIDRS] = { parse_network, sizeof(setting_cidrs), true },
};

/* Each of the items between commas; none in an empty text. */
static const char *
parse_items(
	const struct setting *row, void *member, const char *text, struct arena *memory)
{
	for (const char *end; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
		end = text + strcspn(text, ",");
		struct slice item = slice_trim(slice_of(text, (size_t)(end - text)));
		const char *copy = arena_strz(memory, item);
		if (copy == NULL)
			return "more than memory holds";
		if (*copy == '\0')
			continue;
		const char *reason = types[row->type].parse(row, member, copy, memory);
		if (reason != NULL)
			return text_format(
				memory, "not good: \"%s\" is %s", copy, reason);
	}
	return NULL;
}

const char *
setting_parse(const struct setting *row, void *settings, const char *text, bool replace,
	struct arena *memory)
{
	void *member = member_of(row, settings);

	if (replace && setting_is_list(row))
		setting_clear(row, settings);
	if (setting_has_commas(row) && (*text == '\0' || strchr(text, ',') != NULL))
		return parse_items(row, member, text, memory);
	return types[row->type].parse(row, member, text, memory);
}

bool
setting_is_list(const struct setting *row)
{
	return types[row->type].list;
}

bool
setting_has_commas(const struct setting *row)
{
	return setting_is_list(row) && strchr(row->value, ',') != NULL;
}

void
setting_clear(const struct setting *row, void *settings)
{
	/* All bits are set in MODE_UNSET. */
	memset(member_of(row, settings), row->type == SETTING_MODE ? 0xff : 0,
		types[row->type].size);
}

void
setting_copy(const struct setting *row, void *to, const void *from)
{
	memcpy(member_of(row, to), const_member_of(row, from), types[row->type].size);
}

/* ---- To text ---- */

static const char *
choices(const char *words, struct arena *memory)
{
	struct slice left = slice_str(words), word;
	struct buffer text = { 0 };

	if (strchr(words, '|') == NULL)
		return words;
	while (text_next_word(&left, &word))
		buffer_addf(&text, "%s%" SLICE_FMT, text.len > 0 ? ", " : "one of ",
			SLICE_ARG(word));
	const char *copy =
		text_format(memory, "%" SLICE_FMT, SLICE_ARG(buffer_slice(&text)));
	buffer_release(&text);
	return copy;
}

const char *
setting_demand(const struct setting *row, struct arena *memory)
{
	switch (row->type) {
	case SETTING_INT:
		if (row->min == row->max)
			return text_format(memory, "%" PRId64, row->min);
		return text_format(memory,
			"a whole number from %" PRId64 " to %" PRId64, row->min,
			row->max);
	case SETTING_SIZE:
		return text_format(memory,
			"a size from %" PRId64 " to %" PRId64 " bytes, such as 20M",
			row->min, row->max);
	case SETTING_BOOL:
		return "true or false";
	case SETTING_STR:
	case SETTING_PATH:
		return "a text";
	case SETTING_CHOICE:
		return choices(row->value, memory);
	case SETTING_MODE:
		return "an octal mode, such as \"0660\"";
	case SETTING_LIST:
	case SETTING_PATHS:
	case SETTING_CIDRS:
		return "a text or a list of texts";
	case SETTING_MAP:
		return "of the form NAME=VALUE";
	}
	return "";
}

static bool
add_str(struct buffer *text, const char *value)
{
	if (value != NULL)
		buffer_add_str(text, value);
	return value != NULL;
}

bool
setting_text(
	const struct setting *row, const void *settings, size_t i, struct buffer *text)
{
	const void *member = const_member_of(row, settings);
	const setting_list *list = member;

	if (setting_is_list(row))
		return i < list->n && add_str(text, list->items[i]);
	if (i > 0)
		return false;
	switch (row->type) {
	case SETTING_INT:
		buffer_addf(text, "%" PRId64, *(const setting_int *)member);
		return true;
	case SETTING_SIZE:
		buffer_addf(text, "%" PRIu64, *(const setting_size *)member);
		return true;
	case SETTING_BOOL:
		return add_str(text, *(const setting_bool *)member ? "true" : "false");
	case SETTING_MODE:
		if (*(const setting_mode *)member == MODE_UNSET)
			return false;
		buffer_addf(text, "%04o", (unsigned)*(const setting_mode *)member);
		return true;
	case SETTING_STR:
	case SETTING_CHOICE:
	case SETTING_PATH:
	case SETTING_LIST:
	case SETTING_MAP:
	case SETTING_PATHS:
	case SETTING_CIDRS:
		break;
	}
	return add_str(text, *(const setting_str *)member);
}

bool
setting_same(const struct setting *row, const void *a, const void *b)
{
	struct buffer first = { 0 }, second = { 0 };
	bool more = true, same = true;

	for (size_t i = 0; more && same; i++) {
		more = setting_text(row, a, i, &first);
		same = setting_text(row, b, i, &second) == more &&
			slice_eq(buffer_slice(&first), buffer_slice(&second));
	}
	buffer_release(&first);
	buffer_release(&second);
	return same;
}
