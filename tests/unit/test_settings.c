/* The tables, and values from text and back. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/config.h"

Suite *settings_suite(void);

static const struct {
	const char *name, *text, *result, *reason;
} values[] = {
	{ "workers", "4", "4", NULL },
	{ "workers", "0", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "4097", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "four", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "4x", NULL, "not a whole number from 1 to 4096" },
	{ "workers", " 4", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "-4", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "+4", NULL, "not a whole number from 1 to 4096" },
	{ "workers", "99999999999999999999", NULL,
		"not a whole number from 1 to 4096" },
	{ "body_buffer_size", "0", "0", NULL },
	{ "body_buffer_size", "20K", "20480", NULL },
	{ "body_buffer_size", "20M", "20971520", NULL },
	{ "limit_request_body", "2G", "2147483648", NULL },
	{ "limit_request_body", "9223372036854775807", "9223372036854775807", NULL },
	{ "limit_request_body", "8589934592G", NULL,
		"not a size from 0 to 9223372036854775807 bytes, such as 20M" },
	{ "body_buffer_size", "2G", NULL,
		"not a size from 0 to 2147483647 bytes, such as 20M" },
	{ "body_buffer_size", "2MB", NULL,
		"not a size from 0 to 2147483647 bytes, such as 20M" },
	{ "primary", "true", "true", NULL },
	{ "primary", "false", "false", NULL },
	{ "primary", "yes", "true", NULL },
	{ "primary", "0", "false", NULL },
	{ "primary", "perhaps", NULL, "not true or false" },
	{ "index", "", "", NULL },
	{ "chdir", "/srv", "/srv", NULL },
	{ "bind", "a", "a", NULL },
	{ "raw_env", "A=", "A=", NULL },
	{ "raw_env", "A=b=c", "A=b=c", NULL },
	{ "raw_env", "A", NULL, "not of the form NAME=VALUE" },
	{ "raw_env", "=b", NULL, "not of the form NAME=VALUE" },
};

static const struct setting *
app_row(const char *name)
{
	int i = setting_find(app_table, APP_SETTINGS, name);

	ck_assert_int_ge(i, 0);
	return &app_table[i];
}

static void
assert_value(
	const struct setting *row, const void *settings, size_t i, const char *value)
{
	struct buffer text = { 0 };
	bool is_set = setting_text(row, settings, i, &text);

	buffer_add_char(&text, '\0');
	ck_assert_pstr_eq(is_set ? text.ptr : NULL, value);
	buffer_release(&text);
}

START_TEST(values_are_parsed)
{
	struct app_settings app = { 0 };
	struct arena memory = { 0 };
	const struct setting *row = app_row(values[_i].name);

	ck_assert_pstr_eq(setting_parse(row, &app, values[_i].text, true, &memory),
		values[_i].reason);
	if (values[_i].reason == NULL) {
		assert_value(row, &app, 0, values[_i].result);
		assert_value(row, &app, 1, NULL);
	}
	arena_release(&memory);
}
END_TEST

START_TEST(choices_are_of_the_table)
{
	struct server_settings server = { 0 };
	struct arena memory = { 0 };
	const struct setting *row = &server_table[SERVER_loglevel];

	ck_assert_pstr_eq(setting_parse(row, &server, "Warning", true, &memory), NULL);
	ck_assert_str_eq(server.loglevel, "warning");
	ck_assert_pstr_eq(setting_parse(row, &server, "warn", true, &memory),
		"not one of debug, info, warning, error, critical");
	arena_release(&memory);
}
END_TEST

START_TEST(lists_grow_and_are_replaced)
{
	struct app_settings app = { 0 }, copy;
	struct arena memory = { 0 };
	const struct setting *row = app_row("bind");

	ck_assert_pstr_eq(setting_parse(row, &app, "a", true, &memory), NULL);
	copy = app;
	ck_assert_pstr_eq(setting_parse(row, &app, "b", false, &memory), NULL);
	ck_assert_pstr_eq(setting_parse(row, &copy, "c", false, &memory), NULL);
	assert_value(row, &app, 0, "a");
	assert_value(row, &app, 1, "b");
	assert_value(row, &app, 2, NULL);
	assert_value(row, &copy, 1, "c");
	ck_assert_pstr_eq(setting_parse(row, &app, "d", true, &memory), NULL);
	assert_value(row, &app, 0, "d");
	assert_value(row, &app, 1, NULL);
	setting_clear(row, &app);
	assert_value(row, &app, 0, NULL);
	arena_release(&memory);
}
END_TEST

/* ---- Types that few rows have ---- */

struct sample {
	setting_mode mode;
	setting_cidrs trusted;
	setting_list names, map;
};

#define SAMPLE(name_, type_, value_) \
	{ \
		.name = #name_, .type = SETTING_##type_, \
		.offset = offsetof(struct sample, name_), .value = value_ \
	}

static const struct setting sample_table[] = {
	SAMPLE(mode, MODE, "MODE"),
	SAMPLE(trusted, CIDRS, "ADDRESS,..."),
	SAMPLE(names, LIST, "NAME,..."),
	SAMPLE(map, MAP, "NAME=VALUE"),
};

enum { SAMPLES = sizeof sample_table / sizeof sample_table[0] };

