/* The shortest application:
 *
 *	cc -shared -fPIC -o hello.so hello.c
 *	alicorn ./hello.so
 */
#include <alicorn.h>
#include <string.h>

int
al_handle(void *app, struct al_request *req)
{
	static const struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/plain; charset=utf-8" },
	};
	const char *text = "Hello, world!\n";

	(void)app;
	if (al_start(req, "200 OK", headers, 1) != 0)
		return AL_ERROR;
	return al_write(req, text, strlen(text)) == 0 ? AL_DONE : AL_ERROR;
}
