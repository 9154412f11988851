#include "gateway/arbiter/limits.h"

#include <sys/resource.h>

/* Seconds between SIGXCPU, at which a worker still answers, and SIGKILL. */
enum { CPU_GRACE = 5 };

const char *
limits_set(const struct app_settings *app)
{
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
