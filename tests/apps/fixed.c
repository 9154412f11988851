/* The smallest application: a fixed reply. `make bench` measures the server with it. */
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
