/*
 * Fields about files: whatever they say, ranges lie within the file and are no more
 * than it, and what is written is read again.
 */
#include "protocols/http.h"

#include "protocols/mime.h"
#include "tests/fuzz/fuzz.h"

static void
check_ranges(struct slice in, uint64_t size)
{
	struct http_range ranges[HTTP_RANGES];
	int n = http_ranges(in, size, ranges);
	uint64_t total = 0;

	assert(n >= -1 && n <= HTTP_RANGES);
	for (int i = 0; i < n; i++) {
		assert(ranges[i].length > 0 && ranges[i].offset < size);
		assert(ranges[i].length <= size - ranges[i].offset);
		total += ranges[i].length;
	}
	assert(total <= size);
}

static void
check_date(struct slice in)
{
	char text[HTTP_DATE];
	time_t at, again;

	if (!http_date_read(in, 0, &at))
		return;
	http_date_write(text, at);
	assert(http_date_read(slice_str(text), 0, &again) && again == at);
}

/* What a tag matches strongly it matches weakly, and a date never decides beside it. */
static void
check_conditions(struct slice in)
{
	const struct http_validators v = { .etag = SLICE("\"a\""), .now = 1 };
	const struct http_conditions match = { .if_match = in };
	const struct http_conditions none = { .if_none_match = in };
	const struct http_conditions both = {
		.if_none_match = in,
		.if_modified_since = SLICE("Fri, 01 Jan 2100 00:00:00 GMT"),
	};

	if (http_conditions_check(&match, &v, true) == 0)
		assert(http_conditions_check(&none, &v, true) == 304);
	assert(http_conditions_check(&none, &v, true) ==
		http_conditions_check(&both, &v, true));
}

void
fuzz_http(struct slice in)
{
	struct arena memory = { 0 };
	struct mime types = { 0 };

	check_ranges(in, 0);
	check_ranges(in, 100);
	check_ranges(in, UINT64_MAX);
	check_date(in);
	check_conditions(in);
	assert(http_coding_quality(in, SLICE("gzip")) <= HTTP_QUALITY_MAX);
	assert(mime_add(&types, in, &memory) == 0);
	mime_sort(&types);
	for (size_t i = 1; i < types.n; i++)
		assert(strcasecmp(types.rows[i - 1].extension,
			       types.rows[i].extension) < 0);
	mime_release(&types);
	arena_release(&memory);
}
