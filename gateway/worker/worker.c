/*
 * A worker: sets itself up, loads its application, serves until it is told to leave.
 */
#include "gateway/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/common/title.h"
#include "gateway/logger/log.h"
#include "gateway/worker/accept.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/custom.h"
#include "gateway/worker/detached.h"
#include "gateway/worker/error_page.h"
#include "gateway/worker/errands.h"
#include "gateway/worker/files.h"
#include "gateway/worker/iterating.h"
#include "gateway/worker/introductions.h"
#include "gateway/worker/last_words.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/messages.h"
#include "gateway/worker/output.h"
#include "gateway/worker/recycle.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/reports.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/spool.h"
#include "gateway/worker/stack.h"
#include "gateway/worker/threads.h"

struct worker self;

/* The kernel sends it at the arbiter's death; from others it means nothing. */
enum { SIGNAL_ARBITER_GONE = SIGHUP };

static pid_t arbiter;
static struct channel channel;
static struct watch channel_watch, signal_watch;
static int signal_pipe[2];

/* ---- Signals ---- */

/* Graceful stop: takes nothing new, finishes what there is. */
static void
drain(void)
{
	if (self.draining)
		return;
	self.leaving = self.draining = true;
	atomic_store(&self.slot->state, SLOT_DRAINING);
	custom_stop();
	accept_stop();
	conns_drain();
}

static bool
has_lost_arbiter(void)
{
	return getppid() != arbiter;
}

/* Nobody else ends it now when its time is up, also in an application that does not
 * return. Calls only what a signal handler may. */
static void
limit_time(void)
{
	static volatile sig_atomic_t is_limited;
	int64_t seconds = self.settings->graceful_timeout;

	if (!is_limited)
		alarm(seconds > 0 ? (unsigned)seconds : 1);
	is_limited = true;
}

/* What the application prints goes to the log. */
static void
capture_output(void)
{
	if (!self.settings->capture_output)
		return;
	dup2(log_fd(), STDOUT_FILENO);
	dup2(log_fd(), STDERR_FILENO);
}

static void
ignore(void)
{
}

/* A quick stop that was to wait for the loop. When the main thread is in the
 * application by now, relief has heard of it: then it does not wait. */
static void
quit(void)
{
	if (relief_is_in_charge())
		pthread_kill(self.main_thread, SIGQUIT);
	else
		last_words_quit();
}

/* QUIT, INT and ABRT are last_words.c's: they do not wait for the loop, but for those
 * that it passes on. */
static const struct {
	int number;
	void (*run)(void);
} signals[] = {
	{ SIGTERM, drain },
	{ SIGQUIT, quit },
	{ SIGINT, quit },
	/* Not ignored but handled: what an application starts has the default again. */
	{ SIGNAL_ARBITER_GONE, ignore },
	{ SIGUSR1, ignore },
	{ SIGUSR2, ignore },
	{ SIGWINCH, ignore },
	{ SIGPIPE, ignore },
};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

void
worker_note_signal(int number)
{
	unsigned char byte = (unsigned char)number;
	int saved = errno;

	if (number == SIGTERM)
		self.leaving = true;
	if (number == SIGNAL_ARBITER_GONE && has_lost_arbiter())
		limit_time();
	(void)!write(signal_pipe[1], &byte, 1);
	errno = saved;
}

static void
on_signal_pipe(struct watch *watch, uint32_t events)
{
	unsigned char bytes[64];
	ssize_t n = read(watch->fd, bytes, sizeof(bytes));

	(void)events;
	for (ssize_t i = 0; i < n; i++)
		for (size_t k = 0; k < SIGNALS; k++)
			if (signals[k].number == bytes[i])
				signals[k].run();
}

static int
catch_signals(void)
{
	struct sigaction action = { .sa_handler = worker_note_signal,
		.sa_flags = SA_RESTART };

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i].number, &action, NULL);
	watch_init(&signal_watch, signal_pipe[0], on_signal_pipe);
	return loop_watch(&self.loop, &signal_watch, EPOLLIN);
}

/* The channel tells it too, but only the loop, and a change of the user forgets it. */
static void
watch_arbiter(void)
{
	arbiter = getppid();
	prctl(PR_SET_PDEATHSIG, SIGNAL_ARBITER_GONE);
}

/* ---- The channel ---- */

/* The generation is committed: clients may come. */
static void
begin(void)
{
	atomic_store(&self.slot->state, SLOT_SERVING);
	if (custom_is_wanted())
		custom_serve();
	else
		accept_start();
}

