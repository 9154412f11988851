#include "gateway/config/log_filter.h"

#include <string.h>

enum { STATUS_ERROR = 500 };

/* ---- From text ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *
status_rule_parse(struct status_rule *rule, struct slice text)
{
	rule->but = text.len > 0 && *text.ptr == '!';
	if (rule->but)
		slice_advance(&text, 1);
	if (text.len != 3 || *text.ptr < '1' || *text.ptr > '5')
		return "not a status such as 404, 5xx or !304";
	unsigned hundred = (unsigned)(*text.ptr - '0') * 100;
	if (slice_caseeq(slice_of(text.ptr + 1, 2), SLICE("xx"))) {
		rule->first = hundred;
		rule->last = hundred + 99;
		return NULL;
	}
	if (!is_digit(text.ptr[1]) || !is_digit(text.ptr[2]))
		return "not a status such as 404, 5xx or !304";
	rule->first = rule->last = hundred + (unsigned)(text.ptr[1] - '0') * 10 +
		(unsigned)(text.ptr[2] - '0');
	return NULL;
}

const char *
path_rule_parse(struct path_rule *rule, const char *text)
{
	size_t len = strlen(text);

	*rule = (struct path_rule){ .text = text };
	if (len > 1 && text[len - 1] == '*') {
		rule->any_behind = true;
		len--;
	}
	if (len > 0 && *text == '*') {
		rule->any_before = true;
		rule->text++;
		len--;
	}
	rule->len = len;
	if (memchr(rule->text, '*', len) != NULL)
		return "a * stands at the beginning or at the end only";
	if (!rule->any_before && *text != '/')
		return "not a path, which begins with / or *";
	return NULL;
}

const char *
sample_parse(uint32_t *sample, double ratio)
{
	if (!(ratio >= 0 && ratio <= 1))
		return "not a number from 0 to 1";
	*sample = (uint32_t)(ratio * SAMPLE_ALL + 0.5);
	return NULL;
}

/* ---- Requests ---- */

/* One of those that are named, if any are; none of those that are left out. */
static bool
wants_status(const struct sink_filter *f, unsigned status)
{
	bool named = false, found = false;

	for (size_t i = 0; i < f->n_statuses; i++) {
		const struct status_rule *rule = &f->statuses[i];
		bool within = status >= rule->first && status <= rule->last;
		if (rule->but && within)
			return false;
		named |= !rule->but;
		found |= !rule->but && within;
	}
	return found || !named;
}

static bool
is_contained(struct slice text, struct slice part)
{
	return part.len == 0 || memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static bool
fits(const struct path_rule *rule, struct slice path)
{
	struct slice text = slice_of(rule->text, rule->len);

	if (path.len < text.len)
		return false;
	if (rule->any_before && rule->any_behind)
		return is_contained(path, text);
	if (rule->any_behind)
		return slice_starts(path, text);
	if (rule->any_before)
		slice_advance(&path, path.len - text.len);
	return slice_eq(path, text);
}

static bool
wants_path(const struct sink_filter *f, struct slice path)
{
	for (size_t i = 0; i < f->n_paths; i++)
		if (fits(&f->paths[i], path))
			return true;
	return f->n_paths == 0;
}

bool
filter_wants(const struct sink_filter *f, const struct filter_request *r)
{
	return wants_status(f, r->status) && wants_path(f, r->path) &&
		(f->slower_than_us == 0 || r->us > f->slower_than_us);
}

/* All servers that know a request by the same id come to the same (FNV-1a, whose upper
 * bits depend on all bytes). */
static uint32_t
spread(struct slice id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.ptr[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return (uint32_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

bool
filter_samples(const struct sink_filter *f, const struct filter_request *r)
{
	static _Atomic uint64_t n;

	if (f->sample >= SAMPLE_ALL || r->status >= STATUS_ERROR)
		return true;
	if (r->id.len > 0)
		return spread(r->id) < f->sample;
	/* Without ids each so many requests of a process, spread evenly. */
	return (uint32_t)(++n * UINT64_C(0x9e3779b97f4a7c15) >> 40) < f->sample;
}
