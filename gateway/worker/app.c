#include "gateway/worker/app.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/worker/answers.h"
#include "gateway/worker/status_app.h"

/* Before it bindings had no such member. */
enum { ABI_WITH_START = 2 };

/* Where bindings are, from the folder of the program: in the build, and installed. */
static const char *const places[] = { ".", "../lib/alicorn" };

static const char *
program_folder(void)
{
	static char folder[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	if (n <= 0)
		return ".";
	folder[n] = '\0';
	*strrchr(folder, '/') = '\0';
	return folder;
}

/* Debian's package of a binding. */
static const char *
package_of(const char *binding)
{
	static const struct {
		const char *binding, *package;
	} packages[] = {
		{ "python", "alicorn-python3" },
		{ "php", "alicorn-php8.2" },
		{ "lua", "alicorn-lua5.4" },
		{ "luajit", "alicorn-luajit" },
	};

	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		if (strcmp(packages[i].binding, binding) == 0)
			return packages[i].package;
	}
	return "alicorn";
}

/* Many begin in a folder of root's or of their own, which the user of the workers may
 * not enter: then nothing seems to be there. The error, with that said before it. */
static const char *
name_what_is_closed(const char *path, const char *error)
{
	static char text[2 * PATH_MAX];
	const struct passwd *user = getpwuid(geteuid());

	if (access(path, R_OK) == 0 || errno != EACCES)
		return error;
	snprintf(text, sizeof(text), "the user %s may not read %s: %s",
		user != NULL ? user->pw_name : "of the worker", path, error);
	return text;
}

static const char *
find_binding(const char *name, char *path, size_t room)
{
	static char error[384];
	const char *folder = program_folder();

	if (name[0] == '/') {
		snprintf(path, room, "%s", name);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, room, "%s/%s/%s.so", folder, places[i], name);
		if (n > 0 && (size_t)n < room && access(path, R_OK) == 0)
			return NULL;
	}
	snprintf(error, sizeof(error),
		"the binding %s.so is neither in %.100s nor in its ../lib/alicorn: "
		"apt-get install %s, or, for one that was built, make deps "
		"and make again",
		name, folder, package_of(name));
	return name_what_is_closed(folder, error);
}

static const char *
open_binding(const char *path, int scope, const struct al_binding **binding)
{
	static char error[128];
	void *handle = dlopen(path, RTLD_NOW | scope);

	if (handle == NULL)
		return dlerror();
	*binding = dlsym(handle, "al_binding");
	if (*binding == NULL)
		return dlerror();
	if ((*binding)->abi > AL_ABI) {
		snprintf(error, sizeof(error),
			"the binding was built for interface %u, this program has %u",
			(*binding)->abi, AL_ABI);
		return error;
	}
	return NULL;
}

/* Those that are a part of this program. */
static const struct al_binding *const built_in[] = {
	&answers_binding,
	&status_binding,
};

static const struct al_binding *
find_built_in(const char *name)
{
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (strcmp(built_in[i]->name, name) == 0)
			return built_in[i];
	return NULL;
}

/* A target is a file or a folder, with what may follow a colon, or is looked for from
 * the working folder. */
static const char *
load_target(struct app *app, const char *target)
{
	char path[PATH_MAX];
	const char *error = app->binding->load(target, &app->instance);

	if (error == NULL)
		return NULL;
	if (target[0] == '/')
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(target, ":"), target);
	else if (getcwd(path, sizeof(path)) == NULL)
		return error;
	return name_what_is_closed(path, error);
}

static const char *
load(struct app *app, const char *binding, const char *target, int scope)
{
	char path[PATH_MAX];
	const char *error = NULL;

	app->binding = find_built_in(binding);
	if (app->binding == NULL)
		error = find_binding(binding, path, sizeof(path));
	if (app->binding == NULL && error == NULL)
		error = open_binding(path, scope, &app->binding);
	return error != NULL ? error : load_target(app, target);
}

/* Interpreters' extension modules find the interpreter's symbols only when these are
 * global. */
const char *
app_load(struct app *app, const char *binding, const char *target)
{
	return load(app, binding, target, RTLD_GLOBAL);
}

const char *
app_load_inner(struct app *app, const char *binding, const char *target)
{
	return load(app, binding, target, RTLD_LOCAL);
}

const char *
app_start(struct app *app)
{
	const struct al_binding *binding = app->binding;

	if (binding->abi < ABI_WITH_START || binding->start == NULL)
		return NULL;
	return binding->start(app->instance);
}

void
app_unload(struct app *app)
{
	if (app->binding->unload != NULL)
		app->binding->unload(app->instance);
}

void
app_hook(const struct app *app, enum al_hook hook, struct al_request *req)
{
	if (app->binding->hook != NULL)
		app->binding->hook(app->instance, hook, req);
}
