#include "bindings/files/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/files/site.h"

enum {
	KEPT_MS = 1000,
	SWEEP_MS = 5000,
	CONTENT_MAX = 4096,
	REST_SECONDS = 2,
};

static LIST_HEAD(, cache) all = LIST_HEAD_INITIALIZER(all);

static const char *const suffixes[FORMS] = {
	[FORM_PLAIN] = "",
	[FORM_BR] = ".br",
	[FORM_GZIP] = ".gz",
};

/* ---- Files ---- */

static void
describe(struct file *f, const struct stat *st)
{
	time_t now = time(NULL);

	f->size = st->st_size;
	snprintf(f->length, sizeof(f->length), "%lld", (long long)st->st_size);
	f->mtime = st->st_mtim;
	f->changed = st->st_ctim;
	f->modified = st->st_mtime < now ? st->st_mtime : now;
	http_date_write(f->last_modified, f->modified);
	snprintf(f->etag, sizeof(f->etag), "\"%llx-%llx-%llx\"",
		(unsigned long long)st->st_size,
		(unsigned long long)st->st_mtim.tv_sec * 1000000000 +
			(unsigned long long)st->st_mtim.tv_nsec,
		(unsigned long long)st->st_ino);
}

static void
file_close(struct file *f)
{
	if (f->fd != -1)
		close(f->fd);
	free(f->content);
	*f = (struct file){ .fd = -1 };
}

/* What is opened never waits: a FIFO would, for somebody who writes to it. */
static int
file_open(struct file *f, const struct root *root, const char *path)
{
	struct stat st = { 0 };

	*f = (struct file){
		.fd = root_open_file(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY),
	};
	if (f->fd == -1) {
		errno = errno == ENXIO ? ENOENT : errno;
		return -1;
	}
	if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		describe(f, &st);
		return 0;
	}
	file_close(f);
	errno = S_ISDIR(st.st_mode) ? EISDIR : ENOENT;
	return -1;
}

bool
file_refresh(struct file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0 || st.st_nlink == 0)
		return false;
	if (st.st_size == f->size && st.st_ctim.tv_sec == f->changed.tv_sec &&
		st.st_ctim.tv_nsec == f->changed.tv_nsec)
		return true;
	free(f->content);
	f->content = NULL;
	describe(f, &st);
	return true;
}

/* Where one was written just now, another change may bear the same time. */
const char *
file_content(struct file *f)
{
	size_t size = (size_t)f->size;

	if (f->content != NULL || f->size == 0 || f->size > CONTENT_MAX ||
		time(NULL) - f->changed.tv_sec < REST_SECONDS)
		return f->content;
	f->content = malloc(size);
	if (f->content != NULL && pread(f->fd, f->content, size, 0) != (ssize_t)size) {
		free(f->content);
		f->content = NULL;
	}
	return f->content;
}

/* ---- Entries ---- */

static void
entry_release(struct entry *e)
{
	if (e->path == NULL)
		return;
	for (size_t i = 0; i < FORMS; i++)
		file_close(&e->forms[i]);
	free(e->path);
	*e = (struct entry){ 0 };
}

static void
open_neighbours(struct entry *e, const struct root *root)
{
	char path[PATH_MAX];

	for (size_t i = FORM_PLAIN + 1; i < FORMS; i++) {
		int n = snprintf(path, sizeof(path), "%s%s", e->path, suffixes[i]);
		e->forms[i].fd = -1;
		if (n < (int)sizeof(path))
			file_open(&e->forms[i], root, path);
	}
}

static int
entry_open(struct entry *e, const struct site *site, const char *path, uint64_t now_ms)
{
	struct file plain;

	if (file_open(&plain, &site->root, path) != 0)
		return -1;
	*e = (struct entry){ .path = strdup(path), .looked_ms = now_ms };
	if (e->path == NULL) {
		file_close(&plain);
		errno = ENOMEM;
		return -1;
	}
	e->type = mime_type(&site->types, path);
	e->forms[FORM_PLAIN] = plain;
	open_neighbours(e, &site->root);
	return 0;
}

static bool
is_fresh(struct entry *e, const char *path, uint64_t now_ms)
{
	return e->path != NULL && strcmp(e->path, path) == 0 &&
		now_ms - e->looked_ms < KEPT_MS && file_refresh(&e->forms[FORM_PLAIN]);
}

/* ---- The cache ---- */

/* Nothing stays open for long that nobody asks for. A timer would do so without
 * requests, but takes from a worker that runs an application too what relieves it. */
static void
sweep(struct cache *c, uint64_t now_ms)
{
	if (now_ms - c->swept_ms < SWEEP_MS)
		return;
	c->swept_ms = now_ms;
	for (size_t i = 0; i < CACHE_ENTRIES; i++) {
		struct entry *e = &c->entries[i];
		if (!e->is_used)
			entry_release(e);
		e->is_used = false;
	}
}

/* FNV-1a. */
static struct entry *
place_of(struct cache *c, const char *path)
{
	uint32_t hash = 2166136261;

	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619;
	return &c->entries[(hash ^ hash >> 16) % CACHE_ENTRIES];
}

void
cache_init(struct cache *c)
{
	LIST_INSERT_HEAD(&all, c, in_all);
}

void
cache_empty(struct cache *c)
{
	for (size_t i = 0; i < CACHE_ENTRIES; i++)
		entry_release(&c->entries[i]);
}

static void
empty_all(void)
{
	struct cache *c;

	LIST_FOREACH (c, &all, in_all)
		cache_empty(c);
}

void
cache_release(struct cache *c)
{
	cache_empty(c);
	LIST_REMOVE(c, in_all);
}

struct entry *
cache_get(struct site *site, const char *path, uint64_t now_ms)
{
	struct cache *c = &site->cache;
	struct entry *e = place_of(c, path);

	if (root_has_moved(&site->root, now_ms))
		cache_empty(c);
	if (!is_fresh(e, path, now_ms)) {
		entry_release(e);
		int failed = entry_open(e, site, path, now_ms);
		/* What is only kept for later, here or for another route, must not be
		 * what is missing now. */
		if (failed && errno == EMFILE) {
			empty_all();
			failed = entry_open(e, site, path, now_ms);
		}
		if (failed)
			return NULL;
	}
	e->is_used = true;
	sweep(c, now_ms);
	return e;
}
