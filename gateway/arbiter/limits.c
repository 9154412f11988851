#include "gateway/arbiter/limits.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "gateway/common/queue.h"
#include "gateway/logger/log.h"

enum {
	OF_A_PROCESS = 3, /* its channel, its ring, and what it prints */
	BESIDE_WORKERS = 2, /* of an application: a prototype, or the like; a spare */
	OF_AN_APP = QUEUE_FDS + 1, /* and the socket of its programs */
	GENERATIONS = 2, /* at a reload */
	OWN = 64, /* of the arbiter: the loop, the control socket and who asks there */
};

/* Seconds between SIGXCPU, at which a worker still answers, and SIGKILL. */
enum { CPU_GRACE = 5 };

static struct rlimit before; /* of descriptors, at the start */
static rlim_t needed;
static bool is_raised;

/* ---- Descriptors of the arbiter ---- */

static int64_t
most_workers(const struct app_settings *app)
{
	return app->workers_max > app->workers ? app->workers_max : app->workers;
}

/* Of one generation, beside OWN. */
static rlim_t
count_descriptors(const struct config *config)
{
	rlim_t n = config->server.n_sinks;

	for (size_t i = 0; i < config->n_apps; i++) {
		const struct app_settings *app = &config->apps[i];
		rlim_t processes = (rlim_t)most_workers(app) + BESIDE_WORKERS;
		n += OF_AN_APP + app->bind.n + OF_A_PROCESS * processes;
	}
	return n;
}

/* The limit, which is too low, has to do with the application of most processes. */
static const char *
explain(const struct config *config, rlim_t n)
{
	static char text[512];
	const struct app_settings *app = &config->apps[0];
	char where[256] = "";

	for (size_t i = 1; i < config->n_apps; i++)
		if (most_workers(&config->apps[i]) > most_workers(app))
			app = &config->apps[i];
	enum app_setting which =
		app->workers_max > app->workers ? APP_workers_max : APP_workers;
	const struct origin *origin = &app->origins[which];
	if (origin->line > 0)
		snprintf(where, sizeof(where), "%s:%u: ", origin->source, origin->line);
	snprintf(text, sizeof(text),
		"%s%s = %" PRId64 ": the arbiter needs %ju descriptors, and may have "
		"no more than %ju (RLIMIT_NOFILE)",
		where, app_table[which].name, most_workers(app), (uintmax_t)n,
		(uintmax_t)before.rlim_max);
	return text;
}

/* As far as it is allowed. */
static void
raise_limit(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == -1 || needed <= now.rlim_cur)
		return;
	now.rlim_cur = needed < now.rlim_max ? needed : now.rlim_max;
	is_raised |= setrlimit(RLIMIT_NOFILE, &now) == 0;
}

const char *
limits_raise(const struct config *config)
{
	rlim_t n = count_descriptors(config);

	if (!is_raised && getrlimit(RLIMIT_NOFILE, &before) == -1)
		return NULL;
	if (OWN + n > before.rlim_max)
		return explain(config, OWN + n);
	if (OWN + GENERATIONS * n > needed)
		needed = OWN + GENERATIONS * n;
	if (needed > before.rlim_max)
		log_warning("a reload needs up to %ju descriptors, and the arbiter may "
			    "have no more than %ju (RLIMIT_NOFILE)",
			(uintmax_t)needed, (uintmax_t)before.rlim_max);
	raise_limit();
	return NULL;
}

void
limits_raise_by(unsigned processes)
{
	needed += (rlim_t)GENERATIONS * OF_A_PROCESS * processes;
	raise_limit();
}

void
limits_restore(void)
{
	if (is_raised)
		setrlimit(RLIMIT_NOFILE, &before);
}

/* ---- Of an application's processes ---- */

const char *
limits_set(const struct app_settings *app)
{
	limits_restore();
	const struct {
		const char *name;
		__rlimit_resource_t resource;
		rlim_t limit, grace;
	} limits[] = {
		{ "limit_memory", RLIMIT_AS, app->limit_memory, 0 },
		{ "limit_files", RLIMIT_NOFILE, (rlim_t)app->limit_files, 0 },
		{ "limit_processes", RLIMIT_NPROC, (rlim_t)app->limit_processes, 0 },
		{ "limit_cpu", RLIMIT_CPU, (rlim_t)app->limit_cpu, CPU_GRACE },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct rlimit both = {
			.rlim_cur = limits[i].limit,
			.rlim_max = limits[i].limit + limits[i].grace,
		};
		if (limits[i].limit != 0 && setrlimit(limits[i].resource, &both) == -1)
			return limits[i].name;
	}
	return NULL;
}
