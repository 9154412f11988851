#include "protocols/http.h"

/* An entity-tag without W/ and its quotes (section 8.8.3). */
struct tag {
	struct slice opaque;
	bool weak;
};

static bool
is_etagc(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte >= 0x21 && byte != '"' && byte != 0x7f;
}

/* Takes the tag off the front. False: there is none. */
static bool
take_tag(struct slice *text, struct tag *tag)
{
	size_t n = 0;

	tag->weak = slice_starts(*text, SLICE("W/"));
	if (tag->weak)
		slice_advance(text, 2);
	if (text->len == 0 || text->ptr[0] != '"')
		return false;
	slice_advance(text, 1);
	while (n < text->len && is_etagc(text->ptr[n]))
		n++;
	if (n == text->len || text->ptr[n] != '"')
		return false;
	tag->opaque = slice_of(text->ptr, n);
	slice_advance(text, n + 1);
	return true;
}

/* Whether a list of tags, or "*", has that of the representation, which is strong; by
 * the strong comparison, or the weak one (section 8.8.3.2). What stands behind
 * something that is no tag is not looked at. */
static bool
has_tag(struct slice list, struct slice etag, bool strongly)
{
	struct tag own, tag;

	list = slice_trim(list);
	if (slice_eq(list, SLICE("*")))
		return true;
	if (!take_tag(&etag, &own))
		return false;
	while (list.len > 0) {
		if (list.ptr[0] == ',') {
			slice_advance(&list, 1);
			list = slice_trim(list);
			continue;
		}
		if (!take_tag(&list, &tag))
			return false;
		if (slice_eq(tag.opaque, own.opaque) && !(strongly && tag.weak))
			return true;
		list = slice_trim(list);
		if (list.len > 0 && list.ptr[0] != ',')
			return false;
	}
	return false;
}

/* Neither true nor false: there is no such field, or it is no date and must be ignored.
 */
enum answer { IGNORED, HOLDS, FAILS };

static enum answer
is_modified_since(struct slice field, const struct http_validators *v)
{
	time_t since;

	if (!http_date_read(field, v->now, &since))
		return IGNORED;
	return v->modified > since ? HOLDS : FAILS;
}

static bool
may_change(const struct http_conditions *c, const struct http_validators *v)
{
	if (c->if_match.ptr != NULL)
		return has_tag(c->if_match, v->etag, true);
	return is_modified_since(c->if_unmodified_since, v) != HOLDS;
}

static bool
is_news(const struct http_conditions *c, const struct http_validators *v, bool reads)
{
	if (c->if_none_match.ptr != NULL)
		return !has_tag(c->if_none_match, v->etag, false);
	return !reads || is_modified_since(c->if_modified_since, v) != FAILS;
}

unsigned
http_conditions_check(
	const struct http_conditions *c, const struct http_validators *v, bool reads)
{
	if (!may_change(c, v))
		return 412;
	if (!is_news(c, v, reads))
		return reads ? 304 : 412;
	return 0;
}

/* A date is compared as a whole, and says nothing of a file that may yet change within
 * the same second (section 8.8.2.2). */
bool
http_conditions_range(const struct http_conditions *c, const struct http_validators *v)
{
	struct slice field = slice_trim(c->if_range);
	struct tag tag, own;
	struct slice etag = v->etag;
	time_t date;

	if (c->if_range.ptr == NULL)
		return true;
	if (http_date_read(field, v->now, &date))
		return date == v->modified && v->modified < v->now;
	return take_tag(&field, &tag) && field.len == 0 && !tag.weak &&
		take_tag(&etag, &own) && slice_eq(tag.opaque, own.opaque);
}
