#include "gateway/arbiter/departure.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVERY_MS = 50, SECOND_MS = 1000, SOCKETS_MOST = 256 };

/* Sockets of a process, by their inodes. */
struct sockets {
	uint64_t inodes[SOCKETS_MOST];
	size_t n; /* SOCKETS_MOST: perhaps there are more */
};

static void
list_sockets(struct sockets *s, pid_t pid)
{
	char path[300], link[64];
	struct dirent *entry;

	s->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	while (d != NULL && s->n < SOCKETS_MOST && (entry = readdir(d)) != NULL) {
		ssize_t len =
			readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		s->n += sscanf(link, "socket:[%" SCNu64 "]", &s->inodes[s->n]) == 1;
	}
	if (d != NULL)
		closedir(d);
}

static bool
has_socket(const struct sockets *s, uint64_t inode)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->inodes[i] == inode)
			return true;
	}
	return false;
}

/* Whether a line of the list is about a connection to the socket at that path that
 * waits to be accepted, or is one of these. See proc(5): an accepted socket has the
 * name of that which it was accepted from, and one that waits has no inode yet. */
static bool
is_connection(const char *line, const char *path, const struct sockets *s)
{
	enum { CONNECTING = 2, CONNECTED = 3 };
	unsigned state;
	uint64_t inode;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %*s %*s %x %" SCNu64 " %n", &state, &inode,
		    &at) != 2 ||
		at == 0 || strcmp(line + at, path) != 0)
		return false;
	return state == CONNECTING || (state == CONNECTED && has_socket(s, inode));
}

/* False also when it cannot be told. */
static bool
is_engaged(pid_t pid, const char *path)
{
	FILE *list = fopen("/proc/net/unix", "re");
	struct sockets sockets;
	bool found = false;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (list == NULL)
		return false;
	list_sockets(&sockets, pid);
	while (!found && (len = getline(&line, &room, list)) > 0) {
		line[len - 1] = '\0';
		found = is_connection(line, path, &sockets);
	}
	free(line);
	fclose(list);
	return found;
}

/* Of the socket that its programs accept from. */
static const char *
path_of(const struct pool *programs)
{
	const char *target = programs->front->heritage.target;

	return strchr(target, ':') + 1;
}

bool
departure_is_possible(struct pool *pool, const struct child *child, uint64_t now)
{
	uint64_t limit = (uint64_t)pool->app->graceful_timeout * SECOND_MS;

	if (!pool->kind->drops_requests)
		return true;
	/* All of a pool are looked at in one round, and then none for a while. */
	if (now != pool->looked_at && now < pool->looked_at + EVERY_MS)
		return false;
	pool->looked_at = now;
	if (pool->leaving_since == 0)
		pool->leaving_since = now;
	if (now < pool->leaving_since + limit && is_engaged(child->pid, path_of(pool)))
		return false;
	departure_forget(pool);
	return true;
}

void
departure_forget(struct pool *pool)
{
	pool->leaving_since = 0;
}

uint64_t
departure_deadline(const struct pool *pool)
{
	return pool->leaving_since != 0 ? pool->looked_at + EVERY_MS : UINT64_MAX;
}
