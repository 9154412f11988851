#include "gateway/arbiter/oom.h"

#include <inttypes.h>
#include <stdio.h>

/* Of the whole machine, memory limits of containers included. */
static uint64_t
count_kills(void)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char line[128];
	uint64_t n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "oom_kill %" SCNu64, &n) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

bool
oom_has_killed(void)
{
	static uint64_t known;
	uint64_t before = known;

	known = count_kills();
	return known > before;
}
