/*
 * Open files, by their paths, for a second each: looking up where a path leads, and
 * which encoded neighbours a file has, costs as much as all the rest of a small answer.
 * Whether what is sent was written to, and whether the file was removed or replaced, is
 * looked at in each request. What may be a second old is where links lead, what was
 * moved away, permissions, and which neighbours there are. A request closes what was
 * not asked for in the last seconds.
 */
#ifndef FILES_CACHE_H
#define FILES_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "protocols/http.h"

struct site;

/* A file has a neighbour for each content coding: a.css.br, a.css.gz. */
enum form { FORM_PLAIN, FORM_BR, FORM_GZIP, FORMS };

/* Three numbers of 16 hexadecimal digits, with two hyphens, in quotes. */
enum { ETAG = 3 * 16 + 2 + 2 + 1 };

enum { FILE_LENGTH = 20 + 1 };

struct file {
	int fd; /* -1: there is none */
	off_t size;
	char length[FILE_LENGTH]; /* the size as text */
	struct timespec mtime;
	struct timespec changed; /* ctime, which nobody can set */
	time_t modified; /* mtime, unless that lies in the future */
	char etag[ETAG];
	char last_modified[HTTP_DATE];
	char *content; /* NULL: it is read when it is sent */
};

struct entry {
	char *path; /* NULL: empty */
	uint64_t looked_ms;
	bool is_used; /* since the last sweep */
	const char *type; /* media type */
	struct file forms[FORMS];
};

enum { CACHE_ENTRIES = 256 };

/* Each path has one place, and drives out who was there. */
struct cache {
	struct entry entries[CACHE_ENTRIES];
	uint64_t swept_ms;
	LIST_ENTRY(cache) in_all; /* the descriptors are the process's */
};

/* Of memory that is zero. */
void cache_init(struct cache *c);

/* What a relative path names; it holds until the next call. NULL and errno: EISDIR for
 * a folder, ENOENT also for what is neither a file nor a folder. */
struct entry *cache_get(struct site *site, const char *path, uint64_t now_ms);

/* Looks whether an open one was written to. False: it was removed, or another one was
 * put in its place. The plain form has been looked at by cache_get(). */
bool file_refresh(struct file *f);

/* All bytes of a small file that has been at rest, or NULL. */
const char *file_content(struct file *f);

/* Closes all that is open; the cache is as it was at first. */
void cache_empty(struct cache *c);
void cache_release(struct cache *c);

#endif
