#include "gateway/arbiter/arbiter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/access_file.h"
#include "gateway/arbiter/birth.h"
#include "gateway/arbiter/files.h"
#include "gateway/arbiter/daemon.h"
#include "gateway/arbiter/inherited.h"
#include "gateway/arbiter/memory.h"
#include "gateway/arbiter/notify.h"
#include "gateway/arbiter/obituary.h"
#include "gateway/arbiter/oom.h"
#include "gateway/arbiter/recycle.h"
#include "gateway/arbiter/reload.h"
#include "gateway/arbiter/signals.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/arbiter/watch.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

enum { EVENTS_A_ROUND = 64, MESSAGES_A_ROUND = 16 };

struct arbiter {
	const struct arbiter_job *job;
	struct family family;
	struct reload reload;
	struct files files;
	enum stop stop; /* STOP_NO: it runs */
	bool is_up; /* every pool had a child that was ready */
	enum exit_status status;
};

/* ---- The signals, as alicorn(8) tells them ---- */

static void
scale(struct arbiter *a, int by)
{
	struct pool *pool = generation_primary(a->reload.current);
	unsigned before = pool->target;

	if (!pool_scale(pool, by))
		log_warning("%s: the number of processes stays %u", pool->app->name,
			pool->target);
	else
		log_info("%s: the number of processes is now %u", pool->app->name,
			pool->target);
	if (pool->target != before)
		hooks_scaled(&a->family.hooks, pool, before);
	if (a->reload.coming != NULL)
		pool_scale(generation_primary(a->reload.coming), by);
}

static void
add_process(struct arbiter *a)
{
	scale(a, +1);
}

static void
remove_process(struct arbiter *a)
{
	scale(a, -1);
}

static void
reload_configuration(struct arbiter *a)
{
	if (a->stop == STOP_NO)
		reload_ask(&a->reload);
}

static void
reopen_logs(struct arbiter *a)
{
	struct child *child;

	log_reopen();
	log_info("log reopened");
	TAILQ_FOREACH (child, &a->family.children, next) {
		access_file_make(child->pool->app);
		child_reopen_log(child);
	}
}

static void
upgrade(struct arbiter *a)
{
	const struct generation *g = a->reload.current;
	const struct al_facts facts = facts_of_generation(g);
	const char *reason = a->stop != STOP_NO
		? "the server stops"
		: upgrade_begin(&a->reload.listeners, &g->config->server, &facts);

	if (reason == NULL)
		log_info("arbiter %d starts beside this one", (int)upgrade_pid());
	else
		log_warning("USR2: %s", reason);
}

static void
stop_workers(struct arbiter *a)
{
	log_info("the workers stop, the arbiter stays");
	notify_paused();
	reload_stop(&a->reload, STOP_GRACEFUL);
}

static void
stop(struct arbiter *a, enum stop how, const char *words)
{
	log_info("%s", words);
	if (upgrade_pid() != 0)
		notify_succession(upgrade_pid());
	else
		notify_stopping();
	a->stop = how;
	reload_stop(&a->reload, how);
}

static void
force_stop(struct arbiter *a)
{
	stop(a, STOP_FORCED, "told to stop again: all are killed");
}

static void
stop_gracefully(struct arbiter *a)
{
	if (a->stop != STOP_NO)
		force_stop(a);
	else
		stop(a, STOP_GRACEFUL, "stop: requests are finished first");
}

static void
stop_quickly(struct arbiter *a)
{
	if (a->stop != STOP_NO)
		force_stop(a);
	else
		stop(a, STOP_QUICK, "quick stop");
}

static void
wake_up(struct arbiter *a)
{
	(void)a; /* the dead are looked for in every round */
}