/* For room too, while messages wait for it. */
static int
watch_channel(void)
{
	static uint32_t watched;
	uint32_t wanted = EPOLLIN;

	if (imsg_writer_msg(&channel.out) != NULL)
		wanted |= EPOLLOUT;
	if (channel_watch.added && wanted == watched)
		return 0;
	watched = wanted;
	return loop_watch(&self.loop, &channel_watch, wanted);
}

static void
on_channel(struct watch *watch, uint32_t events)
{
	struct imsg m;
	int got = 0;

	while (messages_have_room() && (got = channel_receive(&channel, &m)) == 1) {
		if (m.type == MESSAGE_DELIVER) {
			messages_receive(&m);
			continue;
		}
		if (m.fd != -1)
			close(m.fd);
		if (m.type == MESSAGE_SERVE && !self.draining)
			begin();
	}
	if (got >= 0 && !messages_have_room()) /* there may be more, read already */
		loop_again(&self.loop, watch);
	if (got >= 0 && (events & EPOLLOUT) != 0)
		got = channel_flush(&channel);
	if (got >= 0) {
		messages_forward();
		watch_channel();
	}
	if (got < 0) {
		log_warning("%s: the arbiter has gone, stopping", self.settings->name);
		loop_pause(&self.loop, watch);
		limit_time();
		drain();
	}
}

bool
worker_tell(enum message type, struct slice payload, int fd)
{
	if (channel_send_fd(&channel, type, payload, fd) != 0)
		return false;
	watch_channel();
	return true;
}

bool
worker_has_told(void)
{
	return !channel_waits(&channel);
}

bool
worker_may_tell(size_t n)
{
	return channel_has_room(&channel, n);
}

static bool
tell(enum message type, struct slice payload)
{
	return worker_tell(type, payload, -1);
}

/* ---- Life ---- */

static void
inherit(const struct heritage *h)
{
	const struct app_settings *s = h->app;

	TAILQ_INIT(&self.idle);
	TAILQ_INIT(&self.ready);
	self.main_thread = pthread_self();
	spool_set_limit(s->limit_spool);
	self.heritage = h;
	self.settings = s;
	self.slot = h->slot;
	atomic_store(&self.slot->client, -1);
	atomic_store(&self.slot->pool, h->queue != NULL ? h->queue->id : 0);
	if (strcmp(s->server_header, "none") != 0)
		self.server = slice_str(s->server_header);
	self.limits = (struct http1_limits){
		.line = (size_t)s->limit_request_line,
		.fields = (size_t)s->limit_request_fields,
		.field_size = (size_t)s->limit_request_field_size,
		.body = INT64_MAX,
	};
	self.body_limit =
		s->limit_request_body != 0 ? s->limit_request_body : INT64_MAX;
	channel_init(&channel, h->channel);
	title_set("worker %s", s->name);
}

/* What is told of connections that leave a front, if anything is. */
static int
open_notes(void)
{
	const struct app_settings *s = self.settings;

	if (s->site == NULL || s->site->direct || strcmp(s->proxy_protocol, "off") == 0)
		return 0;
	return introductions_open(self.heritage->queue->fds[QUEUE_NOTES]);
}

static int
set_up(void)
{
	watch_init(&channel_watch, channel.fd, on_channel);
	if (loop_init(&self.loop) != 0 || catch_signals() != 0 ||
		watch_channel() != 0 || accept_init() != 0 || open_notes() != 0)
		return -1;
	recycle_init();
	last_words_arm();
	stack_arm();
	return 0;
}

/* Standard output, captured, is written line by line: what is printed shall be seen. */
static const char *
open_logs(const struct heritage *h)
{
	const char *error = access_log_open(h);

	request_id_open(h->app);
	capture_output();
	if (h->app->capture_output)
		setvbuf(stdout, NULL, _IOLBF, 0);
	return error;
}

/* The application's surroundings, as its settings say. NULL, or what is wrong. */
static const char *
enter(const struct app_settings *s)
{
	static char error[512];

	if (s->chdir != NULL && chdir(s->chdir) != 0) {
		snprintf(error, sizeof(error), "chdir %s: %s", s->chdir,
			strerror(errno));
		return error;
	}
	for (size_t i = 0; i < s->raw_env.n; i++)
		if (putenv(strdup(s->raw_env.items[i])) != 0)
			return "out of memory";
	return NULL;
}

static void
wait_for_events(int max_ms)
{
	int ms = loop_wait_ms(&self.loop, max_ms);

	atomic_store_explicit(&self.slot->waits, ms != 0, memory_order_relaxed);
	if (threads_are_used())
		lock_give();
	loop_wait(&self.loop, ms);
	if (threads_are_used())
		lock_take();
	atomic_store_explicit(&self.slot->waits, 0, memory_order_relaxed);
}

