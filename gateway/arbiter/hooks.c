#include "gateway/arbiter/hooks.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/arbiter/generation.h"
#include "gateway/arbiter/hook.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

/* Commands at a time: one that never ends shall not fill the machine with its like. */
enum { RUNS_MOST = 64 };

struct hook_run {
	pid_t pid;
	enum server_setting which;
	uint64_t deadline; /* of clock_ms(); 0: it is not awaited */
	LIST_ENTRY(hook_run) next;
};

void
hooks_init(struct hooks *h)
{
	*h = (struct hooks){ .n = 0 };
	LIST_INIT(&h->runs);
}

static void
forget(struct hooks *h, struct hook_run *run)
{
	LIST_REMOVE(run, next);
	h->n--;
	free(run);
}

void
hooks_release(struct hooks *h)
{
	while (h->n > 0)
		forget(h, LIST_FIRST(&h->runs));
}

/* ---- What is told ---- */

struct al_facts
facts_of_generation(const struct generation *g)
{
	return (struct al_facts){
		.arbiter = getpid(), .generation = g->number, .status = -1, .fd = -1
	};
}

struct al_facts
facts_of_pool(const struct pool *pool)
{
	return (struct al_facts){
		.pool = pool->app->name,
		.kind = pool->kind->name,
		.arbiter = getpid(),
		.generation = pool->heritage.generation,
		.status = -1,
		.fd = -1,
	};
}

struct al_facts
facts_of_child(const struct child *child)
{
	struct al_facts facts = facts_of_pool(child->pool);

	facts.worker = child->pid;
	facts.age = child->age;
	return facts;
}

/* ---- To run ---- */

static void
note(struct hooks *h, enum server_setting which, pid_t pid, bool is_awaited)
{
	struct hook_run *run = malloc(sizeof(*run));

	if (run == NULL) { /* it is a stranger then, whose end nobody looks at */
		h->has_failed |= is_awaited;
		return;
	}
	*run = (struct hook_run){ .pid = pid, .which = which };
	if (is_awaited)
		run->deadline = clock_ms() + HOOK_LIMIT_MS;
	LIST_INSERT_HEAD(&h->runs, run, next);
	h->n++;
}

void
hooks_run(struct hooks *h, const struct server_settings *server,
	enum server_setting which, const struct al_facts *facts)
{
	const struct hook *hook = hook_of(server, which);
	pid_t pid;

	if (hook->text == NULL)
		return;
	if (hook->command != NULL && h->n >= RUNS_MOST) {
		log_error("hook %s is not run: %u commands of hooks have not ended",
			server_table[which].name, h->n);
		h->has_failed |= hook->must_succeed;
		return;
	}
	if (!hook_start(server, which, facts, &pid))
		h->has_failed |= hook->must_succeed;
	else if (pid != 0)
		note(h, which, pid, hook->must_succeed);
}

void
hooks_scaled(struct hooks *h, const struct pool *pool, unsigned before)
{
	struct al_facts facts = facts_of_pool(pool);

	facts.workers_old = before;
	facts.workers_new = pool->target;
	hooks_run(h, pool->heritage.server, SERVER_nworkers_changed, &facts);
}

/* ---- Their end ---- */

static struct hook_run *
find(const struct hooks *h, pid_t pid)
{
	struct hook_run *run;

	LIST_FOREACH (run, &h->runs, next) {
		if (run->pid == pid)
			return run;
	}
	return NULL;
}

bool
hooks_have(const struct hooks *h, pid_t pid)
{
	return find(h, pid) != NULL;
}

bool
hooks_bury(struct hooks *h, pid_t pid, int status)
{
	struct hook_run *run = find(h, pid);

	if (run == NULL)
		return false;
	if (!hook_ended(run->which, status) && run->deadline != 0)
		h->has_failed = true;
	forget(h, run);
	return true;
}

void
hooks_begin(struct hooks *h)
{
	struct hook_run *run;

	LIST_FOREACH (run, &h->runs, next) {
		run->deadline = 0;
	}
	h->has_failed = false;
}

bool
hooks_are_awaited(const struct hooks *h)
{
	return hooks_deadline(h) != UINT64_MAX;
}

bool
hooks_have_failed(const struct hooks *h)
{
	return h->has_failed;
}

void
hooks_enforce(struct hooks *h, uint64_t now)
{
	struct hook_run *run;

	LIST_FOREACH (run, &h->runs, next) {
		if (run->deadline != 0 && now >= run->deadline) {
			log_error("hook %s takes longer than %d s",
				server_table[run->which].name, HOOK_LIMIT_MS / 1000);
			kill(-run->pid, SIGKILL);
			run->deadline = now + HOOK_LIMIT_MS;
		}
	}
}

uint64_t
hooks_deadline(const struct hooks *h)
{
	uint64_t deadline = UINT64_MAX;
	const struct hook_run *run;

	LIST_FOREACH (run, &h->runs, next) {
		if (run->deadline != 0 && run->deadline < deadline)
			deadline = run->deadline;
	}
	return deadline;
}