static const struct action {
	int number;
	void (*run)(struct arbiter *a);
	const char *name;
	const char *help;
} actions[] = {
	{ SIGTTIN, add_process, "TTIN", "one process more in the primary pool" },
	{ SIGTTOU, remove_process, "TTOU", "one less, the oldest; never below one" },
	{ SIGHUP, reload_configuration, "HUP",
		"reload, if everything new can be started" },
	{ SIGUSR1, reopen_logs, "USR1", "reopen the log, in the workers too" },
	{ SIGUSR2, upgrade, "USR2", "start the program anew, beside this one" },
	{ SIGWINCH, stop_workers, "WINCH", "stop the workers, until the next HUP" },
	{ SIGTERM, stop_gracefully, "TERM",
		"graceful stop; a second signal forces it" },
	{ SIGQUIT, stop_quickly, "QUIT", "quick stop" },
	{ SIGINT, stop_quickly, "INT", "quick stop" },
	{ SIGCHLD, wake_up, "CHLD", "a child has died" },
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static void
obey_signals(struct arbiter *a)
{
	int number;

	while ((number = signals_next()) != 0) {
		for (size_t i = 0; i < ACTIONS; i++) {
			if (actions[i].number != number)
				continue;
			log_debug("%s: %s", actions[i].name, actions[i].help);
			actions[i].run(a);
		}
	}
}

/* ---- The children ---- */

static void
give_up(struct arbiter *a, enum exit_status status)
{
	a->status = status;
	stop(a, STOP_QUICK, "giving up");
}

/* A child died that nobody had told to. At a reload the new generation is given up; at
 * the first start everything is, in the end; later others are started, with patience.
 */
static void
judge_death(struct arbiter *a, const struct child *child, uint64_t now)
{
	struct pool *pool = child->pool;
	char reason[512];

	if (a->stop != STOP_NO || child->state == CHILD_STOPPING)
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
heard_ready(struct arbiter *a, struct child *child, struct slice payload)
{
	(void)a;
	(void)payload;
	child_is_ready(child, clock_ms());
}

static void
heard_failed(struct arbiter *a, struct child *child, struct slice payload)
{
	char reason[512];

	snprintf(reason, sizeof(reason), "%s cannot load %s: %" SLICE_FMT,
		child_text(child), child->pool->app->what.text, SLICE_ARG(payload));
	child->explained = true;
	if (a->stop != STOP_NO || child->state == CHILD_STOPPING)
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
heard_born(struct arbiter *a, struct child *child, struct slice payload)
{
	if (birth_heard(&a->family, child, payload)) {
		log_debug("%s was born", child_text(child));
		return;
	}
	log_error("%s told a pid that is none of a new child", child_text(child));
	child_kill(child, "it told a wrong pid");
}

static void
heard_recycle(struct arbiter *a, struct child *child, struct slice payload)
{
	(void)a;
	(void)payload;
	if (child->slot != NULL)
		recycle_ask(
			child, " after %" PRIu64 " requests", child->slot->requests);
}

static void
heard_files(struct arbiter *a, struct child *child, struct slice payload)
{
	files_heard(&a->files, child->pool->heritage.generation, payload);
}

static void (*const hear[])(
	struct arbiter *a, struct child *child, struct slice payload) = {
	[MESSAGE_READY] = heard_ready,
	[MESSAGE_FAILED] = heard_failed,
	[MESSAGE_RECYCLE] = heard_recycle,
	[MESSAGE_FILES] = heard_files,
	[MESSAGE_BORN] = heard_born,
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
	if (m->fd != -1)
		close(m->fd);
	if (has_meaning(child, m->type))
		hear[m->type](a, child, m->payload);
	else
		log_warning("%s sent message %u, which means nothing",
			child_text(child), (unsigned)m->type);
}

/* No child holds the loop up with messages: what is left is for the next round. */
static void
hear_child(struct arbiter *a, struct child *child)
{
	struct imsg m;
	int got = 1;

	if (child->channel.fd == -1)
		return;
	for (int i = 0; i < MESSAGES_A_ROUND && got == 1; i++) {
		got = channel_receive(&child->channel, &m);
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
	hear_child(a, child); /* its last words may say why */
	uint64_t now = clock_ms();
	obituary_log(child, status, used, now);
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
			hear_child(a, child);
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
			judge_death(a, child, clock_ms());
			child_free(&a->family, child);
		}
		child = next;
	}
}

/* Whether or not a CHLD came: some may have become one. Who is dead is looked at first
 * and then waited for: until then it is a child, and birth_heard() believes its pid.
 * As process 1 of a container the arbiter inherits the orphans of others. */
static void
bury_the_dead(struct arbiter *a)
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
		else if (upgrade_has_ended(pid))
			fall_back(a, status);
		else if (!hooks_bury(&a->family.hooks, pid, status))
			log_debug("process %d, not ours, has ended", (int)pid);
		dead.si_pid = 0;
	}
	bury_the_unborn(a);
}

static void
enforce_limits(struct arbiter *a)
{
	uint64_t now = clock_ms();
	struct child *child;

	TAILQ_FOREACH (child, &a->family.children, next) {
		if (child->deadline != 0 && now >= child->deadline)
			child_deadline_passed(child, now);
	}
	watch_requests(&a->family, a->job->timeout_answer, now);
	hooks_enforce(&a->family.hooks, now);
	memory_watch(&a->family, now);
}

