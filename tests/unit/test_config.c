/* Configurations as a whole: sources, strengths, faults. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/config.h"
#include "gateway/config/text.h"

Suite *config_suite(void);

/* ---- A folder of its own for each test, which is also the working one ---- */

static char folder[] = "/tmp/alicorn-XXXXXX";
static int before = -1;

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void
enter_folder(void)
{
	static const char *const variables[] = { "ALICORN_CMD_ARGS",
		"FORWARDED_ALLOW_IPS", "PORT", "PWD", "TMPDIR", "WEB_CONCURRENCY" };

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	before = open(".", O_DIRECTORY | O_RDONLY);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("conf.d", 0700), 0);
	ck_assert_int_eq(mkdir("conf.d/data", 0700), 0);
	ck_assert_int_eq(mkdir("www", 0700), 0);
	write_file("app.py", "");
	write_file("conf.d/hello.so", "");
}

static void
leave_folder(void)
{
	static const char *const files[] = { "app.py", "conf.d/hello.so",
		"conf.d/x.conf", "conf.d/y.conf", "printed.conf" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(files[i]);
	rmdir("conf.d/data");
	rmdir("conf.d");
	rmdir("www");
	rmdir(folder);
	ck_assert_int_eq(fchdir(before), 0);
	close(before);
}

/* ---- Loading ---- */

/* Loads what a shell would make of the line; errors end with a NUL. */
static struct config *
load_after(const struct config *previous, const char *line, struct buffer *errors,
	bool *usage)
{
	struct arena memory = { 0 };
	char **words;
	size_t n;

	ck_assert_pstr_eq(text_split(line, &words, &n, &memory), NULL);
	struct config *c = config_load((int)n, words, previous, errors, usage);
	buffer_add_char(errors, '\0');
	arena_release(&memory);
	return c;
}

static struct config *
load(const char *line, struct buffer *errors, bool *usage)
{
	return load_after(NULL, line, errors, usage);
}

static struct config *
load_good(const char *line)
{
	struct buffer errors = { 0 };
	struct config *c = load(line, &errors, NULL);

	ck_assert_str_eq(errors.ptr, "");
	ck_assert_ptr_nonnull(c);
	buffer_release(&errors);
	return c;
}

static void
assert_faults(const char *line, const char *expected, bool expected_usage)
{
	struct buffer errors = { 0 };
	bool usage;
	struct config *c = load(line, &errors, &usage);

	ck_assert_str_eq(errors.ptr, expected);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(usage, expected_usage);
	buffer_release(&errors);
}

/* The text with "~" for the folder of the test. */
static const char *
here(const char *text, char *room, size_t size)
{
	const char *tilde = strchr(text, '~');

	if (tilde == NULL)
		return text;
	snprintf(room, size, "%.*s%s%s", (int)(tilde - text), text, folder, tilde + 1);
	return room;
}

/* ---- The command line ---- */

static const struct {
	const char *line, *fault;
} bad_lines[] = {
	{ "alicorn",
		"no TARGET and no configuration file; alicorn --help tells what to "
		"give" },
	{ "alicorn --wrkers 4 a:b",
		"unknown option --wrkers; did you mean --workers?" },
	{ "alicorn --log-fil x", "unknown option --log-fil; did you mean --log-file?" },
	{ "alicorn --chek-config",
		"unknown option --chek-config; did you mean --check-config?" },
	{ "alicorn --gevent=1", "unknown option --gevent" },
	{ "alicorn -x", "unknown option -x" },
	{ "alicorn a:b -w", "-w needs a value" },
	{ "alicorn a:b --workers", "--workers needs a value" },
	{ "alicorn a:b -w four", "-w: \"four\" is not a whole number from 1 to 4096" },
	{ "alicorn a:b --workers=0",
		"--workers: \"0\" is not a whole number from 1 to 4096" },
	{ "alicorn a:b --workers=",
		"--workers: \"\" is not a whole number from 1 to 4096" },
	{ "alicorn a:b --env X", "--env: \"X\" is not of the form NAME=VALUE" },
	{ "alicorn --check-config=yes a:b", "--check-config takes no value" },
	{ "alicorn a:b --explain GET", "--explain needs METHOD URL" },
	{ "alicorn a:b --explain", "--explain needs METHOD URL" },
	{ "alicorn a:b c:d", "more than one TARGET: a:b and c:d" },
	{ "alicorn a:b -- -w", "more than one TARGET: a:b and -w" },
};

START_TEST(bad_lines_are_refused)
{
	char expected[256];

	snprintf(expected, sizeof expected, "alicorn: %s\n", bad_lines[_i].fault);
	assert_faults(bad_lines[_i].line, expected, true);
}
END_TEST

static const struct {
	const char *line;
	int workers;
} good_lines[] = {
	{ "alicorn a:b", 1 },
	{ "alicorn -w4 a:b", 4 },
	{ "alicorn -w 4 a:b", 4 },
	{ "alicorn a:b -w 4", 4 },
	{ "alicorn --workers 4 a:b", 4 },
	{ "alicorn a:b --workers=4", 4 },
	{ "alicorn -w 2 -w 4 -- a:b", 4 },
	{ "alicorn -w 4 --limit-request-field_size 99 a:b", 4 },
	{ "alicorn -w 4 --limit-request-field-size 99 a:b", 4 },
	{ "alicorn -w 4 --limit_request_field_size=99 a:b", 4 },
	{ "alicorn -w 4 --log-file - --error-logfile - a:b", 4 },
};

START_TEST(good_lines_are_read)
{
	struct config *c = load_good(good_lines[_i].line);

	ck_assert_int_eq(c->action, CONFIG_RUN);
	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_str_eq(c->apps[0].name, "default");
	ck_assert_str_eq(c->apps[0].what.binding, "python");
	ck_assert_str_eq(c->apps[0].what.spec, "a:b");
	ck_assert_int_eq(c->apps[0].workers, good_lines[_i].workers);
	config_free(c);
}
END_TEST

START_TEST(actions_are_told)
{
	static const struct {
		const char *line;
		enum config_action action;
	} rows[] = {
		{ "alicorn -h", CONFIG_HELP },
		{ "alicorn --help a:b", CONFIG_HELP },
		{ "alicorn -vh", CONFIG_HELP },
		{ "alicorn --version", CONFIG_VERSION },
		{ "alicorn --check-config a:b", CONFIG_CHECK },
		{ "alicorn a:b --print-config", CONFIG_PRINT },
		{ "alicorn --explain GET /x a:b", CONFIG_EXPLAIN },
		{ "alicorn a:b \"--explain=GET /x\"", CONFIG_EXPLAIN },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config *c = load_good(rows[i].line);
		ck_assert_int_eq(c->action, rows[i].action);
		config_free(c);
	}
}
END_TEST

START_TEST(lists_of_the_line_add_up)
{
	struct config *c =
		load_good("alicorn a:b -b :1 --bind=unix:x -b [::1]:2 -e A=b");
	struct app_settings *app = &c->apps[0];
	char room[64];

	ck_assert_uint_eq(app->bind.n, 3);
	ck_assert_str_eq(app->addresses[0].host, "0.0.0.0");
	ck_assert_str_eq(app->addresses[1].host, here("~/x", room, sizeof room));
	ck_assert_str_eq(app->addresses[2].port, "2");
	ck_assert_uint_eq(app->raw_env.n, 1);
	ck_assert_str_eq(app->raw_env.items[0], "A=b");
	config_free(c);
}
END_TEST

/* ---- The environment ---- */

START_TEST(variables_are_defaults)
{
	setenv("PORT", "81", 1);
	setenv("WEB_CONCURRENCY", "7", 1);
	struct config *c = load_good("alicorn a:b");
	ck_assert_str_eq(c->apps[0].addresses[0].host, "0.0.0.0");
	ck_assert_str_eq(c->apps[0].addresses[0].port, "81");
	ck_assert_int_eq(c->apps[0].workers, 7);
	ck_assert_str_eq(c->apps[0].origins[APP_workers].source, "$WEB_CONCURRENCY");
	ck_assert_str_eq(c->apps[0].origins[APP_timeout].source, "default");
	ck_assert_uint_eq(c->apps[0].forwarded_allow_ips.texts.n, 2);
	config_free(c);

	setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8", 1);
	c = load_good("alicorn a:b");
	ck_assert_uint_eq(c->apps[0].forwarded_allow_ips.texts.n, 1);
	ck_assert_uint_eq(c->apps[0].forwarded_allow_ips.networks[0].bits, 96 + 8);
	config_free(c);
	setenv("FORWARDED_ALLOW_IPS", "ten", 1);
	assert_faults("alicorn a:b",
		"alicorn: $FORWARDED_ALLOW_IPS: \"ten\" is not an address, a network "
		"such as 10.0.0.0/8, or *\n",
		false);
	unsetenv("FORWARDED_ALLOW_IPS");

	setenv("PORT", "x", 1);
	assert_faults("alicorn a:b",
		"alicorn: $PORT: \":x\": \"x\" is not a port from 0 to 65535\n", false);
	setenv("PORT", "", 1);
	setenv("WEB_CONCURRENCY", "x", 1);
	assert_faults("alicorn a:b",
		"alicorn: $WEB_CONCURRENCY: \"x\" is not a whole number from 1 to "
		"4096\n",
		false);
}
END_TEST

START_TEST(variable_is_like_the_line_but_weaker)
{
	setenv("ALICORN_CMD_ARGS", " -w 3 --name 'a b' -b :1 -b :2 -t9 x:y", 1);
	struct config *c = load_good("alicorn -w 4 -b :3");
	ck_assert_int_eq(c->apps[0].workers, 4);
	ck_assert_int_eq(c->apps[0].timeout, 9);
	ck_assert_str_eq(c->server.proc_name, "a b");
	ck_assert_uint_eq(c->apps[0].bind.n, 1);
	ck_assert_str_eq(c->apps[0].bind.items[0], ":3");
	ck_assert_str_eq(c->apps[0].target, "x:y");
	ck_assert_str_eq(
		c->server.origins[SERVER_proc_name].source, "ALICORN_CMD_ARGS");
	config_free(c);

	c = load_good("alicorn e:f");
	ck_assert_str_eq(c->apps[0].target, "e:f");
	ck_assert_uint_eq(c->apps[0].bind.n, 2);
	config_free(c);

	setenv("ALICORN_CMD_ARGS", "--name 'a", 1);
	assert_faults("alicorn a:b",
		"alicorn: ALICORN_CMD_ARGS: a quote or a backslash has no end\n", true);
	setenv("ALICORN_CMD_ARGS", "--nam a", 1);
	assert_faults("alicorn a:b",
		"alicorn: ALICORN_CMD_ARGS: unknown option --nam; did you mean "
		"--name?\n",
		true);
}
END_TEST

/* ---- Files ---- */

static const struct {
	const char *text, *faults;
} bad_files[] = {
	{ "target = \"a:b\";\nworkers = \"four\";\n",
		"conf.d/x.conf:2: workers: \"four\" is not a whole number from 1 to "
		"4096\n" },
	{ "target = \"a:b\";\nworkers = 5000;\ntimeout = 1.5;\nbacklog = { };\n",
		"conf.d/x.conf:2: workers: \"5000\" is not a whole number from 1 to "
		"4096\n"
		"conf.d/x.conf:3: timeout: 1.5 is not a whole number from 0 to 86400\n"
		"conf.d/x.conf:4: backlog: a group is not a whole number from 1 to "
		"65535\n" },
	{ "target = \"a:b\";\nworkers = 2;\nworkers_min = 3;\n",
		"conf.d/x.conf:3: workers_min: 3 is more than workers, 2\n" },
	{ "target = \"a:b\";\nprotocol = \"fastcgi\";\nproxy_protocol = \"v2\";\n",
		"conf.d/x.conf:3: proxy_protocol: \"v2\" has no effect with protocol = "
		"\"fastcgi\", by which a web server says itself whom it speaks for\n" },
	{ "workers_max = 3;\ntarget = \"a:b\";\nworkers = 4;\n",
		"conf.d/x.conf:1: workers_max: 3 is less than workers, 4\n" },
	{ "\nwrkers = 4;\npreload = true;\n",
		"conf.d/x.conf:2: unknown setting wrkers; did you mean workers?\n"
		"conf.d/x.conf:3: unknown setting preload; did you mean "
		"preload_app?\n" },
	{ "applicatons: { };\n",
		"conf.d/x.conf:1: unknown setting applicatons; did you mean "
		"applications?\n" },
	{ "primary = 1;\nindex = 5;\nbody_buffer_size = true;\nloglevel = \"loud\";\n",
		"conf.d/x.conf:1: primary: 1 is not true or false\n"
		"conf.d/x.conf:2: index: 5 is not a text\n"
		"conf.d/x.conf:3: body_buffer_size: true is not a size from 0 to "
		"2147483647 "
		"bytes, such as 20M\n"
		"conf.d/x.conf:4: loglevel: \"loud\" is not one of debug, info, "
		"warning, "
		"error, critical\n" },
	{ "bind = 8000;\nraw_env = [\n\"A=b\",\n\"C\" ];\nparams = (1);\n",
		"conf.d/x.conf:1: bind: 8000 is not a text or a list of texts\n"
		"conf.d/x.conf:2: raw_env: \"C\" is not of the form NAME=VALUE\n"
		"conf.d/x.conf:5: params: 1 is not of the form NAME=VALUE\n" },
	{ "raw_env = { A = 1;\nB = { C = 1; }; };\n",
		"conf.d/x.conf:2: raw_env: B: a group is not a text\n" },
	{ "workers = ;\n", "conf.d/x.conf:1: workers has no value\n" },
	{ "workers 4;\n", "conf.d/x.conf:1: behind workers a = is missing\n" },
	{ "workers = 4;;\n",
		"conf.d/x.conf:1: before ; the name of a setting is missing\n" },
	{ "# =\npreload_app = yes;\n",
		"conf.d/x.conf:2: yes is neither a number nor true or false: a text "
		"stands in double quotes\n" },
	{ "/* {\n*/ bind = 127.0.0.1:8000;\n",
		"conf.d/x.conf:2: 127.0.0.1:8000 is neither a number nor true or "
		"false: a text stands in double quotes\n" },
	{ "bind = ':8000';\n",
		"conf.d/x.conf:1: ':8000' is neither a number nor true or false: a "
		"text stands in double quotes\n" },
	{ "workers = 2;\ntarget = \"a:b;\nthreads = 2;\n",
		"conf.d/x.conf:2: this text goes over the end of the line: is a quote "
		"missing?\n" },
	{ "target = \"a:b;\nuser = \"root\";\nworkers = 2;\n",
		"conf.d/x.conf:1: this text goes over the end of the line: is a quote "
		"missing?\n" },
	{ "proc_name = \"a\nb\" \"c\";\nworkers = 2M;\n",
		"conf.d/x.conf:3: 2M is neither a number nor true or false: a text "
		"stands in double quotes\n" },
	{ "bind = ( \":1\" \":2\", 3.5, 0x1F, 5L, TRUE,\n\":3\"\n4 );\n",
		"conf.d/x.conf:3: before 4 a comma is missing\n" },
	{ "bind = [ \":1\"; \":2\" ];\n",
		"conf.d/x.conf:1: between the items of a list stands a comma, no "
		"semicolon\n" },
	{ "bind = [ \":1\",, \":2\" ];\n",
		"conf.d/x.conf:1: between commas nothing stands\n" },
	{ "routes = [ { status = 404; } ];\n",
		"conf.d/x.conf:1: [ ] holds single values; groups stand in ( )\n" },
	{ "routes = {\n{ status = 404; } };\n",
		"conf.d/x.conf:2: before { the name of a setting is missing\n" },
	{ "routes = (\n{ status = 404; }\n{ status = 403; } );\n",
		"conf.d/x.conf:3: before { a comma is missing\n" },
	{ "routes = (\n{ status = 404; );\n",
		"conf.d/x.conf:2: ) stands where the { of line 2 is not closed yet\n" },
	{ "applications = {\nshop = { target = \"a:b\";\n};\n",
		"conf.d/x.conf:1: this { is not closed\n" },
	{ "workers = 1; }\n", "conf.d/x.conf:1: this } closes nothing\n" },
	{ "workers = 1e;\n",
		"conf.d/x.conf:1: 1e is neither a number nor true or "
		"false: a text stands in double quotes\n" },
	{ "workers = nan;\nthreads = yes;\n", "conf.d/x.conf:1: syntax error\n" },
	{ "[uwsgi]\nsocket = :80\n",
		"conf.d/x.conf:1: no file as in alicorn.conf(5); alicorn-convert makes "
		"one of an ini file of uWSGI or the JSON of NGINX Unit\n" },
	{ "workers = 1;\nworkers = 2;\n", "conf.d/x.conf:2: duplicate setting name\n" },
	{ "workers = 1;\n",
		"alicorn: conf.d/x.conf: neither target nor applications\n" },
	{ "applications: { };\n",
		"conf.d/x.conf:1: applications is not a group of applications: "
		"applications: { NAME: { ... }; };\n" },
	{ "applications: {\nshop = 1;\nblog: { pidfile = \"x\"; chdr = \"y\"; };\n};\n",
		"conf.d/x.conf:2: application shop is not a group: shop: { ... };\n"
		"conf.d/x.conf:3: pidfile is of the whole server: it stands outside of "
		"applications\n"
		"conf.d/x.conf:3: unknown setting chdr; did you mean chdir?\n" },
	{ "applications: {\nshop: { target = \"a:b\"; };\nblog: { bind = \":1\"; }; "
	  "};\n",
		"conf.d/x.conf:3: application blog has no target\n" },
	{ "applications: {\nshop: { target = \"a:b\"; };\nshop: { }; };\n",
		"conf.d/x.conf:3: duplicate setting name\n" },
	{ "applications: {\nshop: { target = \"a:b\"; };\nblog: { target = \"c.d\"; }; "
	  "};\n",
		"alicorn: bind: 127.0.0.1:8000 is the address of application shop and "
		"of application blog\n" },
	{ "applications: {\nshop: { target = \"a:b\"; bind = \":80\"; };\n"
	  "blog: { target = \"c.d\"; bind = [\":81\", \"tcp://0.0.0.0:080\"]; }; };\n",
		"conf.d/x.conf:3: bind: tcp://0.0.0.0:080 is the address of "
		"application shop and of application blog\n" },
	{ "target = \"a:b\";\nbind = [\":0\", \":0\", \":1\", \":1\"];\n",
		"conf.d/x.conf:2: bind: :1 is given twice\n" },
	{ "target = \"a:b\";\nbind = [];\n",
		"conf.d/x.conf:2: bind: application default has no address\n" },
	{ "target = \"./none.so\";\nbind = \"fd://\";\n",
		"conf.d/x.conf:1: target: \"./none.so\": ~/conf.d/none.so: No such "
		"file or "
		"directory\n"
		"conf.d/x.conf:2: bind: \"fd://\": \"\" is neither the number nor the "
		"name of "
		"a descriptor\n" },
	{ "target = \"a:b\";\n/* 5000000000 */ proc_name = \"\\\"5000000000\";\n"
	  "limit_request_body = 5000000000; # 5000000000\nworkers = 0xffffffff;\n",
		"conf.d/x.conf:3: 5000000000 is beyond 32 bits; write 5000000000L, or "
		"a text "
		"such as \"5G\"\n"
		"conf.d/x.conf:4: 0xffffffff is beyond 32 bits; write 0xffffffffL, or "
		"a text "
		"such as \"5G\"\n" },
	{ "workers = 1;\n@include \"none.conf\"\n",
		"conf.d/x.conf:2: conf.d/none.conf: No such file or directory\n" },
	{ "@include \"../conf.d\"\n",
		"conf.d/x.conf:1: conf.d/../conf.d: not a file\n" },
	{ "@include \"x.conf\"\n", "conf.d/x.conf:1: include file nesting too deep\n" },
};

START_TEST(bad_files_are_refused)
{
	char expected[512];

	write_file("conf.d/x.conf", bad_files[_i].text);
	assert_faults("alicorn -c conf.d/x.conf",
		here(bad_files[_i].faults, expected, sizeof expected), false);
}
END_TEST

START_TEST(files_must_be_there)
{
	assert_faults("alicorn -c none.conf",
		"alicorn: none.conf: No such file or directory\n", false);
	assert_faults("alicorn -c conf.d",
		"alicorn: conf.d: there is no application in any file *.conf\n", false);
}
END_TEST

START_TEST(short_file_is_one_application)
{
	write_file("conf.d/x.conf",
		"target = \"./hello.so\"; chdir = \"data\"; workers = 3L;\n"
		"limit_request_body = 5000000000L; body_buffer_size = \"20M\";\n"
		"pythonpath = (\"lib\", \"/lib\"); bind = \"unix:shop.sock\";\n"
		"pidfile = \"shop.pid\"; errorlog = \"-\"; loglevel = \"DEBUG\";\n");
	struct config *c = load_good("alicorn -c conf.d/x.conf --root www");
	struct app_settings *app = &c->apps[0];
	char room[64];

	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_str_eq(app->name, "default");
	ck_assert_str_eq(app->what.binding, "c");
	ck_assert_str_eq(app->what.spec, here("~/conf.d/hello.so", room, sizeof room));
	ck_assert_str_eq(app->target, here("~/conf.d/hello.so", room, sizeof room));
	ck_assert_str_eq(app->chdir, here("~/conf.d/data", room, sizeof room));
	ck_assert_str_eq(app->root, here("~/www", room, sizeof room));
	ck_assert_int_eq(app->workers, 3);
	ck_assert_uint_eq(app->limit_request_body, 5000000000);
	ck_assert_uint_eq(app->body_buffer_size, 20 << 20);
	ck_assert_str_eq(
		app->pythonpath.items[0], here("~/conf.d/lib", room, sizeof room));
	ck_assert_str_eq(app->pythonpath.items[1], "/lib");
	ck_assert_str_eq(
		app->addresses[0].host, here("~/conf.d/shop.sock", room, sizeof room));
	ck_assert_str_eq(
		c->server.pidfile, here("~/conf.d/shop.pid", room, sizeof room));
	ck_assert_str_eq(c->server.errorlog, "-");
	ck_assert_str_eq(c->server.loglevel, "debug");
	ck_assert_str_eq(app->origins[APP_workers].source, "conf.d/x.conf");
	ck_assert_uint_eq(app->origins[APP_body_buffer_size].line, 2);
	config_free(c);
}
END_TEST

START_TEST(maps_may_be_groups)
{
	write_file("conf.d/x.conf",
		"target = \"a:b\"; raw_env: { A = \"b=c\"; B = 5; C = true; };\n"
		"params: { };\npythonpath = \"lib,/lib\";\n");
	struct config *c = load_good("alicorn -c conf.d/x.conf");
	const struct app_settings *app = &c->apps[0];
	char room[64];

	ck_assert_uint_eq(app->raw_env.n, 3);
	ck_assert_str_eq(app->raw_env.items[0], "A=b=c");
	ck_assert_str_eq(app->raw_env.items[1], "B=5");
	ck_assert_str_eq(app->raw_env.items[2], "C=true");
	ck_assert_uint_eq(app->params.n, 0);
	ck_assert_uint_eq(app->pythonpath.n, 2);
	ck_assert_str_eq(
		app->pythonpath.items[0], here("~/conf.d/lib", room, sizeof room));
	config_free(c);
}
END_TEST

START_TEST(applications_inherit_the_top)
{
	write_file("conf.d/x.conf",
		"raw_env = [ \"A=1\", \"B=2\" ]; applications: { shop: { raw_env = "
		"\"C=3\"; "
		"target = \"a:b\"; bind = \":1\"; };\n"
		"blog: { target = \"../app.py:f\"; bind = \":2\"; timeout = 5; };\n"
		"wiki: { target = \"c.d\"; bind = \":3\"; raw_env = []; }; };\n"
		"timeout = 9;\n");
	struct config *c = load_good("alicorn -c conf.d/x.conf -w 2");
	char room[64];

	ck_assert_uint_eq(c->n_apps, 3);
	ck_assert_str_eq(c->apps[0].name, "shop");
	ck_assert_uint_eq(c->apps[0].raw_env.n, 1);
	ck_assert_int_eq(c->apps[0].timeout, 9);
	ck_assert_str_eq(
		c->apps[1].what.spec, here("~/conf.d/../app.py:f", room, sizeof room));
	ck_assert_uint_eq(c->apps[1].raw_env.n, 2);
	ck_assert_int_eq(c->apps[1].timeout, 5);
	ck_assert_uint_eq(c->apps[2].raw_env.n, 0);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(c->apps[i].workers, 2);
	config_free(c);
}
END_TEST

START_TEST(target_replaces_that_of_one_application)
{
	write_file("conf.d/x.conf", "target = \"a:b\"; workers = 3; bind = \":1\";\n");
	setenv("ALICORN_CMD_ARGS", "-c conf.d/x.conf -w 5", 1);
	struct config *c = load_good("alicorn c.d");
	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_str_eq(c->apps[0].what.spec, "c.d");
	ck_assert_int_eq(c->apps[0].workers, 5);
	ck_assert_str_eq(c->apps[0].bind.items[0], ":1");
	config_free(c);

	write_file("conf.d/x.conf",
		"applications: { a: { target = \"a:b\"; }; b: { target = \"a:b\"; "
		"bind = \":1\"; }; };\n");
	assert_faults("alicorn c.d",
		"alicorn: TARGET c.d together with conf.d/x.conf, which has several "
		"applications\n",
		true);
}
END_TEST

START_TEST(files_include_others)
{
	write_file("conf.d/x.conf", "target = \"a:b\";\n@include \"y.conf\"\n");
	write_file("conf.d/y.conf", "\nworkers = 2;\n");
	struct config *c = load_good("alicorn -c conf.d/x.conf");
	ck_assert_int_eq(c->apps[0].workers, 2);
	ck_assert_str_eq(c->apps[0].origins[APP_workers].source, "conf.d/y.conf");
	ck_assert_uint_eq(c->apps[0].origins[APP_workers].line, 2);
	config_free(c);

	write_file("conf.d/y.conf", "\nworkers = 0;\n");
	assert_faults("alicorn -c conf.d/x.conf",
		"conf.d/y.conf:2: workers: \"0\" is not a whole number from 1 to "
		"4096\n",
		false);
	write_file("conf.d/y.conf", "\n\nworkers = ;\n");
	assert_faults("alicorn -c conf.d/x.conf",
		"conf.d/y.conf:3: workers has no value\n", false);
}
END_TEST

/* ---- Folders ---- */

/* Loads the folder as a reload does and frees what was before; the errors must be
 * these. Returns what goes on. */
static struct config *
reload_folder(struct config *previous, bool good, const char *expected)
{
	struct buffer errors = { 0 };
	struct config *c = load_after(previous, "alicorn -c conf.d", &errors, NULL);

	ck_assert_str_eq(errors.ptr, expected);
	ck_assert_int_eq(c != NULL, good);
	buffer_release(&errors);
	if (!good)
		return previous;
	config_free(previous);
	return c;
}

START_TEST(files_of_a_folder_stand_together)
{
	write_file("conf.d/x.conf",
		"timeout = 5; applications: { shop: { target = \"a:b\"; bind = "
		"\"unix:a\"; }; };\n");
	write_file("conf.d/y.conf", "target = \"hello.so\"; loglevel = \"debug\";");
	struct config *c = load_good("alicorn -c conf.d// -w 3");

	ck_assert_uint_eq(c->n_apps, 2);
	ck_assert_uint_eq(c->n_broken, 0);
	ck_assert_str_eq(c->apps[0].name, "shop");
	ck_assert_str_eq(c->apps[1].name, "y");
	ck_assert_str_eq(c->apps[1].what.binding, "c");
	ck_assert_str_eq(c->apps[0].origin.source, "conf.d/x.conf");
	ck_assert_int_eq(c->apps[0].timeout, 5);
	ck_assert_int_eq(c->apps[1].timeout, 30);
	ck_assert_int_eq(c->apps[1].workers, 3);
	ck_assert_str_eq(c->server.loglevel, "debug");
	config_free(c);
}
END_TEST

/* Also what is gone from memory would be seen here, by a sanitizer. */
START_TEST(broken_file_goes_on_as_it_was)
{
	static const char left_out[] =
		"conf.d/y.conf:1: workers: \"0\" is not a whole number from 1 to 4096\n"
		"alicorn: conf.d/y.conf is left out\n";
	static const char goes_on[] =
		"conf.d/y.conf:1: workers: \"0\" is not a whole number from 1 to 4096\n"
		"alicorn: conf.d/y.conf: what it said before goes on\n";

	write_file("conf.d/x.conf", "target = \"a:b\"; bind = \":1\";\n");
	write_file("conf.d/y.conf", "workers = 0;\n");
	struct config *c = reload_folder(NULL, true, left_out);
	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_uint_eq(c->n_broken, 1);

	write_file("conf.d/y.conf",
		"target = \"c:hello.so\"; bind = \":2\"; proc_name = \"y\";\n");
	c = reload_folder(c, true, "");
	write_file("conf.d/y.conf", "workers = 0;\n");
	for (int i = 0; i < 3; i++) {
		c = reload_folder(c, true, goes_on);
		ck_assert_uint_eq(c->n_apps, 2);
		ck_assert_str_eq(c->apps[1].what.binding, "c");
		ck_assert_str_eq(c->apps[1].bind.items[0], ":2");
		ck_assert_str_eq(c->server.proc_name, "y");
		ck_assert_str_eq(
			c->server.origins[SERVER_proc_name].source, "conf.d/y.conf");
	}
	config_free(c);
}
END_TEST

START_TEST(nothing_that_serves_is_taken_away)
{
	write_file("conf.d/y.conf", "target = \"a:b\"; bind = \":1\";\n");
	struct config *c = reload_folder(NULL, true, "");

	write_file("conf.d/x.conf", "target = \"a:b\"; bind = \":1\";\n");
	c = reload_folder(c, false,
		"conf.d/y.conf:1: bind: :1 is the address of application x and of "
		"application y\n"
		"conf.d/y.conf:1: bind: :1 is the address of application x and of "
		"application y\n"
		"alicorn: conf.d/y.conf: what it said before does not fit any more\n");
	unlink("conf.d/x.conf");
	unlink("conf.d/y.conf");
	c = reload_folder(c, false,
		"alicorn: conf.d: there is no application in any file *.conf\n");
	config_free(c);
}
END_TEST

static const struct {
	const char *first, *second, *faults;
} bad_pairs[] = {
	{ "applications: { shop: { target = \"a:b\"; }; };",
		"\napplications: { shop: { target = \"a:b\"; bind = \":1\"; }; };",
		"conf.d/y.conf:2: application shop is in conf.d/x.conf already\n" },
	{ "target = \"a:b\";", "target = \"a:b\";",
		"alicorn: bind: 127.0.0.1:8000 is the address of application x and of "
		"application y\n" },
	{ "target = \"a:b\";\nloglevel = \"info\";",
		"bind = \":1\"; target = \"a:b\"; loglevel = \"debug\";",
		"conf.d/y.conf:1: loglevel is another value in conf.d/x.conf:2\n" },
	{ "target = \"a:b\"; syslog_addr = \"udp://localhost\";",
		"\nsyslog_addr = \"nowhere\"; loglevel = \"info\";", NULL },
	{ "target = \"a:b\";", "workers = 1;",
		"alicorn: conf.d/y.conf: neither target nor applications\n" },
	{ "target = \"a:b\";", "target = \"./none.so\"; bind = \":1\";",
		"conf.d/y.conf:1: target: \"./none.so\": ~/conf.d/none.so: No such "
		"file "
		"or directory\n" },
};

START_TEST(later_file_is_the_broken_one)
{
	struct buffer errors = { 0 };
	char expected[512], room[512];

	write_file("conf.d/x.conf", bad_pairs[_i].first);
	write_file("conf.d/y.conf", bad_pairs[_i].second);
	struct config *c = load("alicorn -c conf.d", &errors, NULL);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_str_eq(c->apps[0].target, "a:b");
	if (bad_pairs[_i].faults != NULL) {
		snprintf(expected, sizeof expected,
			"%salicorn: conf.d/y.conf is left out\n", bad_pairs[_i].faults);
		ck_assert_str_eq(errors.ptr, here(expected, room, sizeof room));
	}
	config_free(c);
	buffer_release(&errors);
}
END_TEST

/* ---- Printing ---- */

/* Takes out the origins, which are other ones after reading back. */
static void
remove_origins(char *text)
{
	char *to = text;

	for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL;
		line = end + 1) {
		const char *comment = strstr(line, "; /*");
		if (comment == NULL || comment > end)
			comment = end;
		memmove(to, line, (size_t)(comment - line));
		to += comment - line;
	}
	*to = '\0';
}

