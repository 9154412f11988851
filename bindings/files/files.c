/*
 * The binding of static files: files:FOLDER. It is event-driven, as a file is answered
 * at once: the kernel sends it, and what of it the client does not take waits in the
 * gateway.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bindings/common/option.h"
#include "bindings/common/request_path.h"
#include "bindings/files/path.h"
#include "bindings/files/site.h"
#include "protocols/buffer.h"

#define SYSTEM_TYPES "/etc/mime.types"

enum { TYPES_MAX = 4 << 20 };

/* ---- Loading ---- */

/* What the system says of types; 0 also where it says nothing. */
static int
add_system_types(struct site *site)
{
	struct buffer text = { 0 };
	FILE *file = fopen(SYSTEM_TYPES, "re");
	char piece[4096];
	size_t n;

	if (file == NULL)
		return 0;
	buffer_init(&text, TYPES_MAX);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(&text, piece, n);
	fclose(file);
	int result = mime_add(&site->types, buffer_slice(&text), &site->memory);
	buffer_release(&text);
	return result;
}

static const char *
load_types(struct site *site)
{
	if (add_system_types(site) != 0 ||
		mime_add(&site->types, slice_str(mime_built_in), &site->memory) != 0)
		return "out of memory";
	mime_sort(&site->types);
	return NULL;
}

static void
unload(void *state)
{
	struct site *site = state;

	cache_release(&site->cache);
	root_close(&site->root);
	mime_release(&site->types);
	arena_release(&site->memory);
	free(site);
}

static const char *
load_root(struct site *site, const char *target)
{
	const char *path = arena_strz(&site->memory, slice_str(target));

	return path != NULL ? root_open(&site->root, path) : "out of memory";
}

static const char *
load(const char *target, void **state)
{
	struct site *site = calloc(1, sizeof(*site));

	if (site == NULL)
		return "out of memory";
	site->root.fd = -1;
	cache_init(&site->cache);
	site->index = option_text("index", "index.html");
	site->cache_control = al_option("cache_control", 0);
	site->listing = option_is_true("listing");
	const char *error = load_root(site, target);
	if (error == NULL)
		error = load_types(site);
	if (error != NULL)
		unload(site);
	else
		*state = site;
	return error;
}

/* ---- Requests ---- */

/* Which fact a variable is; FACTS: none. */
static size_t
find_fact(const struct al_var *var)
{
	static const struct slice names[FACTS] = {
		[FACT_METHOD] = SLICE_INIT("REQUEST_METHOD"),
		[FACT_PATH] = SLICE_INIT("PATH_INFO"),
		[FACT_URI] = SLICE_INIT("REQUEST_URI"),
		[FACT_ACCEPT_ENCODING] = SLICE_INIT("HTTP_ACCEPT_ENCODING"),
		[FACT_IF_MATCH] = SLICE_INIT("HTTP_IF_MATCH"),
		[FACT_IF_NONE_MATCH] = SLICE_INIT("HTTP_IF_NONE_MATCH"),
		[FACT_IF_MODIFIED_SINCE] = SLICE_INIT("HTTP_IF_MODIFIED_SINCE"),
		[FACT_IF_UNMODIFIED_SINCE] = SLICE_INIT("HTTP_IF_UNMODIFIED_SINCE"),
		[FACT_IF_RANGE] = SLICE_INIT("HTTP_IF_RANGE"),
		[FACT_RANGE] = SLICE_INIT("HTTP_RANGE"),
	};
	struct slice name = slice_of(var->name, var->name_len);
	size_t fact = 0;

	while (fact < FACTS && !slice_eq(name, names[fact]))
		fact++;
	return fact;
}

/* A name that has an id is compared once. */
static size_t
fact_of(struct site *site, const struct al_var *var)
{
	unsigned char *known = &site->known[var->id];

	if (var->id == 0)
		return find_fact(var);
	if (*known == 0)
		*known = (unsigned char)(find_fact(var) + 1);
	return *known - 1u;
}

