/*
 * The binding of C applications: shared objects that export al_handle, or another
 * function that the target names. "FILE.so" or "FILE.so:FUNCTION".
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alicorn.h"

enum { HOOKS = AL_WORKER_ABORT + 1 };

struct c_app {
	void *library;
	__typeof__(al_handle) *handle;
	__typeof__(al_worker_exit) *worker_exit; /* may be NULL */
	__typeof__(al_iterate) *iterate; /* may be NULL */
	al_app_hook *hooks[HOOKS]; /* NULL: not set */
	void *state; /* the application's own */
};

/* What the settings may name, in the order of enum al_hook. */
static const struct {
	enum al_hook moment;
	const char *setting;
} named_hooks[] = {
	{ AL_WORKER_INIT, "post_worker_init" },
	{ AL_WORKER_EXIT, "worker_exit" },
	{ AL_PRE_REQUEST, "pre_request" },
	{ AL_POST_REQUEST, "post_request" },
	{ AL_WORKER_INT, "worker_int" },
	{ AL_WORKER_ABORT, "worker_abort" },
};

/* Splits the target. A name without a slash is a file of the working folder; dlopen()
 * would look for it among the system's libraries. */
static const char *
parse_target(const char *target, char path[PATH_MAX], const char **function)
{
	const char *colon = strrchr(target, ':');
	bool has_function = colon != NULL && strchr(colon, '/') == NULL;
	int len = has_function ? (int)(colon - target) : (int)strlen(target);
	const char *folder = memchr(target, '/', (size_t)len) == NULL ? "./" : "";

	*function = has_function ? colon + 1 : "al_handle";
	if (len == 0 || **function == '\0')
		return "the target is not FILE.so or FILE.so:FUNCTION";
	int n = snprintf(path, PATH_MAX, "%s%.*s", folder, len, target);
	return n < PATH_MAX ? NULL : "the name of the file is too long";
}

static const char *
open_library(struct c_app *c, const char *path, const char *function)
{
	static char error[PATH_MAX + 128];

	c->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (c->library == NULL)
		return dlerror();
	c->handle = (__typeof__(al_handle) *)dlsym(c->library, function);
	if (c->handle == NULL) {
		snprintf(error, sizeof(error), "%s has no function %.64s", path,
			function);
		return error;
	}
	c->worker_exit =
		(__typeof__(al_worker_exit) *)dlsym(c->library, "al_worker_exit");
	c->iterate = (__typeof__(al_iterate) *)dlsym(c->library, "al_iterate");
	return NULL;
}

/* One that is missing is reported, and does without. */
static void
find_hooks(struct c_app *c)
{
	for (size_t i = 0; i < sizeof(named_hooks) / sizeof(named_hooks[0]); i++) {
		const char *name = al_option(named_hooks[i].setting, 0);
		if (name == NULL)
			continue;
		al_app_hook *found = (al_app_hook *)dlsym(c->library, name);
		if (found == NULL)
			al_log(NULL, AL_LOG_ERROR, "hook %s: %s",
				named_hooks[i].setting, dlerror());
		c->hooks[named_hooks[i].moment] = found;
	}
}

/* What was opened stays open when this fails: the reason may stand in the library, and
 * the process ends. */
static const char *
load(const char *target, void **app)
{
	char path[PATH_MAX];
	const char *function;
	struct c_app *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return "out of memory";
	const char *error = parse_target(target, path, &function);
	if (error == NULL)
		error = open_library(c, path, function);
	if (error != NULL) {
		free(c);
		return error;
	}
	find_hooks(c);
	*app = c;
	return NULL;
}

static const char *
start(void *app)
{
	struct c_app *c = app;
	const uint32_t *flags = dlsym(c->library, "al_flags");
	bool is_safe = flags != NULL && (*flags & AL_THREAD_SAFE) != 0;

	if (al_multithread() && !is_safe)
		return "threads: the application does not say that it may run in "
		       "several (al_flags)";
	__typeof__(al_worker_init) *init =
		(__typeof__(al_worker_init) *)dlsym(c->library, "al_worker_init");

	return init != NULL ? init(&c->state) : NULL;
}

static int
handle(void *app, struct al_request *req)
{
	struct c_app *c = app;

	return c->handle(c->state, req);
}

/* It works on without; once is enough to say so. */
static int
pause_for_ever(void)
{
	static bool told;

	if (!told)
		al_log(NULL, AL_WARNING,
			"the application has no al_iterate(), as worker_class = "
			"\"iterating\" wants it");
	told = true;
	return AL_PAUSE;
}

static int
iterate(void *app)
{
	struct c_app *c = app;

	return c->iterate != NULL ? c->iterate(c->state) : pause_for_ever();
}

static void
tell_file(const struct c_app *c)
{
	Dl_info info;
	char path[PATH_MAX];

	if (dladdr((void *)c->handle, &info) != 0 &&
		realpath(info.dli_fname, path) != NULL)
		al_file(path);
}

static void
hook(void *app, enum al_hook moment, struct al_request *req)
{
	struct c_app *c = app;

	if (moment == AL_FILES)
		tell_file(c);
	else if (moment <= AL_WORKER_ABORT && c != NULL && c->hooks[moment] != NULL)
		c->hooks[moment](c->state, req);
}

static void
unload(void *app)
{
	struct c_app *c = app;

	if (c->worker_exit != NULL)
		c->worker_exit(c->state);
	dlclose(c->library);
	free(c);
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_THREAD_SAFE, /* start() asks the application */
	.name = "c",
	.load = load,
	.handle = handle,
	.iterate = iterate,
	.hook = hook,
	.unload = unload,
	.start = start,
};
