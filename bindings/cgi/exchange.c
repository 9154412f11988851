/*
 * The life of one exchange: wait for a turn, run the program, pass on what it writes,
 * see how it ended. Nothing waits; run() goes on wherever an event, the timer or the
 * client's having taken more makes it possible. `timeout` is the gateway's to watch: it
 * aborts who makes no progress.
 */
#include "bindings/cgi/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	READS_IN_TURN = 16, /* before other connections have theirs */
	TURN_MS = 1,
	/* Between the end of stdout and that of the program, which follow each other at
	 * once where the program just ends. */
	ENDING_MS = 200,
};

static const char *const state_names[] = {
	[EXCHANGE_WAITING] = "waiting",
	[EXCHANGE_HEAD] = "head",
	[EXCHANGE_BODY] = "body",
	[EXCHANGE_ENDING] = "ending",
	[EXCHANGE_DONE] = "done",
	[EXCHANGE_FAILED] = "failed",
};

/* Who redirects has had a turn and is the next. */
void
exchange_set(struct exchange *x, enum exchange_state state)
{
	al_log(x->req, AL_DEBUG, "%s: from %s to %s", x->script.file,
		state_names[x->state], state_names[state]);
	if (x->state == EXCHANGE_WAITING)
		TAILQ_REMOVE(&x->app->waiting, x, next);
	if (state == EXCHANGE_WAITING)
		TAILQ_INSERT_HEAD(&x->app->waiting, x, next);
	x->state = state;
}

