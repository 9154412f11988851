#include "gateway/worker/last_words.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/ended.h"
#include "gateway/worker/error_page.h"
#include "gateway/worker/fcgi.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"
#include "gateway/worker/slow_log.h"
#include "gateway/worker/threads.h"
#include "gateway/worker/trace.h"
#include "gateway/worker/worker.h"

/* Made before anything goes wrong: a signal handler only sends them. */
static const struct error_page *bad_gateway, *unavailable, *timed_out;

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT,
	SIGXCPU };

static char signal_stack[SIGNAL_STACK];

/* Of the worker; 0: not armed. A child that an application forked has another pid and
 * no clients of its own. */
static pid_t armed;

/* The binding ends the process itself. */
static volatile sig_atomic_t ends_later;

struct slice
worker_answer(unsigned status)
{
	const struct error_page *page = error_page(status);

	return slice_of(page->text, page->len);
}

/* A response whose end only the end of the connection shows is reset, lest it look
 * complete. */
static void
reset_unframed(const struct conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (c->req->reply.framing == HTTP1_NO_BODY &&
		(c->state == CONN_APP || c->output.first != NULL))
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* Nothing where the application, which has the socket, may have said something itself.
 */
static void
answer(const struct conn *c, const struct error_page *a)
{
	struct al_request *req = c->req;

	if (req->taken != 0)
		return;
	if (req->begun) {
		reset_unframed(c);
		return;
	}
	if (c->fcgi != NULL)
		fcgi_last_words(c, a);
	else
		error_page_send(c->watch.fd, a, req->is_head, request_id_field(req));
	response_is_error(req, a);
}

/* Calls only what a signal handler may. True: other threads are kept from accepting,
 * and answering, by the lock. */
static bool
answer_all(const struct error_page *a)
{
	bool has_lock = lock_seize();
	struct conn *c;

	access_log_last_words();
	trace_last_words();
	slow_log_last_words();
	LIST_FOREACH (c, &self.conns, in_all) {
		if (!conn_is_asked(c))
			continue;
		answer(c, a);
		request_ended(c->req);
	}
	return has_lock;
}

static bool
is_worker(void)
{
	return armed != 0 && armed == getpid();
}

/* The application may be in the middle of anything, also of being loaded. */
static void
interrupt(enum al_hook hook)
{
	if (self.app.binding != NULL)
		app_hook(&self.app, hook, NULL);
}

void
al_end_later(void)
{
	ends_later = true;
}

/* For what the application does before it ends. */
static void
go_on(bool has_lock)
{
	if (has_lock)
		lock_give();
}

static void
on_fatal(int number)
{
	bool timeout = self.slot->verdict == VERDICT_TIMEOUT;

	if (is_worker()) {
		armed = 0;
		threads_show_call();
		bool has_lock = answer_all(timeout ? timed_out : bad_gateway);
		interrupt(AL_WORKER_ABORT);
		if (timeout && ends_later) {
			go_on(has_lock);
			return;
		}
	}
	/* The handler was reset: this ends the process, with a core file where it may.
	 */
	raise(number);
}

/* The application is to be told, and is not in the middle of a request. */
static bool
may_take_leave(void)
{
	return self.serving && self.slot->busy_since == 0 &&
		(self.settings->worker_int != NULL ||
			self.settings->worker_exit != NULL);
}

/* A quick stop does not wait for anybody. */
static void
on_quit(int number)
{
	if (is_worker() && !pthread_equal(pthread_self(), self.main_thread)) {
		pthread_kill(self.main_thread, number);
		return;
	}
	if (is_worker() && may_take_leave()) {
		worker_note_signal(number);
		return;
	}
	if (is_worker()) {
		armed = 0;
		bool has_lock = answer_all(unavailable);
		interrupt(AL_WORKER_INT);
		if (ends_later) {
			go_on(has_lock);
			return;
		}
	}
	syscall(SYS_exit_group, EXIT_DONE);
}

void
last_words_quit(void)
{
	armed = 0;
	answer_all(unavailable);
	app_hook(&self.app, AL_WORKER_INT, NULL);
	app_hook(&self.app, AL_WORKER_EXIT, NULL);
	_exit(EXIT_DONE);
}

/* The one line about it: the arbiter adds what the process used. */
static void
say_exit(const char *call, int status)
{
	const struct slot *slot = self.slot;
	struct log_about about = {
		.pool = slice_str(self.settings->name),
		.is_named = true,
	};
	uint64_t now = clock_ms();

	armed = 0;
	threads_show_call();
	uint64_t since = slot->busy_since;
	bool has_id = since != 0 && slot->request_id[0] != '\0';
	if (since != 0) {
		about.id = slice_str(slot->request_id);
		about.request = slice_str(slot->request);
	}
	log_about(LOG_LEVEL_ERROR, &about,
		"%s: the application called %s(%d), in %s%s%s%s, after %.1f s",
		self.settings->name, call, status,
		since != 0 ? slot->request : "no request", has_id ? " (" : "",
		has_id ? slot->request_id : "", has_id ? ")" : "",
		since != 0 && now > since ? (double)(now - since) / 1e3 : 0.0);
	self.slot->has_explained = 1;
	answer_all(bad_gateway);
}

static void
at_exit(int status, void *arg)
{
	(void)arg;
	if (is_worker())
		say_exit("exit", status);
}

/* Takes the place of the C library's for the libraries that the program loads. */
__attribute__((visibility("default"))) void
_exit(int status)
{
	if (is_worker())
		say_exit("_exit", status);
	for (;;)
		syscall(SYS_exit_group, status);
}

static void
handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

void
last_words_use_stack(char *stack)
{
	stack_t s = {
		.ss_sp = stack,
		.ss_size = SIGNAL_STACK,
		.ss_flags = stack == NULL ? SS_DISABLE : 0,
	};

	sigaltstack(&s, NULL);
}

void
last_words_arm(void)
{
	bad_gateway = error_page(502);
	unavailable = error_page(503);
	timed_out = error_page(504);
	last_words_use_stack(signal_stack);
	for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
		handle(fatal_signals[i], on_fatal,
			(int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER));
	handle(SIGQUIT, on_quit, SA_ONSTACK);
	handle(SIGINT, on_quit, SA_ONSTACK);
	on_exit(at_exit, NULL);
	armed = getpid();
}

void
last_words_disarm(void)
{
	armed = 0;
}