START_TEST(printed_configuration_reads_back)
{
	struct buffer first = { 0 }, second = { 0 };

	write_file("conf.d/x.conf",
		"limit_request_body = \"5G\"; proc_name = "
		"\"a\\\"\\\\\\n\\x01\xc3\xa4\";\n"
		"applications: { shop: { target = \"hello.so\"; bind = [\":1\", "
		"\"unix:x\"];\nraw_env = \"A=*/\"; chdir = \".\"; };\n"
		"blog: { target = \"a.b:c\"; primary = true; bind = [\":2\"]; }; };\n");
	struct config *c = load_good("alicorn -c conf.d/x.conf -t 7");
	config_print(c, &first);
	buffer_add_char(&first, '\0');
	config_free(c);
	ck_assert_ptr_nonnull(
		strstr(first.ptr, "\nloglevel = \"info\"; /* default */\n"));
	ck_assert_ptr_nonnull(
		strstr(first.ptr, "\t\tbind = [ \":2\" ]; /* conf.d/x.conf:4 */\n"));
	ck_assert_ptr_nonnull(
		strstr(first.ptr, "\t\ttimeout = 7; /* command line */\n"));
	ck_assert_ptr_nonnull(strstr(first.ptr, "\t\t/* root is not set */\n"));
	ck_assert_ptr_nonnull(strstr(first.ptr,
		"\t\tlimit_request_body = 5368709120L; /* conf.d/x.conf:1 */\n"));

	write_file("printed.conf", first.ptr);
	c = load_good("alicorn -c printed.conf");
	config_print(c, &second);
	buffer_add_char(&second, '\0');
	config_free(c);
	remove_origins(first.ptr);
	remove_origins(second.ptr);
	ck_assert_str_eq(first.ptr, second.ptr);
	buffer_release(&first);
	buffer_release(&second);
}
END_TEST

