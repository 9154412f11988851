/*
 * The files that applications were loaded from, and those that the settings name, with
 * the setting reload: whether one has changed is found out by a look at them all. The
 * kernel's word (inotify), or the clock, only says when to look.
 */
#ifndef ARBITER_FILES_H
#define ARBITER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/config/settings.h"
#include "protocols/slice.h"

struct file;

struct files {
	struct file *list; /* in the order of their paths */
	size_t n, room;
	int fd; /* of inotify; -1: there is none */
	unsigned looks;
	uint64_t look_at; /* of clock_ms(); 0: not by itself */
	unsigned generation; /* of the last look; 0: there was none */
};

void files_init(struct files *f);
void files_release(struct files *f);

/* An application of that generation was loaded from these: paths, each with its NUL. */
void files_heard(struct files *f, unsigned generation, struct slice paths);

/* Looks, if it is time to, by the settings of the generation that serves; what only
 * older ones were loaded from is forgotten. Returns the path of a file that has changed
 * since the last look, until the next call; NULL: none has. The descriptor is added to
 * `epoll`, with the files as its data. */
const char *files_step(struct files *f, const struct server_settings *settings,
	unsigned generation, int epoll, uint64_t now);

/* The descriptor is readable. */
void files_notified(struct files *f, uint64_t now);

uint64_t files_deadline(const struct files *f);

#endif
