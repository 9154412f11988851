#include "gateway/arbiter/control_command.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/arbiter/control_routes.h"
#include "gateway/arbiter/control_status.h"
#include "gateway/arbiter/recycle.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/status/render.h"

static enum control_outcome __attribute__((format(printf, 3, 4)))
say(struct control_call *call, enum control_outcome outcome, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buffer_addf(call->text, "%s\n", text);
	return outcome;
}

/* ---- Processes ---- */

/* "+1", "-2": *by is that; "4": what leads there from the level. False: no such number.
 */
static bool
read_change(const char *text, unsigned level, int *by)
{
	bool is_relative = *text == '+' || *text == '-';
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < -UINT16_MAX || n > UINT16_MAX)
		return false;
	*by = is_relative ? (int)n : (int)n - (int)level;
	return true;
}

static enum control_outcome
no_application(struct control_call *call, const char *name)
{
	return say(call, CONTROL_FAILED, "there is no application %s", name);
}

static enum control_outcome
run_scale(struct control_call *call)
{
	struct pool *pool = arbiter_pool(call->a->reload.current, call->words[0]);
	int by;

	if (pool == NULL)
		return no_application(call, call->words[0]);
	if (!read_change(call->words[1], pool->level, &by))
		return say(
			call, CONTROL_USAGE, "%s is not +N, -N or N", call->words[1]);
	const char *reason = by != 0 ? arbiter_scale(call->a, pool, by) : NULL;
	if (reason != NULL)
		return say(call, CONTROL_FAILED, "%s", reason);
	return say(call, CONTROL_DONE, "%s: the number of processes is now %u",
		pool->app->name, pool->target);
}

/* A prototype is not replaced: a reload makes another one. */
static bool
is_recyclable(const struct arbiter *a, const struct child *child)
{
	return generation_has(a->reload.current, child->pool) &&
		child->pool->kind != &kind_prototype && child->state == CHILD_SERVING;
}

/* Whether the word names the child, or its application. */
static bool
is_named(const struct child *child, const char *word)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)child->pid);
	return strcmp(word, child->pool->app->name) == 0 || strcmp(word, pid) == 0;
}

static enum control_outcome
run_recycle(struct control_call *call)
{
	const char *word = call->words[0];
	struct child *child;
	unsigned n = 0;

	TAILQ_FOREACH (child, &call->a->family.children, next) {
		if (!is_recyclable(call->a, child) || !is_named(child, word))
			continue;
		recycle_ask(child, ", as was asked for");
		n++;
	}
	if (n == 0)
		return say(call, CONTROL_FAILED,
			"%s is no application and no process of one that serves", word);
	if (n == 1)
		return say(call, CONTROL_DONE, "one process is replaced");
	return say(call, CONTROL_DONE, "%u processes are replaced, one at a time", n);
}

/* ---- The server ---- */

static enum control_outcome
run_reload(struct control_call *call)
{
	if (call->a->stop != STOP_NO)
		return say(call, CONTROL_FAILED, "the server stops");
	call->peer->reload = reload_ask(&call->a->reload);
	return CONTROL_LATER;
}

/* Files of a folder that are broken do not hold the others up, but all is not well. */
static enum control_outcome
end_reload(struct control_call *call)
{
	const struct reload *r = &call->a->reload;

	if (r->ended < call->peer->reload)
		return CONTROL_LATER;
	buffer_add_slice(call->text, buffer_slice(&r->said));
	return r->has_committed && r->current->config->n_broken == 0 ? CONTROL_DONE
								     : CONTROL_FAILED;
}

static enum control_outcome
run_upgrade(struct control_call *call)
{
	const char *reason = arbiter_upgrade(call->a);

	if (reason != NULL)
		return say(call, CONTROL_FAILED, "%s", reason);
	return say(call, CONTROL_DONE,
		"arbiter %d starts beside this one, and has a control socket of its "
		"own, with .2 behind the name; stop ends this one",
		(int)upgrade_pid());
}

