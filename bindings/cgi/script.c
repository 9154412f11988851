/*
 * Which program answers a request. The path is split behind the first part of it that
 * is a file, by looking at the files: a pattern can be deceived. Where links lead is
 * looked at too, as nothing outside of the folder is run.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/cgi/cgi.h"
#include "bindings/common/beneath.h"
#include "bindings/common/option.h"
#include "bindings/common/request_path.h"

/* Statuses to answer with. */
enum {
	MOVED = 301,
	BAD_REQUEST = 400,
	FORBIDDEN = 403,
	NOT_FOUND = 404,
	NO_MEMORY = 500,
	NOT_IMPLEMENTED = 501,
};

/* ---- Settings ---- */

static const char *
keep(struct cgi *app, const char **text, const char *value)
{
	*text = arena_strz(&app->memory, slice_str(value));
	return *text != NULL ? NULL : "out of memory";
}

/* A program is run by the name that was given, which may be a link: some look at it. */
static const char *
load_target(struct cgi *app, const char *target)
{
	static char reason[PATH_MAX + 64];
	char real[PATH_MAX];
	struct stat st;

	if (realpath(target, real) == NULL || stat(real, &st) != 0) {
		snprintf(reason, sizeof(reason), "%s: %s", target, strerror(errno));
		return reason;
	}
	if (S_ISDIR(st.st_mode))
		return keep(app, &app->folder, real);
	if (!S_ISREG(st.st_mode) || access(real, X_OK) != 0) {
		snprintf(reason, sizeof(reason),
			"%s: not a program that can be run (chmod +x)", target);
		return reason;
	}
	const char *error = keep(app, &app->program, target);
	*strrchr(real, '/') = '\0';
	return error != NULL ? error : keep(app, &app->folder, real);
}

const char *
script_load(struct cgi *app, const char *target)
{
	const char *root = al_option("root", 0);
	char real[PATH_MAX];
	const char *error = load_target(app, target);

	if (error != NULL)
		return error;
	app->index = option_text("index", "index.php");
	app->root = app->folder;
	if (root == NULL)
		return NULL;
	if (realpath(root, real) == NULL)
		return "root: no such folder";
	return keep(app, &app->root, real);
}

/* ---- Files of the folder ---- */

enum file_kind { FILE_NONE, FILE_REGULAR, FILE_FOLDER };

static enum file_kind
look(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return FILE_NONE;
	if (S_ISDIR(st.st_mode))
		return FILE_FOLDER;
	return S_ISREG(st.st_mode) ? FILE_REGULAR : FILE_NONE;
}

static bool
is_inside(const struct cgi *app, const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) != NULL && beneath_rest(app->folder, real) != NULL;
}

/* a, slash, b; NULL when memory is out. */
static char *
join(struct arena *memory, const char *a, struct slice b)
{
	size_t len = strlen(a), room = len + 1 + b.len + 1;
	char *joined = arena_bytes(memory, room);

	if (joined != NULL)
		snprintf(joined, room, "%s/%" SLICE_FMT, a, SLICE_ARG(b));
	return joined;
}

/* ---- Requests ---- */

/* The file was found; may it be run? */
static unsigned
accept_file(struct script *s, const struct cgi *app, struct al_request *req,
	const char *file, const char *name, const char *path_info)
{
	if (!is_inside(app, file)) {
		al_log(req, AL_WARNING, "%s: not run, it leads out of %s", file,
			app->folder);
		return NOT_FOUND;
	}
	if (access(file, X_OK) != 0) {
		al_log(req, AL_WARNING, "%s: not run, it is not executable", file);
		return FORBIDDEN;
	}
	s->file = file;
	s->name = name;
	s->path_info = *path_info != '\0' ? path_info : NULL;
	return 0;
}

static const char *
folder_location(const char *uri, struct arena *memory)
{
	size_t room = strlen(uri) + 2;
	char *location = arena_bytes(memory, room);

	return location != NULL && request_path_add_slash(location, room, uri)
		? location
		: NULL;
}

/* Of a folder its index is run; names are the file's and the URL's, without a slash at
 * the end. */
static unsigned
find_index(struct script *s, const struct cgi *app, struct al_request *req,
	const struct ask *ask, const char *file, const char *name, struct arena *memory)
{
	const char *index = join(memory, file, slice_str(app->index));
	const char *index_name = join(memory, name, slice_str(app->index));
	const char *uri = ask->uri != NULL ? ask->uri : al_env(req, "REQUEST_URI");
	size_t len = strlen(ask->path);

	if (index == NULL || index_name == NULL)
		return NO_MEMORY;
	if (*app->index == '\0' || look(index) != FILE_REGULAR)
		return FORBIDDEN;
	if (len == 0 || ask->path[len - 1] == '/')
		return accept_file(s, app, req, index, index_name, "");
	s->location = folder_location(uri != NULL ? uri : "/", memory);
	return s->location != NULL ? MOVED : NO_MEMORY;
}

/* Goes from part to part until one of them is a file. Hidden ones are none. */
static unsigned
find_in_folder(struct script *s, const struct cgi *app, struct al_request *req,
	const struct ask *ask, const char *mount, struct arena *memory)
{
	size_t room = strlen(ask->path) + 2;
	char *file = arena_bytes(memory, strlen(app->folder) + room);
	char *name = arena_bytes(memory, strlen(mount) + room);
	const char *at = ask->path;

	if (file == NULL || name == NULL)
		return NO_MEMORY;
	char *file_end = stpcpy(file, app->folder), *name_end = stpcpy(name, mount);
	for (at += strspn(at, "/"); *at != '\0'; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");
		if (*at == '.')
			return NOT_FOUND;
		*file_end++ = *name_end++ = '/';
		file_end = mempcpy(file_end, at, len);
		name_end = mempcpy(name_end, at, len);
		*file_end = *name_end = '\0';
		at += len;
		enum file_kind kind = look(file);
		if (kind == FILE_REGULAR)
			return accept_file(s, app, req, file, name, at);
		if (kind == FILE_NONE)
			return NOT_FOUND;
	}
	return find_index(s, app, req, ask, file, name, memory);
}

bool
script_is_nph(const struct script *s)
{
	const char *slash = strrchr(s->file, '/');
	const char *name = slash != NULL ? slash + 1 : s->file;

	return strncmp(name, "nph-", 4) == 0;
}

static unsigned
find(struct script *s, const struct cgi *app, struct al_request *req,
	const struct ask *ask, struct arena *memory)
{
	const char *mount = al_env(req, "SCRIPT_NAME");

	if (mount == NULL)
		mount = "";
	if (!request_path_is_clean(ask->path))
		return BAD_REQUEST;
	if (app->program == NULL)
		return find_in_folder(s, app, req, ask, mount, memory);
	s->file = app->program;
	s->name = mount;
	s->path_info = *ask->path != '\0' ? ask->path : NULL;
	return 0;
}

unsigned
script_find(struct script *s, const struct cgi *app, struct al_request *req,
	const struct ask *ask, struct arena *memory)
{
	*s = (struct script){ 0 };
	unsigned refusal = find(s, app, req, ask, memory);
	if (refusal != 0 || app->nph || !script_is_nph(s))
		return refusal;
	al_log(req, AL_LOG_ERROR,
		"%s: not run, its name is that of a program that makes whole responses "
		"(see cgi_nph)",
		s->file);
	return NOT_IMPLEMENTED;
}
