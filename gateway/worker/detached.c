#include "gateway/worker/detached.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/logger/log.h"
#include "gateway/worker/errands.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/meter.h"

enum { LOOK_MS = 1000 };

/* Those whose sockets were taken. */
static LIST_HEAD(, al_request) all = LIST_HEAD_INITIALIZER(all);
static uint64_t last_taken;
static bool is_due; /* that all are looked at */
static bool has_drained;
static struct timer look;

/* ---- To take over ---- */

static int
take_socket(struct al_request *req, const void **unread, size_t *n)
{
	struct conn *c = req->conn;
	struct slice rest = buffer_slice(&req->input);

	errno = EALREADY;
	if (req->begun)
		return -1;
	errno = ENOTSUP;
	if (c->fcgi != NULL)
		return -1;
	/* What precedes the application's bytes, such as "100 Continue". */
	errno = EPIPE;
	if (c->broken || output_flush(&c->output, c->watch.fd) != OUTPUT_EMPTY)
		return -1;
	slice_advance(&rest, req->head_len);
	*unread = rest.ptr;
	*n = rest.len;
	atomic_store(&self.slot->client, -1); /* no answer of ours any more */
	if (req->taken == 0) {
		req->taken = ++last_taken;
		LIST_INSERT_HEAD(&all, req, in_taken);
	}
	return c->watch.fd;
}

int
al_socket(struct al_request *req, const void **unread, size_t *n)
{
	lock_take();
	int fd = take_socket(req, unread, n);
	lock_give();
	return fd;
}

void
al_detach(struct al_request *req, const struct al_proc *proc, void *arg)
{
	req->proc = proc;
	req->proc_arg = arg;
}

static void
on_look(struct timer *timer)
{
	is_due = true;
	if (!LIST_EMPTY(&all))
		(void)timer_set(&self.loop.timers, timer, self.loop.now + LOOK_MS);
}

/* What the client was told only the application knows; a request that asks for another
 * protocol is logged as one that got it. */
static unsigned
presumed_status(const struct al_request *req)
{
	const struct http1_head *head = &req->head;

	for (size_t i = 0; i < head->n_fields; i++)
		if (slice_caseeq(head->fields[i].name, SLICE("Upgrade")))
			return 101;
	return 200;
}

enum want
detached_begin(struct conn *c)
{
	struct al_request *req = c->req;

	meter_answered(req);
	req->begun = true;
	req->response.status = presumed_status(req);
	loop_pause(&self.loop, &c->watch);
	conn_move(c, CONN_DETACHED);
	look.fn = on_look;
	if (look.at == 0)
		(void)timer_set(&self.loop.timers, &look, self.loop.now + LOOK_MS);
	return req->given_back ? WANT_CLOSE : WANT_EVENT;
}

/* ---- To end ---- */

struct return_errand {
	struct errand errand; /* first: see take_back */
	uint64_t
		taken; /* the request may end before this is run, so it is looked for */
};

/* Before handle() has returned, in another thread of the application, it is but noted.
 */
static void
take_back(struct errand *errand)
{
	uint64_t taken = ((struct return_errand *)errand)->taken;
	struct al_request *req;

	free(errand);
	LIST_FOREACH (req, &all, in_taken)
		if (req->taken == taken)
			break;
	if (req == NULL)
		return;
	req->given_back = true;
	if (req->conn->state == CONN_DETACHED)
		conn_close(req->conn);
}

void
detached_give_back(struct al_request *req)
{
	struct return_errand *e = malloc(sizeof(*e));

	if (e == NULL) {
		log_error("%s: a connection stays open: %s", self.settings->name,
			strerror(ENOMEM));
		return;
	}
	*e = (struct return_errand){ .errand.run = take_back, .taken = req->taken };
	errand_ask(&e->errand);
}

void
detached_release(struct al_request *req)
{
	if (req->taken != 0)
		LIST_REMOVE(req, in_taken);
	req->taken = 0;
}

void
detached_end(struct al_request *req)
{
	const struct al_proc *proc = req->proc;

	lock_give();
	app_hook(&self.app, AL_POST_REQUEST, req);
	if (proc != NULL && proc->ended != NULL)
		proc->ended(req->proc_arg);
	lock_take();
}

/* ---- To supervise ---- */

static enum al_reason
farewell(void)
{
	static const enum al_reason reasons[] = {
		[FAREWELL_STOP] = AL_REASON_STOP,
		[FAREWELL_RELOAD] = AL_REASON_RELOAD,
		[FAREWELL_RECYCLE] = AL_REASON_RECYCLE,
	};

	return reasons[atomic_load(&self.slot->farewell)];
}

static bool
goes_on(const struct al_request *req)
{
	const struct al_proc *proc = req->proc;

	if (proc == NULL || proc->status == NULL)
		return true;
	lock_give();
	int status = proc->status(req->proc_arg);
	lock_take();
	if (status < 0)
		log_warning(
			"%s: a detached connection has failed", self.settings->name);
	return status > 0;
}

static void
terminate(struct al_request *req, enum al_reason reason)
{
	const struct al_proc *proc = req->proc;

	req->is_told = true;
	req->told_at = self.loop.now;
	if (proc == NULL || proc->terminate == NULL)
		return;
	lock_give();
	proc->terminate(req->proc_arg, reason);
	lock_take();
}

/* Who was told, and is still there: the client sees the end, whoever else has copies of
 * the descriptor. */
static void
cut_off(struct al_request *req)
{
	log_warning("%s: a detached connection is cut off: it did not end in "
		    "graceful_timeout",
		self.settings->name);
	shutdown(req->conn->watch.fd, SHUT_RDWR);
	conn_close(req->conn);
}

static void
look_at(struct al_request *req)
{
	const struct app_settings *s = self.settings;
	uint64_t limit = (uint64_t)s->detached_timeout * 1000;
	uint64_t grace = (uint64_t)s->graceful_timeout * 1000;

	if (!goes_on(req))
		conn_close(req->conn);
	else if (req->is_told && self.loop.now >= req->told_at + grace)
		cut_off(req);
	else if (req->is_told)
		return;
	else if (self.draining && strcmp(s->detached_stop, "terminate") == 0)
		terminate(req, farewell());
	else if (limit != 0 && self.loop.now >= req->conn->began + limit)
		terminate(req, AL_REASON_TIMEOUT);
}

/* While the application is called others may be added in front, but only this thread
 * takes any away. */
void
detached_attend(void)
{
	struct al_request *req, *next;

	is_due |= self.draining && !has_drained;
	has_drained = self.draining;
	if (!is_due)
		return;
	is_due = false;
	for (req = LIST_FIRST(&all); req != NULL; req = next) {
		next = LIST_NEXT(req, in_taken);
		if (req->conn->state == CONN_DETACHED)
			look_at(req);
	}
}
