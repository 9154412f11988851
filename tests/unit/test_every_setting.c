/*
 * Each setting of the tables: from a file and from the command line, printed and read
 * back, refused with file and line.
 */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config/config.h"
#include "gateway/config/sources.h"
#include "gateway/config/text.h"

Suite *every_setting_suite(void);

enum { APPS = SERVER_SETTINGS, ROUTES = APPS + APP_SETTINGS };
enum { SETTINGS = ROUTES + ROUTE_SETTINGS };

/* ---- Values ---- */

/* A file that says nothing. */
static char log_file[64];

/* Where a value of the type is not good enough. */
static const struct {
	const char *name, *value;
} special[] = {
	{ "target", "c.d:e" },
	{ "bind", "unix:/run/x" },
	{ "syslog_addr", "udp://localhost:1" },
	{ "statsd_host", "unix:///run/statsd" },
	{ "on_message", "c:/x.so:f" },
	{ "log_user", "daemon" },
	{ "control_users", "daemon" },
	{ "access_log_format", "%(h)s" },
	{ "request_id_header", "X-Trace" },
	{ "log_config", log_file },
	{ "worker_class", "gthread" },
	{ "chdir", "/" },
	{ "root", "/" },
	{ "venv", "/" },
	{ "user", "daemon" },
	{ "group", "daemon" },
	{ "socket_owner", "daemon" },
	{ "socket_group", "daemon" },
	{ "host", "*.example.org" },
	{ "path", "/mount/*" },
	{ "method", "GET" },
	{ "header", "X-Canary" },
	{ "app", "shop" },
	{ "mount", "/mount" },
	{ "files", "/" },
	{ "fastcgi", "host:9000" },
	{ "redirect", "$path/" },
};

static const struct setting *
row_of(int i)
{
	if (i >= ROUTES)
		return &route_table[i - ROUTES];
	return i < APPS ? &server_table[i] : &app_table[i - APPS];
}

static const char *
last_word(const char *words)
{
	const char *bar = strrchr(words, '|');

	return bar != NULL ? bar + 1 : words;
}

/* A text that the setting takes and gives back, no default where there is another. */
static const char *
good_value(const struct setting *row)
{
	static char number[32];

	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (strcmp(special[i].name, row->name) == 0)
			return special[i].value;
	switch (row->type) {
	case SETTING_INT:
	case SETTING_SIZE:
		snprintf(number, sizeof number, "%" PRId64,
			row->min + (row->min < row->max));
		return number;
	case SETTING_BOOL: /* --no-sendfile is the flag of sendfile */
		return strcmp(row->name, "sendfile") == 0 ? "false" : "true";
	case SETTING_CHOICE:
		return last_word(row->value);
	case SETTING_STR:
		return "some text";
	case SETTING_MODE:
		return "0123";
	case SETTING_PATH:
	case SETTING_LIST:
	case SETTING_PATHS:
		return "/some/path";
	case SETTING_MAP:
		return "NAME=value";
	case SETTING_CIDRS:
		return "10.0.0.0/8";
	}
	return NULL;
}

static bool
is_number(const struct setting *row)
{
	return row->type == SETTING_INT || row->type == SETTING_SIZE ||
		row->type == SETTING_BOOL;
}

/* ---- Loading ---- */

static char folder[] = "/tmp/alicorn-XXXXXX";
static int before = -1;

