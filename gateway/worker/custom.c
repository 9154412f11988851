#include "gateway/worker/custom.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/alicorn-worker.h"
#include "gateway/alicorn.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/self.h"

static const struct al_worker_class *class;
static struct al_worker worker;
static void *state;
static unsigned said; /* enum al_control */

bool
custom_is_wanted(void)
{
	return strchr(self.settings->worker_class, '/') != NULL;
}

static const char *
open_class(const char *path)
{
	static char error[PATH_MAX + 64];

	al_file(path);
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (library == NULL)
		return dlerror();
	class = dlsym(library, "al_worker_class");
	if (class == NULL)
		return dlerror();
	if (class->abi != AL_WORKER_ABI)
		snprintf(error, sizeof(error),
			"%s: its interface is %u, the server's is %d", path, class->abi,
			AL_WORKER_ABI);
	else if (class->init == NULL || class->run == NULL)
		snprintf(error, sizeof(error), "%s: its al_worker_class has no %s",
			path, class->init == NULL ? "init()" : "run()");
	return *error != '\0' ? error : NULL;
}

/* Its reason says which class it is of. */
static const char *
init(void)
{
	static char error[512];
	const char *reason = class->init(&worker, &state);

	if (reason == NULL)
		return NULL;
	snprintf(error, sizeof(error), "%s: %s",
		class->name != NULL ? class->name : "its worker class", reason);
	return error;
}

static const char *
describe(const char *target)
{
	const struct heritage *h = self.heritage;
	struct al_listener *listeners = calloc(h->n_listeners + 1, sizeof(*listeners));

	if (listeners == NULL)
		return "out of memory";
	for (size_t i = 0; i < h->n_listeners; i++)
		listeners[i] = (struct al_listener){
			.fd = h->listeners[i]->fd,
			.address = h->listeners[i]->address.text,
		};
	worker = (struct al_worker){
		.name = self.settings->name,
		.target = target,
		.arbiter = getppid(),
		.age = h->age,
		.generation = h->generation,
		.timeout = (unsigned)self.settings->timeout,
		.graceful_timeout = (unsigned)self.settings->graceful_timeout,
		.listeners = listeners,
		.n_listeners = h->n_listeners,
	};
	return NULL;
}

const char *
custom_load(const char *target)
{
	const char *error = open_class(self.settings->worker_class);

	if (error == NULL)
		error = describe(target);
	return error != NULL ? error : init();
}

int
custom_run(void)
{
	return class->run(&worker, state);
}

void
custom_serve(void)
{
	said |= AL_CONTROL_SERVE;
}

void
custom_stop(void)
{
	said |= AL_CONTROL_STOP;
}

/* ---- What the class calls ---- */

/* The loop's own epoll set: it holds the channel and the pipe of the signals. */
int
al_control_fd(void)
{
	return self.loop.epoll;
}

unsigned
al_control(void)
{
	loop_wait(&self.loop, 0);
	loop_dispatch(&self.loop);
	return said;
}

void
al_worker_notify(const char *what)
{
	struct slot *slot = self.slot;

	if (what != NULL)
		snprintf(slot->request, sizeof(slot->request), "%s", what);
	slot->request_id[0] = '\0';
	atomic_store(&slot->busy_since, what != NULL ? clock_ms() : 0);
}

const char *
al_worker_option(const char *name, size_t i)
{
	return al_option(name, i);
}

void
al_worker_log(int level, const char *format, ...)
{
	char text[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	al_log(NULL, (enum al_level)level, "%s", text);
}
