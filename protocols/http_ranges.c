#include "protocols/http.h"

#include <inttypes.h>
#include <stdio.h>

/* Digits as a number; what is too great for it is the greatest one. Returns their
 * count. */
static size_t
take_number(struct slice *text, uint64_t *number)
{
	size_t n = 0;

	*number = 0;
	for (; n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9'; n++) {
		uint64_t digit = (uint64_t)(text->ptr[n] - '0');
		*number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX
							      : *number * 10 + digit;
	}
	slice_advance(text, n);
	return n;
}

/* "0-499", "500-" or "-500" of a representation of that size; a length of 0: it is not
 * in it. False: it is none of these. */
static bool
read_range(struct slice text, uint64_t size, struct http_range *range)
{
	uint64_t first, last;
	bool has_first = take_number(&text, &first) > 0;

	*range = (struct http_range){ 0 };
	if (text.len == 0 || text.ptr[0] != '-')
		return false;
	slice_advance(&text, 1);
	bool has_last = take_number(&text, &last) > 0;
	if (text.len > 0 || (!has_first && !has_last) ||
		(has_first && has_last && last < first))
		return false;
	if (!has_first) {
		range->length = last < size ? last : size;
		range->offset = size - range->length;
	} else if (first < size) {
		range->offset = first;
		range->length =
			has_last && last < size ? last - first + 1 : size - first;
	}
	return true;
}

/* The text up to the next comma, which is taken off with it. */
static struct slice
take_item(struct slice *list)
{
	const char *comma = memchr(list->ptr, ',', list->len);
	size_t n = comma != NULL ? (size_t)(comma - list->ptr) : list->len;
	struct slice item = slice_trim(slice_of(list->ptr, n));

	slice_advance(list, comma != NULL ? n + 1 : n);
	return item;
}

static bool
is_of_bytes(struct slice *field)
{
	static const struct slice unit = SLICE_INIT("bytes=");

	*field = slice_trim(*field);
	if (field->len < unit.len ||
		!slice_caseeq(slice_of(field->ptr, unit.len), unit))
		return false;
	slice_advance(field, unit.len);
	return true;
}

int
http_ranges(struct slice field, uint64_t size, struct http_range ranges[HTTP_RANGES])
{
	uint64_t left = size;
	size_t asked = 0;
	int n = 0;

	if (field.ptr == NULL || !is_of_bytes(&field))
		return 0;
	while (field.len > 0) {
		struct slice item = take_item(&field);
		struct http_range range;
		if (item.len == 0)
			continue;
		if (!read_range(item, size, &range) || range.length > left)
			return 0;
		/* The end of nothing is nothing, which cannot be told as a range. */
		if (size == 0 && item.ptr[0] == '-')
			return 0;
		asked++;
		if (range.length == 0)
			continue;
		if (n == HTTP_RANGES)
			return 0;
		left -= range.length;
		ranges[n++] = range;
	}
	return n > 0 || asked == 0 ? n : -1;
}

void
http_content_range(
	char text[HTTP_CONTENT_RANGE], const struct http_range *range, uint64_t size)
{
	if (range == NULL)
		snprintf(text, HTTP_CONTENT_RANGE, "bytes */%" PRIu64, size);
	else
		snprintf(text, HTTP_CONTENT_RANGE,
			"bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->offset,
			range->offset + range->length - 1, size);
}
