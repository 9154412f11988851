/* The smallest application: a fixed reply. `make bench` measures the server with it. As
 * fixed.so:with_slow it takes 50 ms for the path /slow; as fixed.so:with_body it reads
 * the body. */
#include <string.h>
#include <time.h>

#include "alicorn.h"

static const char text[] = "Hello, World!\n";

int
al_handle(void *app, struct al_request *req)
{
	static const struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/plain" },
		{ .name = "Content-Length", .value = "14" },
	};

	(void)app;
	if (al_start(req, "200 OK", headers, 2) == -1)
		return AL_ERROR;
	return al_write(req, text, sizeof(text) - 1) == -1 ? AL_ERROR : AL_DONE;
}

int
with_slow(void *app, struct al_request *req)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000000 };

	if (strcmp(al_env(req, "PATH_INFO"), "/slow") == 0)
		nanosleep(&pause, NULL);
	return al_handle(app, req);
}

int
with_body(void *app, struct al_request *req)
{
	static char part[64 * 1024];
	ssize_t n;

	while ((n = al_read(req, part, sizeof(part))) > 0)
		;
	return n == -1 ? AL_ERROR : al_handle(app, req);
}
