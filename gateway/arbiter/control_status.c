#include "gateway/arbiter/control_status.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/arbiter/board_keep.h"
#include "gateway/common/clock.h"
#include "gateway/status/render.h"

/* What happened a second is told of the time since an earlier look, which is at least,
 * and at the most, so long ago. */
enum { LOOK_LEAST_MS = 900, LOOK_MOST_MS = 60000 };

/* The last look, and the one that it is compared with. */
static struct status last, before;

void
control_status_release(void)
{
	status_release(&last);
	status_release(&before);
}

/* Takes note of a look, for the next ones. */
static void
keep(struct status *now)
{
	if (last.taken != 0 && now->taken - last.taken < LOOK_LEAST_MS) {
		status_release(now);
		return;
	}
	status_release(&before);
	before = last;
	last = *now;
}

/* NULL: nobody has looked lately. */
static const struct status *
earlier(const struct status *now)
{
	const struct status *s = &last;

	if (last.taken != 0 && now->taken - last.taken < LOOK_LEAST_MS)
		s = &before;
	return s->taken != 0 && now->taken - s->taken < LOOK_MOST_MS ? s : NULL;
}

/* ---- Options ---- */

struct wanted {
	struct status_style style;
	const char *app;
};

static const char *
set_columns(struct wanted *w, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || n > 10000)
		return "--columns is a number up to 10000";
	w->style.columns = (unsigned)n;
	return NULL;
}

static const char *
set_colours(struct wanted *w, const char *value)
{
	(void)value;
	w->style.colours = true;
	return NULL;
}

static const char *
set_workers(struct wanted *w, const char *value)
{
	(void)value;
	w->style.workers = true;
	return NULL;
}

static const char *
set_app(struct wanted *w, const char *value)
{
	w->app = value;
	return NULL;
}

static const struct {
	const char *name;
	bool has_value;
	const char *(*set)(struct wanted *w, const char *value);
} options[] = {
	{ "--app", true, set_app },
	{ "--colours", false, set_colours },
	{ "--columns", true, set_columns },
	{ "--workers", false, set_workers },
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* NULL, or what is wrong with the words. */
static const char *
read_options(struct wanted *w, const struct control_call *call)
{
	const char *reason = NULL;

	for (size_t i = 0; i < call->n && reason == NULL; i++) {
		size_t k = 0;
		while (k < OPTIONS && strcmp(options[k].name, call->words[i]) != 0)
			k++;
		if (k == OPTIONS)
			return "there is no such option; see help";
		if (options[k].has_value && call->words[++i] == NULL)
			return "the last option has no value";
		reason = options[k].set(w, call->words[i]);
	}
	return reason;
}

/* ---- Commands ---- */

/* How things are now, also with what has to be asked of the kernel. */
static int
look(struct arbiter *a, struct status *now)
{
	board_keep_look(&a->family, true);
	board_keep_publish(a, clock_ms());
	return status_take(now, a->family.board.own, &a->family.slots);
}

static enum control_outcome
fail(struct control_call *call, enum control_outcome outcome, const char *reason)
{
	buffer_addf(call->text, "%s\n", reason);
	return outcome;
}

enum control_outcome
control_run_status(struct control_call *call)
{
	struct wanted w = { 0 };
	struct status now = { 0 };
	const char *reason = read_options(&w, call);

	if (reason == NULL && w.app != NULL)
		reason = "--app is for slow";
	if (reason != NULL)
		return fail(call, CONTROL_USAGE, reason);
	if (look(call->a, &now) == -1)
		return fail(call, CONTROL_FAILED, "out of memory");
	if (call->peer->json) {
		status_json(call->text, &now, earlier(&now));
		buffer_add_char(call->text, '\n');
	} else {
		status_table(call->text, &now, earlier(&now), &w.style);
	}
	keep(&now);
	return CONTROL_DONE;
}

/* Where the rest of the story is, of the application or of any. */
static void
tell_of_stacks(struct control_call *call, const char *app)
{
	static const char line[] = "stacks (slow_stack_after) are in the log, behind "
				   "\"its stack is asked for\"\n";
	const struct generation *g = call->a->reload.current;
	bool is_on = false;

	for (size_t i = 0; i < g->n_pools; i++) {
		const struct app_settings *s = g->pools[i].app;
		if (app == NULL || strcmp(app, s->name) == 0)
			is_on |= s->slow_stack_after > 0;
	}
	if (is_on)
		buffer_add_str(call->text, line);
}

enum control_outcome
control_run_slow(struct control_call *call)
{
	struct wanted w = { 0 };
	struct status now = { 0 };
	const char *reason = read_options(&w, call);

	if (reason != NULL)
		return fail(call, CONTROL_USAGE, reason);
	if (w.app != NULL && arbiter_pool(call->a->reload.current, w.app) == NULL)
		return fail(call, CONTROL_FAILED, "there is no such application");
	if (look(call->a, &now) == -1)
		return fail(call, CONTROL_FAILED, "out of memory");
	if (call->peer->json) {
		status_slow_json(call->text, &now, w.app);
		buffer_add_char(call->text, '\n');
	} else {
		status_slow_table(call->text, &now, w.app, &w.style);
		tell_of_stacks(call, w.app);
	}
	status_release(&now);
	return CONTROL_DONE;
}