static void
gather_facts(struct ask *ask)
{
	size_t n;
	const struct al_var *vars = al_env_all(ask->req, &n);

	for (size_t i = 0; i < n; i++) {
		size_t fact = fact_of(ask->site, &vars[i]);
		if (fact < FACTS)
			ask->facts[fact] = vars[i].value;
	}
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Its index, behind the path of a folder; false: that would be too long. */
static bool
add_index(char out[PATH_MAX], const struct site *site, const char *path)
{
	size_t len = strlen(path);
	const char *slash = len == 0 || path[len - 1] == '/' ? "" : "/";

	return snprintf(out, PATH_MAX, "%s%s%s", path, slash, site->index) < PATH_MAX;
}

static bool
has_index(const struct ask *ask, const char *path)
{
	char index[PATH_MAX];

	return add_index(index, ask->site, path) &&
		cache_get(ask->site, index, now_ms()) != NULL;
}

/* A folder that was asked for without its slash. Without a page its name may well be
 * one of the next application's. */
static int
answer_slash(const struct ask *ask, const char *path)
{
	if (al_has_next(ask->req) && !ask->site->listing && !has_index(ask, path))
		return AL_DECLINED;
	const char *uri = ask->facts[FACT_URI] != NULL ? ask->facts[FACT_URI] : "/";
	size_t room = strlen(uri) + 2;
	char *location = malloc(room);
	const struct al_header field = { .name = "Location", .value = location };
	int result = AL_ERROR;

	if (location != NULL && request_path_add_slash(location, room, uri) &&
		al_start(ask->req, "301 Moved Permanently", &field, 1) == 0)
		result = AL_DONE;
	free(location);
	return result;
}

/* A folder without an index; whether there is such a folder is not known yet. */
static int
answer_folder(const struct ask *ask, const char *path)
{
	const struct root *root = &ask->site->root;
	int fd = root_open_file(root, *path != '\0' ? path : ".", O_PATH | O_DIRECTORY);

	if (fd == -1)
		return answer_errno(ask->req, path, errno);
	close(fd);
	if (ask->site->listing)
		return answer_listing(ask, path);
	if (al_has_next(ask->req))
		return AL_DECLINED;
	return answer_error(ask->req, 403, NULL, NULL);
}

static int
answer_path(const struct ask *ask, const char *path)
{
	struct site *site = ask->site;
	char index[PATH_MAX];
	size_t len = strlen(path);
	bool is_folder = len == 0 || path[len - 1] == '/';
	const char *file = path;

	if (is_folder) {
		file = index;
		if (!add_index(index, site, path))
			return answer_errno(ask->req, path, ENAMETOOLONG);
	}
	struct entry *entry = cache_get(site, file, now_ms());
	if (entry != NULL)
		return answer_file(ask, entry);
	if (is_folder && (errno == ENOENT || errno == EISDIR))
		return answer_folder(ask, path);
	return errno == EISDIR ? answer_slash(ask, path)
			       : answer_errno(ask->req, path, errno);
}

static int
handle(void *state, struct al_request *req)
{
	struct ask ask = { .site = state, .req = req };
	char path[PATH_MAX];

	gather_facts(&ask);
	const char *method = ask.facts[FACT_METHOD], *given = ask.facts[FACT_PATH];
	if (method == NULL ||
		(strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		return answer_method(req);
	if (given == NULL)
		given = "";
	if (strlen(given) >= sizeof(path))
		return answer_errno(req, given, ENAMETOOLONG);
	switch (path_clean(path, given)) {
	case PATH_BAD:
		return answer_error(req, 400, NULL, NULL);
	case PATH_HIDDEN:
		return answer_none(req);
	case PATH_CLEAN:
		break;
	}
	return answer_path(&ask, path);
}

__attribute__((visibility("default"))) const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "files",
	.load = load,
	.handle = handle,
	.unload = unload,
};
