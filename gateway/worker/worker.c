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
#include <unistd.h>

#include "gateway/common/title.h"
#include "gateway/logger/log.h"
#include "gateway/worker/accept.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/error_page.h"
#include "gateway/worker/files.h"
#include "gateway/worker/last_words.h"
#include "gateway/worker/output.h"
#include "gateway/worker/recycle.h"
#include "gateway/worker/self.h"
#include "gateway/worker/spool.h"

struct worker self;

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
	accept_stop();
	conns_drain();
}

/* What the application prints goes to the log, wherever that is now. */
static void
capture_output(void)
{
	if (!self.settings->capture_output)
		return;
	dup2(log_fd(), STDOUT_FILENO);
	dup2(log_fd(), STDERR_FILENO);
}

void
worker_follow_log(void)
{
	capture_output();
	access_log_reopen();
}

static void
reopen_logs(void)
{
	log_reopen();
	worker_follow_log();
}

static void
ignore(void)
{
}

/* QUIT, INT and ABRT are last_words.c's: they do not wait for the loop, but for those
 * that it passes on. */
static const struct {
	int number;
	void (*run)(void);
} signals[] = {
	{ SIGTERM, drain },
	{ SIGQUIT, last_words_quit },
	{ SIGINT, last_words_quit },
	{ SIGUSR1, reopen_logs },
	/* Not ignored but handled: what an application starts has the default again. */
	{ SIGHUP, ignore },
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

	self.leaving |= number == SIGTERM;
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

/* ---- The channel ---- */

static void
on_channel(struct watch *watch, uint32_t events)
{
	struct imsg m;
	int got;

	(void)events;
	while ((got = channel_receive(&channel, &m)) == 1) {
		if (m.fd != -1)
			log_use(m.fd);
		if (m.type == MESSAGE_REOPEN)
			worker_follow_log();
		else if (m.type == MESSAGE_SERVE && !self.draining)
			accept_start();
	}
	if (got < 0) {
		log_warning("%s: the arbiter has gone, stopping", self.settings->name);
		loop_pause(&self.loop, watch);
		drain();
	}
}

static int
watch_channel(void)
{
	watch_init(&channel_watch, channel.fd, on_channel);
	return loop_watch(&self.loop, &channel_watch, EPOLLIN);
}

static bool
tell(enum message type, struct slice payload)
{
	return channel_send(&channel, type, payload) == 0;
}

/* ---- Life ---- */

static void
inherit(const struct heritage *h)
{
	const struct app_settings *s = h->app;

	TAILQ_INIT(&self.idle);
	spool_set_limit(s->limit_spool);
	self.heritage = h;
	self.settings = s;
	self.slot = h->slot;
	atomic_store(&self.slot->client, -1);
	if (strcmp(s->server_header, "none") != 0)
		self.server = slice_str(s->server_header);
	self.limits = (struct http1_limits){
		.line = (size_t)s->limit_request_line,
		.fields = (size_t)s->limit_request_fields,
		.field_size = (size_t)s->limit_request_field_size,
		.body = s->limit_request_body != 0 ? s->limit_request_body : INT64_MAX,
	};
	channel_init(&channel, h->channel);
	title_set("worker %s", s->name);
}

static int
set_up(void)
{
	if (loop_init(&self.loop) != 0 || catch_signals() != 0 ||
		watch_channel() != 0 || accept_init() != 0)
		return -1;
	recycle_init();
	last_words_arm();
	return 0;
}

/* Standard output, captured, is written line by line: what is printed shall be seen. */
static const char *
open_logs(const struct heritage *h)
{
	const char *error = access_log_open(h);

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

/* Work of the application between requests: true while there is more of it. */
static bool
iterate(bool paused)
{
	const struct al_binding *binding = self.app.binding;
	static uint64_t requests_then;
	uint64_t requests =
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed);
	bool again = !paused || requests != requests_then;

	requests_then = requests;
	if (binding->iterate == NULL || self.draining || !again)
		return false;
	return binding->iterate(self.app.instance) == AL_AGAIN;
}

static void
serve(void)
{
	bool more = true;

	self.serving = true;
	while (!self.draining || self.n_conns > 0) {
		more = iterate(!more);
		loop_round(&self.loop, more ? 0 : -1);
		access_log_flush();
		files_tell_new(&channel);
		if (recycle_is_due())
			tell(MESSAGE_RECYCLE, SLICE(""));
		accept_adjust();
	}
	self.serving = false;
}

static const char *
load(const struct heritage *h)
{
	const char *error = enter(h->app);

	return error != NULL ? error
			     : app_load(&self.app, h->app->what.binding, h->target);
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

	if (error == NULL)
		error = app_start(&self.app);
	if (error != NULL)
		return fail(error);
	last_words_disarm();
	tell(MESSAGE_READY, SLICE(""));
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

/* The application is loaded, and all is set up. */
static int
run(void)
{
	const char *error = app_start(&self.app);

	if (error != NULL)
		return fail(error);
	set_output_rules();
	app_hook(&self.app, AL_WORKER_INIT, NULL);
	files_tell(&channel);
	if (tell(MESSAGE_READY, SLICE("")))
		serve();
	app_hook(&self.app, AL_WORKER_EXIT, NULL);
	app_unload(&self.app);
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
	return set_up() != 0 ? fail_to_set_up() : run();
}