void
exchange_fail(struct exchange *x, int status, const char *format, ...)
{
	char reason[256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	al_log(x->req, AL_LOG_ERROR, "%s: %s", x->script.file, reason);
	x->status = status;
	exchange_set(x, EXCHANGE_FAILED);
}

static void
close_stdout(struct exchange *x)
{
	if (x->watch != NULL)
		al_unwatch(x->watch);
	x->watch = NULL;
	if (x->out != -1)
		close(x->out);
	x->out = -1;
	x->readable = false;
}

/* Of a response that failed nobody wants the rest. */
static void
part_from_program(struct exchange *x, bool failed)
{
	struct program *p = x->program;
	bool goes_on = x->out != -1 || (p != NULL && p->state == PROGRAM_RUNNING);

	x->program = NULL;
	close_stdout(x);
	if (p != NULL && failed && goes_on)
		program_kill(p);
	else if (p != NULL)
		program_leave(p);
}

static void
exchange_free(struct exchange *x)
{
	if (x->state == EXCHANGE_WAITING)
		TAILQ_REMOVE(&x->app->waiting, x, next);
	part_from_program(x, x->state != EXCHANGE_DONE);
	al_timer_free(x->timer);
	answer_release(x);
	arena_release(&x->memory);
	free(x);
}

/* ---- Running ---- */

static void run(struct exchange *x, bool expired);

static void
on_stdout(struct al_watch *watch, unsigned events, void *arg)
{
	struct exchange *x = arg;

	(void)watch;
	(void)events;
	x->readable = true;
	run(x, false);
}

static void
on_program_end(void *arg)
{
	run(arg, false);
}

static int
start_program(struct exchange *x, int in, int out)
{
	struct program_plan plan = {
		.app = x->app,
		.req = x->req,
		.file = x->script.file,
		.in = in,
		.out = out,
		.ended = on_program_end,
		.arg = x,
	};

	plan.environ = environ_make(x->app, x->req, &x->ask, &x->script, &x->memory);
	errno = ENOMEM;
	if (plan.environ != NULL)
		x->program = program_start(&plan);
	return x->program != NULL ? 0 : -1;
}

/* Too little of something that the server has, too much of what the client sent, or a
 * program that is none. */
static int
status_of_error(int error)
{
	static const int busy[] = { EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC };

	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
		if (error == busy[i])
			return 503;
	return error == E2BIG ? 431 : 502;
}

static void
begin_program(struct exchange *x)
{
	int in = stdin_open(x), pair[2] = { -1, -1 };
	bool started = in != -1 && pipe2(pair, O_CLOEXEC) == 0;

	if (started) {
		x->out = pair[0];
		fcntl(x->out, F_SETFL, O_NONBLOCK);
		started = start_program(x, in, pair[1]) == 0;
	}
	if (started) {
		x->watch = al_watch(x->out, on_stdout, x);
		started = x->watch != NULL;
	}
	int error = errno;
	if (in != -1)
		close(in);
	if (pair[1] != -1)
		close(pair[1]);
	if (started)
		exchange_set(x, EXCHANGE_HEAD);
	else
		exchange_fail(x, status_of_error(error), "cannot be run: %s",
			error == ENOENT ? "it, or the interpreter of its first line, "
					  "is not there"
					: strerror(error));
}

static bool
wait_for_turn(struct exchange *x, bool expired)
{
	struct cgi *app = x->app;

	if (expired) {
		exchange_fail(x, 503, "waited for %u ms, as %u programs run already",
			app->wait_ms, app->running);
		return true;
	}
	if (app->running >= app->processes || TAILQ_FIRST(&app->waiting) != x)
		return false;
	answer_init(x);
	begin_program(x);
	return true;
}

void
exchange_next(struct cgi *app)
{
	while (app->running < app->processes && !TAILQ_EMPTY(&app->waiting))
		run(TAILQ_FIRST(&app->waiting), false);
}

/* ---- Redirects to ourselves ---- */

int
exchange_refuse(struct al_request *req, unsigned status, const char *location)
{
	const struct al_header field = { .name = "Location", .value = location };
	int error = location != NULL ? al_start(req, "301", &field, 1)
				     : al_error(req, status, NULL, 0);

	return error == 0 ? AL_DONE : AL_ERROR;
}

/* The response is what the client would have got there (RFC 3875 section 6.2.2). */
static void
follow(struct exchange *x)
{
	struct script script;

	x->ask = (struct ask){
		.path = x->local.path,
		.query = x->local.query,
		.uri = x->local.uri,
		.redirected = true,
	};
	part_from_program(x, false);
	answer_release(x);
	unsigned refusal = script_find(&script, x->app, x->req, &x->ask, &x->memory);
	if (refusal == 0) {
		x->script = script;
		x->nph = script_is_nph(&script);
		exchange_set(x, EXCHANGE_WAITING);
		al_timer_reset(x->timer, x->app->wait_ms);
		return;
	}
	int result = exchange_refuse(x->req, refusal, script.location);
	exchange_set(x, result == AL_DONE ? EXCHANGE_DONE : EXCHANGE_FAILED);
}

/* ---- Reading ---- */

static void
receive_some(struct exchange *x)
{
	char input[ANSWER_INPUT_MAX];
	ssize_t n = read(x->out, input, sizeof(input));

	if (n > 0) {
		answer_take(x, slice_of(input, (size_t)n));
		x->paused = al_queued(x->req) > al_queue_limit();
	} else if (n == 0) {
		close_stdout(x);
		al_timer_reset(x->timer, ENDING_MS);
		exchange_set(x, EXCHANGE_ENDING);
	} else if (errno == EAGAIN) {
		x->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(x, 502, "reading the response: %s", strerror(errno));
	}
}

/* What a program has written so far goes out: it may write an event now and then. */
static bool
receive(struct exchange *x)
{
	unsigned reads = 0;

	while (x->readable && !x->paused && !exchange_over(x) && x->local.uri == NULL &&
		reads++ < READS_IN_TURN)
		receive_some(x);
	if (x->local.uri != NULL && x->state == EXCHANGE_HEAD) {
		follow(x);
		return true;
	}
	if (x->state == EXCHANGE_BODY && reads > 0 && al_flush(x->req) != 0)
		exchange_set(x, EXCHANGE_FAILED);
	if (x->readable && !x->paused)
		al_timer_reset(x->timer, TURN_MS);
	return x->state != EXCHANGE_HEAD && x->state != EXCHANGE_BODY;
}

/* ---- The end ---- */

/* A program that was killed has not said all. What an exit status means is known to
 * nobody: php's is 255 after an error page that is complete. */
static bool
judge(struct exchange *x, bool expired)
{
	const struct program *p = x->program;

	if (p->state == PROGRAM_RUNNING && !expired)
		return false;
	program_drain(x->program);
	if (p->state == PROGRAM_KILLED)
		exchange_fail(x, 502, "was killed by signal %d (%s)", p->code,
			strsignal(p->code));
	else if (!x->started && p->state == PROGRAM_EXITED)
		exchange_fail(x, 502,
			x->head.len > 0 ? "ended without an empty line behind header "
					  "fields, with status %d"
					: "ended without a response, with status %d",
			p->code);
	else if (!x->started)
		exchange_fail(x, 502, "closed its stdout without a response");
	else
		exchange_set(x, EXCHANGE_DONE);
	if (x->state == EXCHANGE_DONE && p->code != 0)
		al_log(x->req, AL_WARNING, "%s: ended with status %d", x->script.file,
			p->code);
	return true;
}

static bool
finish(struct exchange *x)
{
	struct al_request *req = x->req;
	enum al_result result = x->state == EXCHANGE_DONE ? AL_DONE : AL_ERROR;
	int status = x->status;

	exchange_free(x);
	al_finish(req, result, status);
	return false;
}

/* Goes one step, `expired` when the timer has fired; returns true when the next can
 * follow at once, and false when there is something to wait for, or x is no more. */
static bool
step(struct exchange *x, bool expired)
{
	switch (x->state) {
	case EXCHANGE_WAITING:
		return wait_for_turn(x, expired);
	case EXCHANGE_HEAD:
	case EXCHANGE_BODY:
		return receive(x);
	case EXCHANGE_ENDING:
		return judge(x, expired);
	case EXCHANGE_DONE:
	case EXCHANGE_FAILED:
		return finish(x);
	}
	return false;
}

static void
run(struct exchange *x, bool expired)
{
	while (step(x, expired))
		expired = false;
}

static void
on_timer(void *arg)
{
	run(arg, true);
}

static void
on_drained(struct al_request *req, void *arg)
{
	struct exchange *x = arg;

	(void)req;
	if (!x->paused)
		return;
	x->paused = false;
	run(x, false);
}

static void
on_aborted(struct al_request *req, void *arg)
{
	(void)req;
	exchange_free(arg);
}

int
exchange_start(struct cgi *app, struct al_request *req, const struct ask *ask,
	const struct script *script, struct arena *memory)
{
	static const struct al_pending calls = {
		.drained = on_drained,
		.aborted = on_aborted,
	};
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return AL_ERROR;
	*x = (struct exchange){
		.state = EXCHANGE_WAITING,
		.req = req,
		.app = app,
		.ask = *ask,
		.script = *script,
		.nph = script_is_nph(script),
		.out = -1,
		.timer = al_timer_new(app->wait_ms, on_timer, x),
	};
	if (x->timer == NULL) {
		free(x);
		return AL_ERROR;
	}
	x->memory = *memory;
	*memory = (struct arena){ 0 };
	TAILQ_INSERT_TAIL(&app->waiting, x, next);
	al_pending(req, &calls, x);
	run(x, false);
	return AL_PENDING;
}
