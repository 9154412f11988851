#include "bindings/php/seen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEEN = 256 };

static struct {
	char *path; /* NULL: the place is free */
	int64_t at;
} seen[SEEN];

int64_t
seen_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* FNV-1a. Paths that meet in a place take it from each other. */
static unsigned
place_of(const char *path)
{
	uint32_t hash = 2166136261;

	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619;
	return hash % SEEN;
}

bool
seen_lately(const char *path)
{
	unsigned at = place_of(path);

	return seen[at].path != NULL && seen[at].at == seen_clock() &&
		strcmp(seen[at].path, path) == 0;
}

void
seen_note(const char *path)
{
	unsigned at = place_of(path);

	if (seen[at].path == NULL || strcmp(seen[at].path, path) != 0) {
		free(seen[at].path);
		seen[at].path = strdup(path);
	}
	seen[at].at = seen_clock();
}

void
seen_release(void)
{
	for (size_t i = 0; i < SEEN; i++)
		free(seen[i].path);
	memset(seen, 0, sizeof(seen));
}
