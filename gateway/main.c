/*
 * alicorn: reads the configuration and becomes the arbiter. The only file that knows
 * both the arbiter's and the worker's side.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/arbiter/arbiter.h"
#include "gateway/arbiter/daemon.h"
#include "gateway/arbiter/trial.h"
#include "gateway/common/title.h"
#include "gateway/config/config.h"
#include "gateway/logger/log.h"
#include "gateway/routes/explain.h"
#include "gateway/worker/prototype.h"
#include "gateway/worker/worker.h"

struct arguments {
	int argc;
	char **argv;
};

static struct config *
reload(void *arg, const struct config *previous, struct buffer *errors)
{
	const struct arguments *a = arg;

	return config_load(a->argc, a->argv, previous, errors, NULL);
}

/* The log takes over from stderr here. */
static int
open_log(const struct config *config)
{
	const char *error = log_open(config->server.errorlog);
	enum log_level level;

	if (error != NULL) {
		fprintf(stderr, "alicorn: log %s: %s\n", config->server.errorlog,
			error);
		return -1;
	}
	if (log_level_parse(config->server.loglevel, &level))
		log_set_level(level);
	return 0;
}

static void
put(const struct buffer *text, FILE *to)
{
	if (text->len > 0)
		fwrite(text->ptr, 1, text->len, to);
}

/* What is broken and left out; on the terminal too, where the start is watched. */
static void
tell_errors(const struct config *config, const struct buffer *errors)
{
	if (errors->len > 0 && strcmp(config->server.errorlog, "-") != 0)
		put(errors, stderr);
	log_lines(LOG_LEVEL_ERROR, buffer_slice(errors));
}

/* A successor belongs to the arbiter before it, and is in the background when that is.
 */
static int
go_to_background(const struct server_settings *server)
{
	if (!server->daemon || arbiter_is_successor())
		return 0;
	const char *error = daemon_begin(server->enable_stdio_inheritance);
	if (error != NULL)
		log_critical("daemon: %s", error);
	return error == NULL ? 0 : -1;
}

static enum exit_status
run(struct config *config, struct arguments *arguments, const struct buffer *errors)
{
	struct arbiter_job job = {
		.reload = reload,
		.arg = arguments,
		.worker = worker_run,
		.prototype = prototype_run,
		.timeout_answer = worker_answer(504),
		.queue_answer = worker_answer(503),
	};

	if (open_log(config) != 0 || go_to_background(&config->server) != 0) {
		config_free(config);
		return EXIT_CONFIG;
	}
	tell_errors(config, errors);
	enum exit_status status = (enum exit_status)arbiter_run(config, &job);
	/* Stopped before it was ready is no success for whoever waits for it. */
	daemon_report(status != EXIT_DONE ? (int)status : EXIT_BOOT);
	return status;
}

static void
print(void (*make)(const struct config *, struct buffer *), const struct config *config)
{
	struct buffer text = { 0 };

	make(config, &text);
	put(&text, stdout);
	buffer_release(&text);
}

static void
make_help(const struct config *config, struct buffer *text)
{
	(void)config;
	config_help(text);
}

static void
make_version(const struct config *config, struct buffer *text)
{
	(void)config;
	buffer_add_str(text, "alicorn " ALICORN_VERSION "\n");
}

static void (*const printed[])(const struct config *, struct buffer *) = {
	[CONFIG_PRINT] = config_print,
	[CONFIG_HELP] = make_help,
	[CONFIG_VERSION] = make_version,
};

/* 1 when nobody would get the request. */
static enum exit_status
answer_question(const struct config *config)
{
	struct buffer text = { 0 };
	bool found;
	const char *reason = explain(config, &text, &found);

	put(&text, stdout);
	buffer_release(&text);
	if (reason == NULL)
		return found ? EXIT_DONE : EXIT_CONFIG;
	fprintf(stderr, "alicorn: --explain %s: %s\n", config->explain, reason);
	return EXIT_USAGE;
}

/* What is asked for instead of running. Broken files are left out of it, but then all
 * is not well. */
static enum exit_status
show(struct config *config)
{
	enum exit_status status = EXIT_DONE;

	if (config->action == CONFIG_CHECK)
		status = trial_run(config, worker_check);
	else if (config->action == CONFIG_EXPLAIN)
		status = answer_question(config);
	else
		print(printed[config->action], config);
	if (config->n_broken > 0)
		status = EXIT_CONFIG;
	config_free(config);
	return status;
}

int
main(int argc, char **argv)
{
	struct buffer errors = { 0 };
	struct arguments arguments = { argc, title_init(argc, argv) };
	bool usage;
	arbiter_init(arguments.argv);
	struct config *config =
		config_load(argc, arguments.argv, NULL, &errors, &usage);
	enum exit_status status = usage ? EXIT_USAGE : EXIT_CONFIG;

	if (config != NULL && config->action == CONFIG_RUN) {
		status = run(config, &arguments, &errors);
	} else {
		put(&errors, stderr);
		if (config != NULL)
			status = show(config);
	}
	buffer_release(&errors);
	return (int)status;
}
