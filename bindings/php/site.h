/*
 * Where the scripts are, and which of them a path names. Nothing outside of the root is
 * run or sent, wherever symbolic links lead, and only what is named .php is run.
 */
#ifndef PHP_BINDING_SITE_H
#define PHP_BINDING_SITE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct site {
	char root[PATH_MAX]; /* without symbolic links, and without a slash at its end
			      */
	size_t root_len;
	int root_fd;
	const char *index; /* name of the file that answers for its folder */
	char front[PATH_MAX]; /* answers what no file does; "": there is none */
};

/* The target is the root, or the script that answers what no file does; then the
 * setting `root` may be a folder above it. NULL, or what is wrong. */
const char *site_load(struct site *site, const char *target);

void site_release(struct site *site);

enum found {
	FOUND_SCRIPT, /* to be run */
	FOUND_FILE, /* to be sent as it is */
	FOUND_FOLDER, /* with an index, asked for without its slash */
	FOUND_NOTHING,
	FOUND_DENIED, /* it may not be read */
	FOUND_BAD, /* no path that anybody has reason to ask for */
};

struct place {
	char file[PATH_MAX]; /* absolute */
	const char *name; /* the end of it that is below the root, with a slash */
	const char *path_info; /* what follows in the path; NULL: nothing */
	int fd; /* of a FOUND_FILE: open, the caller's to close */
	struct stat st;
};

/* Looks for what a path names, decoded and relative to the mount. */
enum found site_find(const struct site *site, const char *path, struct place *place);

#endif