START_TEST(help_names_every_flag)
{
	struct buffer help = { 0 };

	config_help(&help);
	buffer_add_char(&help, '\0');
	for (size_t i = 0; i < APP_SETTINGS; i++)
		if (app_table[i].flag != NULL)
			ck_assert_ptr_nonnull(strstr(help.ptr, app_table[i].flag));
	ck_assert_ptr_nonnull(strstr(help.ptr, "\n  -w, --workers N\n"));
	ck_assert_ptr_nonnull(strstr(help.ptr, "  --error-logfile, --log-file FILE\n"));
	for (const char *line = help.ptr, *end; (end = strchr(line, '\n')) != NULL;
		line = end + 1)
		ck_assert_int_le(end - line, 80);
	buffer_release(&help);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

Suite *
config_suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, enter_folder, leave_folder);
	tcase_add_loop_test(t, bad_lines_are_refused, 0, ROWS(bad_lines));
	tcase_add_loop_test(t, good_lines_are_read, 0, ROWS(good_lines));
	tcase_add_test(t, actions_are_told);
	tcase_add_test(t, lists_of_the_line_add_up);
	tcase_add_test(t, variables_are_defaults);
	tcase_add_test(t, variable_is_like_the_line_but_weaker);
	tcase_add_loop_test(t, bad_files_are_refused, 0, ROWS(bad_files));
	tcase_add_test(t, files_must_be_there);
	tcase_add_test(t, short_file_is_one_application);
	tcase_add_test(t, maps_may_be_groups);
	tcase_add_test(t, applications_inherit_the_top);
	tcase_add_test(t, target_replaces_that_of_one_application);
	tcase_add_test(t, files_include_others);
	tcase_add_test(t, files_of_a_folder_stand_together);
	tcase_add_test(t, broken_file_goes_on_as_it_was);
	tcase_add_test(t, nothing_that_serves_is_taken_away);
	tcase_add_loop_test(t, later_file_is_the_broken_one, 0, ROWS(bad_pairs));
	tcase_add_test(t, printed_configuration_reads_back);
	tcase_add_test(t, help_names_every_flag);
	suite_add_tcase(s, t);
	return s;
}
