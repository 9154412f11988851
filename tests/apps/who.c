/* Says who answered, and what it was asked: one of five such applications, each in
 * another language, in the folder who. */
#include <stdio.h>

#include "alicorn.h"

static const char *
value(struct al_request *req, const char *name)
{
	const char *text = al_env(req, name);

	return text != NULL ? text : "";
}

int
al_handle(void *app, struct al_request *req)
{
	char text[4096];

	(void)app;
	int n = snprintf(text, sizeof(text), "c|%s|%s|%s|%s|%lu",
		value(req, "SCRIPT_NAME"), value(req, "PATH_INFO"),
		value(req, "QUERY_STRING"), value(req, "REMOTE_ADDR"),
		(unsigned long)al_body_length(req));
	if (al_start(req, "200 OK", NULL, 0) == -1 || n >= (int)sizeof(text))
		return AL_ERROR;
	return al_write_last(req, text, (size_t)n) == -1 ? AL_ERROR : AL_DONE;
}