static void
enter_folder(void)
{
	static const char *const variables[] = { "ALICORN_CMD_ARGS", "PORT", "PWD",
		"TMPDIR", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SENDFILE" };

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	before = open(".", O_DIRECTORY | O_RDONLY);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	snprintf(log_file, sizeof log_file, "%s/logs.conf", folder);
	close(open(log_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void
leave_folder(void)
{
	unlink("x.conf");
	unlink(log_file);
	ck_assert_int_eq(fchdir(before), 0);
	close(before);
	rmdir(folder);
}

static void
write_file(const char *text)
{
	FILE *file = fopen("x.conf", "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* What stands before a setting, and behind it, so that it has a meaning. */
static void
surround(const struct setting *row, const char **head, const char **tail)
{
	static const char routes[] =
		"applications: { shop: { target = \"a:b\"; bind = \":1\"; }; }; ";
	static const char *const actions[] = { "app", "files", "fastcgi", "redirect",
		"status" };
	bool is_route = row >= route_table && row < route_table + ROUTE_SETTINGS;

	*head = strcmp(row->name, "target") != 0 ? "target = \"a:b\";" : "";
	*tail = "";
	if (!is_route)
		return;
	*head = routes;
	*tail = "status = 403; } );";
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(row->name, actions[i]) == 0)
			*tail = "} );";
	if (strcmp(row->name, "mount") == 0)
		*tail = "app = \"shop\"; path = \"/mount\"; } );";
}

/* "x.conf" with the setting in line 2. */
static void
write_setting(const struct setting *row, const char *value, bool quoted)
{
	const char *quote = quoted ? "\"" : "", *head, *tail;
	char text[512];

	surround(row, &head, &tail);
	snprintf(text, sizeof text, "%s%s\n%s = %s%s%s; %s\n", head,
		*tail != '\0' ? "routes = ( {" : "", row->name, quote, value, quote,
		tail);
	write_file(text);
}

/* NULL and the errors, with a NUL behind them. */
static struct config *
load(struct buffer *errors, const char *option, const char *value)
{
	const char *words[] = { "alicorn", option, value, NULL };
	struct arena memory = { 0 };
	char *copies[4] = { NULL };
	int n = 0;

	for (; words[n] != NULL; n++)
		copies[n] = arena_strz(&memory, slice_str(words[n]));
	struct config *c = config_load(n, copies, NULL, errors, NULL);
	buffer_add_char(errors, '\0');
	arena_release(&memory);
	return c;
}

static struct config *
load_good(const char *option, const char *value)
{
	struct buffer errors = { 0 };
	struct config *c = load(&errors, option, value);

	ck_assert_str_eq(errors.ptr, "");
	buffer_release(&errors);
	return c;
}

static struct section
section_of(struct config *c, int i)
{
	if (i >= ROUTES)
		return route_section((struct route *)&c->sites[0].routes[0], NULL);
	return i < APPS ? server_section(&c->server, NULL)
			: app_section(&c->apps[0], NULL);
}

static void
assert_setting(struct config *c, int i, const char *source, unsigned line)
{
	struct section s = section_of(c, i);
	const struct setting *row = row_of(i);
	const struct origin *origin = &s.origins[row - s.table];
	struct buffer text = { 0 };

	ck_assert_msg(
		setting_text(row, s.settings, 0, &text), "%s is not set", row->name);
	buffer_add_char(&text, '\0');
	ck_assert_str_eq(text.ptr, good_value(row));
	if (source != NULL) {
		ck_assert_str_eq(origin->source, source);
		ck_assert_uint_eq(origin->line, line);
	}
	buffer_release(&text);
}

/* ---- Tests ---- */

START_TEST(stands_in_a_file)
{
	const struct setting *row = row_of(_i);
	struct buffer printed = { 0 };

	write_setting(row, good_value(row), !is_number(row));
	struct config *c = load_good("-c", "x.conf");
	assert_setting(c, _i, "x.conf", 2);

	config_print(c, &printed);
	buffer_add_char(&printed, '\0');
	config_free(c);
	write_file(printed.ptr);
	c = load_good("-c", "x.conf");
	assert_setting(c, _i, NULL, 0);
	config_free(c);
	buffer_release(&printed);
}
END_TEST

static void
assert_flag(int i, const char *flag)
{
	const struct setting *row = row_of(i);
	struct config *c =
		load_good(flag, row->type == SETTING_BOOL ? NULL : good_value(row));

	assert_setting(c, i, SOURCE_COMMAND_LINE, 0);
	config_free(c);
}

START_TEST(stands_on_the_command_line)
{
	const struct setting *row = row_of(_i);
	struct slice flags = slice_str(row->flag != NULL ? row->flag : ""), flag;
	char text[64];

	/* The target comes from here. */
	setenv("ALICORN_CMD_ARGS", "a:b", 1);
	while (text_next_word(&flags, &flag)) {
		snprintf(text, sizeof text, "--%" SLICE_FMT, SLICE_ARG(flag));
		assert_flag(_i, text);
	}
	if (row->letter != '\0') {
		snprintf(text, sizeof text, "-%c", row->letter);
		assert_flag(_i, text);
	}
}
END_TEST

START_TEST(bad_value_is_refused_with_its_line)
{
	const struct setting *row = row_of(_i);
	struct buffer errors = { 0 };
	char expected[128];

	write_setting(row, is_number(row) ? "?" : "5", is_number(row));
	ck_assert_ptr_null(load(&errors, "-c", "x.conf"));
	snprintf(expected, sizeof expected, "x.conf:2: %s: ", row->name);
	ck_assert_msg(
		strncmp(errors.ptr, expected, strlen(expected)) == 0, "%s", errors.ptr);
	buffer_release(&errors);
}
END_TEST

/* What became a setting is not reserved any more. */
START_TEST(has_no_advice_against_it)
{
	const struct setting *row = row_of(_i);
	struct slice flags = slice_str(row->flag != NULL ? row->flag : ""), flag;

	/* These take some of gunicorn's values only. */
	if (strcmp(row->name, "worker_class") == 0 || strcmp(row->name, "threads") == 0)
		return;
	ck_assert_pstr_eq(reserved_advice(slice_str(row->name)), NULL);
	while (text_next_word(&flags, &flag))
		ck_assert_pstr_eq(reserved_advice(flag), NULL);
	if (row->letter != '\0')
		ck_assert_pstr_eq(reserved_advice(slice_of(&row->letter, 1)), NULL);
}
END_TEST

Suite *
every_setting_suite(void)
{
	Suite *s = suite_create("every_setting");
	TCase *t = tcase_create("every_setting");

	tcase_add_checked_fixture(t, enter_folder, leave_folder);
	tcase_add_loop_test(t, stands_in_a_file, 0, SETTINGS);
	tcase_add_loop_test(t, stands_on_the_command_line, 0, SETTINGS);
	tcase_add_loop_test(t, bad_value_is_refused_with_its_line, 0, SETTINGS);
	tcase_add_loop_test(t, has_no_advice_against_it, 0, SETTINGS);
	suite_add_tcase(s, t);
	return s;
}
