#include "gateway/arbiter/obituary.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "gateway/arbiter/oom.h"
#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/watch.h"
#include "gateway/logger/log.h"
#include "protocols/buffer.h"

/* Somebody has said already why it ends: the watch over requests, or the worker. */
static bool
is_explained(const struct child *child)
{
	return child->overdue != 0 ||
		(child->slot != NULL && child->slot->has_explained);
}

/* It was told to stop and did, or it ended well by itself. */
static bool
is_expected(const struct child *child, int status, uint64_t now)
{
	bool stopped = child->state == CHILD_STOPPING && child->killed_for == NULL;

	if (WIFSIGNALED(status))
		return stopped &&
			(WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGQUIT);
	return WEXITSTATUS(status) == EXIT_DONE && child->killed_for == NULL &&
		!child_failed(child, now);
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double
cpu_seconds(const struct rusage *used)
{
	return seconds(used->ru_utime) + seconds(used->ru_stime);
}

/* NULL when the signal alone says it. */
static const char *
killer(const struct child *child, int number, const struct rusage *used)
{
	double limit = (double)child->pool->app->limit_cpu;

	if (number == SIGXCPU)
		return "cpu time limit";
	if (number != SIGKILL)
		return NULL;
	if (limit != 0 && cpu_seconds(used) >= limit)
		return "cpu time limit";
	return oom_has_killed() ? "out of memory (killed by the kernel)"
				: "by somebody else";
}

static void
say_how(struct buffer *text, const struct child *child, int status,
	const struct rusage *used)
{
	const char *why =
		WIFSIGNALED(status) ? killer(child, WTERMSIG(status), used) : NULL;

	if (WIFSIGNALED(status))
		buffer_addf(text, " was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		buffer_addf(text, " ended with status %d", WEXITSTATUS(status));
	if (child->killed_for != NULL)
		buffer_addf(text, ", by the arbiter: %s", child->killed_for);
	else if (why != NULL)
		buffer_addf(text, ", %s", why);
}

static void
say_what_it_used(struct buffer *text, const struct rusage *used)
{
	buffer_addf(text, "; cpu %.2f s, memory %ld MiB", cpu_seconds(used),
		used->ru_maxrss / 1024);
}

void
obituary_log(
	const struct child *child, int status, const struct rusage *used, uint64_t now)
{
	struct buffer text = { .limit = 1024 };
	struct log_about about;
	enum log_level level = LOG_LEVEL_ERROR;

	if (child->explained)
		level = LOG_LEVEL_DEBUG;
	else if (is_expected(child, status, now) || is_explained(child))
		level = LOG_LEVEL_INFO;
	buffer_add_str(&text, child_text(child));
	say_how(&text, child, status, used);
	watch_describe(&text, &about, child, now);
	say_what_it_used(&text, used);
	log_about(level, &about, "%" SLICE_FMT, SLICE_ARG(buffer_slice(&text)));
	buffer_release(&text);
}

void
obituary_log_unborn(const struct child *child)
{
	bool expected = child->explained || child->state == CHILD_STOPPING;

	log_line(expected ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		"%s was not forked by its prototype%s%s", child_text(child),
		child->killed_for != NULL ? ": " : "",
		child->killed_for != NULL ? child->killed_for : "");
}
