#include "gateway/arbiter/watch.h"

#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arbiter/board_keep.h"
#include "gateway/arbiter/pool.h"
#include "gateway/logger/log.h"

/* Time for a worker to give the last answer by itself. */
enum { GRACE_MS = 1000 };

/* 0: no limit. */
static uint64_t
limit_ms(const struct child *child)
{
	return child->slot != NULL ? (uint64_t)child->pool->app->timeout * 1000 : 0;
}

/* The slot is the worker's: the texts may be any, without an end. */
static struct slice
text_of(const char *text, size_t room)
{
	return slice_of(text, strnlen(text, room));
}

void
watch_describe(struct buffer *text, struct log_about *about, const struct child *child,
	uint64_t now)
{
	const struct slot *slot = child->slot;
	uint64_t since = slot != NULL ? slot->busy_since : 0;
	unsigned pending = slot != NULL ? slot->pending : 0;
	bool is_timed = since != 0 && since <= now;

	*about = (struct log_about){
		.pool = slice_str(child->pool->app->name),
		.is_named = true,
	};
	if (!is_timed && pending == 0)
		return;
	about->id = text_of(slot->request_id, sizeof(slot->request_id));
	about->request = text_of(slot->request, sizeof(slot->request));
	if (is_timed)
		buffer_addf(text, ", %.1f s in", (double)(now - since) / 1e3);
	else
		buffer_addf(text, ", %u requests under way, the last one", pending);
	buffer_addf(text, " %" SLICE_FMT, SLICE_ARG(about->request));
	if (about->id.len > 0)
		buffer_addf(text, " (%" SLICE_FMT ")", SLICE_ARG(about->id));
}

/* First step: the worker is told, and answers by itself if it still can. */
static void
abort_request(struct child *child, uint64_t busy_since, uint64_t now)
{
	struct buffer text = { .limit = 512 };
	struct log_about about;

	watch_describe(&text, &about, child, now);
	log_about(LOG_LEVEL_ERROR, &about, "%s%" SLICE_FMT ": time is over",
		child_text(child), SLICE_ARG(buffer_slice(&text)));
	buffer_release(&text);
	child->overdue = busy_since;
	child->kill_at = now + GRACE_MS;
	child->killed_for = "request timeout";
	child->slot->verdict = VERDICT_TIMEOUT;
	child_signal(child, SIGABRT);
}

/* The descriptor of the worker's client; -1: there is none that could be answered. */
static int
borrow_client(const struct child *child)
{
	int client = child->slot->client;
	int process = client != -1 ? pidfd_open(child->pid, 0) : -1;

	if (process == -1)
		return -1;
	int fd = pidfd_getfd(process, client, 0);
	close(process);
	return fd;
}

/* Second step, the same request: the worker cannot answer, and is not asked again. */
static void
end_request(struct child *child, struct slice answer, uint64_t now)
{
	int fd = borrow_client(child);

	if (fd != -1) {
		if (send(fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			shutdown(fd, SHUT_WR);
		close(fd);
		board_keep_answered(child, 504, now);
	}
	child_kill(child, child->killed_for);
}

/* Second step, another request: it came out of that request after all, and lives. */
static void
forgive(struct child *child)
{
	child->slot->verdict = VERDICT_NONE;
	child->overdue = child->kill_at = 0;
	child->killed_for = NULL;
}

/* 0: stacks are not asked for. */
static uint64_t
stack_after_ms(const struct child *child)
{
	return child->slot != NULL ? (uint64_t)child->pool->app->slow_stack_after : 0;
}

/* The worker writes to the log what its application is doing, once for a request. */
static void
show_stack(struct child *child, uint64_t now)
{
	uint64_t after = stack_after_ms(child);
	uint64_t since = after != 0 ? child->slot->busy_since : 0;
	struct buffer text = { .limit = 512 };
	struct log_about about;

	if (since == 0 || since == child->shown || now < since + after)
		return;
	child->shown = since;
	watch_describe(&text, &about, child, now);
	log_about(LOG_LEVEL_WARNING, &about, "%s%" SLICE_FMT ": its stack is asked for",
		child_text(child), SLICE_ARG(buffer_slice(&text)));
	buffer_release(&text);
	child_signal(child, SIGNAL_SHOW_STACK);
}

static uint64_t
stack_deadline(const struct child *child, uint64_t now)
{
	uint64_t after = stack_after_ms(child);
	uint64_t since = after != 0 ? child->slot->busy_since : 0;

	if (after == 0)
		return UINT64_MAX;
	return (since != 0 && since != child->shown ? since : now) + after;
}

static void
watch_child(struct child *child, struct slice answer, uint64_t now)
{
	uint64_t limit = limit_ms(child);
	uint64_t since = limit != 0 ? child->slot->busy_since : 0;

	if (child->kill_at != 0) {
		if (since != child->overdue)
			forgive(child);
		else if (now >= child->kill_at)
			end_request(child, answer, now);
	} else if (since != 0 && child->overdue == 0 && now >= since + limit) {
		abort_request(child, since, now);
	}
}

void
watch_requests(struct family *f, struct slice answer, uint64_t now)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		watch_child(child, answer, now);
		show_stack(child, now);
	}
}

uint64_t
watch_deadline(const struct family *f, uint64_t now)
{
	const struct child *child;
	uint64_t deadline = UINT64_MAX;

	TAILQ_FOREACH (child, &f->children, next) {
		uint64_t stack = stack_deadline(child, now);
		if (stack < deadline)
			deadline = stack;
		uint64_t limit = limit_ms(child);
		if (limit == 0 || (child->overdue != 0 && child->kill_at == 0))
			continue;
		uint64_t since = child->slot->busy_since;
		uint64_t next = (since != 0 ? since : now) + limit;
		if (child->kill_at != 0)
			next = child->kill_at;
		if (next < deadline)
			deadline = next;
	}
	return deadline;
}
