/*
 * The connections that a process has accepted from a unix socket, as the kernel lists
 * them: what programs do, which tell nobody.
 */
#ifndef ARBITER_LINKS_H
#define ARBITER_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LINKS_MOST = 256 };

struct link {
	int fd; /* in that process */
	uint64_t inode; /* by which it can be known again */
};

struct links {
	struct link rows[LINKS_MOST];
	size_t n; /* LINKS_MOST: perhaps there are more */
	bool one_waits; /* a connection has not been accepted by anybody yet */
};

/* Of that process and the socket at that path. There are none where it cannot be told.
 */
void links_find(struct links *l, pid_t pid, const char *path);

#endif
