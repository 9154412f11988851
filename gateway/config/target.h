/*
 * What an application's target names: the binding that runs it, told by its prefix or
 * its shape, and what the binding is to load.
 *
 *   python:MODULE:CALLABLE  MODULE:CALLABLE  MODULE  FILE.py   python
 *   c:FILE.so  FILE.so  FILE.so:FUNCTION                       c
 *   fcgi://HOST:PORT,...  fcgi:unix:PATH,unix:PATH,...         fastcgi
 *   fcgi-exec:PROGRAM ARGUMENT ...                             fastcgi, with its
 * program
 */
#ifndef CONFIG_TARGET_H
#define CONFIG_TARGET_H

#include <stdbool.h>

#include "protocols/arena.h"

struct target {
	const char *text; /* as it was written, with paths made absolute */
	const char *binding; /* "python": the file python.so; or the path of one */
	const char *spec; /* what the binding's load() is given */
	/* Its workers have memory in common, so a prototype forks them in any case. */
	bool preloaded;
	/* A program that the arbiter runs and supervises and the binding talks to:
	 * NULL-terminated arguments; NULL: none. The binding is then given the address
	 * of the program's socket. */
	const char *const *command;
};

/* Relative paths begin in `folder`, which is absolute; files must exist. Texts are
 * copied into the arena. Returns NULL, or what is wrong with the target. */
const char *target_parse(
	struct target *t, const char *text, const char *folder, struct arena *memory);

/* The target of workers that accept for several applications, and route. */
void target_front(struct target *t);
bool target_is_front(const struct target *t);

#endif
