/*
 * Files that a program has sent instead of a body of its own. What it names may come
 * from its client, so links are followed first, and then the folders are compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/cgi/cgi.h"
#include "bindings/common/beneath.h"

const char *
sendfile_load(struct cgi *app)
{
	char real[PATH_MAX];
	size_t n = 0;

	while (al_option("sendfile_roots", n) != NULL)
		n++;
	app->sendfile_roots = arena_alloc(&app->memory, (n + 1) * sizeof(char *));
	if (app->sendfile_roots == NULL)
		return "out of memory";
	for (size_t i = 0; i < n; i++) {
		if (realpath(al_option("sendfile_roots", i), real) == NULL)
			return "sendfile_roots: no such folder";
		app->sendfile_roots[i] = arena_strz(&app->memory, slice_str(real));
		if (app->sendfile_roots[i] == NULL)
			return "out of memory";
	}
	app->n_sendfile_roots = n;
	return NULL;
}

/* The path as a file's own, under one of the roots, and then from each root on. EXDEV:
 * there is such a file elsewhere. */
static int
find(const struct cgi *app, const char *path, char real[PATH_MAX])
{
	char joined[PATH_MAX];
	bool exists = realpath(path, real) != NULL;

	for (size_t i = 0; exists && i < app->n_sendfile_roots; i++)
		if (beneath_rest(app->sendfile_roots[i], real) != NULL)
			return 0;
	for (size_t i = 0; i < app->n_sendfile_roots; i++) {
		const char *root = app->sendfile_roots[i];
		if (snprintf(joined, sizeof(joined), "%s/%s", root, path) <
				(int)sizeof(joined) &&
			realpath(joined, real) != NULL &&
			beneath_rest(root, real) != NULL)
			return 0;
	}
	errno = exists ? EXDEV : ENOENT;
	return -1;
}

int
sendfile_open(const struct cgi *app, const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	if (find(app, path, real) != 0)
		return -1;
	/* A FIFO would wait for somebody who writes to it. */
	int fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}
