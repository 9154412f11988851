#include "gateway/arbiter/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/arbiter/board_keep.h"
#include "gateway/arbiter/daemon.h"
#include "gateway/arbiter/demand.h"
#include "gateway/arbiter/deserted.h"
#include "gateway/arbiter/forsaken.h"
#include "gateway/arbiter/inherited.h"
#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/memory.h"
#include "gateway/arbiter/notify.h"
#include "gateway/arbiter/queues.h"
#include "gateway/arbiter/oom.h"
#include "gateway/arbiter/signals.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/arbiter/watch.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

enum { EVENTS_A_ROUND = 64 };

static void
enforce_limits(struct arbiter *a)
{
	uint64_t now = clock_ms();
	struct child *child;

	TAILQ_FOREACH (child, &a->family.children, next) {
		if (child->deadline != 0 && now >= child->deadline)
			child_deadline_passed(child, now);
	}
	arbiter_stop_if_due(a, now);
	watch_requests(&a->family, a->job->timeout_answer, now);
	hooks_enforce(&a->family.hooks, now);
	memory_watch(&a->family, now);
	demand_watch(&a->family, a->reload.current, now);
	forsaken_watch(&a->family, now);
	deserted_watch(a->reload.current, a->job->queue_answer, now);
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
	next = min(next, a->stop_at != 0 ? a->stop_at : UINT64_MAX);
	next = min(next, memory_deadline(&a->family));
	next = min(next, demand_deadline(&a->family, a->reload.current));
	next = min(next, forsaken_deadline(&a->family));
	next = min(next, deserted_deadline(a->reload.current));
	next = min(next, hooks_deadline(&a->family.hooks));
	next = min(next, files_deadline(&a->files));
	next = min(next, control_deadline(&a->control));
	next = min(next, logger_deadline());
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
		else if (whose == logger_tag)
			logger_hear();
		else if (control_owns(&a->control, whose))
			control_hear(a, whose);
		else if (whose != NULL) /* else it is the pipe of the signals */
			news_hear(a, whose);
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
	control_promote(&a->control);
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

/* In stop_delay who has died is replaced, unless the workers were stopped before. */
static bool
is_over(const struct arbiter *a)
{
	return a->stop != STOP_NO && TAILQ_EMPTY(&a->family.children) &&
		(arbiter_has_begun_to_stop(a) || reload_is_paused(&a->reload));
}

static void
run(struct arbiter *a)
{
	while (!is_over(a)) {
		reload_step(&a->reload);
		reload_keep(&a->reload, clock_ms());
		control_step(a, clock_ms());
		board_keep_publish(a, clock_ms());
		logger_step(clock_ms());
		hear_news(a, wait_ms(a));
		actions_obey(a);
		news_of_deaths(a);
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
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	if (actions_init() == -1)
		return -1;
	/* Whoever started us may have blocked some. */
	sigemptyset(&none);
	signals_unblock(&none);
	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, signals_fd(), &event);
}

/* NULL, or why it cannot start. */
static const char *
prepare(struct arbiter *a, struct config *config)
{
	oom_has_killed();
	if (hold_standard_descriptors() == -1 ||
		family_init(&a->family, a->job->worker, a->job->prototype) == -1 ||
		handle_signals(&a->family) == -1 ||
		logger_open(a->family.epoll) == -1) {
		config_free(config);
		return strerror(errno);
	}
	if (upgrade_is_second())
		notify_hush();
	const char *reason = reload_first(&a->reload, config);
	if (reason == NULL)
		reason = control_open(a);
	if (reason == NULL) {
		inherited_settle();
		queues_settle();
	}
	return reason;
}

void
arbiter_init(char *const *argv)
{
	upgrade_init(argv);
	inherited_init();
	queues_init();
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
	control_init(&a.control);
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
	control_release(&a.control);
	return (int)a.status;
}