static void
watch_files(struct arbiter *a)
{
	const struct generation *g = a->reload.current;
	const char *changed = files_step(
		&a->files, &g->config->server, g->number, a->family.epoll, clock_ms());

	if (changed == NULL || a->stop != STOP_NO)
		return;
	log_info("%s has changed", changed);
	reload_ask(&a->reload);
}

/* ---- To wait ---- */

static uint64_t
min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Until the nearest deadline of all; -1: there is none. */
static int
wait_ms(const struct arbiter *a)
{
	uint64_t now = clock_ms();
	uint64_t next =
		min(reload_deadline(&a->reload), watch_deadline(&a->family, now));
	const struct child *child;

	next = min(next, notify_deadline());
	next = min(next, memory_deadline(&a->family));
	next = min(next, hooks_deadline(&a->family.hooks));
	next = min(next, files_deadline(&a->files));
	TAILQ_FOREACH (child, &a->family.children, next) {
		if (child->deadline != 0)
			next = min(next, child->deadline);
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)min(next - now, INT_MAX) : 0;
}

static void
hear_news(struct arbiter *a, int timeout_ms)
{
	struct epoll_event events[EVENTS_A_ROUND];
	int n = epoll_wait(a->family.epoll, events, EVENTS_A_ROUND, timeout_ms);

	for (int i = 0; i < n; i++) {
		void *whose = events[i].data.ptr;
		if (whose == &a->files)
			files_notified(&a->files, clock_ms());
		else if (whose != NULL) /* else it is the pipe of the signals */
			hear_child(a, whose);
	}
}

/* ---- From start to end ---- */

/* The other arbiter has gone: from here on this one is as if it had been the first. */
static void
take_over(struct arbiter *a)
{
	log_info("the old arbiter has gone; this one is the arbiter now");
	reload_promote(&a->reload);
	listeners_share(&a->reload.listeners, false);
	inherited_clean_up();
	notify_speak();
}

/* Tells whoever waits for it that the server is ready. */
static void
announce(struct arbiter *a)
{
	if (a->is_up || a->stop != STOP_NO || !generation_was_ready(a->reload.current))
		return;
	a->is_up = true;
	notify_ready(generation_present(a->reload.current));
	daemon_report(EXIT_DONE);
}

static bool
is_over(const struct arbiter *a)
{
	return a->stop != STOP_NO && TAILQ_EMPTY(&a->family.children);
}

static void
run(struct arbiter *a)
{
	while (!is_over(a)) {
		reload_step(&a->reload);
		reload_keep(&a->reload, clock_ms());
		hear_news(a, wait_ms(a));
		obey_signals(a);
		bury_the_dead(a);
		enforce_limits(a);
		watch_files(a);
		notify_beat(clock_ms());
		announce(a);
		if (upgrade_was_promoted())
			take_over(a);
	}
}

/* So that none of our own descriptors gets a number that means something else. */
static int
hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	return fd != -1 ? close(fd) : -1;
}

static int
handle_signals(const struct family *f)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ACTIONS; i++) {
		if (signals_handle(actions[i].number) == -1)
			return -1;
	}
	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, signals_fd(), &event);
}

/* NULL, or why it cannot start. */
static const char *
prepare(struct arbiter *a, struct config *config)
{
	oom_has_killed();
	if (hold_standard_descriptors() == -1 ||
		family_init(&a->family, a->job->worker, a->job->prototype) == -1 ||
		handle_signals(&a->family) == -1) {
		config_free(config);
		return strerror(errno);
	}
	if (upgrade_is_second())
		notify_hush();
	const char *reason = reload_first(&a->reload, config);
	if (reason == NULL)
		inherited_settle();
	return reason;
}

void
arbiter_init(char *const *argv)
{
	upgrade_init(argv);
	inherited_init();
	notify_init();
}

bool
arbiter_is_successor(void)
{
	return upgrade_is_successor();
}

int
arbiter_run(struct config *config, const struct arbiter_job *job)
{
	struct arbiter a = { .job = job, .status = EXIT_DONE, .family.epoll = -1 };

	reload_init(&a.reload, &a.family, job);
	files_init(&a.files);
	const char *reason = prepare(&a, config);
	if (reason == NULL) {
		run(&a);
		log_info("stopped");
	} else {
		log_critical("%s", reason);
		a.status = EXIT_CONFIG;
	}
	reload_release(&a.reload);
	files_release(&a.files);
	family_release(&a.family);
	signals_release();
	return (int)a.status;
}
