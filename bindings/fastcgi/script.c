/*
 * Which script answers a request, when the scripts' root is known here. The path is
 * split behind the first part of it that is a script's file, by looking at the files: a
 * pattern can be deceived (/upload/picture.jpg/x.php, a line feed in the path), and a
 * backend that has to guess runs what it should not.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/common/beneath.h"
#include "bindings/common/option.h"
#include "bindings/common/request_path.h"
#include "bindings/fastcgi/app.h"

#define EXTENSION ".php"

/* ---- Files under the root ---- */

enum file_kind { FILE_NONE, FILE_SCRIPT, FILE_FOLDER };

static enum file_kind
look(const struct app *app, const char *path)
{
	struct stat st;
	int fd = beneath_open(app->root.fd, *path != '\0' ? path : ".", O_PATH);

	if (fd == -1)
		return FILE_NONE;
	int failed = fstat(fd, &st);
	close(fd);
	if (failed || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return FILE_NONE;
	return S_ISREG(st.st_mode) ? FILE_SCRIPT : FILE_FOLDER;
}

/* ---- Settings ---- */

/* A relative path begins at the root. The script's name is what its path is from there,
 * or the last part of it. Without a root it is the backend's to find, on another
 * machine perhaps. */
static const char *
load_front_controller(struct app *app, const char *script)
{
	char path[PATH_MAX], real[PATH_MAX];
	const char *name = NULL;

	if (app->root.path != NULL) {
		bool relative = *script != '/';
		int n = snprintf(path, sizeof(path), "%s%s%s",
			relative ? app->root.path : "", relative ? "/" : "", script);
		if (n >= (int)sizeof(path) || realpath(path, real) == NULL)
			return "script: no such file";
		script = real;
		name = folder_rest(&app->root, real);
	}
	if (name == NULL) {
		const char *slash = strrchr(script, '/');
		name = slash != NULL ? slash + 1 : script;
	}
	app->script_file = arena_strz(&app->memory, slice_str(script));
	app->script_name = arena_strz(&app->memory, slice_str(name));
	return app->script_file != NULL && app->script_name != NULL ? NULL
								    : "out of memory";
}

const char *
script_load(struct app *app)
{
	const char *root = al_option("root", 0), *script = al_option("script", 0);
	const char *error = NULL;

	app->index = option_text("index", "index.php");
	if (root != NULL && folder_open(&app->root, root, &app->memory) != NULL)
		error = "root: no such folder";
	if (error == NULL && script != NULL)
		error = load_front_controller(app, script);
	return error;
}

/* ---- Requests ---- */

/* Statuses to answer with. */
enum { MOVED = 301, BAD_REQUEST = 400, NOT_FOUND = 404, NO_MEMORY = 500 };

/* a, slash, b; NULL when memory is out. */
static char *
join(struct arena *memory, const char *a, const char *b)
{
	size_t room = strlen(a) + 1 + strlen(b) + 1;
	char *joined = arena_bytes(memory, room);

	if (joined != NULL)
		snprintf(joined, room, "%s/%s", a, b);
	return joined;
}

/* The file is root/file, named mount/file. */
static unsigned
found(struct script *s, const struct app *app, const char *mount, const char *file,
	struct arena *memory)
{
	s->filename = join(memory, app->root.path, file);
	s->name = join(memory, mount, file);
	return s->filename != NULL && s->name != NULL ? 0 : NO_MEMORY;
}

/* The first part of the path, up to some slash or its end, that is a script. What
 * begins with something that does not exist does not exist either, so the search ends
 * there. */
static struct slice
find_script(const struct app *app, const char *path, struct arena *memory)
{
	size_t extension = strlen(EXTENSION);
	enum file_kind kind = FILE_FOLDER;

	for (const char *end = path; *end != '\0' && kind == FILE_FOLDER;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		size_t len = (size_t)(end - path);
		if (len <= extension ||
			memcmp(end - extension, EXTENSION, extension) != 0)
			continue;
		char *part = arena_strz(memory, slice_of(path, len));
		kind = part != NULL ? look(app, part) : FILE_NONE;
		if (kind == FILE_SCRIPT)
			return slice_of(part, len);
	}
	return (struct slice){ 0 };
}

static const char *
folder_location(struct al_request *req, struct arena *memory)
{
	const char *uri = al_env(req, "REQUEST_URI");

	if (uri == NULL)
		uri = "/";
	size_t room = strlen(uri) + 2;
	char *location = arena_bytes(memory, room);
	return location != NULL && request_path_add_slash(location, room, uri)
		? location
		: NULL;
}

/* The index of the folder, or NULL: it has none, or it is no folder. */
static char *
find_index(const struct app *app, const char *path, struct arena *memory)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return look(app, app->index) == FILE_SCRIPT
			? arena_strz(memory, slice_str(app->index))
			: NULL;
	char *folder = arena_strz(memory, slice_of(path, len));
	char *index = folder != NULL && look(app, folder) == FILE_FOLDER
		? join(memory, folder, app->index)
		: NULL;
	return index != NULL && look(app, index) == FILE_SCRIPT ? index : NULL;
}

static unsigned
find_under_root(struct script *s, const struct app *app, struct al_request *req,
	const char *mount, const char *path, struct arena *memory)
{
	path += strspn(path, "/");
	struct slice file = find_script(app, path, memory);
	if (file.len != 0) {
		s->path_info = path[file.len] != '\0' ? path + file.len : NULL;
		return found(s, app, mount, file.ptr, memory);
	}
	const char *index = find_index(app, path, memory);
	size_t len = strlen(path);
	if (index != NULL && (len == 0 || path[len - 1] == '/'))
		return found(s, app, mount, index, memory);
	if (index != NULL) {
		s->location = folder_location(req, memory);
		return s->location != NULL ? MOVED : NO_MEMORY;
	}
	if (app->script_file == NULL)
		return NOT_FOUND;
	s->filename = app->script_file;
	s->name = join(memory, mount, app->script_name);
	return s->name != NULL ? 0 : NO_MEMORY;
}

unsigned
script_find(struct script *s, const struct app *app, struct al_request *req,
	struct arena *memory)
{
	const char *path = al_env(req, "PATH_INFO"),
		   *mount = al_env(req, "SCRIPT_NAME");

	*s = (struct script){ 0 };
	if (app->root.path == NULL) {
		*s = (struct script){
			.filename = app->script_file,
			.name = mount,
			.path_info = path,
		};
		return 0;
	}
	if (path == NULL)
		path = "";
	if (!request_path_is_clean(path))
		return BAD_REQUEST;
	return find_under_root(s, app, req, mount != NULL ? mount : "", path, memory);
}
