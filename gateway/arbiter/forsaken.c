#include "gateway/arbiter/forsaken.h"

#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "gateway/arbiter/links.h"
#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/program.h"

enum { SECOND_MS = 1000 };

static uint64_t
limit_ms(const struct child *child)
{
	return (uint64_t)child->pool->app->timeout * SECOND_MS;
}

static bool
has_limit(const struct child *child)
{
	return child->pool->kind == &kind_program && child->state == CHILD_SERVING &&
		child->pool->app->timeout != 0;
}

/* The other side has closed the connection. */
static bool
is_hung_up(pid_t pid, int link)
{
	struct pollfd p = { .fd = -1 };
	int process = pidfd_open(pid, 0);

	if (process == -1)
		return false;
	p.fd = pidfd_getfd(process, link, 0);
	close(process);
	if (p.fd == -1)
		return false;
	bool is = poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
	close(p.fd);
	return is;
}

/* The connection that was seen before, if it is still there, else any; 0: none. */
static uint64_t
find_forsaken(const struct child *child)
{
	const char *path = program_path(child->pool->front->heritage.target);
	struct links links;
	uint64_t found = 0;

	links_find(&links, child->pid, path);
	for (size_t i = 0; i < links.n; i++) {
		if ((found == 0 || links.rows[i].inode == child->forsaken) &&
			is_hung_up(child->pid, links.rows[i].fd))
			found = links.rows[i].inode;
	}
	return found;
}

static void
watch(struct child *child, uint64_t now)
{
	uint64_t link = find_forsaken(child);

	if (link == 0 || link != child->forsaken)
		child->forsaken_since = now;
	else if (now - child->forsaken_since >= limit_ms(child))
		child_kill(child, "request timeout");
	child->forsaken = link;
}

/* At times that all programs of a pool share, so that they are looked at in one go. */
static uint64_t
next_look(const struct child *child, uint64_t after)
{
	uint64_t every = limit_ms(child) / 2;

	return (after / every + 1) * every;
}

void
forsaken_watch(struct family *f, uint64_t now)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (!has_limit(child) || child->killed_for != NULL ||
			now < next_look(child, child->links_seen))
			continue;
		if (child->links_seen != 0)
			watch(child, now);
		child->links_seen = now;
	}
}

uint64_t
forsaken_deadline(const struct family *f)
{
	const struct child *child;
	uint64_t deadline = UINT64_MAX;

	TAILQ_FOREACH (child, &f->children, next) {
		if (!has_limit(child) || child->killed_for != NULL)
			continue;
		uint64_t next = next_look(child, child->links_seen);
		if (next < deadline)
			deadline = next;
	}
	return deadline;
}
