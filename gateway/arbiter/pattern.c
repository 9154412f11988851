#include "gateway/arbiter/pattern.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MOST = 64 };

struct walk {
	pattern_fn *found;
	void *arg;
	unsigned depth;
	char path[PATH_MAX]; /* of the folder, without its last slash */
};

static void walk(struct walk *w, const char *rest);

bool
pattern_is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?[") == NULL;
}

/* Makes the path longer by a name; 0 when it is too long, else the length before. */
static size_t
enter(struct walk *w, const char *name)
{
	size_t len = strlen(w->path);
	int n = snprintf(w->path + len, sizeof(w->path) - len, "/%s", name);

	if (n > 0 && (size_t)n < sizeof(w->path) - len && w->depth < DEPTH_MOST) {
		w->depth++;
		return len + 1;
	}
	w->path[len] = '\0';
	return 0;
}

static void
leave(struct walk *w, size_t entered)
{
	w->path[entered - 1] = '\0';
	w->depth--;
}

static bool
is_kind(const struct walk *w, mode_t kind, bool follow)
{
	struct stat st;
	int got = follow ? stat(w->path, &st) : lstat(w->path, &st);

	return got == 0 && (st.st_mode & S_IFMT) == kind;
}

/* One entry of a folder: `rest` is what is to match below it, NULL that it shall be a
 * file. */
static void
visit(struct walk *w, const char *name, const char *rest, bool follow)
{
	size_t entered = enter(w, name);

	if (entered == 0)
		return;
	if (rest == NULL && is_kind(w, S_IFREG, true))
		w->found(w->arg, w->path, false);
	else if (rest != NULL && is_kind(w, S_IFDIR, follow))
		walk(w, rest);
	leave(w, entered);
}

static void
visit_matching(struct walk *w, const char *pattern, const char *rest, bool follow)
{
	DIR *folder = opendir(*w->path != '\0' ? w->path : "/");
	const struct dirent *entry;

	if (folder == NULL)
		return;
	w->found(w->arg, *w->path != '\0' ? w->path : "/", true);
	while ((entry = readdir(folder)) != NULL) {
		bool is_dots = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0;
		if (!is_dots && fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0)
			visit(w, entry->d_name, rest, follow);
	}
	closedir(folder);
}

/* What matches the rest of the pattern in the folder of the path. */
static void
walk(struct walk *w, const char *rest)
{
	char name[NAME_MAX + 1];
	size_t len = strcspn(rest, "/");
	const char *below = rest[len] == '/' ? rest + len + 1 : NULL;

	if (len >= sizeof(name))
		return;
	memcpy(name, rest, len);
	name[len] = '\0';
	if (strcmp(name, "**") == 0) {
		walk(w, below != NULL ? below : "*");
		visit_matching(w, "*", rest, false);
	} else if (len == 0 && below != NULL) {
		walk(w, below);
	} else if (pattern_is_plain(name)) {
		visit(w, name, below, true);
	} else {
		visit_matching(w, name, below, true);
	}
}

void
pattern_walk(const char *pattern, pattern_fn *found, void *arg)
{
	struct walk w = { .found = found, .arg = arg };

	walk(&w, pattern + 1);
}
