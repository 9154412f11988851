#include "gateway/arbiter/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/arbiter/pattern.h"
#include "gateway/logger/log.h"

/* What is written in one go shall be one change. */
enum { SETTLE_MS = 100, POLL_MS = 1000, FILES_MOST = 20000 };

/* When a file is as it was; all zero: it is missing. */
struct stamp {
	struct timespec changed;
	off_t size;
	ino_t number;
};

struct file {
	char *path;
	struct stamp stamp;
	unsigned generation; /* the last that was loaded from it; 0: none */
	unsigned seen; /* the last look that a pattern matched it in; 0: none */
};

static void
close_notices(struct files *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	f->look_at = 0;
}

void
files_init(struct files *f)
{
	*f = (struct files){ .fd = -1 };
}

void
files_release(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->list[i].path);
	free(f->list);
	close_notices(f);
	files_init(f);
}

/* ---- The list ---- */

static struct stamp
stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return (struct stamp){ .size = 0 };
	return (struct stamp){ st.st_mtim, st.st_size, st.st_ino };
}

static bool
same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->changed.tv_sec == b->changed.tv_sec &&
		a->changed.tv_nsec == b->changed.tv_nsec && a->size == b->size &&
		a->number == b->number;
}

/* Where the path is, or would be. */
static size_t
find(const struct files *f, const char *path, bool *is_there)
{
	size_t low = 0, high = f->n;

	*is_there = false;
	while (low < high && !*is_there) {
		size_t middle = (low + high) / 2;
		int order = strcmp(path, f->list[middle].path);
		*is_there = order == 0;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

static bool
make_room(struct files *f)
{
	if (f->n < f->room)
		return true;
	size_t room = f->room != 0 ? f->room * 2 : 256;
	struct file *list =
		f->n < FILES_MOST ? realloc(f->list, room * sizeof(*list)) : NULL;
	if (list == NULL)
		return false;
	f->list = list;
	f->room = room;
	return true;
}

/* The file of that path, which is added if it is missing; NULL: there are too many, or
 * no memory. */
static struct file *
file_of(struct files *f, const char *path, bool *is_new)
{
	bool is_there;
	size_t at = find(f, path, &is_there);

	*is_new = !is_there;
	if (is_there)
		return &f->list[at];
	char *copy = make_room(f) ? strdup(path) : NULL;
	if (copy == NULL)
		return NULL;
	memmove(&f->list[at + 1], &f->list[at], (f->n - at) * sizeof(*f->list));
	f->list[at] = (struct file){ .path = copy, .stamp = stamp_of(path) };
	f->n++;
	return &f->list[at];
}

void
files_heard(struct files *f, unsigned generation, struct slice paths)
{
	const char *end;

	while ((end = memchr(paths.ptr, '\0', paths.len)) != NULL) {
		bool is_new;
		struct file *file = file_of(f, paths.ptr, &is_new);
		if (file != NULL)
			file->generation = generation;
		slice_advance(&paths, (size_t)(end + 1 - paths.ptr));
	}
	f->look_at = 1; /* at once, as there may be new folders to watch */
}

/* Those that neither the generation nor a later one was loaded from, and no pattern
 * matched in the last look. */
static void
forget_unused(struct files *f, unsigned generation)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct file *file = &f->list[i];
		if (file->generation >= generation || file->seen == f->looks)
			f->list[n++] = *file;
		else
			free(file->path);
	}
	f->n = n;
}

/* ---- Notices ---- */

static void
do_without_notices(struct files *f)
{
	log_warning("reload: inotify: %s: files are looked at every second instead",
		strerror(errno));
	close_notices(f);
}

static void
watch_folder(struct files *f, const char *path)
{
	if (f->fd != -1 &&
		inotify_add_watch(f->fd, path,
			IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE |
				IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR) == -1 &&
		(errno == ENOSPC || errno == ENOMEM))
		do_without_notices(f);
}

/* Folders are watched, as files are mostly replaced by others of the same name. To
 * watch one again changes nothing. */
static void
watch_folder_of(struct files *f, char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == path) {
		watch_folder(f, "/");
	} else {
		*slash = '\0';
		watch_folder(f, path);
		*slash = '/';
	}
}

static void
open_notices(struct files *f, const char *engine, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = f };

	if (strcmp(engine, "poll") == 0) {
		close_notices(f);
		return;
	}
	if (f->fd != -1)
		return;
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, f->fd, &event) == -1)
		do_without_notices(f);
}

void
files_notified(struct files *f, uint64_t now)
{
	char events[4096];

	while (read(f->fd, events, sizeof(events)) > 0)
		;
	if (f->look_at == 0)
		f->look_at = now + SETTLE_MS;
}

uint64_t
files_deadline(const struct files *f)
{
	return f->look_at != 0 ? f->look_at : UINT64_MAX;
}

/* ---- To look ---- */

/* What a look has found out. */
struct look {
	struct files *files;
	bool is_first; /* what is new is no change */
	size_t matched; /* by a pattern */
	const char *changed;
};

static void
found(void *arg, const char *path, bool is_folder)
{
	struct look *look = arg;
	struct files *f = look->files;
	bool is_new;

	if (is_folder) {
		watch_folder(f, path);
		return;
	}
	struct file *file = file_of(f, path, &is_new);
	if (file == NULL)
		return;
	if (file->seen == 0 && is_new && !look->is_first)
		look->changed = file->path;
	file->seen = f->looks;
	look->matched++;
}

static void
look_for_pattern(struct look *look, const char *pattern)
{
	look->matched = 0;
	if (!pattern_is_plain(pattern)) {
		pattern_walk(pattern, found, look);
		if (look->matched == 0 && look->is_first)
			log_warning("reload_extra_files: %s matches nothing", pattern);
		return;
	}
	/* One that is missing is watched too: it may come. */
	found(look, pattern, false);
	if (look->is_first && access(pattern, F_OK) == -1)
		log_warning("reload_extra_files: %s: %s", pattern, strerror(errno));
}

/* Takes note of how the file is now. */
static void
look_at(struct look *look, struct file *file)
{
	struct stamp now = stamp_of(file->path);

	if (!same_stamp(&now, &file->stamp))
		look->changed = file->path;
	file->stamp = now;
	watch_folder_of(look->files, file->path);
}

static const char *
look(struct files *f, const struct server_settings *settings, bool is_first)
{
	struct look look = { .files = f, .is_first = is_first };
	const struct text_list *patterns = &settings->reload_extra_files;

	f->looks++;
	for (size_t i = 0; i < patterns->n; i++)
		look_for_pattern(&look, patterns->items[i]);
	for (size_t i = 0; i < f->n; i++)
		look_at(&look, &f->list[i]);
	return look.changed;
}

const char *
files_step(struct files *f, const struct server_settings *settings, unsigned generation,
	int epoll, uint64_t now)
{
	bool is_first = f->generation != generation;

	if (!settings->reload) {
		files_release(f);
		return NULL;
	}
	if (!is_first && (f->look_at == 0 || now < f->look_at))
		return NULL;
	if (is_first)
		open_notices(f, settings->reload_engine, epoll);
	forget_unused(f, generation);
	f->generation = generation;
	const char *changed = look(f, settings, is_first);
	f->look_at = f->fd == -1 ? now + POLL_MS : 0;
	return changed;
}