/* What is only done here, in the main thread, between two rounds. */
static void
attend(void)
{
	errands_run();
	messages_attend();
	detached_attend();
	files_tell_new(&channel);
	if (recycle_is_due())
		tell(MESSAGE_RECYCLE, SLICE(""));
	accept_adjust();
}

static void
serve(void)
{
	self.serving = true;
	while (!self.draining || self.n_conns > 0) {
		wait_for_events(iterating_step());
		loop_dispatch(&self.loop);
		attend();
	}
	self.serving = false;
}

static const char *
load(const struct heritage *h)
{
	const char *error = enter(h->app);

	if (error != NULL)
		return error;
	if (custom_is_wanted())
		return custom_load(h->target);
	error = app_load(&self.app, h->app->what.binding, h->target);
	return error == NULL ? routing_load(h) : error;
}

const char *
worker_load(const struct heritage *h)
{
	self.heritage = h;
	self.settings = h->app;
	const char *error = open_logs(h);

	if (error == NULL)
		error = error_pages_load(h->app);
	return error != NULL ? error : load(h);
}

static int
fail(const char *error)
{
	last_words_disarm();
	files_tell(&channel);
	tell(MESSAGE_FAILED, slice_str(error));
	return EXIT_LOAD;
}

int
worker_check(const struct heritage *h)
{
	inherit(h);
	const char *error = set_up() == 0 ? load(h) : strerror(errno);

	if (error == NULL && !custom_is_wanted())
		error = app_start(&self.app);
	if (error != NULL)
		return fail(error);
	last_words_disarm();
	tell(MESSAGE_READY, SLICE(""));
	if (!custom_is_wanted())
		app_unload(&self.app);
	return EXIT_DONE;
}

static int
fail_to_set_up(void)
{
	log_error("%s: a worker cannot be set up: %s", self.settings->name,
		strerror(errno));
	return EXIT_BOOT;
}

/* A backend can be made to wait for a slow client, an application that is called
 * cannot. */
static void
set_output_rules(void)
{
	const struct app_settings *s = self.settings;

	output_set_rules(&(struct output_rules){
		.sendfile = s->sendfile,
		.memory_max = s->response_buffer_size,
		.spool_max =
			app_is_event_driven(&self.app) ? 0 : s->response_spool_size,
		.folder = s->spool_dir,
	});
}

/* From here to end_threads() the main thread has the lock, if there is one. */
static const char *
begin_threads(void)
{
	const char *error = threads_start();

	if (error == NULL && relief_start() != 0)
		error = strerror(errno);
	return error;
}

static void
end_threads(void)
{
	lock_give();
	threads_stop();
	relief_stop();
}

static int
run_custom(void)
{
	files_tell(&channel);
	if (!tell(MESSAGE_READY, SLICE("")))
		return EXIT_DONE;
	int status = custom_run();
	last_words_disarm();
	return status;
}

/* The application is loaded, and all is set up. */
static int
run(void)
{
	if (custom_is_wanted())
		return run_custom();
	const char *error = app_start(&self.app);

	if (error == NULL)
		error = routing_start();
	if (error == NULL)
		error = iterating_check();
	if (error != NULL)
		return fail(error);
	set_output_rules();
	app_hook(&self.app, AL_WORKER_INIT, NULL);
	error = begin_threads();
	if (error != NULL)
		return fail(error);
	files_tell(&channel);
	reports_start();
	if (tell(MESSAGE_READY, SLICE("")))
		serve();
	reports_stop();
	end_threads();
	app_hook(&self.app, AL_WORKER_EXIT, NULL);
	app_unload(&self.app);
	routing_unload();
	last_words_disarm();
	loop_release(&self.loop);
	return EXIT_DONE;
}

int
worker_run(const struct heritage *h)
{
	inherit(h);
	if (set_up() != 0)
		return fail_to_set_up();
	watch_arbiter();
	const char *error = worker_load(h);
	return error != NULL ? fail(error) : run();
}

int
worker_born(const struct heritage *h)
{
	pid_t pid = getpid();

	inherit(h);
	/* Before the application can do anything: the arbiter shall know who died. */
	if (!tell(MESSAGE_BORN, slice_of((const char *)&pid, sizeof(pid))))
		return EXIT_DONE;
	app_hook(&self.app, AL_AFTER_FORK_CHILD, NULL);
	h->born(h);
	if (set_up() != 0)
		return fail_to_set_up();
	watch_arbiter();
	return run();
}