static const struct {
	const char *name, *text;
	const char *results[3];
	const char *reason;
} samples[] = {
	{ "mode", "0660", { "0660" }, NULL },
	{ "mode", "22", { "0022" }, NULL },
	{ "mode", "0o7", { "0007" }, NULL },
	{ "mode", "7777", { "7777" }, NULL },
	{ "mode", "", { NULL }, "not an octal mode, such as \"0660\"" },
	{ "mode", "0668", { NULL }, "not an octal mode, such as \"0660\"" },
	{ "mode", "17777", { NULL }, "not an octal mode, such as \"0660\"" },
	{ "mode", "u+x", { NULL }, "not an octal mode, such as \"0660\"" },
	{ "trusted", "*", { "*" }, NULL },
	{ "trusted", "", { NULL }, NULL },
	{ "trusted", "127.0.0.1, 10.0.0.0/8", { "127.0.0.1", "10.0.0.0/8" }, NULL },
	{ "trusted", "::1,", { "::1" }, NULL },
	{ "trusted", "ten", { NULL },
		"not an address, a network such as 10.0.0.0/8, or *" },
	{ "trusted", "::1,ten", { "::1" },
		"not good: \"ten\" is not an address, a network such as 10.0.0.0/8, "
		"or *" },
	{ "names", "A", { "A" }, NULL },
	{ "names", "A,B,,C", { "A", "B", "C" }, NULL },
	{ "map", "A=1,2", { "A=1,2" }, NULL },
	{ "map", "A", { NULL }, "not of the form NAME=VALUE" },
};

START_TEST(samples_are_parsed)
{
	struct sample sample = { .mode = MODE_UNSET };
	struct arena memory = { 0 };
	const struct setting *row =
		&sample_table[setting_find(sample_table, SAMPLES, samples[_i].name)];

	ck_assert_pstr_eq(setting_parse(row, &sample, samples[_i].text, true, &memory),
		samples[_i].reason);
	for (size_t i = 0; i < 3; i++)
		assert_value(row, &sample, i, samples[_i].results[i]);
	ck_assert_int_eq(sample.trusted.texts.n > 0, sample.trusted.networks != NULL);
	arena_release(&memory);
}
END_TEST

START_TEST(what_is_cleared_is_not_set)
{
	struct sample sample = { 0 };
	struct arena memory = { 0 };

	for (size_t i = 0; i < SAMPLES; i++) {
		setting_clear(&sample_table[i], &sample);
		assert_value(&sample_table[i], &sample, 0, NULL);
	}
	ck_assert_int_eq(sample.mode, MODE_UNSET);
	ck_assert_pstr_eq(
		setting_parse(&sample_table[1], &sample, "::1", false, &memory), NULL);
	ck_assert_pstr_eq(
		setting_parse(&sample_table[1], &sample, "*", false, &memory), NULL);
	ck_assert_uint_eq(sample.trusted.texts.n, 2);
	ck_assert_uint_eq(sample.trusted.networks[0].bits, 128);
	ck_assert_uint_eq(sample.trusted.networks[1].bits, 0);
	arena_release(&memory);
}
END_TEST

START_TEST(names_are_found)
{
	ck_assert_int_eq(setting_find(app_table, APP_SETTINGS, "bind"), APP_bind);
	ck_assert_int_eq(
		setting_find(server_table, SERVER_SETTINGS, "pidfile"), SERVER_pidfile);
	ck_assert_int_eq(setting_find(app_table, APP_SETTINGS, "bin"), -1);
	ck_assert_int_eq(setting_find(app_table, APP_SETTINGS, "pidfile"), -1);
}
END_TEST

static const char begin_mark[] = ".\\\" make manual\n", end_mark[] = ".\\\" end\n";

START_TEST(manual_is_made_of_the_tables)
{
	struct buffer page = { 0 }, made = { 0 };
	FILE *file = fopen("docs/alicorn.conf.5", "r");
	size_t n;

	ck_assert_ptr_nonnull(file);
	do {
		n = fread(buffer_reserve(&page, 4096), 1, 4096, file);
		page.len += n;
	} while (n > 0);
	fclose(file);
	buffer_add_char(&page, '\0');
	config_manual(&made);
	buffer_add_str(&made, end_mark);
	const char *begin = strstr(page.ptr, begin_mark);
	bool same = begin != NULL &&
		strncmp(begin + strlen(begin_mark), made.ptr, made.len) == 0;
	buffer_release(&page);
	buffer_release(&made);
	ck_assert_msg(same, "docs/alicorn.conf.5 is not of these tables: make manual");
}
END_TEST

Suite *
settings_suite(void)
{
	Suite *s = suite_create("settings");
	TCase *t = tcase_create("settings");

	tcase_add_loop_test(
		t, values_are_parsed, 0, (int)(sizeof values / sizeof values[0]));
	tcase_add_test(t, choices_are_of_the_table);
	tcase_add_test(t, lists_grow_and_are_replaced);
	tcase_add_loop_test(
		t, samples_are_parsed, 0, (int)(sizeof samples / sizeof samples[0]));
	tcase_add_test(t, what_is_cleared_is_not_set);
	tcase_add_test(t, names_are_found);
	tcase_add_test(t, manual_is_made_of_the_tables);
	suite_add_tcase(s, t);
	return s;
}
