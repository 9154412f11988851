/*
 * What is heard of the children: their messages, and their deaths.
 */
#include "gateway/arbiter/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/birth.h"
#include "gateway/arbiter/board_keep.h"
#include "gateway/arbiter/letters.h"
#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/obituary.h"
#include "gateway/arbiter/recycle.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

enum { MESSAGES_A_ROUND = 16 };

static void
give_up(struct arbiter *a, enum exit_status status)
{
	a->status = status;
	arbiter_stop(a, STOP_QUICK, "giving up");
}

/* A child died that nobody had told to. At a reload the new generation is given up; at
 * the first start everything is, in the end; later others are started, with patience.
 */
static void
judge_death(struct arbiter *a, const struct child *child, uint64_t now)
{
	struct pool *pool = child->pool;
	char reason[512];

	if (arbiter_has_begun_to_stop(a) || child->state == CHILD_STOPPING)
		return;
	if (reload_is_coming(&a->reload, pool)) {
		snprintf(reason, sizeof(reason), "%s died", child_text(child));
		reload_fail(&a->reload, reason);
		return;
	}
	if (!child_failed(child, now)) {
		pool_recovered(pool);
		return;
	}
	pool_back_off(pool, &a->family, child->started, now);
	if (pool->was_ready || ++pool->boot_deaths < (unsigned)pool->app->boot_attempts)
		return;
	log_critical("%s: %u processes died before one was ready", pool->app->name,
		pool->boot_deaths);
	give_up(a, EXIT_BOOT);
}

static void
heard_ready(struct arbiter *a, struct child *child, const struct imsg *m)
{
	(void)a;
	(void)m;
	child_is_ready(child, clock_ms());
}

static void
heard_failed(struct arbiter *a, struct child *child, const struct imsg *m)
{
	char reason[512];

	snprintf(reason, sizeof(reason), "%s cannot load %s: %" SLICE_FMT,
		child_text(child), child->pool->app->what.text, SLICE_ARG(m->payload));
	child->explained = true;
	if (arbiter_has_begun_to_stop(a) || child->state == CHILD_STOPPING)
		return;
	if (reload_is_coming(&a->reload, child->pool)) {
		reload_fail(&a->reload, reason);
		return;
	}
	log_error("%s", reason);
	if (!child->pool->was_ready)
		give_up(a, EXIT_LOAD);
}

static void
heard_born(struct arbiter *a, struct child *child, const struct imsg *m)
{
	if (birth_heard(&a->family, child, m->payload)) {
		log_debug("%s was born", child_text(child));
		return;
	}
	log_error("%s told a pid that is none of a new child", child_text(child));
	child_kill(child, "it told a wrong pid");
}

static void
heard_recycle(struct arbiter *a, struct child *child, const struct imsg *m)
{
	(void)a;
	(void)m;
	/* It is the programs behind it that max_requests means: see recycle_count(). */
	if (child->slot != NULL && child->pool->app->what.command == NULL)
		recycle_ask(
			child, " after %" PRIu64 " requests", child->slot->requests);
}

static void
heard_files(struct arbiter *a, struct child *child, const struct imsg *m)
{
	files_heard(&a->files, child->pool->heritage.generation, m->payload);
}

static void
heard_letter(struct arbiter *a, struct child *child, const struct imsg *m)
{
	letters_heard(&a->family, child, m);
}

static void
heard_trace(struct arbiter *a, struct child *child, const struct imsg *m)
{
	control_trace(a, child, m->payload);
}

static void
heard_look(struct arbiter *a, struct child *child, const struct imsg *m)
{
	(void)child;
	board_keep_look(&a->family, m->payload.len > 0);
}

static void (*const hear[])(
	struct arbiter *a, struct child *child, const struct imsg *m) = {
	[MESSAGE_READY] = heard_ready,
	[MESSAGE_FAILED] = heard_failed,
	[MESSAGE_RECYCLE] = heard_recycle,
	[MESSAGE_FILES] = heard_files,
	[MESSAGE_BORN] = heard_born,
	[MESSAGE_LOOK] = heard_look,
	[MESSAGE_SEND] = heard_letter,
	[MESSAGE_TRACE] = heard_trace,
};

