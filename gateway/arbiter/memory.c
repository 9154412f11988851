#include "gateway/arbiter/memory.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/recycle.h"

enum { EVERY_MS = 1000, GRACE_MS = 1000, MIB = 1 << 20 };

uint64_t
memory_resident(pid_t pid)
{
	char path[64];
	uint64_t pages = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %" SCNu64, &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* SIGABRT lets a worker answer its clients; nobody waits for it for long. */
static void
end(struct child *child, uint64_t now)
{
	child->killed_for = "memory limit";
	if (child->slot == NULL) {
		child_kill(child, child->killed_for);
		return;
	}
	child_signal(child, SIGABRT);
	child->deadline = now + GRACE_MS;
}

/* A prototype serves nobody, and does not grow. */
static bool
has_limit(const struct child *child)
{
	const struct app_settings *app = child->pool->app;

	return child->pool->kind != &kind_prototype &&
		(app->max_worker_memory != 0 || app->max_worker_memory_hard != 0);
}

static void
watch(struct child *child, uint64_t now)
{
	const struct app_settings *app = child->pool->app;
	uint64_t hard = app->max_worker_memory_hard, soft = app->max_worker_memory;
	uint64_t size = memory_resident(child->pid);

	if (hard != 0 && size > hard)
		end(child, now);
	else if (soft != 0 && size > soft)
		recycle_ask(child, ": %" PRIu64 " MiB of memory", size / MIB);
}

void
memory_watch(struct family *f, uint64_t now)
{
	struct child *child;

	if (now < f->memory_at)
		return;
	f->memory_at = now + EVERY_MS;
	TAILQ_FOREACH (child, &f->children, next) {
		if (has_limit(child) && child->killed_for == NULL)
			watch(child, now);
	}
}

uint64_t
memory_deadline(const struct family *f)
{
	const struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (has_limit(child))
			return f->memory_at;
	}
	return UINT64_MAX;
}
