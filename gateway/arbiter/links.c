#include "gateway/arbiter/links.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All sockets of the process. */
static void
list_sockets(struct links *l, pid_t pid)
{
	char path[64], text[64];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	while (d != NULL && l->n < LINKS_MOST && (entry = readdir(d)) != NULL) {
		struct link *row = &l->rows[l->n];
		ssize_t len =
			readlinkat(dirfd(d), entry->d_name, text, sizeof(text) - 1);
		if (len <= 0)
			continue;
		text[len] = '\0';
		row->fd = (int)strtol(entry->d_name, NULL, 10);
		l->n += sscanf(text, "socket:[%" SCNu64 "]", &row->inode) == 1;
	}
	if (d != NULL)
		closedir(d);
}

/* The first `kept` rows are connections; moves the one of that inode to them, if it is
 * in another row. */
static size_t
keep(struct links *l, size_t kept, uint64_t inode)
{
	for (size_t i = kept; i < l->n; i++) {
		struct link row = l->rows[i];
		if (row.inode != inode)
			continue;
		l->rows[i] = l->rows[kept];
		l->rows[kept] = row;
		return kept + 1;
	}
	return kept;
}

/* See proc(5), /proc/net/unix: an accepted socket has the name of that which it was
 * accepted from, and one that waits for it has no inode yet. */
static size_t
read_line(struct links *l, size_t kept, const char *line, const char *path)
{
	enum { CONNECTING = 2, CONNECTED = 3 };
	unsigned state;
	uint64_t inode;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %*s %*s %x %" SCNu64 " %n", &state, &inode,
		    &at) != 2 ||
		at == 0 || strcmp(line + at, path) != 0)
		return kept;
	l->one_waits |= state == CONNECTING;
	return state == CONNECTED ? keep(l, kept, inode) : kept;
}

void
links_find(struct links *l, pid_t pid, const char *path)
{
	FILE *list = fopen("/proc/net/unix", "re");
	size_t kept = 0, room = 0;
	char *line = NULL;
	ssize_t len;

	l->n = 0;
	l->one_waits = false;
	list_sockets(l, pid);
	while (list != NULL && (len = getline(&line, &room, list)) > 0) {
		line[len - 1] = '\0';
		kept = read_line(l, kept, line, path);
	}
	l->n = kept;
	free(line);
	if (list != NULL)
		fclose(list);
}
