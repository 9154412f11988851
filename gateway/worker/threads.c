#include "gateway/worker/threads.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/last_words.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/queue.h"
#include "gateway/worker/recycle.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"

enum { LOOK_MS = 1000 };

struct app_thread {
	pthread_t thread;
	struct conn *conn; /* whose request the application has; NULL: none */
	uint64_t since;
	bool stuck; /* for longer than `timeout`, and that has been told */
	bool shown; /* its stack was, for this call */
};

static struct app_thread *all;
static size_t n_all; /* 0: the main thread calls the application */
static size_t n_idle; /* that wait, and have not been woken */
static size_t n_woken; /* that have been, and do not run yet */
static size_t n_stuck;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static bool over;
static bool behind;
static struct timer look, patience;

/* The thread that runs; NULL: it is another one. */
static _Thread_local struct app_thread *me;

int
thread_start(pthread_t *thread, void *(*run)(void *), size_t stack)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP };
	pthread_attr_t attr;
	sigset_t every, before;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	sigfillset(&every);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&every, own[i]);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	int error = pthread_create(thread, &attr, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

bool
threads_are_used(void)
{
	return n_all > 0;
}

/* ---- Requests that wait ---- */

bool
threads_may_call(const struct conn *c)
{
	const struct conn *first = TAILQ_FIRST(&self.ready);

	return me != NULL && (first == NULL || first == c);
}

void
threads_tell(void)
{
	if (n_idle > 0) {
		n_idle--;
		n_woken++;
		pthread_cond_signal(&work);
		return;
	}
	if (patience.at == 0)
		(void)timer_set(&self.loop.timers, &patience,
			self.loop.now + (uint64_t)self.settings->relief_after);
}

/* Nobody took them in time: they go to other workers, while these have a place. */
static void
on_patience(struct timer *timer)
{
	uint64_t after = (uint64_t)self.settings->relief_after;
	struct conn *c = TAILQ_FIRST(&self.ready), *next;

	for (; c != NULL && self.loop.now >= c->began + after; c = next) {
		next = TAILQ_NEXT(c, in_state);
		behind = true;
		if (!queue_send(c))
			break;
		conn_leave(c);
	}
	if (!TAILQ_EMPTY(&self.ready))
		(void)timer_set(&self.loop.timers, timer, self.loop.now + (after | 1));
}

bool
threads_are_behind(void)
{
	return behind;
}

/* ---- Calls that do not return ---- */

/* Tells the client. The request, and the descriptor's number, stay the thread's, which
 * may go on but reaches nobody; where the framing cannot show that the end of a
 * response is missing, a reset does. */
static void
answer_for(struct conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	const struct error_page *page = error_page(504);
	int nothing;

	if (!c->req->begun)
		error_page_send(
			c->watch.fd, page, c->req->is_head, request_id_field(c->req));
	if (!c->req->begun || c->req->reply.framing != HTTP1_NO_BODY) {
		shutdown(c->watch.fd, SHUT_WR);
		return;
	}
	loop_pause(&self.loop, &c->watch);
	nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	dup3(nothing, c->watch.fd, O_CLOEXEC);
	close(nothing);
}

static void
give_up(struct app_thread *t)
{
	struct conn *c = t->conn;

	request_show(c->req);
	const struct log_about about = {
		.pool = slice_str(self.settings->name),
		.id = request_id(c->req),
		.request = slice_str(self.slot->request),
		.is_named = true,
	};
	log_about(LOG_LEVEL_ERROR, &about,
		"%s: a thread has been in %s for %lld s; the client was answered 504 "
		"(id %s)",
		self.settings->name, self.slot->request,
		(long long)self.settings->timeout,
		about.id.len > 0 ? about.id.ptr : "-");
	t->stuck = true;
	n_stuck++;
	if (!c->broken)
		answer_for(c);
	c->broken = true;
}

static void
show_stack(struct app_thread *t)
{
	request_show(t->conn->req);
	log_warning("%s: a thread is in %s; its stack is asked for",
		self.settings->name, self.slot->request);
	t->shown = true;
	pthread_kill(t->thread, SIGNAL_SHOW_STACK);
}

/* The thread has had its request for so long; 0: there is no limit. */
static bool
is_beyond(const struct app_thread *t, uint64_t limit_ms)
{
	return limit_ms != 0 && t->conn != NULL && self.loop.now >= t->since + limit_ms;
}

static void
on_look(struct timer *timer)
{
	uint64_t timeout = (uint64_t)self.settings->timeout * 1000;

	for (size_t i = 0; i < n_all; i++) {
		struct app_thread *t = &all[i];
		if (!t->shown &&
			is_beyond(t, (uint64_t)self.settings->slow_stack_after))
			show_stack(t);
		if (!t->stuck && is_beyond(t, timeout))
			give_up(t);
	}
	if (n_stuck == n_all)
		recycle_demand("all threads are stuck");
	(void)timer_set(&self.loop.timers, timer, self.loop.now + LOOK_MS);
}

void
threads_begin_call(struct conn *c)
{
	me->conn = c;
	me->since = clock_ms();
	me->shown = false;
	request_show(c->req);
	atomic_fetch_add_explicit(&self.slot->pending, 1, memory_order_relaxed);
}

bool
threads_are_in_call(void)
{
	return me != NULL && me->conn != NULL;
}

void
threads_show_call(void)
{
	if (!threads_are_in_call())
		return;
	request_show(me->conn->req);
	self.slot->busy_since = me->since;
}

void
threads_end_call(void)
{
	struct al_request *req = me->conn->req;

	if (me->stuck && !req->begun)
		response_is_error(req, error_page(504)); /* for the access log */
	me->conn = NULL;
	n_stuck -= me->stuck;
	me->stuck = false;
	self.loop.now = clock_ms();
	atomic_fetch_sub_explicit(&self.slot->pending, 1, memory_order_relaxed);
}

void
threads_restart_clock(void)
{
	me->since = clock_ms();
}

/* ---- The threads ---- */

static void
rest(void)
{
	n_idle++;
	if (behind)
		loop_kick(&self.loop);
	behind = false;
	while (n_woken == 0 && !over)
		pthread_cond_wait(&work, &worker_lock.mutex);
	if (n_woken > 0)
		n_woken--;
}

static void *
run(void *arg)
{
	char stack[SIGNAL_STACK];

	me = arg;
	last_words_use_stack(stack);
	app_hook(&self.app, AL_THREAD_START, NULL);
	lock_take();
	while (!over) {
		struct conn *c = TAILQ_FIRST(&self.ready);
		if (c == NULL) {
			rest();
			continue;
		}
		conn_run(c);
		if (self.draining || loop_oversleeps(&self.loop))
			loop_kick(&self.loop);
	}
	lock_give();
	app_hook(&self.app, AL_THREAD_EXIT, NULL);
	last_words_use_stack(NULL);
	return NULL;
}

const char *
threads_start(void)
{
	size_t n = (size_t)self.settings->threads;

	if (n <= 1 || app_is_event_driven(&self.app))
		return NULL;
	if ((self.app.binding->flags & AL_THREAD_SAFE) == 0)
		return "threads: this kind of application runs in one thread; for more "
		       "requests at once give more workers";
	all = calloc(n, sizeof(*all));
	if (all == NULL)
		return "out of memory";
	look.fn = on_look;
	patience.fn = on_patience;
	if (self.settings->timeout > 0 || self.settings->slow_stack_after > 0)
		(void)timer_set(&self.loop.timers, &look, self.loop.now + LOOK_MS);
	lock_init(LOCK_THREADS);
	/* They block no signal: what the application starts would inherit that. The
	 * kernel gives those of the process to the main thread while that takes them.
	 */
	int error = 0;
	while (n_all < n && error == 0) {
		error = pthread_create(&all[n_all].thread, NULL, run, &all[n_all]);
		n_all += error == 0;
	}
	return error == 0 ? NULL : strerror(error);
}

void
threads_stop(void)
{
	lock_take();
	over = true;
	pthread_cond_broadcast(&work);
	lock_give();
	for (size_t i = 0; i < n_all; i++)
		pthread_join(all[i].thread, NULL);
}
