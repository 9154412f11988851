/* Which requests a sink takes. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/log_filter.h"

Suite *log_filter_suite(void);

/* ---- Statuses ---- */

static const struct {
	const char *rules; /* with spaces between them */
	unsigned status;
	bool wanted;
} statuses[] = {
	{ "", 200, true },
	{ "404", 404, true },
	{ "404", 405, false },
	{ "5xx", 500, true },
	{ "5XX", 599, true },
	{ "5xx", 499, false },
	{ "5xx 404", 404, true },
	{ "!304", 200, true },
	{ "!304", 304, false },
	{ "3xx !304", 302, true },
	{ "3xx !304", 304, false },
	{ "!304 3xx", 304, false },
	{ "!3xx !404", 200, true },
	{ "4xx", 499, true },
};

START_TEST(statuses_are_wanted)
{
	struct status_rule rules[4];
	struct sink_filter f = { .statuses = rules };
	char text[64], *rest = text, *word;

	snprintf(text, sizeof(text), "%s", statuses[_i].rules);
	while ((word = strsep(&rest, " ")) != NULL && *word != '\0')
		ck_assert_ptr_null(
			status_rule_parse(&rules[f.n_statuses++], slice_str(word)));
	const struct filter_request r = { .status = statuses[_i].status };
	ck_assert_int_eq(filter_wants(&f, &r), statuses[_i].wanted);
}
END_TEST

static const char *const bad_statuses[] = { "", "!", "4", "40", "4x", "x04", "4x4",
	"4044", "600", "099", "!!404", "404 ", "-04" };

START_TEST(bad_statuses_are_refused)
{
	struct status_rule rule;

	ck_assert_ptr_nonnull(status_rule_parse(&rule, slice_str(bad_statuses[_i])));
}
END_TEST

/* ---- Paths ---- */

static const struct {
	const char *rule, *path;
	bool wanted;
} paths[] = {
	{ "/a", "/a", true },
	{ "/a", "/ab", false },
	{ "/a", "/", false },
	{ "/api/*", "/api/", true },
	{ "/api/*", "/api/x/y", true },
	{ "/api/*", "/api", false },
	{ "*.css", "/x.css", true },
	{ "*.css", ".css", true },
	{ "*.css", "/x.css/y", false },
	{ "*.css", "css", false },
	{ "*/b/*", "/a/b/c", true },
	{ "*/b/*", "/a/bc", false },
	{ "*", "/", true },
	{ "*", "", true },
	{ "**", "/x", true },
	{ "/*", "/", true },
};

START_TEST(paths_are_wanted)
{
	struct path_rule rule;
	struct sink_filter f = { .paths = &rule, .n_paths = 1 };
	const struct filter_request r = { .path = slice_str(paths[_i].path) };

	ck_assert_pstr_eq(path_rule_parse(&rule, paths[_i].rule), NULL);
	ck_assert_int_eq(filter_wants(&f, &r), paths[_i].wanted);
}
END_TEST

static const char *const bad_paths[] = { "", "api", "/a*b", "/a*b*", "***" };

START_TEST(bad_paths_are_refused)
{
	struct path_rule rule;

	ck_assert_ptr_nonnull(path_rule_parse(&rule, bad_paths[_i]));
}
END_TEST

/* ---- Times and samples ---- */

START_TEST(slow_ones_are_wanted)
{
	const struct sink_filter f = { .slower_than_us = 1000 };

	ck_assert(!filter_wants(&f, &(struct filter_request){ .us = 1000 }));
	ck_assert(filter_wants(&f, &(struct filter_request){ .us = 1001 }));
}
END_TEST

static const double ratios[] = { 0, 0.001, 0.1, 0.5, 0.9, 1 };

enum { REQUESTS = 20000 };

static void
assert_share(unsigned n, double ratio)
{
	ck_assert_double_ge(n, REQUESTS * ratio * 0.8 - 20);
	ck_assert_double_le(n, REQUESTS * ratio * 1.2 + 20);
}

/* By ids that differ in little, and without ids. */
START_TEST(samples_are_as_large_as_they_should_be)
{
	struct sink_filter f = { .sample = 0 };
	unsigned by_id = 0, plain = 0;
	char id[32];

	ck_assert_ptr_null(sample_parse(&f.sample, ratios[_i]));
	for (unsigned i = 0; i < REQUESTS; i++) {
		snprintf(id, sizeof(id), "request-%u", i);
		const struct filter_request with = { .id = slice_str(id) };
		by_id += filter_samples(&f, &with);
		ck_assert(filter_samples(&f, &with) == filter_samples(&f, &with));
		plain += filter_samples(&f, &(struct filter_request){ .status = 200 });
	}
	assert_share(by_id, ratios[_i]);
	assert_share(plain, ratios[_i]);
}
END_TEST

START_TEST(errors_are_always_taken)
{
	const struct sink_filter f = { .sample = 0 };

	for (unsigned status = 200; status < 600; status++)
		ck_assert_int_eq(filter_samples(&f,
					 &(struct filter_request){ .status = status }),
			status >= 500);
}
END_TEST

START_TEST(bad_ratios_are_refused)
{
	const double bad[] = { -0.1, 1.1, __builtin_nan("") };
	uint32_t sample;

	ck_assert_ptr_nonnull(sample_parse(&sample, bad[_i]));
}
END_TEST

#define LOOP(t, test, rows) \
	tcase_add_loop_test(t, test, 0, sizeof(rows) / sizeof(rows[0]))

Suite *
log_filter_suite(void)
{
	Suite *s = suite_create("log_filter");
	TCase *t = tcase_create("log_filter");

	LOOP(t, statuses_are_wanted, statuses);
	LOOP(t, bad_statuses_are_refused, bad_statuses);
	LOOP(t, paths_are_wanted, paths);
	LOOP(t, bad_paths_are_refused, bad_paths);
	tcase_add_test(t, slow_ones_are_wanted);
	LOOP(t, samples_are_as_large_as_they_should_be, ratios);
	tcase_add_test(t, errors_are_always_taken);
	tcase_add_loop_test(t, bad_ratios_are_refused, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
