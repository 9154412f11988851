/*
 * CGI programs (RFC 3875).
 */
#include "gateway/alicorn.h"

static const char *
load(const char *target, void **app)
{
	(void)target;
	*app = NULL;
	return "CGI is not built in yet";
}

static int
handle(void *app, struct al_request *req)
{
	(void)app;
	(void)req;
	return AL_ERROR;
}

__attribute__((visibility("default"))) const struct al_binding al_binding = {
	.abi = AL_ABI,
	.name = "cgi",
	.load = load,
	.handle = handle,
};