static enum control_outcome
run_reopen(struct control_call *call)
{
	arbiter_reopen_logs(call->a);
	return say(call, CONTROL_DONE, "logs are reopened");
}

static enum control_outcome
run_stop(struct control_call *call)
{
	bool is_quick = call->n == 1;

	if (is_quick && strcmp(call->words[0], "--quick") != 0)
		return say(call, CONTROL_USAGE, "%s is not --quick", call->words[0]);
	if (is_quick)
		arbiter_stop_quickly(call->a);
	else
		arbiter_stop_gracefully(call->a);
	return say(call, CONTROL_DONE, "the server stops");
}

/* ---- What is asked ---- */

static enum control_outcome
run_config(struct control_call *call)
{
	config_print(call->a->reload.current->config, call->text);
	return CONTROL_DONE;
}

/* Needs a terminal, so it is alicornctl's own. */
static enum control_outcome
run_top(struct control_call *call)
{
	return say(call, CONTROL_USAGE, "top is for terminals; ask for status instead");
}

static enum control_outcome
run_trace(struct control_call *call)
{
	const char *reason =
		trace_filter_parse(&call->peer->filter, call->words, call->n);

	if (reason != NULL)
		return say(call, CONTROL_USAGE, "%s", reason);
	call->peer->state = CONTROL_FOLLOWING;
	return CONTROL_DONE;
}

static control_fn run_help;

/* ---- All of them ---- */

enum { ANY = SIZE_MAX };

static const struct control_command commands[] = {
	{ "config", "", "the configuration, and where each value comes from",
		.run = run_config },
	{ "help", "", "this list", .is_object = true, .run = run_help },
	{ "recycle", "NAME|PID",
		"replace the processes of an application, one at a time, or one",
		.least = 1, .most = 1, .changes = true, .run = run_recycle },
	{ "reload", "", "reload, and say how it went", .changes = true,
		.run = run_reload, .later = end_reload },
	{ "reopen", "", "reopen the logs", .changes = true, .run = run_reopen },
	{ "routes", "", "what is asked for where, and who answers", .is_object = true,
		.run = control_run_routes },
	{ "scale", "NAME +N|-N|N", "more or less processes of an application",
		.least = 2, .most = 2, .changes = true, .run = run_scale },
	{ "slow", "[--app NAME]", "the slowest requests since the start", .most = ANY,
		.is_object = true, .run = control_run_slow },
	{ "status", "[--workers]", "how the server is, and each application",
		.most = ANY, .is_object = true, .run = control_run_status },
	{ "stop", "[--quick]", "stop, and wait for the end", .most = 1, .changes = true,
		.stays = true, .run = run_stop },
	{ "top", "", "status, each second, until q", .run = run_top },
	{ "trace", "[--app NAME] [--status 5xx] [--path PATTERN] [--slower-than MS]",
		"follow requests as they end", .most = ANY, .is_object = true,
		.run = run_trace },
	{ "upgrade", "", "start the program anew, beside this one", .changes = true,
		.run = run_upgrade },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void
add_text_help(struct buffer *out, const struct control_command *c)
{
	buffer_addf(out, "%s%s%s\n        %s\n", c->name,
		*c->arguments != '\0' ? " " : "", c->arguments, c->help);
}

static void
add_json_help(struct buffer *out, const struct control_command *c)
{
	buffer_add_str(out, c == commands ? "[{\"name\": " : ",\n {\"name\": ");
	json_string(out, c->name);
	buffer_add_str(out, ", \"arguments\": ");
	json_string(out, c->arguments);
	buffer_add_str(out, ", \"help\": ");
	json_string(out, c->help);
	buffer_add_str(out, c == &commands[COMMANDS - 1] ? "}]\n" : "}");
}

static enum control_outcome
run_help(struct control_call *call)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (call->peer->json)
			add_json_help(call->text, &commands[i]);
		else
			add_text_help(call->text, &commands[i]);
	}
	return CONTROL_DONE;
}

const struct control_command *
control_command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
