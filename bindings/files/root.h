/*
 * The folder that is served, and the only way into it: nothing is opened that is not
 * beneath it, whatever a path says and wherever links lead.
 */
#ifndef FILES_ROOT_H
#define FILES_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct root {
	const char *path; /* not copied */
	int fd; /* -1: there is no such folder */
	dev_t dev;
	ino_t ino;
	uint64_t looked_ms;
};

/* Returns NULL, or why it cannot be served. */
const char *root_open(struct root *r, const char *path);

void root_close(struct root *r);

/* Looks, once a second, whether the path names another folder by now, or none: releases
 * are changed by moving folders and links. True: what was opened beneath it is of no
 * use. */
bool root_has_moved(struct root *r, uint64_t now_ms);

/* A descriptor of what a relative path names, or -1 and errno; EXDEV: it leads out. */
int root_open_file(const struct root *r, const char *path, int flags);

#endif
