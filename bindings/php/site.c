#include "bindings/php/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bindings/common/beneath.h"
#include "bindings/common/option.h"
#include "bindings/common/request_path.h"
#include "bindings/php/seen.h"
#include "gateway/alicorn.h"

#define EXTENSION ".php"

/* ---- Settings ---- */

/* The folder without its slashes at the end; "/" is "". */
static const char *
load_root(struct site *site, const char *root)
{
	if (realpath(root, site->root) == NULL)
		return "root: no such folder";
	site->root_len = strlen(site->root);
	if (site->root_len == 1)
		site->root[--site->root_len] = '\0';
	site->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return site->root_fd != -1 ? NULL : "root: not a folder";
}

static bool
has_extension(const char *name, size_t len)
{
	size_t extension = sizeof(EXTENSION) - 1;

	return len > extension &&
		memcmp(name + len - extension, EXTENSION, extension) == 0;
}

/* A relative path begins at the root. */
static const char *
load_front(struct site *site, const char *script)
{
	char path[PATH_MAX];
	bool relative = *script != '/';
	int n = snprintf(path, sizeof(path), "%s%s%s", relative ? site->root : "",
		relative ? "/" : "", script);

	if (n >= (int)sizeof(path) || realpath(path, site->front) == NULL)
		return "script: no such file";
	if (beneath_rest(site->root, site->front) == NULL)
		return "script: not below root";
	if (!has_extension(site->front, strlen(site->front)))
		return "script: its name does not end in " EXTENSION;
	return NULL;
}

static const char *
load_file_target(struct site *site, const char *target, const char *root)
{
	char folder[PATH_MAX];
	size_t len = (size_t)(strrchr(target, '/') - target);

	if (len >= sizeof(folder))
		return "the target's path is too long";
	memcpy(folder, target, len);
	folder[len] = '\0';
	if (root == NULL)
		root = len != 0 ? folder : "/";
	const char *error = load_root(site, root);
	return error != NULL ? error : load_front(site, target);
}

const char *
site_load(struct site *site, const char *target)
{
	const char *root = al_option("root", 0), *script = al_option("script", 0);
	struct stat st;

	*site = (struct site){
		.root_fd = -1,
		.index = option_text("index", "index.php"),
	};
	if (stat(target, &st) != 0)
		return strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return load_file_target(site, target, root);
	const char *error = load_root(site, root != NULL ? root : target);
	return error != NULL || script == NULL ? error : load_front(site, script);
}

void
site_release(struct site *site)
{
	if (site->root_fd != -1)
		close(site->root_fd);
	site->root_fd = -1;
	seen_release();
}

/* ---- Files below the root ---- */

enum { FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY };

/* Whether place->file, which ends at `end`, is a file: it is open then. If not,
 * FOUND_FOLDER means that the search may go on below it. */
static enum found
look(const struct site *site, struct place *place, char *end)
{
	const char *path = place->name + (*place->name == '/' ? 1 : 0);

	*end = '\0';
	place->fd = beneath_open_followed(site->root_fd, path, FLAGS);
	if (place->fd == -1)
		return errno == EACCES ? FOUND_DENIED : FOUND_NOTHING;
	if (fstat(place->fd, &place->st) == 0 && S_ISREG(place->st.st_mode))
		return FOUND_FILE;
	close(place->fd);
	return S_ISDIR(place->st.st_mode) ? FOUND_FOLDER : FOUND_NOTHING;
}

/* A script is opened by the interpreter, which wants its name. */
static enum found
look_for_script(const struct site *site, struct place *place, char *end)
{
	*end = '\0';
	if (seen_lately(place->name))
		return FOUND_SCRIPT;
	enum found found = look(site, place, end);
	if (found != FOUND_FILE)
		return found;
	close(place->fd);
	seen_note(place->name);
	return FOUND_SCRIPT;
}

/* ---- Paths ---- */

static bool
is_hidden(const char *name, size_t len)
{
	static const char shown[] = ".well-known"; /* RFC 8615 */

	return *name == '.' &&
		(len != sizeof(shown) - 1 || memcmp(name, shown, len) != 0);
}

/* Whether a file may hold a script, or a part of one, though it is not run: what
 * editors leave behind, other extensions that some server runs, and what scripts
 * include. */
static bool
is_source(const char *name)
{
	static const char *const ends[] = { ".inc", ".phtml", ".phar", ".pht" };
	size_t len = strlen(name);

	if (strcasestr(name, EXTENSION) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);
		if (len >= n && strcasecmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return false;
}

/* Appends "/name" and returns the new end; NULL: there is no room for it and for an
 * index. */
static char *
append(const struct site *site, struct place *place, char *end, const char *name,
	size_t len)
{
	size_t room = sizeof(place->file) - (size_t)(end - place->file);

	if (len + strlen(site->index) + 3 > room)
		return NULL;
	*end = '/';
	memcpy(end + 1, name, len);
	return end + 1 + len;
}

/* The index of the folder that place->file names up to `end`. */
static enum found
find_index(const struct site *site, struct place *place, char *end)
{
	end = append(site, place, end, site->index, strlen(site->index));
	if (end == NULL)
		return FOUND_NOTHING;
	return has_extension(site->index, strlen(site->index))
		? look_for_script(site, place, end)
		: look(site, place, end);
}

/* The whole path has no script in it: a file, or a folder. */
static enum found
find_end(const struct site *site, struct place *place, char *end, bool slash)
{
	if (slash) {
		enum found found = find_index(site, place, end);
		return found == FOUND_FOLDER ? FOUND_NOTHING : found;
	}
	enum found found = look(site, place, end);
	if (found == FOUND_FILE && is_source(strrchr(place->file, '/'))) {
		close(place->fd);
		return FOUND_NOTHING;
	}
	if (found != FOUND_FOLDER)
		return found;
	found = find_index(site, place, end);
	if (found == FOUND_FILE)
		close(place->fd);
	return found == FOUND_FILE || found == FOUND_SCRIPT ? FOUND_FOLDER
							    : FOUND_NOTHING;
}

/* Goes down the path to the first part of it that is a script: a pattern could be
 * deceived, by /upload/picture.jpg/x.php or a line feed. The name that is made has no
 * empty parts, so that a script has one name in the interpreter's caches. */
static enum found
find_below(const struct site *site, const char *path, struct place *place)
{
	char *end = place->file + site->root_len;

	for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		end = append(site, place, end, path, len);
		if (end == NULL || is_hidden(path, len))
			return FOUND_NOTHING;
		path += len;
		if (!has_extension(path - len, len))
			continue;
		enum found found = look_for_script(site, place, end);
		place->path_info = *path != '\0' ? path : NULL;
		if (found != FOUND_FOLDER)
			return found;
	}
	place->path_info = NULL;
	bool slash = end == place->file + site->root_len || path[-1] == '/';
	return find_end(site, place, end, slash);
}

enum found
site_find(const struct site *site, const char *path, struct place *place)
{
	memcpy(place->file, site->root, site->root_len + 1);
	place->name = place->file + site->root_len;
	place->path_info = NULL;
	if (!request_path_is_clean(path))
		return FOUND_BAD;
	enum found found = find_below(site, path, place);
	if (found != FOUND_NOTHING || *site->front == '\0')
		return found;
	memcpy(place->file, site->front, strlen(site->front) + 1);
	place->path_info = NULL;
	return FOUND_SCRIPT;
}