/* Who has told no pid, or a wrong one, has nothing else to say. */
static bool
has_meaning(const struct child *child, uint32_t type)
{
	return type < sizeof(hear) / sizeof(hear[0]) && hear[type] != NULL &&
		(type == MESSAGE_BORN || !child->unborn);
}

static void
hear_message(struct arbiter *a, struct child *child, const struct imsg *m)
{
	if (has_meaning(child, m->type))
		hear[m->type](a, child, m);
	else
		log_warning("%s sent message %u, which means nothing",
			child_text(child), (unsigned)m->type);
	if (m->fd != -1)
		close(m->fd);
}

/* No child holds the loop up with messages: what is left in the socket is for the next
 * round. What has been read from there is not, as nothing would tell of it. */
void
news_hear(struct arbiter *a, struct child *child)
{
	struct imsg m;
	int got = 1;

	if (child->channel.fd == -1)
		return;
	child_flush(&a->family, child);
	for (int i = 0; got == 1; i++) {
		got = i < MESSAGES_A_ROUND ? channel_receive(&child->channel, &m)
					   : imsg_next(&child->channel.in, &m);
		if (got == 1)
			hear_message(a, child, &m);
	}
	if (got == -1)
		child_hung_up(&a->family, child, clock_ms());
}

static void
tell_exit(struct arbiter *a, const struct child *child, int status)
{
	struct al_facts facts = facts_of_child(child);

	facts.status = status;
	hooks_run(&a->family.hooks, child->pool->heritage.server, SERVER_child_exit,
		&facts);
}

static void
bury(struct arbiter *a, struct child *child, int status, const struct rusage *used)
{
	news_hear(a, child); /* its last words may say why */
	uint64_t now = clock_ms();
	obituary_log(child, status, used, now);
	board_keep_death(&a->family, child, status);
	tell_exit(a, child, status);
	judge_death(a, child, now);
	child_free(&a->family, child);
}

/* All is as before the upgrade, also if the workers here were stopped for it. */
static void
fall_back(struct arbiter *a, int status)
{
	log_warning("the new arbiter has ended, %s %d; this one goes on",
		WIFSIGNALED(status) ? "by signal" : "with status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	listeners_share(&a->reload.listeners, false);
	if (a->stop == STOP_NO && reload_is_paused(&a->reload))
		reload_ask(&a->reload);
}

/* The child of that pid, which has died. It may not have been heard yet that it was
 * born. */
static struct child *
find_dead(struct arbiter *a, pid_t pid)
{
	struct child *child = family_find(&a->family, pid);

	if (child != NULL)
		return child;
	TAILQ_FOREACH (child, &a->family.children, next) {
		if (child->unborn)
			news_hear(a, child);
	}
	return family_find(&a->family, pid);
}

/* Their prototype could not fork them, or died before it did. */
static void
bury_the_unborn(struct arbiter *a)
{
	struct child *child = TAILQ_FIRST(&a->family.children);

	while (child != NULL) {
		struct child *next = TAILQ_NEXT(child, next);
		if (child->unborn && child->channel.fd == -1) {
			obituary_log_unborn(child);
			board_keep_unborn(&a->family, child);
			judge_death(a, child, clock_ms());
			child_free(&a->family, child);
		}
		child = next;
	}
}

/* Whether or not a CHLD came: some may have become one. Who is dead is looked at first
 * and then waited for: until then it is a child, and birth_heard() believes its pid.
 * As process 1 of a container the arbiter inherits the orphans of others. */
void
news_of_deaths(struct arbiter *a)
{
	siginfo_t dead = { .si_pid = 0 };
	struct rusage used;
	int status;

	while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		dead.si_pid != 0) {
		pid_t pid = dead.si_pid;
		struct child *child = find_dead(a, pid);
		if (wait4(pid, &status, WNOHANG, &used) != pid)
			return;
		if (child != NULL)
			bury(a, child, status, &used);
		else if (logger_has_ended(pid, status))
			logger_step(clock_ms());
		else if (upgrade_has_ended(pid))
			fall_back(a, status);
		else if (!hooks_bury(&a->family.hooks, pid, status))
			log_debug("process %d, not ours, has ended", (int)pid);
		dead.si_pid = 0;
	}
	bury_the_unborn(a);
}
